"""Walk over an ONNX graph: values, constants, shapes with their batch, and every refusal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.file import OnnxCall, OnnxModel
from thresher.converters.importers.onnx.fold import OPEN_BATCH, Fold, Folding
from thresher.converters.importers.onnx.shapes import Axes
from thresher.errors import GraphError, SpecError
from thresher.ir import Graph, Tensor
from thresher.ir.op import Shape
from thresher.registry import Registry


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the inputs, with the name that the file gives it."""

    name: str
    values: Array


@dataclass(frozen=True)
class Quantised:
    """Values on a grid of whole numbers, between QuantizeLinear and DequantizeLinear."""

    value: Value
    scale: float
    zero: int
    lowest: int
    highest: int


@dataclass(frozen=True)
class Refused:
    """What a node would give that was refused; `why` is set where its reader is to be told."""

    why: str = ""


Item = Placed | Constant | Quantised | Refused
Given = Value | Item
Handler = Callable[["Here"], Given | Sequence[Given]]


@dataclass(frozen=True)
class Here:
    """One node, and what the walk knows so far."""

    walk: "OnnxWalk"
    call: OnnxCall

    @property
    def b(self) -> GraphBuilder:
        return self.walk.builder

    @property
    def name(self) -> str:
        return self.call.name or f"{self.call.operator}_{self.call.outputs[0]}"

    @property
    def opset(self) -> int:
        return self.walk.model.opset

    def has(self, place: int) -> bool:
        return place < len(self.call.inputs) and self.call.inputs[place] != ""

    def item(self, place: int) -> Item:
        if not self.has(place):
            raise GraphError(f"lacks input {place}")
        return self.walk.items[self.call.inputs[place]]

    def x(self, place: int = 0) -> Value:
        """Return an input that depends on the graph's, which has the batch axis in front."""
        return self.placed(place).plain()

    def placed(self, place: int = 0) -> Placed:
        """Return an input that depends on the graph's, wherever its batch axis is."""
        found = self.item(place)
        if isinstance(found, Placed):
            return found
        if isinstance(found, Quantised):
            raise GraphError("computes with quantised numbers; expected a DequantizeLinear before")
        raise GraphError(f"input {place} is constant; expected values of the network there")

    def is_constant(self, place: int) -> bool:
        return self.has(place) and isinstance(self.item(place), Constant)

    def constant(self, place: int) -> Array:
        found = self.item(place)
        if not isinstance(found, Constant):
            raise GraphError(f"input {place} is computed from the inputs; expected a constant")
        return found.values

    def optional(self, place: int) -> Array | None:
        return self.constant(place) if self.has(place) else None

    def tensor(self, place: int) -> Tensor:
        """Return a constant input as a tensor of the graph, under the file's name."""
        values = self.constant(place)
        return self.b.tensor(self.call.inputs[place], values)

    def optional_tensor(self, place: int) -> Tensor | None:
        return self.tensor(place) if self.has(place) else None

    def get(self, name: str, default: Any = None) -> Any:
        return self.call.attributes.get(name, default)

    def ints(self, name: str, place: int) -> list[int] | None:
        """Return whole numbers that are an attribute or, in later versions, an input."""
        given = self.get(name)
        values = self.optional(place) if given is None else np.asarray(given)
        return None if values is None else [int(item) for item in np.ravel(values)]

    def sizes(self, place: int = 0) -> list[int]:
        """Return an input's whole shape, with the batch axis."""
        return self.placed(place).sizes(self.walk.batch)


