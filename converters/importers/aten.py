"""An exported PyTorch program as plain values: what is called, on what, where it was written."""

from collections.abc import Mapping
from dataclasses import dataclass

from thresher.converters.importers.builder import Array

Size = int | str
"""A symbolic size stands as its expression."""


@dataclass(frozen=True)
class Ref:
    """A value of the program, by its name."""

    name: str


@dataclass(frozen=True)
class Call:
    """One operator of ATen, its arguments by name (those left out have ATen's defaults).

    `module` is the path of the module that called it, `line` the source line, where they are told.
    """

    target: str
    arguments: Mapping[str, object]
    outputs: tuple[str, ...]
    module: str = ""
    is_layer: bool = False
    line: str = ""

    @property
    def operator(self) -> str:
        """The operator without library and overload: `conv2d`."""
        parts = self.target.removeprefix("torch.ops.").split(".")
        return parts[1] if parts[0] == "aten" and len(parts) > 1 else self.target

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        at = f"'{self.module or self.outputs[0]}'"
        return f"{at} at {self.line}" if self.line else at


@dataclass(frozen=True)
class Program:
    """A traced program; `constants` are parameters and buffers by value, with their own names."""

    inputs: Mapping[str, tuple[Size, ...]]
    constants: Mapping[str, tuple[str, Array]]
    shapes: Mapping[str, tuple[Size, ...]]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
