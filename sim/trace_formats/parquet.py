""".parquet: a table with a row a spike, for pandas, Polars, DuckDB and R's arrow."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import MissingExtraError
from thresher.sim.trace_formats import trace_format
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader, header_of_json

GROUP = 4
"""Blocks of a row group."""


@dataclass(frozen=True)
class Parquet:
    """Columns as in `COLUMNS`, populations by name; the header as JSON in the schema's metadata."""

    name: ClassVar[str] = "parquet"
    suffix: ClassVar[str | None] = ".parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    membranes: ClassVar[bool] = False

    def check(self, header: TraceHeader) -> None:
        _pyarrow()

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        arrow, parquet = _pyarrow()
        names = arrow.array(list(header.populations), arrow.string())
        types = {name: arrow.from_numpy_dtype(dtype) for name, dtype in COLUMNS.items()}
        types["population"] = arrow.dictionary(arrow.int16(), arrow.string())
        schema = arrow.schema(list(types.items()), metadata={"thresher": header.as_json()})

        def batch(block: Block) -> Any:
            columns: dict[str, Any] = {name: arrow.array(block[name]) for name in COLUMNS}
            codes = columns["population"]
            columns["population"] = arrow.DictionaryArray.from_arrays(codes, names)
            return arrow.record_batch(list(columns.values()), schema=schema)

        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            batches = map(batch, blocks(spikes))
            while group := list(islice(batches, GROUP)):
                writer.write_table(arrow.Table.from_batches(group))

    @classmethod
    def read_header(cls, path: Path) -> TraceHeader:
        with _opened(path) as file:
            return header_of_json(json.loads(file.schema_arrow.metadata[b"thresher"]))

    @classmethod
    def read_blocks(cls, path: Path, header: TraceHeader) -> Iterator[Block]:
        index = {name: i for i, name in enumerate(header.populations)}
        with _opened(path) as file:
            for batch in file.iter_batches(trace_format.CHUNK, columns=list(COLUMNS)):
                coded = batch.column("population").cast("string").dictionary_encode()
                codes = np.array([index[name] for name in coded.dictionary.to_pylist()], np.int64)
                block = {
                    name: batch.column(name).to_numpy() for name in COLUMNS if name != "population"
                }
                yield block | {"population": codes[coded.indices.to_numpy()]}

    @classmethod
    def read_membranes(cls, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        return iter(())


def _opened(path: Path) -> Any:
    arrow, parquet = _pyarrow()
    try:
        return parquet.ParquetFile(path)
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "trace", "a .parquet trace") from error
    return pyarrow, pyarrow.parquet


TRACE_FORMATS.register(Parquet.name, Parquet)
