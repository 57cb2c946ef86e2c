"""Pass: one step of a conversion; Context: what it is given; run: the passes of a recipe."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from thresher.converters.account import Account, tabulate
from thresher.converters.calibrate import check_calibration, check_classes, fingerprint
from thresher.converters.simulator import Simulator
from thresher.errors import PassError, ThresherError
from thresher.ir import Graph, Node
from thresher.ir.fields import check_fields, is_integer, rules_of
from thresher.ir.inflow import inflow_of
from thresher.registry import Registry, suggest
from thresher.version import package_version

Array = NDArray[Any]
NEEDS = {
    "calibration": "calibration data: give --data FILE or calibration=...",
    "steps": "the number of time steps: give --steps T or steps=T",
    "labels": "the calibration data's labels: give --data FILE that holds y, or labels=...",
    "simulator": "a simulator: call thresher.convert, or give simulator=...",
}


@dataclass
class Context:
    """Hold what the passes of one conversion are given, and what they say about nodes.

    `calibration` holds raw images (N, *shape); `node` is the one being worked on, for messages.
    """

    calibration: Array | None = None
    labels: Array | None = None
    steps: int | None = None
    simulator: Simulator | None = None
    notes: list[Account] = field(default_factory=list)
    node: str | None = None

    def walk(self, graph: Graph) -> Iterator[Node]:
        """Yield the nodes in topological order and remember the current one for messages."""
        for node in graph:
            self.node = node.name
            yield node
        self.node = None

    def note(self, node: str, became: str, why: str) -> None:
        """Say what a pass made of a node and why; of a node that it takes out it has to."""
        self.notes.append(Account(node, became, why))

    @property
    def images(self) -> Array:
        """The calibration images; PassError where there are none."""
        if self.calibration is None:
            raise PassError(f"needs {NEEDS['calibration']}")
        return self.calibration

    @property
    def time_steps(self) -> int:
        """The number of steps; PassError where it was not given."""
        if self.steps is None:
            raise PassError(f"needs {NEEDS['steps']}")
        return self.steps

    @property
    def spikes(self) -> Simulator:
        """The simulator; PassError where there is none."""
        if self.simulator is None:
            raise PassError(f"needs {NEEDS['simulator']}")
        return self.simulator


@dataclass(frozen=True)
class Pass(ABC):
    """Turn a graph into another. A new pass is one class in one file of `passes/`.

    A field declared with `fields.ruled` is at once the recipe's key, `--set PASS.FIELD=VALUE`,
    the provenance and the help.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    """What the pass needs whatever its parameters: keys of `NEEDS`."""
    preserves: ClassVar[str] = "function"
    """What of the ANN the pass keeps: "function", "shape" (of inputs and outputs) or "nothing"."""

    def __post_init__(self) -> None:
        check_fields(self, f"pass '{self.name}'", PassError)

    @abstractmethod
    def apply(self, graph: Graph, context: Context) -> Graph:
        """Return the changed graph; the given one is not touched."""

    def needed(self) -> frozenset[str]:
        """Return what the pass needs with the parameters that it has."""
        return self.needs

    @classmethod
    def parse(cls, key: str, value: object) -> object:
        """Return a parameter's value; raise PassError for an unknown one or a forbidden value."""
        rules = {item.name: rule for item, rule in rules_of(cls)}
        if key not in rules:
            known = f"known are {', '.join(rules)}" if rules else "it takes none"
            raise PassError(f"pass '{cls.name}' has no field '{key}': {suggest(key, rules)}{known}")
        try:
            return rules[key].parse(value)
        except ValueError as problem:
            raise PassError(
                f"pass '{cls.name}': field '{key}' is {value!r}; expected {problem}"
            ) from None

    def parameters(self) -> dict[str, object]:
        """List every parameter as a plain value, defaults included."""
        return {item.name: rule.dump(getattr(self, item.name)) for item, rule in rules_of(self)}


PASSES: Registry[type[Pass]] = Registry("pass", PassError)


def register_pass(cls: type[Pass]) -> type[Pass]:
    """Register a pass class under its `name`; used as a decorator."""
    return PASSES.register(cls.name, cls)


