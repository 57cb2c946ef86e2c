"""NIR in: a file of the neuromorphic intermediate representation as a converted graph.

A spike is 1 in NIR, and stands for its neuron's threshold in a graph: a `scale` of 1 / threshold
after each population takes that back.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.converters.importers.nir_file import NirFile, NirNode, read_nir
from thresher.errors import GraphError, SpecError
from thresher.ir import Graph, Preprocess, Readout, Spiking, Tensor
from thresher.ir.op import Shape
from thresher.ir.ops import Add, AvgPool2d, Conv1d, Conv2d, Flatten, Linear, Relu, Scale

Array = NDArray[Any]
Floats = NDArray[np.float64]

SUBTRACTING = (1, 0, 5)
"""The last version in whose specification an IF is reset by subtraction; 1.0.6 has v_reset."""
KEEPING_SHAPE = frozenset({"CubaLI", "CubaLIF", "Delay", "I", "IF", "LI", "LIF", "Threshold"})
"""Nodes that give what they read in the same shape, so that what reads them can be looked at."""


def import_nir(path: str | Path, shape: Shape | None = None, *, dt: float | None = None) -> Graph:
    """Read a NIR file as a graph whose IF nodes are populations.

    Which reset an IF has is told by the file: its metadata (`reset`, as `export_nir` writes it);
    `v_reset`, to which it goes; or, in files of versions up to 1.0.5, which have none, the
    subtraction of the threshold. An IF fires above its threshold in NIR and at it in a graph.

    Parameters
    ----------
    shape : tuple of int, optional
        Of the input, where the file says none.
    dt : float, optional
        How long a step is, in the file's unit of time. An IF of resistance r adds r * dt times its
        input in a step; needed where r is not 1.

    Raises
    ------
    SpecError
        Where the file is damaged or no NIR file.
    UnsupportedError
        Where it holds what a graph cannot say, or what can be read in two ways; all is listed.
    """
    path = Path(path)
    found = read_nir(path)
    return _Walk(found, path, shape, dt).graph()


def import_nir_file(path: Path, shape: Shape | None) -> Graph:
    """Read a NIR file by the registry's signature."""
    return import_nir(path, shape)


