"""Random converted graphs and the settings to run them with.

Weights, thresholds and images are multiples of 1/8, small enough for float32 to be exact: sums of
post-synaptic potentials then land on thresholds, and two ways to add cannot differ by rounding.
With `exact=False` weights are drawn from a normal distribution instead.
"""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from running import Setting

from thresher.ir import Graph, Input, Node, Op, Readout, Spiking, Tensor
from thresher.ir.ops import (
    Add,
    AvgPool2d,
    Concat,
    Conv1d,
    Conv2d,
    Flatten,
    Identity,
    Linear,
    Pad,
    Qcfs,
    Relu,
    Scale,
    Slice,
    UpsampleNearest,
)

Shape = tuple[int, ...]
INPUT_THRESHOLD = 2.0


class Builder:
    """Draws a graph population by population; `populations` may feed what comes next."""

    def __init__(self, draw: st.DrawFn, exact: bool, delays: bool, resets: tuple[str, ...]) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.exact, self.delays, self.resets = exact, delays, resets
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {}
        self.populations: list[str] = []

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def tensor(self, name: str, shape: Shape, low: int = -5, high: int = 8) -> Tensor:
        """Draw values in low/8..high/8, or normal ones where they need not be exact."""
        if self.exact or low > 0:
            values = self.rng.integers(low, high + 1, shape) / 8
        else:
            values = self.rng.normal(high / 64, high / 16, shape)
        return Tensor(name, values.astype(np.float32))

    def add(self, op: Op, *sources: str, delay: int | None = None) -> str:
        name = f"n{len(self.nodes)}"
        shape = op.infer_shape(*(self.shapes[source] for source in sources))
        self.shapes[name] = shape
        self.nodes.append(Node(name, op, sources, delay=delay))
        return name

    def bias(self, name: str, n: int) -> Tensor | None:
        return self.tensor(f"{name}.bias", (n,), -4, 4) if self.flag() else None

    def linear(self, shape: Shape, out: int) -> Op:
        name = f"n{len(self.nodes)}"
        return Linear(self.tensor(f"{name}.weight", (out, shape[0])), self.bias(name, out))

    def conv1d(self, shape: Shape) -> Op:
        name, kernel = f"n{len(self.nodes)}", self.number(1, min(3, shape[1]))
        out = self.number(1, 3)
        return Conv1d(
            self.tensor(f"{name}.weight", (out, shape[0], kernel)),
            self.bias(name, out),
            stride=self.number(1, 2),
            padding=(self.number(0, 1), self.number(0, 1)),
        )

    def conv2d(self, shape: Shape) -> Op:
        name, channels = f"n{len(self.nodes)}", shape[0]
        groups = self.draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
        out = groups * self.number(1, 2)
        padding = [(self.number(0, 1), self.number(0, 1)) for _ in range(2)]
        kernel = [self.number(1, min(3, size)) for size in shape[1:]]
        room = zip(shape[1:], padding, kernel, strict=True)
        dilation = [
            self.number(1, 2) if 2 * (taps - 1) < size + sum(sides) else 1
            for size, sides, taps in room
        ]
        return Conv2d(
            self.tensor(f"{name}.weight", (out, channels // groups, *kernel)),
            self.bias(name, out),
            groups=groups,
            stride=(self.number(1, 2), self.number(1, 2)),
            padding=tuple(padding),
            dilation=tuple(dilation),
        )

    def same_conv2d(self, shape: Shape) -> Op:
        """Draw a convolution that keeps the shape, as the blocks of a residual net do."""
        name, channels, kernel = f"n{len(self.nodes)}", shape[0], self.draw(st.sampled_from([1, 3]))
        weight = self.tensor(f"{name}.weight", (channels, channels, kernel, kernel))
        return Conv2d(weight, self.bias(name, channels), padding=kernel // 2)

    def pool(self, shape: Shape) -> Op:
        """Draw an average pool of 2 x 2: its factors 1/4, 1/2 and 1 are exact."""
        padding = ((self.number(0, 1), 0), (0, self.number(0, 1)))
        return AvgPool2d(2, self.number(1, 2), padding, self.flag())

    def slice(self, shape: Shape) -> Op:
        axis = self.draw(st.sampled_from([a for a, size in enumerate(shape) if size > 1]))
        start, stop, step = [0] * len(shape), [None] * len(shape), [1] * len(shape)
        start[axis], step[axis] = self.number(0, 1), self.number(1, 2)
        return Slice(tuple(start), tuple(stop), tuple(step))

    def pad(self, shape: Shape) -> Op:
        sides = [(self.number(0, 1), self.number(0, 1)) for _ in range(3)]
        height = sides[1] if len(shape) == 3 else (0, 0)
        return Pad(sides[0], height, sides[2] if len(shape) > 1 else (0, 0))

    def scale(self, shape: Shape) -> Op:
        name = f"n{len(self.nodes)}"
        size = (shape[0],)
        return Scale(self.tensor(f"{name}.weight", size), self.tensor(f"{name}.bias", size))

    def any_linear(self, shape: Shape) -> Op:
        """Draw an op that spikes pass through."""
        makers = [self.pad, lambda _: Identity()]
        if max(shape) > 1:
            makers.append(self.slice)
        if len(shape) == 1:
            makers += [lambda s: self.linear(s, self.number(2, 5))] * 4
        if len(shape) == 2:
            makers += [self.conv1d] * 4
        if len(shape) == 3:
            makers += [self.conv2d] * 4 + [self.same_conv2d, self.scale]
            if min(shape[1:]) > 1:
                makers += [self.pool, self.pool]
            if shape[1] * shape[2] < 10:
                makers.append(lambda _: UpsampleNearest((1, 2)))
        return self.draw(st.sampled_from(makers))(shape)

    def layer(self, source: str) -> str:
        """Draw everything linear between populations and the next one; return its last node."""
        delay = self.number(0, 5) if self.delays and self.flag() else None
        first = self.add(self.any_linear(self.shapes[source]), source, delay=delay)
        shape = self.shapes[first]
        total = [first]
        if self.flag():
            total.append(self._beside(source, first, shape, delay))
        if len(total) == 2:
            if self.shapes[total[1]] == shape and self.number(0, 3):
                first = self.add(Add(), *total)
            elif self.shapes[total[1]][1:] == shape[1:]:
                first = self.add(Concat(), *total)
        if self.number(0, 2) == 0:
            first = self.add(self.any_linear(self.shapes[first]), first)
        return first

    def _beside(self, source: str, first: str, shape: Shape, delay: int | None) -> str:
        """Draw a path that may join `first`: itself, a shortcut, or another map of the source."""
        fits = [p for p in self.populations if self.shapes[p][1:] == shape[1:]]
        equal = [p for p in fits if self.shapes[p] == shape]
        kind = self.draw(st.sampled_from(["itself", "shortcut", "parallel"]))
        if kind == "shortcut" and fits:
            origin = self.draw(st.sampled_from(equal or fits))
            return self.add(Identity(), origin, delay=delay)
        op = self.nodes[-1].op
        if kind == "parallel" and "weight" in op.tensors:
            name = f"n{len(self.nodes)}"
            other = self.tensor(f"{name}.weight", op.tensors["weight"].shape)
            changes = {"weight": other}
            if op.tensors.get("bias") is not None:
                changes["bias"] = self.tensor(f"{name}.bias", op.tensors["bias"].shape, -4, 4)
            return self.add(replace(op, **changes), source, delay=delay)
        return first

    def spike(self, source: str, annotation: Spiking | None = None) -> None:
        name = self.add(Relu(), source)
        annotation = annotation or self.annotation(name, self.shapes[name])
        self.nodes[-1] = replace(self.nodes[-1], spiking=annotation)
        self.populations.append(name)

    def annotation(self, name: str, shape: Shape) -> Spiking:
        """Draw thresholds 1/8..3/2 and the rest, one number, per channel or per neuron."""
        reset = self.draw(st.sampled_from(self.resets))
        v_reset = self.number(-2, 1) / 8 if reset == "hard" else 0.0
        return Spiking(
            threshold=self.value(f"{name}.threshold", shape, 1, 12),
            v_init=self.value(f"{name}.v_init", shape, -2, 8) if self.flag() else 0.0,
            shift=self.value(f"{name}.shift", shape, -2, 2) if self.flag() else 0.0,
            reset=reset,
            v_reset=v_reset,
            scale=self.units(f"{name}.scale", shape, v_reset),
        )

    def units(self, name: str, shape: Shape, v_reset: float = 0.0) -> float | Tensor:
        """Draw units of `int` precision, so many that the least threshold is one of them."""
        if v_reset or self.flag():
            return self.draw(st.sampled_from([8.0, 12.7, 64.0]))
        return Tensor(name, self.rng.uniform(8, 64, shape[:1]))

    def value(self, name: str, shape: Shape, low: int, high: int) -> float | Tensor:
        sizes: list[Shape | None] = [None, None, shape[:1], shape]
        size = self.draw(st.sampled_from(sizes))
        if size is None:
            return self.draw(st.sampled_from([high // 2, *range(low, high + 1)])) / 8
        values = self.rng.integers(low, high + 1, size) / 8
        return Tensor(name, values.astype(np.float32))


@st.composite
def graphs(
    draw: st.DrawFn,
    *,
    exact: bool = True,
    delays: bool = False,
    resets: tuple[str, ...] = ("soft",),
    readouts: tuple[str, ...] = ("membrane", "spikes"),
    builder_of: type[Builder] = Builder,
) -> Graph:
    """Draw a converted graph of 1 to 4 populations; the output may carry a threshold as well."""
    builder = builder_of(draw, exact, delays, resets)
    rank = draw(st.sampled_from([3, 1, 2]))
    channels, size = st.sampled_from([2, 1, 3]), st.sampled_from([4, 5, 3, 2, 1])
    axes = {1: (st.sampled_from([4, 6, 3, 2, 1]),), 2: (channels, size), 3: (channels, size, size)}
    shape = tuple(draw(axis) for axis in axes[rank])
    builder.shapes["image"] = shape
    builder.populations.append("image")
    for _ in range(draw(st.sampled_from([2, 3, 1]))):
        recent = builder.populations[-3:]
        source = recent[-1] if builder.flag() else draw(st.sampled_from(recent))
        builder.spike(builder.layer(source))
    last = builder.populations[-1]
    flat = builder.add(Flatten(), last) if len(builder.shapes[last]) > 1 else last
    classes = draw(st.sampled_from([3, 2, 4, 1]))
    delay = builder.number(0, 5) if delays and builder.flag() else None
    output = builder.add(builder.linear(builder.shapes[flat], classes), flat, delay=delay)
    readout = draw(st.sampled_from(readouts))
    if readout == "spikes":
        builder.spike(output)
        output = builder.populations[-1]
    inputs = (Input("image", shape, threshold=INPUT_THRESHOLD),)
    decides = Readout(readout, scale=draw(st.sampled_from([8.0, 12.7, 64.0])))
    return Graph("drawn", inputs, tuple(builder.nodes), (output,), readout=decides)


def quantised(graph: Graph, steps: int) -> Graph:
    """Return a graph whose activations are qcfs nodes of `steps` levels with v_init theta/2.

    Thresholds become one number a layer, which is what qcfs has; shifts go.
    """
    changed = {}
    for node in graph:
        if node.spiking is not None:
            theta = node.spiking.threshold
            theta = float(theta.values.flat[0]) if isinstance(theta, Tensor) else theta
            spiking = Spiking(threshold=theta, v_init=theta / 2)
            changed[node.name] = replace(node, op=Qcfs(levels=steps, max=theta), spiking=spiking)
    return graph.replace_all(changed)


def images(graph: Graph, n: int = 1) -> st.SearchStrategy[NDArray[np.float32]]:
    """Draw n images of eighths; a few pixels lie beyond the input's threshold."""

    def image(seed: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        pixels = rng.integers(-9, 18, (n, *graph.inputs[0].shape))
        return (pixels / 8).astype(np.float32)

    return st.integers(0, 2**32 - 1).map(image)


@st.composite
def settings_of(
    draw: st.DrawFn,
    *,
    schedules: tuple[str, ...] = ("lockstep", "async"),
    ticks: tuple[int, ...] = (1, 2, 4, 8, 16),
    encoders: tuple[str, ...] = ("constant", "regular", "poisson"),
    precisions: tuple[str, ...] = ("float32", "float64", "int"),
) -> Setting:
    """Draw how to run a graph; `ticks` are the ticks per step to draw from."""
    schedule = draw(st.sampled_from(schedules))
    steps = draw(st.sampled_from([4, 8, 7, 6, 5, 3, 2, 1]))
    timing = {}
    if schedule == "async":
        per_step = draw(st.sampled_from(ticks))
        timing = {
            "ticks_per_step": per_step,
            "refractory": draw(st.one_of(st.just(per_step - 1), st.integers(0, 2 * per_step))),
            "netted": draw(st.booleans()),
        }
    return Setting(
        schedule,
        steps,
        delay=draw(st.sampled_from([0, 0, 1, 2, 5])),
        encoder=draw(st.sampled_from(encoders)),
        precision=draw(st.sampled_from(precisions)),
        t_start=draw(st.one_of(st.just(0), st.integers(0, steps - 1))),
        confidence=draw(st.sampled_from([0.0, 0.3, 0.9])),
        seed=draw(st.integers(0, 100)),
        **timing,
    )
