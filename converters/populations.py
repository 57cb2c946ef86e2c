"""Changes to every population of a graph, shared by the passes that set neuron parameters."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thresher.converters.calibrate import input_maximum
from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor
from thresher.ir.operation import is_before_neurons, pool_before
from thresher.ir.ops import LeakyRelu
from thresher.ir.spiking import EXPECTATION, Value
from thresher.ir.time_codes import TIME_CODED

Floats = NDArray[np.float64]
Change = Callable[[Node, Spiking], Spiking]
LARGEST_PAYLOAD = 127
"""What one spike may carry."""


def change_populations(graph: Graph, context: Context, change: Change) -> Graph:
    """Replace the annotation of every population but operators; refuse a graph that has none.

    Operators have neurons of their own, with potentials and thresholds that go with them.
    """
    changed: dict[str, Node] = {}
    populations = [node for node in context.walk(graph) if node.spiking is not None]
    for node in populations:
        context.node = node.name
        if node.spiking is not None and node.spiking.neuron != EXPECTATION:
            changed[node.name] = replace(node, spiking=change(node, node.spiking))
    context.node = None
    if not populations:
        raise PassError("no node has a threshold yet; put 'balance-thresholds' before it")
    return graph.replace_all(changed)


def is_firing_readout(graph: Graph, node: Node) -> bool:
    """Tell whether a node is the output and fires by neurons that add up, not by operators."""
    fires = node.name in graph.outputs and graph.readout.kind == "spikes"
    return fires and not (node.op.can_operate and not node.op.can_spike)


def follows_function(graph: Graph, node: Node) -> bool:
    """Tell whether a node fires by a function of what reaches it, as a max pool of spikes does."""
    op = node.op
    return op.can_operate and not op.can_spike and not is_before_neurons(graph, node)


def with_input_threshold(graph: Graph, context: Context) -> Graph:
    """Let one spike of a spiking encoder stand for the images' largest magnitude."""
    highest = input_maximum(graph, context.images)
    inputs = tuple(replace(item, threshold=highest or item.threshold) for item in graph.inputs)
    return replace(graph, inputs=inputs)


def expect_plain(node: Node, spiking: Spiking) -> None:
    """Raise PassError for an annotation that a pass which chooses the neuron cannot change."""
    if spiking.reset == "hard":
        raise PassError("hard reset loses charge, and no count is exact; take 'hard-reset' out")
    if spiking.neuron != "if":
        raise PassError(
            f"its neuron is '{spiking.neuron}' already; keep one of the passes that choose it"
        )
    if isinstance(node.op, LeakyRelu):
        raise PassError(
            "a leaky ReLU has values below 0, for which only 'use-imbalanced-neurons' has a "
            "neuron; set replace-unsupported.leaky_relu to 'relu'"
        )
    for name, step in (("v_init", "init-potential"), ("shift", "shift")):
        if getattr(spiking, name) != 0:
            raise PassError(f"{name} is set already; put '{step}' after the choice of neurons")


def expect_no_pool_before(graph: Graph, node: Node, why: str) -> None:
    """Raise PassError for neurons that would follow the largest of the summed inputs."""
    pool = pool_before(graph, node)
    if pool is not None:
        raise PassError(
            f"the max pool '{pool.name}' before it takes the largest of its inputs, {why}; put it "
            "right after the activation (max(relu(x)) = relu(max(x))), and keep it"
        )


def expect_plain_neuron(spiking: Spiking) -> None:
    """Raise PassError unless a population is of `if` neurons with soft reset."""
    if spiking.neuron != "if" or spiking.reset != "soft":
        raise PassError(
            f"its neuron is '{spiking.neuron}' with {spiking.reset} reset; expected 'if' with soft "
            "reset: take the pass that chose it out of the recipe"
        )


def expect_payload(payload: int) -> None:
    """Raise PassError for spikes that carry more than a trace holds."""
    if payload > LARGEST_PAYLOAD:
        raise PassError(
            f"a spike would carry up to {payload}; at most {LARGEST_PAYLOAD} are possible: take "
            "fewer members or a smaller cap"
        )


def divided(graph: Graph, node: Node, spiking: Spiking, parts: int) -> Spiking:
    """Divide a population's threshold into so many equal parts."""
    name = tensor_name(graph, node.name, "threshold")
    return replace(spiking, threshold=scaled(spiking.threshold, 1 / parts, name))


def set_start(graph: Graph, context: Context, field: str, factor: float, why: str) -> Graph:
    """Set `v_init` or `shift` of every population that fires to factor * threshold.

    A readout that fires is one of them (Deng and Gu 2021 shift the bias of every layer); one that
    integrates starts at 0. Refuse a population that has either already: two half steps make a
    whole one.
    """

    def start(node: Node, spiking: Spiking) -> Spiking:
        if spiking.neuron in TIME_CODED:
            raise PassError(
                f"neurons '{spiking.neuron}' start where 'use-time-code' says; take this pass out "
                "of the recipe, and set use-time-code.rounding to 'nearest'"
            )
        for name in ("v_init", "shift"):
            if getattr(spiking, name) != 0:
                raise PassError(
                    f"{name} is set already, and both together would shift twice; keep one of "
                    "'shift' and 'init-potential' in the recipe"
                )
        if node.name in graph.outputs and graph.readout.kind == "membrane":
            return spiking
        context.note(node.name, field, why)
        name = tensor_name(graph, node.name, field)
        value = scaled(spiking.threshold, factor, name)
        return (
            replace(spiking, v_init=value) if field == "v_init" else replace(spiking, shift=value)
        )

    return change_populations(graph, context, start)


def scaled(value: Value, factor: float, name: str) -> Value:
    """Return a neuron parameter times a factor; where it is a tensor, one of that name."""
    if not isinstance(value, Tensor):
        return value * factor
    scaled = value.values.astype(np.float64) * factor
    return Tensor(name, scaled.astype(value.values.dtype))


def settled_threshold(name: str, fitted: Floats) -> Value:
    """Return one number, or a tensor where the channels differ; what is 0 takes the largest."""
    top = float(fitted.max())
    if not top > 0:
        return 1.0
    settled = np.where(fitted > 0, fitted, top)
    if len(settled) == 1 or np.ptp(settled) == 0:
        return float(settled[0])
    return Tensor(name, settled.astype(np.float32))
