""".csv: a line a spike, which any spreadsheet reads."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.sim.trace_formats import trace_format
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader, header_of_json

LONGEST_HEADER, LONGEST_LINE = 2**26, 2**16


@dataclass(frozen=True)
class Csv:
    """Columns as in `COLUMNS`, populations by name; the header in a comment on the first line."""

    name: ClassVar[str] = "csv"
    suffix: ClassVar[str | None] = ".csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    membranes: ClassVar[bool] = False

    def check(self, header: TraceHeader) -> None:
        """Let every trace pass."""

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        names = np.array(header.populations)
        with path.open("w", newline="", encoding="utf-8") as file:
            file.write(f"# {header.as_json()}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for block in blocks(spikes):
                block["population"] = names[block["population"]]
                writer.writerows(zip(*(values.tolist() for values in block.values()), strict=True))

    @classmethod
    def read_header(cls, path: Path) -> TraceHeader:
        with path.open(newline="", encoding="utf-8") as file:
            return header_of_json(json.loads(_line(file, LONGEST_HEADER).removeprefix("# ")))

    @classmethod
    def read_blocks(cls, path: Path, header: TraceHeader) -> Iterator[Block]:
        index = {name: i for i, name in enumerate(header.populations)}
        with path.open(newline="", encoding="utf-8") as file:
            _line(file, LONGEST_HEADER)
            rows = csv.reader(iter(lambda: _line(file, LONGEST_LINE), ""))
            if next(rows, None) != list(COLUMNS):
                raise ValueError(f"its second line is not '{','.join(COLUMNS)}'")
            while part := list(islice(rows, trace_format.CHUNK)):
                columns = dict(zip(COLUMNS, zip(*part, strict=True), strict=True))
                numbers = {
                    name: np.array([int(text) for text in texts], np.int64)
                    for name, texts in columns.items()
                    if name != "population"
                }
                yield numbers | {"population": np.array([index[p] for p in columns["population"]])}

    @classmethod
    def read_membranes(cls, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        return iter(())


def _line(file: IO[str], longest: int) -> str:
    line = file.readline(longest)
    if len(line) == longest:
        raise ValueError(f"a line has more than {longest:,} characters")
    return line


TRACE_FORMATS.register(Csv.name, Csv)
