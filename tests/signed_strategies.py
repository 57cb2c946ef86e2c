"""Random graphs of neurons whose spikes carry signs or whole numbers, with max pools between."""

from dataclasses import replace
from typing import ClassVar

from hypothesis import strategies as st
from strategies import INPUT_THRESHOLD, Builder, Shape, graphs, images

from thresher.ir import Graph, Input, Readout, Spiking, Tensor
from thresher.ir.ops import Concat, Flatten, MaxPool2d
from thresher.sim import NEURONS
from thresher.sim.neurons import Graded

__all__ = [
    "DifferentialBuilder",
    "DyadicBuilder",
    "GradedBuilder",
    "MixedBuilder",
    "SignedBuilder",
    "images",
    "pooled_graphs",
    "signed_graphs",
]

PARAMETERS = {
    "cap": [2, 5, 1, 127],
    "thresholds": [3, 1, 7],
    "slope": [0.5, 0.125, 1.0, 0.3],
    "ceiling": [0, 1, 4, 2.7],
}


class GradedBuilder(Builder):
    """Draws graded neurons of the models listed, with whichever parameters they have."""

    models: ClassVar[list[str]] = [
        name
        for name in NEURONS
        if issubclass(NEURONS.get(name), Graded)
        and not (NEURONS.get(name).differential or NEURONS.get(name).operates)
    ]
    parameters: ClassVar[dict[str, list[float]]] = PARAMETERS

    def annotation(self, name: str, shape: Shape) -> Spiking:
        model = NEURONS.get(self.draw(st.sampled_from(self.models)))
        levels = self.draw(st.sampled_from(self.levels(model.name)))
        return replace(
            super().annotation(name, shape),
            neuron=model.name,
            reset="soft",
            v_reset=0.0,
            levels=levels if "levels" in model.takes else None,
            parameters={
                key: self.draw(st.sampled_from(self.parameters[key])) for key in model.parameters
            },
        )

    def levels(self, neuron: str) -> list[int | None]:
        return [None, None, 1, 3, 20]


class DyadicBuilder(GradedBuilder):
    """Draws what no schedule rounds: thresholds below zero, theta / slope, are multiples too."""

    parameters: ClassVar[dict[str, list[float]]] = {**PARAMETERS, "slope": [0.5, 0.125, 1.0]}


class DifferentialBuilder(GradedBuilder):
    """Draws differential neurons, and others that take what they say and send counts."""

    models: ClassVar[list[str]] = ["differential", "differential", "if", *GradedBuilder.models]


class SignedBuilder(GradedBuilder):
    """Draws neurons whose counts settle, and max pools over what has one threshold a channel.

    A `signed_burst` says its levels: by default they are not T.
    """

    models: ClassVar[list[str]] = ["signed_if", "signed_burst"]

    def __init__(self, *settings: object) -> None:
        super().__init__(*settings)
        self.comparable: list[str] = []

    def annotation(self, name: str, shape: Shape) -> Spiking:
        spiking = super().annotation(name, shape)
        threshold, counted = spiking.threshold, NEURONS.get(spiking.neuron).counted
        if counted and (not isinstance(threshold, Tensor) or threshold.shape == shape[:1]):
            self.comparable.append(name)
        return spiking

    def levels(self, neuron: str) -> list[int | None]:
        return [7, 1, 3, 20] if neuron == "signed_burst" else super().levels(neuron)

    def layer(self, source: str) -> str:
        shape = self.shapes[source]
        if source in self.comparable and len(shape) == 3 and self.number(0, 2):
            source = self.add(self.max_pool(shape), source)
            self.comparable.append(source)
            self.populations.append(source)
            if self.number(0, 3) == 0:
                source = self.add(self.max_pool(self.shapes[source]), source)
        return super().layer(source)

    def max_pool(self, shape: Shape) -> MaxPool2d:
        kernel = tuple(self.number(1, min(3, size)) for size in shape[1:])
        sides = [(self.number(0, k // 2), self.number(0, k // 2)) for k in kernel]
        return MaxPool2d(kernel, (self.number(1, 2), self.number(1, 2)), tuple(sides))


class MixedBuilder(SignedBuilder):
    """Draws neurons of every model that runs in whole numbers, and max pools over counts."""

    models: ClassVar[list[str]] = ["if", "if", *GradedBuilder.models]


class CountedBuilder(MixedBuilder):
    """Draws neurons whose counts a max pool may follow, with one threshold a population."""

    models: ClassVar[list[str]] = [n for n in MixedBuilder.models if NEURONS.get(n).counted]

    def annotation(self, name: str, shape: Shape) -> Spiking:
        return replace(super().annotation(name, shape), threshold=self.number(1, 12) / 8)


@st.composite
def pooled_graphs(draw: st.DrawFn) -> Graph:
    """Draw max pools over one population or two side by side, padded or sliced, or pooled before.

    Neurons are of every model whose counts a max pool may follow.
    """
    builder = CountedBuilder(draw, True, True, ("soft",))
    sizes = st.sampled_from([4, 5, 3])
    builder.shapes["image"] = (draw(st.sampled_from([2, 1, 3])), draw(sizes), draw(sizes))
    builder.populations.append("image")
    for _ in range(builder.number(1, 2)):
        source, delay = builder.populations[-1], draw(st.sampled_from([None, 0, 2]))
        conv = builder.same_conv2d(builder.shapes[source])
        builder.spike(builder.add(conv, source, delay=None if source == "image" else delay))
    last = builder.populations[-1]
    if builder.flag():
        last = builder.add(Concat(), *builder.populations[1:])
    before = draw(st.sampled_from([None, builder.max_pool, builder.pad, builder.slice]))
    if before is not None:
        last = builder.add(before(builder.shapes[last]), last)
    last = builder.add(builder.max_pool(builder.shapes[last]), last)
    last = builder.add(Flatten(), last)
    last = builder.add(builder.linear(builder.shapes[last], 3), last)
    inputs = (Input("image", builder.shapes["image"], threshold=INPUT_THRESHOLD),)
    return Graph("drawn", inputs, tuple(builder.nodes), (last,), readout=Readout(scale=8.0))


def signed_graphs(**options: object) -> st.SearchStrategy[Graph]:
    """Draw a converted graph whose counts settle, max pools in it; `options` are `graphs`'s."""
    return graphs(builder_of=SignedBuilder, **options)
