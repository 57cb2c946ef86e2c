"""Build: the pieces of a NIR graph from a converted graph, for one profile."""

from typing import Any

import numpy as np

from thresher.errors import SimulationError
from thresher.export.nir.profiles import Profile
from thresher.export.nir.terms import (
    Floats,
    Piece,
    Term,
    Terms,
    conv2d,
    folded,
    without_groups,
)
from thresher.ir import ops
from thresher.ir.graph import Graph
from thresher.ir.inflow import deciding_node
from thresher.ir.node import Node, Preprocess
from thresher.ir.op import Shape
from thresher.ir.spiking import Spiking, spread

NO_LEAK = 1e13
"""Seconds: a time constant so long that 1 - dt / tau is 1 in float64."""
DT = 1e-4
"""The step, in seconds, that snnTorch's reader assumes."""


class Builder:
    """Walk a graph in order; `terms` hold what was built, `told` what NIR cannot say."""

    def __init__(self, graph: Graph, profile: Profile, target: str) -> None:
        self.output = deciding_node(graph)
        self.graph, self.profile, self.target = graph.upto(self.output), profile, target
        self.terms = Terms(profile.scales)
        self.given: dict[str, list[Term]] = {}
        self.soft = self.starts = self.shifts = False
        self.start_values: dict[str, Floats] = {}

    def build(self) -> Terms:
        """Return the pieces and the edges, from the input to the output.

        Raises
        ------
        SimulationError
            Where a node cannot be said in NIR, or not such that the tool reads it rightly.
        """
        item = self.graph.inputs[0]
        metadata = {} if item.preprocess is None else _told_of(item.preprocess)
        self.terms.add("input", Piece("Input", {"shape": item.shape}, metadata), [])
        self.given[item.name] = [Term("input", np.ones(item.shape[0]))]
        for node in self.graph:
            terms = self._node(node)
            if not self._read_once(node):
                terms = [Term(term.name, term.factor) for term in terms]
            self.given[node.name] = terms
        shape = self.graph.shapes[self.output]
        last = self.given[self.output]
        if not self.decides_by_spikes:
            last = self.terms.united(last, shape, None)
            last = [self.terms._with_factor(term, np.ones(shape[0]), shape) for term in last]
        self.terms.add(self.terms.unique("output"), Piece("Output", {"shape": shape}), last)
        return self.terms

    @property
    def decides_by_spikes(self) -> bool:
        return self.graph.readout.kind == "spikes"

    def _node(self, node: Node) -> list[Term]:
        """Build a node's op, and the population that fires what it gives."""
        terms = self._op(node)
        if node.spiking is None or (node.name == self.output and not self.decides_by_spikes):
            return terms
        return self._population(node, node.spiking, terms)

    def _op(self, node: Node) -> list[Term]:
        sources = [self.given[name] for name in node.inputs]
        shape = self.graph.in_shapes(node.name)[0]
        op: Any = node.synaptic_op
        if node.delay:
            raise self._refused(node, f"has a delay of {node.delay} steps")
        if op.can_spike or isinstance(op, (ops.Identity, ops.Dropout)):
            return sources[0]
        if isinstance(op, ops.Add):
            return [term for terms in sources for term in terms]
        weighted = self._weighted(node, op, sources[0], shape)
        if weighted is not None:
            return [weighted]
        return [self._unweighted(node, op, sources[0], shape)]

    def _weighted(self, node: Node, op: Any, source: list[Term], shape: Shape) -> Term | None:
        """Return a layer with weights, which take the factor of what they read in."""
        if not isinstance(op, (ops.Conv2d, ops.Conv1d, ops.Linear)):
            return None
        terms = self.terms.united(source, shape, None)
        weight = op.weight.values.astype(np.float64)
        if not isinstance(op, ops.Linear):
            weight = without_groups(weight, op.groups)
        factor = terms[0].factor.reshape(1, -1, *[1] * (weight.ndim - 2))
        bias = np.zeros(len(weight)) if op.bias is None else op.bias.values.astype(np.float64)
        if isinstance(op, ops.Linear):
            piece = Piece("Affine", {"weight": weight * factor, "bias": bias})
        else:
            piece = self._convolution(node, op, weight * factor, bias, shape)
        return Term(self._add(node, piece, terms), np.ones(len(weight)), free=True)

    def _read_once(self, node: Node) -> bool:
        readers = self.graph.consumers(node.name)
        times = sum(self.graph[reader].inputs.count(node.name) for reader in readers)
        return times + (node.name == self.output) == 1

    def _convolution(
        self, node: Node, op: Any, weight: Floats, bias: Floats, shape: Shape
    ) -> Piece:
        sides = [axis.padding for axis in op.axes]
        if any(before != after for before, after in sides):
            raise self._refused(node, f"pads {[list(pair) for pair in sides]}, not both ends alike")
        padding = [before for before, _ in sides]
        if isinstance(op, ops.Conv2d):
            if op.kernel[0] != op.kernel[1]:
                raise self._refused(
                    node,
                    f"has a kernel of {list(op.kernel)}, of which NIR's own check of shapes takes "
                    "the height for both",
                )
            down, across = padding
            return conv2d(weight, bias, shape[1:], op.stride, (down, across), op.dilation)
        if self.profile.uniform or self.profile.pool == "SumPool2d":
            raise self._refused(node, "is a convolution of one axis")
        fields = {
            "input_shape": shape[1],
            "weight": weight,
            "stride": op.stride,
            "padding": padding[0],
            "dilation": op.dilation,
            "groups": 1,
            "bias": bias,
        }
        return Piece("Conv1d", fields)

    def _unweighted(self, node: Node, op: Any, source: list[Term], shape: Shape) -> Term:
        terms = self.terms.united(source, shape, None)
        factor, out = terms[0].factor, self.graph.shapes[node.name]
        if isinstance(op, (ops.AvgPool2d, ops.GlobalAvgPool)):
            kernel, stride = shape[1:], shape[1:]
            if isinstance(op, ops.AvgPool2d):
                if any(map(any, op.padding)):
                    raise self._refused(node, "is a pool with padding, which tools count apart")
                kernel, stride = op.kernel, op.stride
            piece = Piece(
                self.profile.pool,
                {
                    "kernel_size": np.array(kernel),
                    "stride": np.array(stride),
                    "padding": np.array([0, 0]),
                },
            )
            area = kernel[0] * kernel[1] if self.profile.pool == "SumPool2d" else 1
            return Term(self._add(node, piece, terms), factor / area)
        if isinstance(op, (ops.Flatten, ops.Reshape)) and len(out) == 1:
            piece = Piece("Flatten", {"shape": shape, "start_dim": 0, "end_dim": -1})
            return Term(self._add(node, piece, terms), folded(factor, shape))
        if isinstance(op, ops.ChannelAffine):
            weight, bias = op.affine()
            if weight.ndim > 1 or (bias is not None and bias.ndim > 1):
                raise self._refused(node, "has a factor or an offset for each value of a channel")
            piece = self.terms.selection(np.diag(weight * factor), shape, (1, 1))
            if bias is not None:
                piece.fields["bias"] = bias
            return Term(self._add(node, piece, terms), np.ones(len(weight)))
        matrix = self._selected(node, op, shape)
        stride = (
            (op.step[1] or 1, op.step[2] or 1) if isinstance(op, ops.Slice) and op.step else (1, 1)
        )
        piece = self.terms.selection(matrix * factor, shape, stride)
        return Term(self._add(node, piece, terms), np.ones(len(matrix)))

    def _selected(self, node: Node, op: Any, shape: Shape) -> Floats:
        """Return the matrix of channels (out, in) of a slice or a padding of channels."""
        eye = np.eye(shape[0])
        if isinstance(op, ops.Pad) and len(shape) == 3 and not any((*op.height, *op.width)):
            return np.pad(eye, (op.channels, (0, 0)))
        if isinstance(op, ops.Slice) and len(shape) == 3:
            nothing = (None,) * 3
            whole = zip(op.start or nothing, op.stop or nothing, shape, strict=True)
            spatial = list(whole)[1:]
            if all(not start and (stop is None or stop >= n) for start, stop, n in spatial):
                step = (op.step or nothing)[0]
                return eye[slice((op.start or nothing)[0], (op.stop or nothing)[0], step)]
        raise self._refused(node, f"is a '{op.kind}', which NIR has no node for")

    def _population(self, node: Node, spiking: Spiking, source: list[Term]) -> list[Term]:
        shape, profile = self.graph.shapes[node.name], self.profile
        self._check(node, spiking)
        theta = spread(spiking.threshold, shape)
        flat = theta.reshape(shape[0], -1)
        by_channel = bool((flat == flat[:, :1]).all())
        if not by_channel:
            raise self._refused(node, "has a threshold for each neuron, not one a channel")
        channel: Floats = flat[:, 0].copy()
        uniform = profile.uniform and bool(np.ptp(channel))
        terms = self.terms.united(source, shape, channel if uniform else None)
        factor = terms[0].factor
        own = channel / factor
        if profile.uniform and np.ptp(own):
            raise self._refused(node, "has thresholds that no weights before it can take in")
        self._shift(node, spread(spiking.shift, shape).reshape(shape[0], -1), terms, factor)
        column = (-1, *[1] * (len(shape) - 1))
        threshold = np.broadcast_to(own.reshape(column), shape)
        start = spread(spiking.v_init, shape) / factor.reshape(column)
        v_reset = np.broadcast_to(spiking.v_reset / factor.reshape(column), shape)
        hard = spiking.reset == "hard"
        self._check_start(node, start, v_reset if hard else np.zeros(shape))
        metadata: dict[str, Any] = {"reset": spiking.reset}
        if start.any():
            metadata["v_init"] = start.astype(np.float32)
            self.start_values[node.name] = start
        self.soft |= not hard
        piece = self._neuron(shape, threshold, v_reset if hard else np.zeros(shape), metadata)
        return [Term(self._add(node, piece, terms), channel)]

    def _neuron(
        self, shape: Shape, threshold: Floats, v_reset: Floats, metadata: dict[str, Any]
    ) -> Piece:
        profile = self.profile
        written = threshold.astype(np.float32)
        if profile.strict:
            written = np.nextafter(written, np.float32(0))
        fields = {
            "r": np.full(shape, profile.r, np.float32),
            "v_threshold": written,
            "v_reset": v_reset.astype(np.float32),
        }
        if not profile.leaky:
            return Piece("IF", fields, metadata)
        fields |= {
            "tau": np.full(shape, NO_LEAK),
            "r": np.full(shape, NO_LEAK / DT),
            "v_leak": np.zeros(shape, np.float32),
        }
        return Piece("LIF", fields, metadata)

    def _check(self, node: Node, spiking: Spiking) -> None:
        if spiking.neuron != "if":
            raise self._refused(node, f"has neurons '{spiking.neuron}'; NIR has 'if'")
        why = self.profile.hard if spiking.reset == "hard" else self.profile.soft
        if why:
            raise self._refused(node, f"has {spiking.reset} reset, and {why}")
        if spiking.v_reset and self.profile.v_reset:
            raise self._refused(
                node, f"has a v_reset of {spiking.v_reset:g}: {self.profile.v_reset}"
            )

    def _check_start(self, node: Node, start: Floats, rest: Floats) -> None:
        if self.profile.starts and (start != rest).any():
            raise self._refused(node, f"has an initial potential, and {self.profile.starts}")

    def _shift(self, node: Node, shift: Floats, terms: list[Term], factor: Floats) -> None:
        """Let the layer before bring the current of a shift, as part of its bias."""
        if not shift.any():
            return
        if (shift != shift[:, :1]).any():
            raise self._refused(node, "has a shift for each neuron, not one a channel")
        if not self.terms.add_to_bias(terms, shift[:, 0], factor):
            raise self._refused(node, "has a shift, and no layer of weights before it brings it")

    def _add(self, node: Node, piece: Piece, sources: list[Term]) -> str:
        return self.terms.add(self.terms.unique(node.name.replace("/", ".")), piece, sources)

    def _refused(self, node: Node, what: str) -> SimulationError:
        return SimulationError(
            f"node '{node.name}' {what}: it cannot be written for {self.target} such that the "
            "spikes stay the same"
        )


def _told_of(preprocess: Preprocess) -> dict[str, Any]:
    """Return metadata of an input: what turns pixels into the values that the network takes."""
    return {
        "preprocess_divide": preprocess.divide,
        "preprocess_mean": np.array(preprocess.mean),
        "preprocess_std": np.array(preprocess.std),
    }