class OnnxWalk:
    """Turn the nodes of a file into a graph's, in order.

    `handlers` make nodes; `folders` compute constants. Both are by operator.
    """

    def __init__(
        self,
        model: OnnxModel,
        builder: GraphBuilder,
        handlers: Registry[Handler],
        folders: Mapping[str, Fold],
    ) -> None:
        self.model = model
        self.builder = builder
        self.items: dict[str, Item] = {
            name: Constant(name, values) for name, values in model.initialisers.items()
        }
        self.batch = OPEN_BATCH
        self._handlers = handlers
        self._folders = folders

    def graph(self, shape: Shape | None) -> Graph:
        """Return the graph; `shape` is for an input that leaves axes open.

        Raises
        ------
        UnsupportedError
            Where a node was refused; all that were are listed.
        SpecError
            Where the graph reads what is not there, or leaves axes open.
        """
        self._read_inputs(shape)
        for call in self.model.calls:
            self._expect_given(call)
            try:
                self._take(call)
            except (GraphError, SpecError) as error:
                self._refuse(call, error)
            except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError,
                    OverflowError, AttributeError) as error:  # fmt: skip
                self._refuse(call, f"is not what ONNX allows: {str(error)[:120]}")
        outputs = [self._output(name) for name in self.model.outputs]
        return self.builder.finish([value for value in outputs if value is not None])

    def _output(self, name: str) -> Value | None:
        found = self.items.get(name)
        if isinstance(found, Placed):
            try:
                return found.plain()
            except GraphError as error:
                self.builder.refuse(f"'{name}'", "output", error)
                return None
        if found is None or not self.builder.refusals:
            kind = "nothing" if found is None else "no value that depends on the inputs"
            raise SpecError(f"{self.builder.what}: output '{name}' is {kind}")
        return None

    def _read_inputs(self, shape: Shape | None) -> None:
        if not self.model.inputs or not self.model.outputs:
            raise SpecError(f"{self.builder.what} has no input or no output")
        for name, axes in self.model.inputs.items():
            self.items[name] = self._read_input(name, axes, shape)

    def _read_input(
        self, name: str, axes: tuple[int | str, ...] | None, shape: Shape | None
    ) -> Placed:
        what = f"{self.builder.what}: input '{name}'"
        if axes is None:
            if shape is None:
                raise SpecError(f"{what} has no shape; give it with --shape C,H,W")
            axes = ("N", *map(str, range(len(shape))))
        if len(axes) < 2:
            raise SpecError(
                f"{what} is {list(axes)}; expected a batch axis and the axes of a sample after it"
            )
        if isinstance(axes[0], int) and axes[0] > 0:
            self.batch = axes[0]
        sample = axes[1:] if shape is None else self._given(what, axes[1:], shape)
        still_open = [str(axis) for axis in sample if not isinstance(axis, int) or axis < 1]
        if still_open:
            raise SpecError(
                f"{what} leaves {', '.join(still_open)} open in {list(axes)}; give the shape "
                "without the batch axis with --shape C,H,W"
            )
        try:
            return Placed(self.builder.input(name, tuple(int(axis) for axis in sample)))
        except GraphError as error:
            raise SpecError(f"{what}: {error}") from error

    @staticmethod
    def _given(what: str, axes: tuple[int | str, ...], shape: Shape) -> Shape:
        fits = len(axes) == len(shape) and all(
            not isinstance(axis, int) or axis in (0, size)
            for axis, size in zip(axes, shape, strict=False)
        )
        if not fits:
            raise SpecError(f"{what} is {list(axes)} without the batch; --shape is {list(shape)}")
        return shape

    def _expect_given(self, call: OnnxCall) -> None:
        for name in call.inputs:
            if name and name not in self.items:
                raise SpecError(
                    f"{self.builder.what}: node '{call.name or call.outputs[:1]}' ({call.operator})"
                    f" reads '{name}', which no node before it gives; the graph has a cycle, is "
                    "not sorted, or is cut off"
                )
        if not call.outputs:
            raise SpecError(f"{self.builder.what}: node '{call.name}' gives nothing")

    def _take(self, call: OnnxCall) -> None:
        here = Here(self, call)
        if call.domain:
            raise GraphError(f"is of the domain '{call.domain}'; expected ONNX's own operators")
        known = call.operator in self._handlers or call.operator in self._folders
        if not known:
            raise GraphError("no op of a graph computes it")
        read = [self.items[name] for name in call.inputs if name]
        refused = [item for item in read if isinstance(item, Refused)]
        if refused:
            self._stand_in(call)
            why = next((item.why for item in refused if item.why), "")
            if why:
                raise GraphError(why)
            return
        if call.operator == "Shape" and isinstance(read[0], Placed):
            sizes = np.array(here.sizes(), np.int64)
            part = sizes[here.get("start", 0) : here.get("end")]
            self._give(call, [Constant(call.outputs[0], part)])
            return
        if all(isinstance(item, Constant) for item in read) and call.operator in self._folders:
            values = [self.items[name].values if name else None for name in call.inputs]  # type: ignore[union-attr]
            folded = self._folders[call.operator](Folding(values, call.attributes))
            self._give(call, [Constant(call.outputs[0], folded)])
            return
        if call.operator not in self._handlers:
            raise GraphError("works on values of the network; expected constants alone")
        found = self._handlers.get(call.operator)(here)
        one = isinstance(found, (Value, Placed, Constant, Quantised, Refused))
        items: Sequence[Given] = [found] if one else found  # type: ignore[list-item, assignment]
        self._give(call, [Placed(item) if isinstance(item, Value) else item for item in items])

    def _give(self, call: OnnxCall, items: Sequence[Item]) -> None:
        """Keep what a node gives; outputs beyond are a mask, indices or statistics of training."""
        beyond = Refused(f"reads an output of '{call.name}' ({call.operator}) that no op gives")
        rest = [Refused() if not items else beyond] * (len(call.outputs) - len(items))
        for name, item in zip(call.outputs, [*items, *rest], strict=False):
            if name in self.items:
                raise SpecError(f"{self.builder.what}: two nodes give '{name}'")
            if name:
                self.items[name] = item

    def _refuse(self, call: OnnxCall, why: object) -> None:
        self.builder.refuse(f"'{call.name or call.outputs[0]}'", call.operator, why)
        self._stand_in(call)

    def _stand_in(self, call: OnnxCall) -> None:
        """Let what comes after a node that is refused be looked at, where its shape is told."""
        for name in call.outputs:
            axes = self._told.get(name, ())
            sample = [axis for axis in axes[1:] if isinstance(axis, int) and axis > 0]
            batched = len(axes) > 1 and (isinstance(axes[0], str) or axes[0] in (0, self.batch))
            told = batched and len(sample) == len(axes) - 1
            stand_in = Placed(Value(name, tuple(sample))) if told else Refused()
            self.items.setdefault(name, stand_in)

    @cached_property
    def _told(self) -> Mapping[str, Axes]:
        return self.model.told_shapes()