class _Walk:
    """Takes the nodes over in topological order."""

    def __init__(self, file: NirFile, path: Path, shape: Shape | None, dt: float | None) -> None:
        self.file, self.path, self.shape, self.dt = file, path, shape, dt
        self.builder = GraphBuilder(path.stem, f"'{path}'")
        self.values: dict[str, Value] = {}
        self.spiking: dict[str, Spiking] = {}
        self.outputs: list[str] = []
        self.preprocess: Preprocess | None = None
        self.structure: nx.DiGraph[str] = nx.DiGraph()
        self.makers: dict[str, Callable[[str, NirNode, Value], Value]] = {
            "Affine": self._linear,
            "Linear": self._linear,
            "Conv1d": self._conv,
            "Conv2d": self._conv,
            "AvgPool2d": self._pool,
            "SumPool2d": self._pool,
            "Flatten": self._flatten,
            "Scale": self._scale,
            "IF": self._integrate_and_fire,
        }

    def graph(self) -> Graph:
        for name in self._order():
            node = self.file.nodes[name]
            try:
                value = self._node(name, node)
            except (GraphError, SpecError) as error:
                self.builder.refuse(name, node.kind, error)
                continue
            if value is not None:
                self.values[name] = value
        if len(self.outputs) != 1 and not self.builder.refusals:
            raise SpecError(f"'{self.path}' has {len(self.outputs)} outputs; expected one")
        graph = self.builder.finish([self.values[name] for name in self.outputs])
        nodes = {name: replace(graph[name], spiking=s) for name, s in self.spiking.items()}
        fires = graph.outputs[0] in nodes
        readout = Readout(kind="spikes" if fires else "membrane")
        inputs = (replace(graph.inputs[0], preprocess=self.preprocess),)
        return replace(graph.replace_all(nodes), inputs=inputs, readout=readout)

    def _order(self) -> list[str]:
        """Return the nodes' names such that each follows what it reads."""
        nodes = self.file.nodes
        self.structure.add_nodes_from(nodes)
        for source, target in self.file.edges:
            for name in (source, target):
                if name not in nodes:
                    raise SpecError(f"'{self.path}' has an edge of '{name}', which is no node")
            self.structure.add_edge(source, target)
        try:
            position = {name: number for number, name in enumerate(nodes)}
            return list(nx.lexicographical_topological_sort(self.structure, key=position.get))
        except nx.NetworkXUnfeasible:
            cycle = [edge[0] for edge in nx.find_cycle(self.structure)]
            raise SpecError(
                f"'{self.path}' is recurrent: {' -> '.join([*cycle, cycle[0]])}; a graph is acyclic"
            ) from None

    def _node(self, name: str, node: NirNode) -> Value | None:
        if node.kind == "Input":
            self.preprocess = _preprocess(node)
            return self.builder.input(name, self._input_shape(node))
        sources = list(self.structure.predecessors(name))
        if not sources:
            raise SpecError("reads nothing")
        if node.kind not in self.makers and node.kind != "Output":
            if node.kind in KEEPING_SHAPE and sources[0] in self.values:
                self.values[name] = self.values[sources[0]]  # stands in for what follows
            known = ", ".join(self.makers)
            raise SpecError(f"is none of the nodes that are read, which are {known}")
        if any(source not in self.values for source in sources):
            return None  # refused before
        given = [self.values[source] for source in sources]
        value = given[0]
        if len(given) > 1:
            value = self.builder.add(f"{name}_sum", Add(), *given)
        if node.kind == "Output":
            self.outputs.append(name)
            return value
        if node.kind in KEEPING_SHAPE:
            self.values[name] = value
        return self.makers[node.kind](name, node, value)

    def _input_shape(self, node: NirNode) -> Shape:
        if any(
            other.kind == "Input" for name, other in self.file.nodes.items() if other is not node
        ):
            raise SpecError("is one of several inputs; expected one")
        if "shape" in node.fields:
            return _ints(node.array("shape"))
        if self.shape is None:
            raise SpecError("does not say its shape; give it (--shape)")
        return self.shape

    def _tensor(self, name: str, role: str, values: Array) -> Tensor:
        return self.builder.tensor(f"{name}.{role}", values)

    def _bias(self, name: str, node: NirNode) -> Tensor | None:
        if "bias" not in node.fields:
            return None
        bias = node.array("bias")
        return self._tensor(name, "bias", bias) if bias.any() else None

    def _linear(self, name: str, node: NirNode, value: Value) -> Value:
        weight = self._tensor(name, "weight", node.array("weight"))
        return self.builder.add(name, Linear(weight, self._bias(name, node)), value)

    def _conv(self, name: str, node: NirNode, value: Value) -> Value:
        values = node.array("weight")
        n = values.ndim - 2
        if n != (1 if node.kind == "Conv1d" else 2):
            raise SpecError(f"has a weight of {list(values.shape)}")
        stride, dilation = (_repeated(node.array(key), n) for key in ("stride", "dilation"))
        padding = _padding(node, values.shape[2:], stride, dilation)
        weight, bias = self._tensor(name, "weight", values), self._bias(name, node)
        groups = _ints(node.array("groups"))[0]
        if n == 1:
            side = (padding[0], padding[0])
            op: Any = Conv1d(
                weight, bias, groups=groups, stride=stride[0], padding=side, dilation=dilation[0]
            )
        else:
            op = Conv2d(
                weight,
                bias,
                groups=groups,
                stride=(stride[0], stride[1]),
                padding=((padding[0], padding[0]), (padding[1], padding[1])),
                dilation=(dilation[0], dilation[1]),
            )
        return self.builder.add(name, op, value)

    def _pool(self, name: str, node: NirNode, value: Value) -> Value:
        kernel, stride, padding = (
            _repeated(node.array(key), 2) for key in ("kernel_size", "stride", "padding")
        )
        if any(padding) and node.kind == "AvgPool2d":
            raise SpecError("pads, and NIR does not say whether padding counts in the average")
        sides = ((padding[0], padding[0]), (padding[1], padding[1]))
        op = AvgPool2d((kernel[0], kernel[1]), (stride[0], stride[1]), sides)
        pooled = self.builder.add(name, op, value)
        if node.kind == "AvgPool2d":
            return pooled
        area = np.full(pooled.shape[0], prod(kernel), np.float32)
        return self._scaled(f"{name}_sum_of_window", area, pooled)

    def _scaled(self, name: str, factor: Array, value: Value) -> Value:
        return self.builder.add(name, Scale(self._tensor(name, "weight", factor)), value)

    def _flatten(self, name: str, node: NirNode, value: Value) -> Value:
        start = _ints(node.array("start_dim"))[0] if "start_dim" in node.fields else 1
        end = _ints(node.array("end_dim"))[0] if "end_dim" in node.fields else -1
        whole = start == 0 and end in (-1, len(value.shape) - 1)
        batched = start == 1 and end in (-1, len(value.shape)) and self._reads_all(name, value)
        if not (whole or batched or len(value.shape) == 1):
            raise SpecError(
                f"flattens axes {start} to {end}, and whether a batch axis counts among them no "
                "layer after it tells"
            )
        return self.builder.add(name, Flatten(), value)

    def _reads_all(self, name: str, value: Value) -> bool:
        """Tell whether every layer after a flatten reads all that it gives, in one row."""
        readers = [self.file.nodes[reader] for reader in self.structure.successors(name)]
        return bool(readers) and all(
            reader.kind in ("Affine", "Linear")
            and reader.array("weight").shape[-1] == prod(value.shape)
            for reader in readers
        )

    def _scale(self, name: str, node: NirNode, value: Value) -> Value:
        factor = _channels(node.array("scale"), value.shape, "a scale")
        return self._scaled(name, factor, value)

    def _integrate_and_fire(self, name: str, node: NirNode, value: Value) -> Value:
        shape = value.shape
        gain = self._gain(node, shape)
        reset, rest = self._reset(node, shape)
        given = node.metadata.get("v_init", np.zeros(1))
        if not isinstance(given, np.ndarray):
            raise SpecError(f"has '{given}' as v_init in its metadata; expected numbers")
        threshold, start = _spread(node.array("v_threshold"), shape), _spread(given, shape)
        v_reset = 0.0 if np.ptp(rest) or np.ptp(gain) else float((rest / gain).flat[0])
        # potentials are counted from where each neuron resets to, where that is several numbers
        origin = rest - v_reset * gain
        theta = _channels((threshold - origin) / gain, shape, "a threshold")
        if not (theta > 0).all():
            raise SpecError(f"has a threshold of {theta.min():g}; expected numbers above v_reset")
        neuron = self.builder.add(name, Relu(), value)
        self.spiking[neuron.name] = Spiking(
            threshold=self._value(name, "threshold", _spread_channels(theta, shape)),
            v_init=self._value(name, "v_init", (start - origin) / gain),
            reset=reset,
            v_reset=v_reset,
        )
        kinds = {self.file.nodes[reader].kind for reader in self.structure.successors(name)}
        if kinds <= {"Output"} or (theta == 1).all():
            return neuron
        return self._scaled(f"{neuron.name}_spike", 1 / theta, neuron)

    def _value(self, name: str, role: str, values: Floats) -> float | Tensor:
        """Return a number where all are the same, or the shortest tensor."""
        if np.ptp(values) == 0:
            return float(values.flat[0])
        flat = values.reshape(len(values), -1)
        by_channel = bool((flat == flat[:, :1]).all())
        return self._tensor(name, role, flat[:, 0].copy() if by_channel else values.copy())

    def _gain(self, node: NirNode, shape: Shape) -> Floats:
        """Return what a step adds for an input of 1."""
        r = _spread(node.array("r"), shape)
        if not (r > 0).all() or (self.dt is not None and not self.dt > 0):
            raise SpecError(f"has a resistance of {r.min():g}; expected numbers above 0")
        if self.dt is None and (r != 1).any():
            raise SpecError(
                f"has a resistance r of {r.max():g}: a step adds r * dt times its input, "
                "and the file does not say how long a step is: give dt to import_nir"
            )
        gain: Floats = r * (1.0 if self.dt is None else self.dt)
        return gain

    def _reset(self, node: NirNode, shape: Shape) -> tuple[str, Floats]:
        """Return how a neuron resets, and where to: zeros where it is by subtraction."""
        said = node.metadata.get("reset")
        if said not in (None, "soft", "hard"):
            raise SpecError(f"has reset '{said}' in its metadata; expected soft or hard")
        if said == "soft":
            return "soft", np.zeros(shape)
        if "v_reset" in node.fields:
            return "hard", _spread(node.array("v_reset"), shape)
        version = self.file.version
        if said is None and _version(version) <= SUBTRACTING:
            return "soft", np.zeros(shape)
        raise SpecError(
            f"has no v_reset, and version '{version}' of NIR resets to one: whether it resets by "
            "subtraction or to 0 is not told"
        )


