"""replace-unsupported: refuse what no spiking neuron stands for, or replace it on request."""

from dataclasses import dataclass
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.errors import PassError, Refusal
from thresher.ir import Graph, Node
from thresher.ir.fields import ChoiceRule, ruled
from thresher.ir.ops import AvgPool2d, LeakyRelu, MaxPool2d, Relu, Softmax


@register_pass
@dataclass(frozen=True)
class ReplaceUnsupported(Pass):
    """Refuse, all at once, the nodes that are neither linear nor an activation that can spike.

    Parameters
    ----------
    max_pool : str
        Whether to refuse a max pool, to replace it by an average pool (retrain then), or to keep
        it, as a population that follows the largest spike count of each window (LIPool, Li and Zeng
        2022), or the largest value where neurons say one by time.
    leaky_relu : str
        Whether to refuse a leaky ReLU, to replace it by a ReLU, or to keep it, for
        'use-imbalanced-neurons'. One of slope 0 becomes the ReLU that it is.
    softmax : str
        Whether to refuse a softmax between layers or to remove it. One at the output is always
        removed: it does not move the argmax.

    Notes
    -----
    A max pool right before a ReLU may stand right after it, as max(relu(x)) = relu(max(x)), and has
    to where it is kept: no population takes the maximum of currents.
    """

    name: ClassVar[str] = "replace-unsupported"
    preserves: ClassVar[str] = "shape"
    max_pool: str = ruled(ChoiceRule(("refuse", "average", "keep")), "refuse")
    leaky_relu: str = ruled(ChoiceRule(("refuse", "relu", "keep")), "refuse")
    softmax: str = ruled(ChoiceRule(("refuse", "remove")), "refuse")

    def apply(self, graph: Graph, context: Context) -> Graph:
        refused = self.refusals(graph)
        if refused:
            listed = "; ".join(f"node {refusal}" for refusal in refused)
            raise PassError(f"nothing that spikes stands for {listed}")
        for node in context.walk(graph):
            if not self._keeps(node):
                graph = _replaced(graph, node, context)
        return graph

    def refusals(self, graph: Graph) -> list[Refusal]:
        """List the nodes that the pass refuses, each with the reason and what to do."""
        found = ((node, self._objection(graph, node)) for node in graph)
        return [Refusal(f"'{node.name}'", node.op.kind, why) for node, why in found if why]

    def _keeps(self, node: Node) -> bool:
        if isinstance(node.op, LeakyRelu):
            return self.leaky_relu == "keep" and node.op.slope > 0
        return isinstance(node.op, MaxPool2d) and self.max_pool == "keep"

    def _objection(self, graph: Graph, node: Node) -> str:
        """Say why a node cannot stay and what to do; nothing where it can stay or be replaced."""
        if self._keeps(node):
            return ""
        if isinstance(node.op, MaxPool2d) and node.op.dilation != (1, 1):
            return "no average pool is dilated; retrain with another pool"
        if isinstance(node.op, MaxPool2d):
            return self._refusal(
                "max_pool",
                "the maximum of firing rates is not what the maximum of spikes gives; set "
                f"{self.name}.max_pool to 'keep', which follows the largest spike count, retrain "
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
            why = "its values need all others of the layer; retrain without"
            return self._refusal("softmax", why, "remove")
        if node.op.can_spike or node.op.is_linear() or isinstance(node.op, Softmax):
            return ""
        return "no pass replaces it; take it out of the network and retrain"

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
