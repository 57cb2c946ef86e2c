"""Layout: where another tool's tensor has its batch axis, which a graph's values are without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from thresher.converters.importers import layers
from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.errors import GraphError

Size = int | str
"""A size that depends on the batch may stand as an expression."""


@dataclass(frozen=True)
class Placed:
    """A value, and the layout of the tensor that it stands for.

    Axis `axis` of the tensor counts `before` * batch * `after` things: in an attention over
    (N * heads, length, features) the heads come after the batch. The value's axes are the
    tensor's, with `before` and `after`, where they are not 1, in that one's place.
    """

    value: Value
    axis: int = 0
    before: int = 1
    after: int = 1

    @property
    def rank(self) -> int:
        """How many axes the tensor has."""
        return len(self.value.shape) + 1 - self._extra

    @property
    def is_plain(self) -> bool:
        """Whether the first axis is the batch's, and nothing else is in it."""
        return self.axis == 0 and self.before == self.after == 1

    @property
    def layout(self) -> tuple[int, int, int]:
        """What has to be alike in tensors that are computed with value by value."""
        return self.axis, self.before, self.after

    def plain(self) -> Value:
        """Return the value; raise GraphError unless the batch is alone in front."""
        if not self.is_plain:
            raise GraphError(
                f"reads a value whose axis {self.axis} holds the batch; expected every value to "
                "keep the batch axis in front: write -1 for features, not for the batch"
            )
        return self.value

    def holding(self, value: Value) -> "Placed":
        """Return another value of the same layout."""
        return replace(self, value=value)

    def place(self, axis: int) -> int:
        """Return the value's axis for one of the tensor's; raise GraphError for the batch's."""
        if not -self.rank <= axis < self.rank:
            raise GraphError(f"works along axis {axis} of {self.rank}")
        found = axis % self.rank
        if found == self.axis:
            shape = ", ".join(map(str, self.value.shape))
            raise GraphError(
                f"works along axis {axis} of a batch (N, {shape}); expected an axis of the "
                "samples, from 1 on"
            )
        return found if found < self.axis else found - 1 + self._extra

    def sizes(self, batch: int) -> list[int]:
        """Return the tensor's sizes, of so many samples."""
        own = self.before * batch * self.after
        return [
            own if axis == self.axis else self.value.shape[self.place(axis)]
            for axis in range(self.rank)
        ]

    def fits(self, sizes: Sequence[Size], batch: Size) -> bool:
        """Tell whether a tensor of these sizes is meant."""
        if len(sizes) != self.rank:
            return False
        own = sizes[self.axis]
        counted = (
            isinstance(own, str)
            or not isinstance(batch, int)
            or own == self.before * batch * self.after
        )
        others = [axis for axis in range(self.rank) if axis != self.axis]
        return counted and all(self.value.shape[self.place(axis)] == sizes[axis] for axis in others)

    def folded(self, b: GraphBuilder, name: str, sizes: Sequence[Size], batch: Size) -> "Placed":
        """Fold the tensor, row-major, into other sizes, which count the batch.

        Raises
        ------
        GraphError
            Where one axis would hold a part of the batch.
        """
        ahead = prod(self.value.shape[: self.axis + (self.before > 1)])
        axis = _holder(sizes, ahead, batch)
        others = [size for place, size in enumerate(sizes) if place != axis]
        shown = f"{list(self.value.shape)} of each sample to {list(sizes)} with the batch {batch}"
        if not all(isinstance(size, int) for size in others):
            raise GraphError(f"folds {shown}; expected one axis to hold the batch")
        first = prod(int(size) for size in sizes[:axis])
        before, left = divmod(ahead, first)
        total = prod(int(size) for size in others) * before
        after, over = divmod(prod(self.value.shape), total)
        sizes_fit = not isinstance(batch, int) or sizes[axis] == before * batch * after
        if left or over or not sizes_fit:
            raise GraphError(
                f"folds {shown}, which mixes samples; expected every value to keep the batch axis "
                "in front"
            )
        parts = [part for part in (before, after) if part > 1]
        shape = (*others[:axis], *parts, *others[axis:])
        value = layers.reshape_if_needed(b, name, self.value, tuple(map(int, shape)))
        return Placed(value, axis, before, after)

    def permuted(self, b: GraphBuilder, name: str, order: Sequence[int]) -> "Placed":
        """Bring the tensor's axes into another order."""
        order = [axis % self.rank for axis in order]
        if sorted(order) != list(range(self.rank)):
            raise GraphError(f"brings {self.rank} axes into the order {list(order)}")
        held = range(self.axis, self.axis + self._extra)
        places = [held if axis == self.axis else [self.place(axis)] for axis in order]
        value = layers.permute(b, name, self.value, [axis for part in places for axis in part])
        return replace(self, value=value, axis=order.index(self.axis))

    @property
    def _extra(self) -> int:
        return (self.before > 1) + (self.after > 1)


def _holder(sizes: Sequence[Size], ahead: int, batch: Size) -> int:
    """Return the axis that holds the batch, which comes after so many things of a sample."""
    done = 1
    for axis, size in enumerate(sizes):
        if isinstance(size, str) or done * size > ahead or (batch == size == 1 and done == ahead):
            return axis
        done *= size
    raise GraphError(f"folds values to {list(sizes)}, which leave the batch no place")
