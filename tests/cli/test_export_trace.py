"""`thresher export TRACE`: a trace in another format, from the command line."""

from pathlib import Path

import numpy as np
import pytest
from tiny_network import Thresher

from thresher import load_trace

RUN = "simulate tiny.snn.yaml --data data.npz --steps 4 --trace"


@pytest.fixture
def traced(folder: Path, thresher: Thresher) -> Path:
    """The folder of the tiny network, with spikes.npz in it."""
    found = thresher(f"{RUN} spikes.npz")
    assert found.status == 0, found.err
    return folder


@pytest.mark.parametrize(
    ("name", "options", "package"),
    [
        ("out.csv", "", "numpy"),
        ("out.parquet", "", "pyarrow"),
        ("out.h5", "", "h5py"),
        ("out.nir", "", "h5py"),
        ("out.h5", "--format sonata --step-ms 2", "h5py"),
        ("out.nix", "--format neo", "nixio"),
        ("out.nwb", "", "pynwb"),
        ("out.npy", "--population relu1 --step-ms 0.5", "numpy"),
    ],
)
def test_export_writes_the_format_of_the_suffix_or_the_one_named(
    traced: Path, thresher: Thresher, name: str, options: str, package: str
) -> None:
    pytest.importorskip(package, reason="it writes this format")
    found = thresher(f"export spikes.npz -o {name} {options}")
    assert (found.status, found.err) == (0, "")
    assert found.out == f"wrote {name}\n"
    assert (traced / name).stat().st_size > 0


def test_a_run_writes_any_format_directly(traced: Path, thresher: Thresher) -> None:
    pytest.importorskip("pyarrow", reason="it writes this format")
    assert thresher(f"{RUN} spikes.parquet").status == 0
    direct, expected = load_trace(traced / "spikes.parquet"), load_trace(traced / "spikes.npz")
    np.testing.assert_array_equal(direct.tick, expected.tick)
    np.testing.assert_array_equal(direct.neuron, expected.neuron)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("export spikes.npz -o out.txt", "'out.txt' has the suffix '.txt'; expected .csv or .h5"),
        ("export spikes.npz -o out.csv --format sonata", "has the suffix '.csv'; expected .h5"),
        ("export spikes.npz -o out.h5 --format dai", "'dai'; expected one of csv,"),
        ("export spikes.npz -o spikes.npz", "'spikes.npz' is what is read; expected another"),
        ("export data.npz -o out.csv", "'data.npz' cannot be read as a trace"),
        ("export absent.npz -o out.csv", "'absent.npz' cannot be read: No such file"),
        ("export spikes.npz -o out.csv --step-ms 2", "format 'csv' has no step_ms"),
        ("export spikes.npz -o out.npy --step-ms -1", "a step of -1.0 ms; expected a number above"),
        ("export spikes.npz -o out.npy --population fc", "the spikes of 'fc' were not recorded"),
    ],
)
def test_export_of_a_trace_refuses_by_name(
    traced: Path, thresher: Thresher, line: str, message: str
) -> None:
    before = set(traced.iterdir())
    found = thresher(line)
    assert (found.status, found.out) == (2, "")
    assert message in found.err
    assert set(traced.iterdir()) == before


def test_a_format_whose_package_is_absent_names_the_extra_before_the_run(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    found = thresher(f"{RUN} spikes.parquet")
    assert found.status == 1
    assert "the package 'pyarrow', which is not installed: pip install 'thresher[trace]'" in (
        found.err
    )
    assert not (folder / "spikes.parquet").exists()