def run(graph: Graph, passes: Sequence[Pass], context: Context) -> Graph:
    """Apply passes in order, check what each claims, and write provenance into `meta`.

    Raises
    ------
    PassError
        Before the first pass where the graph is converted already, a pass is listed twice or
        lacks something that it needs, or steps is no whole number; later where a pass fails or
        leaves a node unaccounted for.
    GraphError
        For a max pool that does not follow populations as they are.
    DataError
        Where the calibration images do not fit the graph, or their labels the images.
    """
    _check_source(graph)
    _check_passes(passes, context)
    used = frozenset[str]().union(*(step.needed() for step in passes))
    if context.calibration is not None and "calibration" in used:
        check_calibration(graph, context.calibration)
        if context.labels is not None:
            check_classes(graph, context.calibration, context.labels)
    converted = graph
    for position, step in enumerate(passes):
        converted = _apply(step, converted, context, passes[:position])
    rows = tabulate(graph, converted, context.notes)
    _check_max_pools(converted)
    meta = {
        **graph.meta,
        "passes": [_entry(step) for step in passes],
        **_conditions(context, passes),
        "thresher": package_version(),
        "nodes": [{item.name: getattr(row, item.name) for item in fields(row)} for row in rows],
    }
    return replace(converted, meta=meta)


def _check_source(graph: Graph) -> None:
    for node in graph:
        if node.spiking is not None:
            raise PassError(
                f"graph '{graph.name}' is converted already (node '{node.name}' has a threshold); "
                "start from the spec of the ANN"
            )


def _check_passes(passes: Sequence[Pass], context: Context) -> None:
    names = [step.name for step in passes]
    for name in names:
        if names.count(name) > 1:
            raise PassError(f"pass '{name}' is listed {names.count(name)} times; expected once")
    if context.steps is not None and not (is_integer(context.steps) and context.steps >= 1):
        raise PassError(f"steps is {context.steps!r}; expected a whole number of at least 1")
    lacking = [
        f"pass '{step.name}' needs {NEEDS[need]}"
        for step in passes
        for need in sorted(step.needed())
        if getattr(context, need) is None
    ]
    if lacking:
        raise PassError("; ".join(lacking))


def _apply(step: Pass, graph: Graph, context: Context, done: Sequence[Pass]) -> Graph:
    context.node = None
    try:
        result = step.apply(graph, context)
    except Exception as error:
        at = f", node '{context.node}'" if context.node is not None else ""
        before = ", ".join(f"'{item.name}'" for item in done) or "none"
        own = isinstance(error, ThresherError)
        reason = str(error) if own else f"{type(error).__name__}: {error}"
        raise PassError(
            f"pass '{step.name}'{at}: {reason} (passes already run: {before})"
        ) from error
    if step.preserves != "nothing" and _interface(result) != _interface(graph):
        raise PassError(
            f"pass '{step.name}' claims to preserve the {step.preserves}, but changed the inputs "
            f"and outputs from {_interface(graph)} to {_interface(result)}; the pass has a defect"
        )
    return result


def _check_max_pools(graph: Graph) -> None:
    """Refuse, by name, a max pool that no population can stand for."""
    if any(node.op.to_windows(*graph.in_shapes(node.name)) is not None for node in graph):
        inflow_of(graph)


def _interface(graph: Graph) -> str:
    takes = ", ".join(str(list(item.shape)) for item in graph.inputs)
    return f"{takes} -> {', '.join(str(list(graph.shapes[name])) for name in graph.outputs)}"


def _entry(step: Pass) -> object:
    """Write a pass as a recipe does, with every parameter."""
    parameters = step.parameters()
    return {step.name: parameters} if parameters else step.name


def _conditions(context: Context, passes: Sequence[Pass]) -> dict[str, object]:
    conditions: dict[str, object] = {}
    if context.steps is not None:
        conditions["steps"] = int(context.steps)
        users = [step.name for step in passes if "steps" in step.needed()]
        conditions |= {"steps_used_by": users} if users else {}
    used = any("calibration" in step.needed() for step in passes)
    if used and context.calibration is not None:
        images = context.calibration
        conditions["calibration"] = {"samples": len(images), "sha256": fingerprint(images)}
    return conditions
