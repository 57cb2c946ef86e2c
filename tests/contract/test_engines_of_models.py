"""What every registered engine must give of other neurons than `if`, and of runs that settle."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_strategies import OperatorBuilder
from running import (
    Setting,
    assert_same_run,
    every_other_engine,
    network_of,
    run,
    stimulus_of,
)
from signed_strategies import DifferentialBuilder, GradedBuilder, SignedBuilder
from strategies import Builder, Shape, graphs, images, settings_of

from thresher.ir import Graph, Spiking

TICKS = (1, 2, 3, 4, 7, 16, 64)
WHOLE = ("signed", "graded", "pooled")
STEPPED = "differential"
"""What lockstep alone runs, and no run that settles; it is read from the membrane."""
every_builder = pytest.mark.parametrize("name", ["mixed", *WHOLE, "leaky", STEPPED, "operators"])


class PooledBuilder(SignedBuilder):
    """Draws neurons whose counts only grow, and max pools over them."""

    models: ClassVar[list[str]] = ["if", "burst"]


class LeakyBuilder(Builder):
    """Draws leaky neurons, some of which hardly leak or hardly remember."""

    taus: ClassVar[list[float]] = [0.3, 2.0, 10.0, 1e6]

    def annotation(self, name: str, shape: Shape) -> Spiking:
        tau = self.draw(st.sampled_from(self.taus))
        return replace(super().annotation(name, shape), neuron="lif", tau=tau)


class MixedBuilder(GradedBuilder):
    """Draws a model for each population."""

    def annotation(self, name: str, shape: Shape) -> Spiking:
        neuron = self.draw(st.sampled_from(["graded", "if", "lif"]))
        if neuron == "graded":
            return super().annotation(name, shape)
        tau = 3.0 if neuron == "lif" else None
        return replace(Builder.annotation(self, name, shape), neuron=neuron, tau=tau)


BUILDERS = {
    "mixed": MixedBuilder,
    "signed": SignedBuilder,
    "graded": GradedBuilder,
    "pooled": PooledBuilder,
    "leaky": LeakyBuilder,
    STEPPED: DifferentialBuilder,
    "operators": OperatorBuilder,
}


def graph_of(data: st.DataObject, name: str, **options: object) -> Graph:
    soft = name in (*WHOLE, STEPPED, "operators")
    options["resets"] = ("soft",) if soft else ("soft", "hard")
    options["delays"] = name != "operators" or data.draw(st.booleans())
    if name == STEPPED:
        options["readouts"] = ("membrane",)
    return data.draw(graphs(builder_of=BUILDERS[name], **options))


def compare(graph: Graph, image: np.ndarray, setting: Setting, engine: str) -> None:
    """Run one image on both engines, watching every neuron, and compare all of it."""
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.asarray(image, np.float32), setting)
    expected = run(network, stimulus, setting, "reference", watch=True)
    assert_same_run(run(network, stimulus, setting, engine, watch=True), expected)


def drawn_setting(data: st.DataObject, name: str) -> Setting:
    precisions = ("float32", "float64", "int") if name in WHOLE else ("float32", "float64")
    if name == STEPPED:
        return data.draw(settings_of(schedules=("lockstep",), precisions=precisions))
    setting = data.draw(settings_of(ticks=TICKS, precisions=precisions))
    if name == "operators":
        return setting
    return replace(setting, settle_limit=data.draw(st.sampled_from([0, 40, 0, 1, 2])))


@every_other_engine
@every_builder
@given(data=st.data())
@settings(max_examples=100)
def test_an_engine_gives_the_references_run(name: str, engine: str, data: st.DataObject) -> None:
    graph = graph_of(data, name)
    compare(graph, data.draw(images(graph))[0], drawn_setting(data, name), engine)


@every_other_engine
@every_builder
@given(data=st.data())
@settings(max_examples=100)
def test_an_engine_gives_the_references_run_where_sums_round(
    name: str, engine: str, data: st.DataObject
) -> None:
    graph = graph_of(data, name, exact=False)
    image = data.draw(images(graph))[0] * np.float32(0.7)
    compare(graph, image, drawn_setting(data, name), engine)


@every_other_engine
@given(data=st.data())
@settings(max_examples=100)
def test_an_engine_lets_if_settle_as_the_reference_does(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(ticks=TICKS))
    setting = replace(setting, settle_limit=data.draw(st.sampled_from([40, 1, 2])))
    compare(graph, data.draw(images(graph))[0], setting, engine)
