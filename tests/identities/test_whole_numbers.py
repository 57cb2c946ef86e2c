"""Precision int: what a network of whole numbers does is told by its arrays alone, exactly."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Setting, network_of, run, stimulus_of, weights_of
from strategies import graphs, images, settings_of

from thresher.ir.spiking import spread
from thresher.sim import Network
from thresher.sim.rounding import LARGEST_PSP

WIDTHS = {np.dtype(np.int32), np.dtype(np.int64)}


@given(data=st.data(), steps=st.integers(1, 9), encoder=st.sampled_from(["constant", "poisson"]))
@settings(max_examples=60)
def test_layered_counts_are_the_floor_of_what_came_in(
    data: st.DataObject, steps: int, encoder: str
) -> None:
    graph = data.draw(graphs())
    setting = Setting("layered", steps, encoder=encoder, precision="int")
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)

    sample = run(network, stimulus, setting, "reference")

    counts: list[list[int]] = []
    for population in network.populations:
        span = slice(*network.offsets[population.rank : population.rank + 2])
        if population.neuron == "input":
            counts.append([0] * population.size)
            for neuron, sign in zip(stimulus.neurons, stimulus.signs, strict=True):
                counts[0][neuron] += int(sign)
            continue
        total = [
            int(v) + steps * int(i)
            for v, i in zip(population.v_init, stimulus.current[span], strict=True)
        ]
        for projection in network.projections:
            if projection.target == population.rank:
                weights = weights_of(network, projection).astype(int)
                for sent, row in zip(counts[projection.source], weights.tolist(), strict=True):
                    total = [v + sent * w for v, w in zip(total, row, strict=True)]
        fired = [
            min(max(v // int(theta), 0), steps) if population.fires else 0
            for v, theta in zip(total, population.theta, strict=True)
        ]
        counts.append(fired)
        of = sample.neurons[sample.populations == population.rank]
        np.testing.assert_array_equal(np.bincount(of, minlength=population.size), fired)
        left = [v - n * int(t) for v, n, t in zip(total, fired, population.theta, strict=True)]
        np.testing.assert_array_equal(sample.potentials[span], left)


@given(data=st.data())
@settings(max_examples=60)
def test_every_value_is_the_float64_one_in_units_rounded_once(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(precisions=("int",)))
    network = network_of(graph, setting)
    exact = network_of(graph, Setting(encoder=setting.encoder, precision="float64"))
    scale = network.scale
    assert network.dtype in WIDTHS
    for population, real in zip(network.populations, exact.populations, strict=True):
        span = slice(*network.offsets[population.rank : population.rank + 2])
        if population.neuron == "if":
            node = graph[population.name].spiking
            units = spread(node.scale, population.shape).ravel()[population.row_major]
            np.testing.assert_array_equal(scale[span], units)
            np.testing.assert_array_equal(population.theta, np.rint(real.theta * units))
            np.testing.assert_array_equal(population.v_init, np.rint(real.v_init * units))
            assert population.v_reset == np.rint(real.v_reset * units[0])
    for projection, real in zip(network.projections, exact.projections, strict=True):
        span = slice(*network.offsets[projection.target : projection.target + 2])
        assert projection.synapses.weights.dtype == np.int16
        found, weights = weights_of(network, projection), weights_of(exact, real)
        np.testing.assert_allclose(found, weights * scale[span], atol=0.5 + 1e-9, rtol=0)
        np.testing.assert_array_equal(np.abs(found) <= LARGEST_PSP, True)


def widened(network: Network) -> Network:
    """Give the membranes 64 bits."""
    wide = np.dtype(np.int64)
    populations = tuple(
        replace(p, theta=p.theta.astype(wide), v_init=p.v_init.astype(wide))
        for p in network.populations
    )
    return replace(network, populations=populations, dtype=wide)


@given(data=st.data())
@settings(max_examples=60)
def test_wider_membranes_change_nothing(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(precisions=("int",)))
    network = network_of(graph, setting)
    image = data.draw(images(graph))[0]

    sample, wide = (
        run(net, stimulus_of(graph, net, image, setting), setting, "reference", watch=True)
        for net in (network, widened(network))
    )

    assert (sample.watched.dtype, wide.watched.dtype) == (network.dtype, np.int64)
    for name in ("watched", "potentials", "ticks", "populations", "neurons", "signs"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(wide, name), err_msg=name)
