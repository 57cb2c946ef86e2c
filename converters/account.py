"""Account: what became of every node of the source network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor
from thresher.ir.operation import is_before_neurons
from thresher.ir.spiking import COUNTED, Value
from thresher.ir.time_codes import TIME_CODED


@dataclass(frozen=True)
class Account:
    """Say of one source node what it became and why."""

    node: str
    became: str
    why: str


def account(graph: Graph) -> list[Account]:
    """List what became of every node, in order, from the provenance of a converted graph.

    Without provenance (annotated by hand) the graph is described as it stands.

    Raises
    ------
    PassError
        Where a node is neither synapses nor a population, or the provenance was edited.
    """
    if "nodes" not in graph.meta:
        return tabulate(graph, graph, [])
    rows = graph.meta["nodes"]
    if not isinstance(rows, Sequence) or not all(_is_row(row) for row in rows):
        raise PassError(
            f"graph '{graph.name}': the provenance's 'nodes' is no list of node, became, why; "
            "convert the ANN spec again"
        )
    return [Account(row["node"], row["became"], row["why"]) for row in rows]


def tabulate(source: Graph, converted: Graph, notes: Sequence[Account]) -> list[Account]:
    """Account for every node of `source`: by what it is in `converted`, else by its last note.

    Raises
    ------
    PassError
        Where a node is left that no spiking neuron and no synapse stands for, or a node is gone
        without a note.
    """
    targets = _targets(converted)
    return [_row(node, converted, targets, notes) for node in source]


def describe(value: Value) -> str:
    """Write a neuron parameter: one number, or its range over channels or neurons."""
    if isinstance(value, Tensor):
        return f"{value.values.min():.4g} to {value.values.max():.4g}"
    return f"{value:.4g}"


def _row(
    node: Node, converted: Graph, targets: Mapping[str, tuple[str, ...]], notes: Sequence[Account]
) -> Account:
    own = [note for note in notes if note.node == node.name]
    if node.name not in converted:
        if not own:
            raise PassError(
                f"node '{node.name}' ({node.op.kind}) is gone and no pass says why; the pass that "
                "takes it out must call context.note"
            )
        return own[-1]
    now = converted[node.name]
    said = [f"{note.became}: {note.why}" for note in own]
    is_readout = node.name in converted.outputs
    if is_readout and now.op.can_spike and converted.readout.kind == "membrane":
        return Account(node.name, "the readout", f"its membrane decides, without the {now.op.kind}")
    if now.spiking is not None:
        became = _population(now.spiking) + (", the readout" if is_readout else "")
        return Account(node.name, became, "; ".join(said or [now.op.kind]))
    if is_before_neurons(converted, now):
        (reader, *_) = converted.consumers(now.name)
        follows = "its neurons follow the largest input of each window"
        return Account(node.name, f"part of population '{reader}'", "; ".join([follows, *said]))
    if _is_pool(converted, now) and any(_may_be_followed(other) for other in converted):
        return Account(node.name, "population (max_pool)", "follows the largest of each window")
    if now.op.is_linear():
        reached = targets[node.name]
        became = f"synapses to {_listed(reached)}" if reached else "unused"
        return Account(node.name, became, "; ".join(said or [f"linear op ({now.op.kind})"]))
    raise PassError(
        f"node '{node.name}' ({now.op.kind}) is neither synapses nor a population; expected a pass "
        "that replaces it ('replace-unsupported') or gives it a threshold ('balance-thresholds', "
        "'use-operators') in the recipe"
    )


def _population(spiking: Spiking) -> str:
    parts = [spiking.neuron, f"threshold {describe(spiking.threshold)}"]
    for name in ("v_init", "shift"):
        value = getattr(spiking, name)
        if value != 0:
            parts.append(f"{name} {describe(value)}")
    parts += [f"{name} {number:g}" for name, number in spiking.parameters.items()]
    parts += [] if spiking.levels is None else [f"levels {spiking.levels}"]
    return f"population ({', '.join([*parts, f'{spiking.reset} reset'])})"


def _targets(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return, for every node, the populations that it reaches through linear nodes, in order."""
    position = {name: place for place, name in enumerate([*graph.order, "the readout"])}
    reached: dict[str, set[str]] = {}
    for name in reversed(graph.order):
        found: set[str] = {"the readout"} if name in graph.outputs else set()
        for reader in graph.consumers(name):
            stands = graph[reader].spiking is not None or (
                _is_pool(graph, graph[reader]) and not is_before_neurons(graph, graph[reader])
            )
            found |= {reader} if stands else reached[reader]
        reached[name] = found
    return {name: tuple(sorted(found, key=position.__getitem__)) for name, found in reached.items()}


def _is_pool(graph: Graph, node: Node) -> bool:
    """Tell whether a population may stand for a node that is no activation."""
    return node.op.to_windows(*graph.in_shapes(node.name)) is not None


def _may_be_followed(node: Node) -> bool:
    return node.spiking is not None and node.spiking.neuron in (*COUNTED, *TIME_CODED)


def _listed(names: Sequence[str]) -> str:
    quoted = [name if name == "the readout" else f"'{name}'" for name in names]
    return ", ".join(quoted)


def _is_row(row: object) -> bool:
    keys = ("node", "became", "why")
    return isinstance(row, Mapping) and all(isinstance(row.get(key), str) for key in keys)
