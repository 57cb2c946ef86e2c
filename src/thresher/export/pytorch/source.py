"""Source: the text of the PyTorch module, node by node, and its tensors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.export.pytorch.expressions import expression, max_pool
from thresher.ir.graph import Graph
from thresher.ir.inflow import deciding_node
from thresher.ir.node import Node
from thresher.ir.op import Shape
from thresher.ir.operation import is_before_neurons, operation_of
from thresher.ir.ops import ChannelAffine, MaxPool2d
from thresher.ir.spiking import SIGNED, Spiking
from thresher.ir.tensor import Tensor
from thresher.sim.recording import tensors_sha256
from thresher.version import package_version

Array = NDArray[Any]

FUNCTIONS = {
    "soft": '''

def fire_soft(v, threshold):
    """Fire at the threshold and subtract it; return the potential and the spikes."""
    spikes = (v >= threshold).to(v.dtype)
    return v - threshold * spikes, spikes
''',
    "hard": '''

def fire_hard(v, threshold, v_reset):
    """Fire at the threshold and go to v_reset; return the potential and the spikes."""
    fired = v >= threshold
    return torch.where(fired, torch.as_tensor(v_reset, dtype=v.dtype), v), fired.to(v.dtype)
''',
    SIGNED: '''

def fire_signed(v, threshold, n, levels):
    """Fire, or take a spike back; return the potential, the spikes and the net count n."""
    up = (v >= threshold) & (n < levels)
    down = (v < 0) & (n > 0)
    spikes = up.to(v.dtype) - down.to(v.dtype)
    return v - threshold * spikes, spikes, n + spikes
''',
}


@dataclass
class _Names:
    """Identifiers of nodes and tensors: each its own, near to the name in the graph."""

    _given: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        if name not in self._given:
            plain = re.sub(r"\W", "_", name, flags=re.ASCII)
            found, number = plain, 2
            while found in self._given.values():
                found, number = f"{plain}_{number}", number + 1
            self._given[name] = found
        return self._given[name]


@dataclass(frozen=True)
class Source:
    """The module's text and its class's name; tensors by the names that the text gives them."""

    text: str
    class_name: str
    tensors: Mapping[str, Array]


def write(graph: Graph, steps: int, tensors_name: str) -> Source:
    """Write a converted graph as a module that runs `steps` steps unless told otherwise.

    Raises
    ------
    SimulationError
        Where it holds neurons that the module does not have.
    """
    return _Writer(graph, steps).source(tensors_name)


class _Writer:
    """Gather statements of the start and of the step, in topological order."""

    def __init__(self, graph: Graph, steps: int) -> None:
        self.graph, self.steps = graph, steps
        self.output = deciding_node(graph)
        self.names, self.buffers = _Names(), _Names()
        self.tensors: dict[str, Array] = {}
        self.start: list[str] = []
        self.step: list[str] = []
        self.fired: list[str] = []
        self.functions: set[str] = set()
        self.spiky: set[str] = set()
        """Nodes that spikes reach, or that send them."""

    def source(self, tensors_name: str) -> Source:
        graph, item = self.graph, self.graph.inputs[0]
        image = "images.to(torch.float32)"
        if item.preprocess is not None:
            mean, std = (
                self._channels(v, item.shape) for v in (item.preprocess.mean, item.preprocess.std)
            )
            image = f"({image} / {item.preprocess.divide!r} - {mean}) / {std}"
        self.start.append(f"{self._c(item.name)} = ({image}).to(torch.float64)")
        self.start.append("state = {}")
        for node in graph:
            self._node(node)
            if node.name == self.output:
                break
        self.start.append("return state")
        fired = ", ".join(f"{name!r}: {self._s(name)}" for name in self.fired)
        self.step.append(f"return {{{fired}}}, {self._value()}")
        class_name = "".join(part.capitalize() for part in re.findall("[A-Za-z0-9]+", graph.name))
        class_name = class_name if class_name[:1].isalpha() else f"Network{class_name}"
        sizes = ", ".join(f"{name} {list(graph.shapes[name])}" for name in self.fired)
        values = {
            "NAME": _plain(graph.name),
            "VERSION": package_version(),
            "CLASS": class_name,
            "STEPS": str(self.steps),
            "SHAPE": ", ".join(map(str, item.shape)),
            "TENSORS": tensors_name,
            "SHA256": tensors_sha256(graph),
            "POPULATIONS": _plain(f"Populations: {sizes}."),
            "START": str(graph.readout.t_start),
            "NAMES": repr(tuple(self.fired)),
            "START_BODY": _indented(self.start),
            "STEP_BODY": _indented(self.step),
            "FUNCTIONS": "".join(FUNCTIONS[name] for name in FUNCTIONS if name in self.functions),
        }
        text = files("thresher.export.pytorch").joinpath("module.py.txt").read_text("utf-8")
        text = re.sub(r"@([A-Z0-9_]+)@", lambda match: values[match.group(1)], text)
        return Source(text.rstrip() + "\n", class_name, self.tensors)

    def _c(self, name: str) -> str:
        """Name a node's constant part: what it is in every step when no neuron fires."""
        return f"c_{self.names[name]}"

    def _d(self, name: str) -> str:
        """Name what spikes bring a node in a step."""
        return f"d_{self.names[name]}"

    def _s(self, name: str) -> str:
        return f"s_{self.names[name]}"

    def _node(self, node: Node) -> None:
        """Write a node's op, and the population that fires what it gives."""
        if operation_of(self.graph, node) is not None:
            raise SimulationError(
                f"node '{node.name}' follows a function of its mean input, which the PyTorch "
                "module does not have: convert without operators, and with max pools that follow "
                "counts (--set replace-unsupported.max_pool=keep)"
            )
        if is_before_neurons(self.graph, node):
            return  # what follows it is refused
        if isinstance(node.op, MaxPool2d):
            self._max_pool(node, node.op)
        elif node.op.can_spike:
            self.start.append(f"{self._c(node.name)} = {self._c(node.inputs[0])}")
            if node.inputs[0] in self.spiky:
                self.step.append(f"{self._d(node.name)} = {self._d(node.inputs[0])}")
                self.spiky.add(node.name)
        else:
            self._linear(node)
        if node.spiking is not None and (node.name != self.output or self._decides_by_spikes):
            self._population(node, node.spiking)
        if node.name == self.output and not self._decides_by_spikes:
            key = repr(node.name)
            self.start.append(f"state['i', {key}] = {self._c(node.name)}.to(self.dtype)")
            self.start.append(f"state['v', {key}] = torch.zeros_like(state['i', {key}])")
            reached = f" + {self._d(node.name)}" if node.name in self.spiky else ""
            total = f"state['v', {key}] + (state['i', {key}]{reached})"
            self.step.append(f"state['v', {key}] = {total}")

    @property
    def _decides_by_spikes(self) -> bool:
        return self.graph.readout.kind == "spikes"

    def _value(self) -> str:
        if self._decides_by_spikes:
            return f"state['sent', {self.output!r}]"
        return f"state['v', {self.output!r}]"

    def _linear(self, node: Node) -> None:
        graph, op, shape = self.graph, node.synaptic_op, self.graph.shapes[node.name]
        tensors = {role: tensor.values for role, tensor in op.tensors.items()}
        if isinstance(op, ChannelAffine):
            factor, offset = op.affine()
            tensors = {"weight": factor} | ({} if offset is None else {"bias": offset})
        names = {role: self._buffer(f"{node.name}.{role}", v) for role, v in tensors.items()}
        constants = {role: f"self.constant({name!r})" for role, name in names.items()}
        synapses = {role: f"self.synapse({name!r})" for role, name in names.items()}
        synapses.pop("bias", None)
        args = [self._c(name) for name in node.inputs]
        self.start.append(f"{self._c(node.name)} = {expression(op, args, constants, shape)}")
        reached = [name for name in node.inputs if name in self.spiky]
        if not reached:
            return
        self.spiky.add(node.name)
        if node.op.kind == "add":
            args = [self._d(name) for name in reached]
        else:
            args = [
                self._d(name)
                if name in self.spiky
                else f"{self._d(reached[0])}.new_zeros((len({self._d(reached[0])}), "
                f"{', '.join(map(str, graph.shapes[name]))}))"
                for name in node.inputs
            ]
        self.step.append(f"{self._d(node.name)} = {expression(op, args, synapses, shape)}")
        if node.delay:
            key, found = f"('late', {node.name!r})", self._d(node.name)
            self.step.append(f"state.setdefault({key}, [torch.zeros_like({found})] * {node.delay})")
            self.step.append(f"state[{key}].append({found})")
            self.step.append(f"{found} = state[{key}].pop(0)")

    def _max_pool(self, node: Node, op: MaxPool2d) -> None:
        """Follow the largest count of each window, and send on its change."""
        key, x = repr(node.name), self._d(node.inputs[0])
        counts = f"state['n', {key}]"
        shape = ", ".join(map(str, self.graph.shapes[node.name]))
        self.start.append(
            f"{self._c(node.name)} = {self._c(node.inputs[0])}.new_zeros((len(images), {shape}))"
        )
        self.step += [
            f"{counts} = state.get(('n', {key}), 0) + {x}.to(torch.float64)",
            f"m = {max_pool(op, counts)}.clamp(min=0)",
            f"{self._d(node.name)} = (m - state.get(('m', {key}), 0)).to(self.dtype)",
            f"state['m', {key}] = m",
            f"{self._s(node.name)} = {self._d(node.name)}.sign()",
        ]
        self.fired.append(node.name)
        self.spiky.add(node.name)

    def _population(self, node: Node, spiking: Spiking) -> None:
        known = spiking.neuron in ("if", SIGNED) and not spiking.parameters
        if not known:
            raise SimulationError(
                f"node '{node.name}' has neurons '{spiking.neuron}', which the PyTorch module does "
                f"not have; it has 'if' and '{SIGNED}': convert with another recipe"
            )
        key, shape = repr(node.name), self.graph.shapes[node.name]
        theta, v_init, shift = (
            self._spread(f"{node.name}.{name}", getattr(spiking, name), shape)
            for name in ("threshold", "v_init", "shift")
        )
        current = self._c(node.name)
        self.start += [
            f"state['i', {key}] = ({current} + {shift}).to(self.dtype)",
            f"state['v', {key}] = torch.zeros_like(state['i', {key}]) + {v_init}",
            f"state['v', {key}] = state['v', {key}].to(self.dtype)",
            f"state['theta', {key}] = torch.as_tensor({theta}, dtype=self.dtype)",
            f"{self._c(node.name)} = torch.zeros_like({current})",
        ]
        reached = f" + {self._d(node.name)}" if node.name in self.spiky else ""
        total, spikes = f"state['v', {key}] + (state['i', {key}]{reached})", self._s(node.name)
        given = f"{total}, state['theta', {key}]"
        if spiking.neuron == SIGNED:
            levels = spiking.levels or self.steps
            self.functions.add(SIGNED)
            self.start.append(f"state['n', {key}] = torch.zeros_like(state['v', {key}])")
            self.step.append(
                f"state['v', {key}], {spikes}, state['n', {key}] = "
                f"fire_signed({given}, state['n', {key}], {levels})"
            )
        elif spiking.reset == "hard":
            self.functions.add("hard")
            self.step.append(
                f"state['v', {key}], {spikes} = fire_hard({given}, {spiking.v_reset!r})"
            )
        else:
            self.functions.add("soft")
            self.step.append(f"state['v', {key}], {spikes} = fire_soft({given})")
        self.step.append(f"{self._d(node.name)} = {spikes} * state['theta', {key}]")
        self.fired.append(node.name)
        self.spiky.add(node.name)
        if node.name == self.output:
            self.start.append(f"state['sent', {key}] = torch.zeros_like(state['v', {key}])")
            self.step.append(f"state['sent', {key}] = state['sent', {key}] + {self._d(node.name)}")

    def _buffer(self, name: str, values: Array) -> str:
        """Keep a tensor as it is, in float32 or float64, and return its name in the module."""
        found = self.buffers[name]
        if values.dtype != np.float32:
            values = values.astype(np.float64)
        self.tensors[found] = np.ascontiguousarray(values)
        return found

    def _spread(self, name: str, value: float | Tensor, shape: Shape) -> str:
        """Write a number, or a tensor that fits the population: by channel, or by neuron."""
        if not isinstance(value, Tensor):
            return repr(float(value))
        found = f"self.constant({self._buffer(name, value.values)!r})"
        if value.shape == shape[:1] and len(shape) > 1:
            return f"{found}.reshape(-1, {', '.join('1' for _ in shape[1:])})"
        return found

    def _channels(self, values: tuple[float, ...], shape: Shape) -> str:
        if len(set(values)) == 1:
            return repr(values[0])
        axes = ", ".join("1" for _ in shape[1:])
        numbers = f"torch.tensor({list(values)}, device=images.device)"
        return f"{numbers}.reshape(-1{', ' if axes else ''}{axes})"


def _indented(lines: list[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _plain(text: str) -> str:
    """Return a text such that it can stand in a docstring."""
    return re.sub(r"[^\x20-\x7e]|[\\\"]", "_", text)
