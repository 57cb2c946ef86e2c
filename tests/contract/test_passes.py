"""What every registered pass must keep: purity, its claim, its parameters as recipe text."""

import dataclasses
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from thresher.conversion import EngineSimulator
from thresher.converters import PASSES, Context, Pass, load_recipe
from thresher.converters.pass_ import NEEDS
from thresher.converters.passes import TakeCeilings, UseOperators
from thresher.errors import PassError, SpecError
from thresher.ir import Graph, Input, Node, Spiking, Tensor, evaluate
from thresher.ir.fields import (
    BoolRule,
    ChoiceRule,
    FloatRule,
    IntRule,
    OptionalRule,
    Rule,
    rules_of,
)
from thresher.ir.ops import (
    Add,
    AvgPool2d,
    BatchNorm,
    ClippedRelu,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    Qcfs,
    Relu,
    Sigmoid,
    SlipRelu,
    Softmax,
)

every_pass = pytest.mark.parametrize("name", PASSES.names())


def drawn(name: str, *shape: int) -> Tensor:
    return Tensor(name, np.random.default_rng(len(name)).normal(size=shape).astype(np.float32))


def norm(name: str, channels: int) -> BatchNorm:
    variance = np.random.default_rng(1).uniform(0.5, 2, channels).astype(np.float32)
    return BatchNorm(
        running_mean=drawn(f"{name}.running_mean", channels),
        running_var=Tensor(f"{name}.running_var", variance),
        weight=drawn(f"{name}.weight", channels),
        bias=drawn(f"{name}.bias", channels),
    )


def network() -> Graph:
    """A residual network in which every pass finds something to do; its neurons have thresholds."""
    by_channel = Tensor("relu1.threshold", np.array([0.5, 1.0, 2.0, 4.0], np.float32))
    nodes = (
        Node("conv1", Conv2d(weight=drawn("conv1.weight", 4, 2, 3, 3), padding=1), ("image",)),
        Node("bn1", norm("bn1", 4), ("conv1",)),
        Node("relu1", Relu(), ("bn1",), Spiking(threshold=by_channel)),
        Node("drop", Dropout(), ("relu1",)),
        Node("conv2", Conv2d(weight=drawn("conv2.weight", 4, 4, 3, 3), padding=1), ("drop",)),
        Node("sum", Add(), ("conv2", "relu1")),
        Node("bn2", norm("bn2", 4), ("sum",)),
        Node("relu2", ClippedRelu(max=3.0), ("bn2",), Spiking(threshold=3.0)),
        Node("pool", AvgPool2d(kernel=2), ("relu2",)),
        Node("flat", Flatten(), ("pool",)),
        Node("fc", Linear(weight=drawn("fc.weight", 3, 16)), ("flat",)),
        Node("prob", Softmax(), ("fc",)),
    )
    return Graph("network", (Input("image", (2, 4, 4)),), nodes, ("prob",))


def subject(step: Pass) -> Graph:
    """The network, trained with the activations that a pass asks for."""
    graph = network()
    if isinstance(step, UseOperators):
        return graph.replace("relu1", op=Sigmoid(), spiking=None)
    trained = {
        "clipped_relu": ClippedRelu(max=3.0),
        "qcfs": Qcfs(levels=4, max=3.0),
        "slip_relu": SlipRelu(levels=4, max=3.0),
    }
    if not isinstance(step, TakeCeilings):
        return graph
    own = {n.name: replace(n, op=trained[step.op]) for n in graph if n.op.can_spike}
    return graph.replace_all(own)


def images() -> np.ndarray:
    return np.random.default_rng(9).normal(size=(10, 2, 4, 4)).astype(np.float32)


def context() -> Context:
    x = images()
    return Context(x, np.arange(len(x)) % 3, steps=8, simulator=EngineSimulator(threads=1))


def variants(cls: type[Pass]) -> list[Pass]:
    """The pass as it is by default, and with each other value of each field."""
    found = [cls()]
    for field, rule in rules_of(cls):
        others = [value for value in candidates(rule) if value != field.default]
        found += [cls(**{field.name: value}) for value in others]
    return found


def candidates(rule: Rule) -> list[object]:
    if isinstance(rule, ChoiceRule):
        return list(rule.choices)
    if isinstance(rule, BoolRule):
        return [False, True]
    if isinstance(rule, IntRule):
        return [rule.minimum + 1]
    if isinstance(rule, OptionalRule):
        return [None, *candidates(rule.rule)]
    assert isinstance(rule, FloatRule), f"say here what values a {type(rule).__name__} may take"
    return [max(rule.minimum, 0.0) + 0.25]


every_variant = pytest.mark.parametrize(
    "step", [step for name in PASSES for step in variants(PASSES.get(name))], ids=repr
)


@every_variant
def test_the_given_graph_is_not_touched(step: Pass) -> None:
    graph = subject(step)

    step.apply(graph, context())

    assert graph == subject(step)


@every_variant
def test_the_same_input_gives_the_same_graph(step: Pass) -> None:
    assert step.apply(subject(step), context()) == step.apply(subject(step), context())


@every_variant
def test_the_claim_to_preserve_holds(step: Pass) -> None:
    graph, x = subject(step), images()

    result = step.apply(graph, context())

    if step.preserves == "nothing":
        return
    assert [item.shape for item in result.inputs] == [item.shape for item in graph.inputs]
    assert evaluate(result, x).shape == evaluate(graph, x).shape
    if step.preserves == "function":
        np.testing.assert_allclose(evaluate(result, x), evaluate(graph, x), rtol=1e-5, atol=1e-6)


@every_variant
def test_parameters_survive_a_recipe_file(step: Pass, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(yaml.safe_dump({"passes": [{step.name: step.parameters()}]}), "utf-8")

    assert load_recipe(file).passes == (step,)


@every_variant
def test_every_need_is_one_that_the_runner_knows(step: Pass) -> None:
    assert step.needs <= step.needed() <= set(NEEDS)


@every_pass
def test_the_claim_is_one_of_three(name: str) -> None:
    assert PASSES.get(name).preserves in ("function", "shape", "nothing")


@every_pass
def test_what_a_pass_needs_is_asked_for_by_name(name: str) -> None:
    step = PASSES.get(name)()
    if not step.needed():
        return
    with pytest.raises(PassError, match=r"needs .*: give --"):
        step.apply(network(), Context())


@every_pass
def test_an_unknown_field_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(f"passes:\n- {name}: {{no_such_field: 1}}\n", "utf-8")

    with pytest.raises(SpecError, match=rf"one\.yaml:2: pass '{name}'"):
        load_recipe(file)


@every_pass
def test_a_value_that_no_rule_allows_is_refused(name: str) -> None:
    cls = PASSES.get(name)
    for field, _ in rules_of(cls):
        with pytest.raises(PassError, match=f"pass '{name}': field '{field.name}' is"):
            cls(**{field.name: [object()]})


@every_pass
def test_every_field_has_a_rule_a_default_and_a_word_in_the_docstring(name: str) -> None:
    cls = PASSES.get(name)
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}(")
    ruled = {field.name for field, _ in rules_of(cls)}
    for field in dataclasses.fields(cls):
        assert field.name in ruled
        assert field.default is not dataclasses.MISSING
        assert f"\n{field.name} : " in inspect.cleandoc(cls.__doc__)


@every_pass
def test_a_pass_is_a_frozen_value_named_in_kebab_case(name: str) -> None:
    cls = PASSES.get(name)
    assert name == cls.name == name.lower().replace("_", "-")
    assert cls() == cls()
    assert cls.__dataclass_params__.frozen
