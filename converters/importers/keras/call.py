"""A call of a Keras layer, and the registry of the layers that become nodes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.handlers import Handlers
from thresher.converters.importers.keras.config import KerasCall, KerasLayer
from thresher.errors import GraphError
from thresher.ir import Tensor
from thresher.ir.op import Shape


@dataclass(frozen=True, eq=False)
class Item:
    """A value, and where each number in Keras' order stands in ours; None: in the same place."""

    value: Value
    order: Array | None = None

    @property
    def shape(self) -> Shape:
        return self.value.shape


@dataclass(frozen=True)
class Here:
    """One call of a layer."""

    b: GraphBuilder
    layer: KerasLayer
    call: KerasCall
    inputs: tuple[Item, ...]
    channels_last: bool
    used: set[int] = field(default_factory=set)
    """Which of the layer's weights were asked for."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def x(self) -> Item:
        return self.inputs[0]

    def get(self, name: str, default: Any = None) -> Any:
        value = self.layer.config.get(name, default)
        return default if value is None else value

    def pair(self, name: str, n: int, default: int = 1) -> tuple[int, ...]:
        """Return a whole number for each of n axes."""
        given = self.get(name, default)
        items = [given] * n if isinstance(given, int) else list(given)
        if len(items) != n or not all(type(item) is int for item in items):
            raise GraphError(f"'{name}' is {given}; expected {n} whole numbers")
        return tuple(items)

    def weight(self, place: int) -> Array:
        if place >= len(self.layer.weights):
            raise GraphError(f"weight {place} is not in the file")
        values = self.layer.weights[place]
        if values.dtype.kind != "f":
            raise GraphError(f"weight {place} is of type {values.dtype}; expected floats")
        self.used.add(place)
        return values

    def expect_all_used(self) -> None:
        """Raise GraphError where the layer holds floats that play no part here."""
        floats = {i for i, values in enumerate(self.layer.weights) if values.dtype.kind == "f"}
        if floats - self.used:
            raise GraphError(
                f"holds {len(self.layer.weights)} weights, of which {len(self.used)} are "
                "understood; expected a plain layer"
            )

    def tensor(self, role: str, values: Array) -> Tensor:
        return self.b.tensor(f"{self.name}.{role}", values)

    def bias(self, place: int) -> Tensor | None:
        return self.tensor("bias", self.weight(place)) if self.get("use_bias", True) else None

    def ours(self, axis: int) -> int:
        """Return the axis of the graph (without the batch) for one of Keras' (with it)."""
        rank = len(self.x.shape)
        found = axis % (rank + 1) - 1
        if found < 0:
            raise GraphError("works along the batch; expected an axis of the samples")
        return (found + 1) % rank if self.channels_last else found


Handler = Callable[[Here], Item]
HANDLERS: Handlers[Handler] = Handlers("layer of Keras")