def _preprocess(node: NirNode) -> Preprocess | None:
    """Return the preprocessing that an input's metadata tell, as `export_nir` writes it."""
    names = ("divide", "mean", "std")
    given = [node.metadata.get(f"preprocess_{name}") for name in names]
    if all(item is None for item in given):
        return None
    numbers: list[tuple[float, ...]] = []
    for name, item in zip(names, given, strict=True):
        if not isinstance(item, np.ndarray):
            raise SpecError(f"has '{item}' as preprocess_{name} in its metadata; expected numbers")
        numbers.append(tuple(float(value) for value in item.ravel()))
    divide, mean, std = numbers
    if len(divide) != 1:
        raise SpecError(f"has {len(divide)} numbers as preprocess_divide; expected one")
    return Preprocess(divide[0], mean, std)


def _ints(values: Array) -> tuple[int, ...]:
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise SpecError(f"has {values.tolist()}; expected whole numbers")
    return tuple(int(value) for value in values.ravel())


def _repeated(values: Array, n: int) -> tuple[int, ...]:
    """Return one number for each of n axes."""
    found = _ints(values)
    if len(found) not in (1, n):
        raise SpecError(f"has {list(found)}; expected one number, or {n}")
    return found * n if len(found) == 1 else found


def _padding(
    node: NirNode, kernel: Shape, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    given = node.fields.get("padding")
    if not isinstance(given, str):
        return _repeated(node.array("padding"), len(kernel))
    if given == "valid":
        return (0,) * len(kernel)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if given == "same" and max(stride) == 1 and not any(r % 2 for r in reach):
        return tuple(r // 2 for r in reach)
    raise SpecError(
        f"pads '{given}', which does not say at which end of an even kernel, or with a stride"
    )


def _spread(values: Array, shape: Shape) -> Floats:
    """Give every neuron its value; one number, (C,) or the population's shape."""
    floats = values.astype(np.float64)
    if floats.size == 1:
        return np.full(shape, float(floats.flat[0]))
    if floats.shape == shape[:1]:
        return _spread_channels(floats, shape)
    if floats.shape != shape:
        raise SpecError(f"has parameters of {list(floats.shape)} for neurons of {list(shape)}")
    return floats


def _spread_channels(values: Floats, shape: Shape) -> Floats:
    return np.broadcast_to(values.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()


def _channels(values: Array, shape: Shape, what: str) -> Floats:
    """Return one number a channel, where neurons of one have the same."""
    flat = _spread(values, shape).reshape(shape[0], -1)
    if (flat != flat[:, :1]).any():
        raise SpecError(f"has {what} for each neuron; expected one a channel")
    return flat[:, 0].copy()


def _version(text: str) -> tuple[int, ...]:
    """Return a version's numbers; one beyond all where it has none."""
    parts = text.split(".")
    if len(parts) < 3 or not all(part.isdecimal() for part in parts[:3]):
        return (10**6,)
    return tuple(int(part) for part in parts[:3])
