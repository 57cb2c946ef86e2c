"""Random graphs of signed neurons, with max pools between their populations."""

from dataclasses import replace

from hypothesis import strategies as st
from strategies import Builder, Shape, graphs, images

from thresher.ir import Graph, Spiking, Tensor
from thresher.ir.ops import MaxPool2d

__all__ = ["images", "signed_graphs"]


class SignedBuilder(Builder):
    """Draws signed neurons, and max pools over what has one threshold a channel."""

    def __init__(self, *settings: object) -> None:
        super().__init__(*settings)
        self.comparable: list[str] = []

    def annotation(self, name: str, shape: Shape) -> Spiking:
        spiking = super().annotation(name, shape)
        threshold = spiking.threshold
        if not isinstance(threshold, Tensor) or threshold.shape == shape[:1]:
            self.comparable.append(name)
        levels = self.draw(st.sampled_from([None, None, 1, 3, 20]))
        return replace(spiking, neuron="signed_if", levels=levels)

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


def signed_graphs(**options: object) -> st.SearchStrategy[Graph]:
    """Draw a converted graph of signed populations and max pools; `options` are `graphs`'s."""
    return graphs(builder_of=SignedBuilder, **options)
