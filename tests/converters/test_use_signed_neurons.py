"""use-signed-neurons and the recipe exact: levels, max pools, refusals, exactness end to end."""

from dataclasses import replace

import numpy as np
import pytest
from quantised import quantised_ann
from small_graphs import batch_norm, chain, spiking_net, tensor

from thresher import convert
from thresher.converters import Context, account
from thresher.converters.passes import UseSignedNeurons
from thresher.errors import PassError
from thresher.ir import Graph, Op, Spiking, Tensor, evaluate
from thresher.ir.ops import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, Qcfs, Relu
from thresher.ir.spiking import spread
from thresher.sim import simulate

X = np.random.default_rng(3).uniform(-1, 1, (12, 2, 6, 6)).astype(np.float32)


def weights(name: str, *shape: int) -> Tensor:
    """Random weights in eighths."""
    rng = np.random.default_rng(len(name))
    return tensor(name, rng.integers(-6, 9, shape) / 8)


def net(first: Op, second: Op, pool: Op) -> Graph:
    size = pool.infer_shape((4, 6, 6))[1] - 2
    return chain(
        (2, 6, 6),
        ("conv1", Conv2d(weight=weights("conv1.weight", 4, 2, 3, 3), padding=1)),
        ("bn1", batch_norm("bn1", 4)),
        ("act1", first),
        ("pool", pool),
        ("conv2", Conv2d(weight=weights("conv2.weight", 4, 4, 3, 3))),
        ("act2", second),
        ("flat", Flatten()),
        ("fc", Linear(weight=weights("fc.weight", 3, 4 * size * size))),
    )


def settled_counts(
    graph: Graph, x: np.ndarray, steps: int, **options: object
) -> dict[str, np.ndarray]:
    result = simulate(
        graph, x[None], steps=steps, settle=True, record="spikes", precision="float64", **options
    )
    return {name: result.trace.counts(name) for name in result.trace.populations}


@pytest.mark.parametrize("pool", [MaxPool2d(2), AvgPool2d(2), MaxPool2d(3, 1)], ids=repr)
@pytest.mark.parametrize(
    "timing",
    [{}, {"schedule": "async", "ticks_per_step": 5, "delay": 13, "refractory": 2}],
    ids=["lockstep", "async"],
)
def test_an_exact_network_settles_on_the_quantised_anns_counts(pool: Op, timing: dict) -> None:
    snn = convert(net(Relu(), Relu(), pool), "exact", calibration=X, steps=6)
    values = quantised_ann(snn, X[0], 6)
    counts = settled_counts(snn, X[0], 6, **timing)
    for name in ("act1", "act2"):
        theta = spread(snn[name].spiking.threshold, snn.shapes[name])
        np.testing.assert_array_equal(counts[name], np.round(values[name] / theta))
        assert counts[name].any()


@pytest.mark.parametrize("steps", [4, 10])
def test_qcfs_nodes_keep_their_levels_at_any_number_of_steps(steps: int) -> None:
    graph = net(Qcfs(levels=4, max=2.0), Qcfs(levels=7, max=1.5), MaxPool2d(2))
    snn = convert(graph, "exact", calibration=X, steps=steps)
    values: dict[str, np.ndarray] = {}
    evaluate(graph, X[:1].astype(np.float64), hook=values.__setitem__)
    counts = settled_counts(snn, X[0], steps)
    for name, top, levels in (("act1", 2.0, 4), ("act2", 1.5, 7)):
        np.testing.assert_array_equal(counts[name], np.round(values[name][0] * levels / top))
        assert snn[name].spiking.threshold == top * steps / levels


def test_the_account_says_what_became_of_a_max_pool() -> None:
    snn = convert(net(Relu(), Relu(), MaxPool2d(2)), "exact", calibration=X, steps=4)
    rows = {row.node: row.became for row in account(snn)}
    assert rows["conv1"] == "synapses to 'act1'"
    assert rows["pool"] == "population (max_pool)"
    assert rows["act2"].startswith("population (signed_if, threshold ")
    assert {row.node: row.became for row in account(replace(snn, meta={}))}["pool"] == rows["pool"]


def test_a_pool_before_the_neuron_is_refused_by_name() -> None:
    graph = chain(
        (2, 6, 6),
        ("conv1", Conv2d(weight=weights("conv1.weight", 4, 2, 3, 3), padding=1)),
        ("pool", MaxPool2d(2)),
        ("act1", Relu()),
        ("flat", Flatten()),
        ("fc", Linear(weight=weights("fc.weight", 3, 36))),
    )
    message = r"node 'act1': the max pool 'pool' before it .* does not settle; put it right after"
    with pytest.raises(PassError, match=message):
        convert(graph, "exact", calibration=X, steps=4)


@pytest.mark.parametrize(
    ("spiking", "message"),
    [
        (Spiking(threshold=1.0, reset="hard"), "node 'relu1': hard reset loses charge"),
        (Spiking(threshold=1.0, v_init=0.5), "node 'relu1': v_init is set already; put 'init-pot"),
    ],
)
def test_annotations_that_are_not_exact_are_refused(spiking: Spiking, message: str) -> None:
    with pytest.raises(PassError, match=message):
        applied(spiking_net(spiking))


def test_a_qcfs_whose_ceiling_is_not_its_threshold_is_refused() -> None:
    graph = spiking_net(Spiking(threshold=0.75)).replace("relu1", op=Qcfs(levels=4, max=1.0))
    with pytest.raises(PassError, match="node 'relu1': its threshold is not its max, 1, so that"):
        applied(graph)


def test_a_qcfs_needs_the_steps() -> None:
    graph = net(Qcfs(levels=4, max=2.0), Relu(), AvgPool2d(2))
    settings = {"balance-thresholds.statistic": "max"}
    with pytest.raises(PassError, match="needs the number of time steps: give --steps T"):
        convert(graph, "exact", calibration=X, settings=settings)


def applied(graph: Graph) -> Graph:
    """Apply the pass as the runner does, which names the node."""
    context = Context(steps=4)
    try:
        return UseSignedNeurons().apply(graph, context)
    except PassError as error:
        raise PassError(f"node '{context.node}': {error}") from error
