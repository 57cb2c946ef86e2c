"""What every neuron model must keep: that its predicted crossings miss no spike and add none."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import assert_same_run, network_of, run, stimulus_of
from signed_strategies import GradedBuilder, SignedBuilder
from strategies import Builder, Shape, graphs, images, settings_of

from thresher.ir import Spiking
from thresher.sim import NEURONS
from thresher.sim.neurons import Graded, Neuron


class Drawn(Builder):
    """Draws neurons of one model, with whichever reset and time constant it takes."""

    neuron: ClassVar[str]

    def annotation(self, name: str, shape: Shape) -> Spiking:
        takes = NEURONS.get(self.neuron).takes
        tau = self.draw(st.sampled_from([0.3, 2.0, 10.0, 1e6])) if "tau" in takes else None
        return replace(super().annotation(name, shape), neuron=self.neuron, tau=tau)


def asked_at_every_tick(neurons: object, numbers: object, earliest: np.ndarray) -> np.ndarray:
    """Predict nothing: let the engine compare each neuron at every tick."""
    return earliest.copy()


@pytest.mark.parametrize(
    "name", [name for name in NEURONS if issubclass(NEURONS.get(name), Neuron)]
)
@given(data=st.data())
@settings(max_examples=60)
def test_predicted_crossings_give_the_run_of_comparing_at_every_tick(
    name: str, data: st.DataObject
) -> None:
    model = NEURONS.get(name)
    if model.stepped:
        pytest.skip(f"neuron '{name}' predicts nothing: it is compared at every tick")
    if model.operates:
        pytest.skip(f"neuron '{name}' follows no activation, and is compared at the end of a step")
    if model.differential:
        pytest.skip(f"neuron '{name}' runs in lockstep alone")
    graded = SignedBuilder if model.counted else GradedBuilder
    base = graded if issubclass(model, Graded) else Drawn
    builder = type("Drawing", (base,), {"neuron": name, "models": [name]})
    resets = ("soft",) if model.own_reset else ("soft", "hard")
    exact = data.draw(st.booleans())
    graph = data.draw(graphs(builder_of=builder, delays=True, resets=resets, exact=exact))
    setting = data.draw(
        settings_of(schedules=("async",), ticks=(1, 3, 4, 16), precisions=("float32", "float64"))
    )
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)

    predicted = run(network, stimulus, setting, "reference", watch=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "next_tick", asked_at_every_tick)
        assert_same_run(run(network, stimulus, setting, "reference", watch=True), predicted)
