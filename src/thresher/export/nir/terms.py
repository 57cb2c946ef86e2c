"""Terms: nodes of a NIR graph while it is built, and what their spikes and currents stand for.

A spike in NIR is 1 and in the graph the source's threshold. So each term carries a factor, by
channel, that a value of its node is to be multiplied with; the next weights take it in.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.op import Shape

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass
class Piece:
    """A NIR node to be: its class's name and its fields, of which weights may still be scaled."""

    kind: str
    fields: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Term:
    """What a node gives, of a shape, times `factor`, (C,) of its channels.

    `free`: its weights are read here alone, and may take a factor in.
    """

    name: str
    factor: Floats
    free: bool = False


@dataclass
class Terms:
    """The pieces so far, and the edges; `scales` says whether `Scale` nodes may be used."""

    scales: bool
    pieces: dict[str, Piece] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, piece: Piece, sources: list[Term]) -> str:
        """Add a piece that reads the sum of terms, whose factors are none of its business."""
        self.pieces[name] = piece
        self.edges += [(term.name, name) for term in sources]
        return name

    def unique(self, name: str) -> str:
        """Return a name that no piece has."""
        found, number = name, 2
        while found in self.pieces:
            found, number = f"{name}_{number}", number + 1
        return found

    def united(self, terms: list[Term], shape: Shape, preferred: Floats | None) -> list[Term]:
        """Return terms of one factor, `preferred` where weights can take it in (None: 1)."""
        terms = _merged(terms)
        fixed = [term.factor for term in terms if not term.free]
        wanted = np.ones(shape[0]) if preferred is None else preferred
        common = fixed[0] if fixed else wanted
        return [self._with_factor(term, common, shape) for term in terms]

    def _with_factor(self, term: Term, factor: Floats, shape: Shape) -> Term:
        if np.array_equal(term.factor, factor):
            return Term(term.name, factor, term.free)
        ratio = term.factor / factor
        if term.free:
            piece = self.pieces[term.name]
            weight = piece.fields["weight"]
            piece.fields["weight"] = weight * ratio.reshape(-1, *[1] * (weight.ndim - 1))
            piece.fields["bias"] = piece.fields["bias"] * ratio
            return Term(term.name, factor, True)
        name = self.unique(f"{term.name}_scaled")
        self.add(name, self._converter(ratio, shape), [term])
        return Term(name, factor)

    def _converter(self, ratio: Floats, shape: Shape) -> Piece:
        """Return a piece that multiplies each channel."""
        if self.scales:
            column = ratio.reshape(-1, *[1] * (len(shape) - 1))
            return Piece("Scale", {"scale": np.broadcast_to(column, shape).copy()})
        return self.selection(np.diag(ratio), shape, (1, 1))

    def selection(self, weight: Floats, shape: Shape, stride: tuple[int, int]) -> Piece:
        """Return a piece that maps the channels of each place by a matrix (out, in)."""
        bias = np.zeros(len(weight))
        if len(shape) == 1:
            return Piece("Affine", {"weight": weight, "bias": bias})
        if len(shape) != 3:
            raise SimulationError(f"channels of {list(shape)} cannot be scaled in NIR")
        return conv2d(weight[:, :, None, None], bias, shape[1:], stride, (0, 0), (1, 1))

    def add_to_bias(self, terms: list[Term], current: Floats, factor: Floats) -> bool:
        """Let one term bring a current (C,) as well; return whether one can."""
        for term in terms:
            if term.free:
                fields = self.pieces[term.name].fields
                fields["bias"] = fields["bias"] + current / factor
                return True
        return False


def _merged(terms: list[Term]) -> list[Term]:
    """Make one term of those of one node, since two edges between two nodes count as one."""
    found: dict[str, Term] = {}
    for term in terms:
        other = found.get(term.name)
        factor = term.factor if other is None else term.factor + other.factor
        found[term.name] = Term(term.name, factor, term.free and other is None)
    return list(found.values())


def conv2d(
    weight: Floats,
    bias: Floats,
    size: Shape,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> Piece:
    """Return a convolution without groups, of an input (in, *size)."""
    return Piece(
        "Conv2d",
        {
            "input_shape": tuple(size),
            "weight": weight,
            "stride": tuple(stride),
            "padding": tuple(padding),
            "dilation": tuple(dilation),
            "groups": 1,
            "bias": bias,
        },
    )


def without_groups(weight: Floats, groups: int) -> Floats:
    """Write a weight (out, in/groups, ...) as one of all channels, zeros between the groups."""
    per_out, per_in = len(weight) // groups, weight.shape[1]
    whole = np.zeros((len(weight), per_in * groups, *weight.shape[2:]))
    for group in range(groups):
        rows = slice(group * per_out, (group + 1) * per_out)
        whole[rows, group * per_in : (group + 1) * per_in] = weight[rows]
    return whole


def folded(factor: Floats, shape: Shape) -> Floats:
    """Return the factors of channels as those of the values that a flatten lays in a row."""
    return np.repeat(factor, prod(shape[1:]))
