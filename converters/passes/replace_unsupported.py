"""replace-unsupported: refuse what no spiking neuron stands for, or replace it on request."""

from dataclasses import dataclass
from typing import ClassVar

from thresher.converters.max_pools import may_move, moved
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.errors import PassError, Refusal
from thresher.ir import Graph, Node
from thresher.ir.fields import ChoiceRule, ruled
from thresher.ir.operation import is_before_neurons
from thresher.ir.ops import AvgPool2d, LeakyRelu, MaxPool2d, Relu, Softmax

NOT_MOVED = (
    "only a pool that alone reads an activation can be put before it; keep it (max_pool: keep), or "
    "retrain with avg_pool2d"
)
OPERATORS = "take the recipe 'huang2024-ecmt', whose operators follow it"


@register_pass
@dataclass(frozen=True)
class ReplaceUnsupported(Pass):
    """Refuse, all at once, the nodes that are neither linear nor an activation that can spike.

    Parameters
    ----------
    max_pool : str
        Whether to refuse a max pool, to replace it by an average pool (retrain then), to keep it,
        as a population that follows the largest spike count of each window (LIPool, Li and Zeng
        2022), or the largest value where neurons say one by time, or to put it before its
        activation, whose neurons then follow the largest of the summed inputs, once a step (Bu et
        al. 2025).
    leaky_relu : str
        Whether to refuse a leaky ReLU, to replace it by a ReLU, or to keep it, for
        'use-imbalanced-neurons'. One of slope 0 becomes the ReLU that it is.
    softmax : str
        Whether to refuse a softmax between layers or to remove it. One at the output is always
        removed: it does not move the argmax.
    operators : str
        Whether to refuse other functions that no integrate-and-fire neuron has, or to keep them,
        softmax between layers among them, for 'use-operators'.

    Notes
    -----
    max(relu(x)) = relu(max(x)), so that a max pool may stand on either side of an activation. One
    that stands right before stays, unless it is to be replaced.
    """

    name: ClassVar[str] = "replace-unsupported"
    preserves: ClassVar[str] = "shape"
    max_pool: str = ruled(ChoiceRule(("refuse", "average", "keep", "before")), "refuse")
    leaky_relu: str = ruled(ChoiceRule(("refuse", "relu", "keep")), "refuse")
    softmax: str = ruled(ChoiceRule(("refuse", "remove")), "refuse")
    operators: str = ruled(ChoiceRule(("refuse", "keep")), "refuse")

    def apply(self, graph: Graph, context: Context) -> Graph:
        refused = self.refusals(graph)
        if refused:
            listed = "; ".join(f"node {refusal}" for refusal in refused)
            raise PassError(f"nothing that spikes stands for {listed}")
        for node in context.walk(graph):
            if not self._keeps(graph, node):
                graph = self._replaced(graph, node, context)
        return graph

    def refusals(self, graph: Graph) -> list[Refusal]:
        """List the nodes that the pass refuses, each with the reason and what to do."""
        found = ((node, self._objection(graph, node)) for node in graph)
        return [Refusal(f"'{node.name}'", node.op.kind, why) for node, why in found if why]

    def _keeps(self, graph: Graph, node: Node) -> bool:
        if isinstance(node.op, LeakyRelu):
            return self.leaky_relu == "keep" and node.op.slope > 0
        if isinstance(node.op, MaxPool2d):
            stays = self.max_pool != "average" and is_before_neurons(graph, node)
            return self.max_pool == "keep" or stays
        removed = isinstance(node.op, Softmax) and _is_output(graph, node)
        return node.op.can_operate and self.operators == "keep" and not removed

    def _objection(self, graph: Graph, node: Node) -> str:
        """Say why a node cannot stay and what to do; nothing where it can stay or be replaced."""
        if self._keeps(graph, node):
            return ""
        if isinstance(node.op, MaxPool2d) and self.max_pool == "before":
            return "" if may_move(graph, node) else NOT_MOVED
        if isinstance(node.op, MaxPool2d) and node.op.dilation != (1, 1):
            return "no average pool is dilated; retrain with another pool"
        if isinstance(node.op, MaxPool2d):
            return self._refusal(
                "max_pool",
                "the maximum of firing rates is not what the maximum of spikes gives; set "
                f"{self.name}.max_pool to 'before', which takes the largest of the summed inputs, "
                "or to 'keep', which follows the largest spike count, retrain "
                "with avg_pool2d, take the recipe 'exact'",
                "average",
            )
        if isinstance(node.op, LeakyRelu):
            return self._refusal(
                "leaky_relu",
                "a neuron of these fires no negative spikes; retrain with relu, take the recipe "
                "'kim2020'",
                "relu",
            )
        if isinstance(node.op, Softmax) and not _is_output(graph, node):
            why = f"its values need all others of the layer; {OPERATORS}, retrain without"
            return self._refusal("softmax", why, "remove")
        if node.op.can_spike or node.op.is_linear() or isinstance(node.op, Softmax):
            return ""
        if node.op.can_operate:
            return f"no integrate-and-fire neuron has its values; {OPERATORS}, or retrain without"
        return "no pass replaces it; take it out of the network and retrain"

    def _replaced(self, graph: Graph, node: Node, context: Context) -> Graph:
        """Replace or move what cannot stay as it is; other nodes stay."""
        if isinstance(node.op, MaxPool2d) and self.max_pool == "before":
            context.note(node.name, "before its activation", "as max_pool asks")
            return moved(graph, graph[node.name])
        return _replaced(graph, node, context)

    def _refusal(self, field: str, why: str, option: str) -> str:
        if getattr(self, field) != "refuse":
            return ""
        return f"{why}, or set {self.name}.{field} to '{option}'"


def _is_output(graph: Graph, node: Node) -> bool:
    """Tell whether a softmax is over the classes, the output's only axis."""
    is_output = node.name in graph.outputs and not graph.consumers(node.name)
    return is_output and len(graph.shapes[node.name]) == 1


def _replaced(graph: Graph, node: Node, context: Context) -> Graph:
    op = node.op
    if isinstance(op, MaxPool2d):
        pool = AvgPool2d(
            kernel=op.kernel, stride=op.stride, padding=op.padding, count_include_pad=False
        )
        context.note(node.name, "average pool", "in place of a max pool, as max_pool asks")
        return graph.replace(node.name, op=pool)
    if isinstance(op, LeakyRelu):
        why = "as leaky_relu asks" if op.slope > 0 else "whose slope is 0"
        context.note(node.name, "relu", f"in place of a leaky ReLU, {why}")
        return graph.replace(node.name, op=Relu())
    if isinstance(op, Softmax):
        at_output = _is_output(graph, node)
        why = "at the output it does not move the argmax" if at_output else "as softmax asks"
        context.note(node.name, "removed", why)
        return graph.without(node.name)
    return graph
