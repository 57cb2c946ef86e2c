"""An exported PyTorch program as plain values: what is called, on what, where it was written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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
    def reads(self) -> tuple[str, ...]:
        """The values that it refers to."""
        given = self.arguments.values()
        flat = [ref for item in given for ref in (item if isinstance(item, list) else [item])]
        return tuple(ref.name for ref in flat if isinstance(ref, Ref))

    @property
    def works_in_place(self) -> bool:
        """Whether it changes the value that it reads; names of such operators end in `_`."""
        operator = self.operator
        return operator.endswith("_") and not operator.startswith("_") and operator != "detach_"

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        at = f"'{self.module or self.outputs[0]}'"
        return f"{at} at {self.line}" if self.line else at


@dataclass(frozen=True)
class Program:
    """A traced program; `constants` are parameters and buffers by value, with their own names.

    `whole` are the values of other types than floats.
    """

    inputs: Mapping[str, tuple[Size, ...]]
    constants: Mapping[str, tuple[str, Array]]
    shapes: Mapping[str, tuple[Size, ...]]
    whole: frozenset[str]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]

    @cached_property
    def _producers(self) -> Mapping[str, Call]:
        return {name: call for call in self.calls for name in call.outputs}

    @cached_property
    def _when(self) -> Mapping[int, int]:
        return {id(call): place for place, call in enumerate(self.calls)}

    @cached_property
    def _readers(self) -> Mapping[str, list[Call]]:
        readers: dict[str, list[Call]] = {}
        for call in self.calls:
            for name in set(call.reads):
                readers.setdefault(name, []).append(call)
        return readers

    def shared_change(self, call: Call) -> str:
        """Return a value that a call in place changes behind its readers' backs, or nothing.

        A view shares its numbers with what it views, which the program's names do not tell.
        """
        if not call.works_in_place or not call.reads:
            return ""
        producers, when = self._producers, self._when
        chain = [call.reads[0]]
        while chain[-1] in producers and producers[chain[-1]].operator in VIEWS:
            chain.append(producers[chain[-1]].reads[0])
        own = {id(call), *(id(producers[name]) for name in chain[:-1])}
        for depth, name in enumerate(chain):
            readers = [item for item in self._readers.get(name, ()) if id(item) not in own]
            later = depth > 0 and any(when[id(item)] > when[id(call)] for item in readers)
            if later or name in self.outputs or any(item.operator in VIEWS for item in readers):
                return name
        return ""


VIEWS = frozenset({
    "view", "reshape", "flatten", "unflatten", "slice", "select", "narrow", "chunk", "split",
    "split_with_sizes", "tensor_split", "permute", "transpose", "t", "squeeze", "unsqueeze",
    "detach", "alias", "contiguous", "to", "expand", "dropout", "feature_dropout", "view_as",
    "reshape_as",
})  # fmt: skip
"""Operators whose result may share its numbers with what it reads."""
