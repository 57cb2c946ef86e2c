"""Trace formats: what the spikes of a run are written as; importing this fills the registry."""

from thresher.sim.trace_formats.choose import (
    choose_format,
    expect_fit,
    readable_format,
    readable_suffixes,
    trace_suffixes,
    write_trace,
)
from thresher.sim.trace_formats.csv_lines import Csv
from thresher.sim.trace_formats.events import EventArray
from thresher.sim.trace_formats.hdf5 import Hdf5
from thresher.sim.trace_formats.neo_blocks import NeoBlocks
from thresher.sim.trace_formats.nirdata import NirData
from thresher.sim.trace_formats.npz import Npz
from thresher.sim.trace_formats.nwb import Nwb
from thresher.sim.trace_formats.parquet import Parquet
from thresher.sim.trace_formats.sonata import Sonata
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Rows, TraceFormat

__all__ = [
    "COLUMNS",
    "TRACE_FORMATS",
    "Csv",
    "EventArray",
    "Hdf5",
    "NeoBlocks",
    "NirData",
    "Npz",
    "Nwb",
    "Parquet",
    "Rows",
    "Sonata",
    "TraceFormat",
    "choose_format",
    "expect_fit",
    "readable_format",
    "readable_suffixes",
    "trace_suffixes",
    "write_trace",
]
