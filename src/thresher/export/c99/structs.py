"""Structs: populations, projections and what the image brings, as C initialisers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.export.c99.constants import Constants, real, whole
from thresher.export.c99.layout import Layout
from thresher.export.c99.links import Feed, Kernel, Link
from thresher.export.c99.places import Places, by_channel, channels_of, planes
from thresher.sim import Population
from thresher.sim.neurons import Graded, MaxPool, model_of
from thresher.sim.neurons.graded import UNBOUNDED, Rounding, Rule

Array = NDArray[Any]
Fields = dict[str, str]


class Structs:
    """Write the tables of one file; `constants` gather the arrays that they point to."""

    def __init__(
        self,
        layout: Layout,
        constants: Constants,
        types: Mapping[str, tuple[str, np.dtype[Any]]],
    ) -> None:
        self.layout, self.constants, self.types = layout, constants, types
        self.prefix = constants.prefix

    def text(self) -> list[str]:
        """Return the definitions, in the order in which the run names them."""
        rows = {
            "population": [self._population(p) for p in self.layout.network.populations],
            "projection": [self._projection(link) for link in self.layout.links],
            "feed": [self._feed(feed) for feed in self.layout.feeds],
        }
        lines = []
        for kind, structs in rows.items():
            structs = structs or [{"length": "0"}]  # C knows no empty arrays
            head = f"static const {self.prefix}_{kind} {self.prefix}_{kind}s[{len(structs)}] = {{"
            lines += [head, *(_initialiser(fields) for fields in structs), "};"]
        return lines

    def _array(self, kind: str, values: Array) -> str:
        ctype, dtype = self.types[kind]
        return self.constants.add(ctype, np.ascontiguousarray(values, dtype))

    def _table(self, values: Array) -> str:
        return f"{{{self._array('membrane', values)}, {len(values)}}}"

    def _population(self, population: Population) -> Fields:
        layout, rank = self.layout, population.rank
        _, _, width = planes(population)
        fed = [feed.target for feed in layout.feeds]
        sizes = [layout.network.populations[target].size for target in fed]
        reach = [n for n, link in enumerate(layout.links) if link.projection.target == rank]
        span = layout.network.span(rank)
        current = np.rint(population.current * layout.network.scale[span])
        fields = {
            "first": str(layout.first[rank]),
            "size": str(population.size),
            "channels": str(channels_of(population)),
            "width": str(width),
            "v_init": self._table(by_channel(population.v_init, population)),
            "current": "{0, 1}" if rank in fed else self._table(by_channel(current, population)),
            "fed": str(sum(sizes[: fed.index(rank)])) if rank in fed else "0",
            "spikes": str(layout.spikes[rank]),
            "capacity": str(layout.capacities[rank]),
            "projections": str(reach[0] if reach else 0),
            "end": str(reach[-1] + 1 if reach else 0),
            "fires": str(int(population.fires)),
            "hard_reset": str(int(population.hard_reset)),
            "v_reset": whole(int(population.v_reset)),
        }
        return fields | (self._rule(population) if population.fires else {})

    def _rule(self, population: Population) -> Fields:
        """Say when neurons fire, and what a spike takes off their potentials."""
        layout, upper = self.layout, self.prefix.upper()
        if population.neuron == MaxPool.name:
            nothing = self._table(np.zeros(1))
            arrived = str(layout.arrived[population.rank])
            return {"rule": f"{upper}_POOL", "theta": nothing, "down": nothing, "arrived": arrived}
        rule = _rule_of(population, layout.timing.steps)
        kinds = {"above": rule.above, "theta": population.theta}
        if layout.graded:
            kinds |= {"below": rule.below, "down": rule.down}
        fields = {
            name: self._table(by_channel(values, population)) for name, values in kinds.items()
        }
        if not layout.graded:
            return fields
        return fields | {
            "rule": f"{upper}_{rule.rounding.name}",
            **{name: str(getattr(rule, name)) for name in ("cap", "least", "most")},
        }

    def _projection(self, link: Link) -> Fields:
        projection, upper = link.projection, self.prefix.upper()
        fields = {
            "kind": f"{upper}_{link.kind.upper()}",
            "source": str(projection.source),
            "delay": str(projection.delay),
            "weights": self._array("weight", link.weights),
            "length": str(link.weights.shape[-1]),
        }
        if link.places is not None:
            fields |= self._places(link.places)
        if link.kernel is not None:
            per_group = link.weights.shape[0] // link.kernel.groups
            targets = str(link.weights.shape[-1] * link.kernel.groups)
            fields |= {"per_group": str(per_group), "out_channels": targets}
            fields |= _geometry(link.kernel) | {"out": _pair(link.kernel.target)}
            fields["in"] = _pair(link.kernel.source)
        if link.indptr is not None and link.indices is not None:
            fields["indptr"] = self._array("count", link.indptr)
            fields["targets"] = self._array("index", link.indices)
        return fields

    def _places(self, places: Places) -> Fields:
        return {
            name: self._array("place", getattr(places, name))
            for name in ("channel", "row", "column")
        }

    def _feed(self, feed: Feed) -> Fields:
        fields = {
            "kind": f"{self.prefix.upper()}_{feed.kind.upper()}",
            "target": str(feed.target),
            "weights": self._array("real", feed.weights),
            "bias": self._array("double", feed.bias),
            "scale": self._array("double", feed.scale),
            "bias_length": str(len(feed.bias)),
            "scale_length": str(len(feed.scale)),
            "most": real(float(feed.most)),
            "length": str(feed.weights.shape[-1]),
        }
        if feed.kernel is not None:
            fields["group"] = str(len(feed.weights) // feed.kernel.groups)
            fields |= _geometry(feed.kernel) | {"in": _pair(feed.kernel.source)}
        if feed.indptr is not None and feed.pixels is not None:
            fields["indptr"] = self._array("count", feed.indptr)
            fields["pixels"] = self._array("index", feed.pixels)
        return fields


def _rule_of(population: Population, steps: int) -> Rule:
    """Return when neurons fire, and what; `if` is the case of one unit, never taken back."""
    model = model_of(population)
    if issubclass(model, Graded):
        return model.rule_of(population, steps)
    theta = population.theta
    zero = np.zeros_like(theta)
    return Rule(Rounding.DOWNWARDS, 1, theta, zero, theta, UNBOUNDED, UNBOUNDED)


def _geometry(kernel: Kernel) -> Fields:
    return {
        "kernel": _pair(kernel.size),
        "stride": _pair(kernel.stride),
        "padding": _pair(kernel.padding),
        "dilation": _pair(kernel.dilation),
    }


def _pair(values: Sequence[int]) -> str:
    return f"{{{values[0]}, {values[1]}}}"


def _initialiser(fields: Fields) -> str:
    given = ", ".join(f".{name} = {value}" for name, value in fields.items())
    return f"    {{{given}}},"
