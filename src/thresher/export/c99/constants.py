"""Constants: the arrays of a C file, each written once however often it is used."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

PER_LINE = 100


@dataclass
class Constants:
    """Gather arrays under names that begin with `prefix`; `text` defines them."""

    prefix: str
    nbytes: int = 0
    _lines: list[str] = field(default_factory=list)
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def add(self, ctype: str, values: NDArray[Any]) -> str:
        """Return the name of an array of a C type, defined with these values (any shape).

        The values are of a numpy type as wide as `ctype`. Where there are none it holds a 0:
        C knows no empty arrays.
        """
        values = values if values.size else np.zeros(1, values.dtype)
        key = (ctype, values.tobytes())
        if key not in self._names:
            name = self._names[key] = f"{self.prefix}_k{len(self._names)}"
            self._lines += [f"static const {ctype} {name}[{values.size}] = {{", *_rows(values)]
            self._lines.append("};")
            self.nbytes += values.nbytes
        return self._names[key]

    @property
    def text(self) -> str:
        return "\n".join(self._lines)


def _rows(values: NDArray[Any]) -> list[str]:
    """Write values line by line, in digits that read back to the same bits."""
    rows, line = [], ""
    for value in values.ravel():
        number = _number(value)
        if len(line) + len(number) + 3 > PER_LINE:
            rows.append(line)
            line = ""
        line += f" {number},"
    return [*rows, line]


def _number(value: np.generic) -> str:
    if isinstance(value, np.float32):
        return f"{real(float(value))}f"
    return real(float(value)) if isinstance(value, np.floating) else whole(int(value))


def real(value: float) -> str:
    """Write a double such that C reads the same one."""
    text = repr(value)
    return text if any(c in text for c in ".en") else f"{text}.0"


def whole(value: int) -> str:
    """Write a whole number that C takes for one of its own type."""
    if abs(value) < 2**31:
        return str(value)
    return f"UINT32_C({value})" if value < 2**32 and value > 0 else f"INT64_C({value})"
