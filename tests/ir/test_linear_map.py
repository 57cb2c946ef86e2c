"""Linear maps: composition, sums, sparse form and fan-out, by hand and on random chains of ops."""

from collections.abc import Callable
from functools import reduce
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thresher.ir.compose as composing
import thresher.ir.linear_map as linear_map
from thresher.errors import GraphError
from thresher.ir import Op, Tensor, ops
from thresher.ir.compose import add_maps, compose
from thresher.ir.linear_map import IndexMap, LinearMap, SparseMap, identity, scaling
from thresher.ir.op import Array, Shape
from thresher.ir.weighted_map import ConvMap, DenseMap

Fill = Callable[[Shape], Array]
Build = Callable[[Fill], Op]  # an op of fixed geometry that waits for its weights

sizes = st.integers(1, 3)
sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
pairs = st.tuples(sizes, sizes)
paddings = st.tuples(sides, sides)


def signed(shape: Shape) -> Array:
    return np.random.default_rng(prod(shape)).normal(size=shape)


def positive(shape: Shape) -> Array:
    """Fill so that nothing cancels: what a source reaches shows in the output."""
    return np.full(shape, 0.5)


def zero(shape: Shape) -> Array:
    return np.zeros(shape)


def tensors(fill: Fill, **shapes: Shape) -> dict[str, Tensor]:
    return {role: Tensor(role, fill(shape)) for role, shape in shapes.items()}


@st.composite
def convolutions(draw: st.DrawFn, shape: Shape) -> Build:
    """Draw a conv1d for (C, L); a conv2d or a conv_transpose2d for (C, H, W)."""
    n_axes = len(shape) - 1
    axes = (lambda values: draw(values)) if n_axes == 1 else lambda v: draw(st.tuples(v, v))
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[0] % g == 0]))
    out = groups * draw(st.integers(1, 2))
    kernel, geometry = axes(sizes), {"stride": axes(sizes), "dilation": axes(sizes)}
    geometry |= {"padding": axes(sides), "groups": groups}
    taps = (kernel,) if n_axes == 1 else kernel
    if n_axes == 2 and draw(st.booleans()):
        weight = (shape[0], out // groups, *taps)
        return lambda fill: ops.ConvTranspose2d(
            **tensors(fill, weight=weight), **geometry, output_padding=largest_extra(geometry)
        )
    weight = (out, shape[0] // groups, *taps)
    kind = ops.Conv1d if n_axes == 1 else ops.Conv2d
    return lambda fill: kind(**tensors(fill, weight=weight, bias=(out,)), **geometry)


def largest_extra(geometry: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the largest output padding that a transposed convolution allows."""
    steps = zip(geometry["stride"], geometry["dilation"], strict=True)
    down, across = (max(pair) - 1 for pair in steps)
    return down, across


@st.composite
def rearrangements(draw: st.DrawFn, shape: Shape) -> Build:
    """Draw an op for any shape that moves or scales values."""
    channels = shape[:1]
    slices = ops.Slice(
        start=tuple(draw(st.integers(-n, n - 1)) for n in shape),
        step=tuple(draw(sizes) for _ in shape),
    )
    by_rank = {1: {}, 2: {"width": draw(sides)}, 3: {"height": draw(sides), "width": draw(sides)}}
    pad = ops.Pad(channels=draw(sides), **by_rank[len(shape)])
    folded = ops.Flatten() if len(shape) > 1 else ops.Reshape(shape=(1, -1))
    unfolded = ops.Reshape(shape=(shape[0], 1, -1))
    norm = {"running_mean": channels, "weight": channels, "bias": channels}
    return draw(
        st.sampled_from(
            [
                lambda fill: slices,
                lambda fill: pad,
                lambda fill: folded,
                lambda fill: unfolded,
                lambda fill: ops.Scale(**tensors(fill, weight=channels)),
                lambda fill: ops.BatchNorm(
                    running_var=Tensor("v", positive(channels)), **tensors(fill, **norm)
                ),
            ]
        )
    )


@st.composite
def pools(draw: st.DrawFn, shape: Shape) -> Build:
    """Draw a pool or an upsampling for (C, H, W)."""
    pool = ops.AvgPool2d(
        kernel=draw(pairs),
        stride=draw(pairs),
        padding=draw(paddings),
        count_include_pad=draw(st.booleans()),
    )
    upsample = ops.UpsampleNearest(scale=draw(st.sampled_from([(1, 2), (2, 2)])))
    op = draw(st.sampled_from([pool, pool, upsample, ops.GlobalAvgPool()]))
    return lambda fill: op


@st.composite
def linears(draw: st.DrawFn, shape: Shape) -> Build:
    out = draw(st.integers(1, 6))
    return lambda fill: ops.Linear(**tensors(fill, weight=(out, shape[0]), bias=(out,)))


BY_RANK = {
    1: (linears, rearrangements),
    2: (convolutions, rearrangements),
    3: (convolutions, convolutions, pools, rearrangements),
}


@st.composite
def chains(draw: st.DrawFn) -> tuple[Shape, list[Build]]:
    """Draw a source's shape and up to five ops, of which those that do not fit are left out."""
    start = draw(st.sampled_from([(2, 5, 4), (3, 4, 4), (4, 6), (5,)]))
    shape, chain = start, []
    for _ in range(draw(st.integers(1, 5))):
        build = draw(draw(st.sampled_from(BY_RANK[len(shape)]))(shape))
        try:
            shape_after = build(signed).infer_shape(shape)
        except GraphError:
            continue
        if prod(shape_after) <= 400:
            shape, chain = shape_after, [*chain, build]
    return start, chain


def run(chain: list[Op], x: Array) -> Array:
    return reduce(lambda values, op: op.evaluate(values), chain, x)


def composed(start: Shape, chain: list[Op]) -> LinearMap:
    whole: LinearMap = identity(start)
    for op in chain:
        maps = op.to_linear_maps(whole.out_shape)
        assert maps is not None
        whole = compose(whole, maps[0])
    return whole


def assert_equal_to(found: Array, expected: Array) -> None:
    assert found.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


def reached(function: Callable[[Array], Array], start: Shape) -> Array:
    """Count the outputs that move with each source neuron, from one-hot inputs."""
    n = prod(start)
    moved = function(np.eye(n).reshape(n, *start)) - function(np.zeros((1, *start)))
    return (np.abs(moved.reshape(n, -1)) > 1e-9).sum(axis=1)


@given(chains())
def test_a_composed_chain_gives_what_its_ops_give_one_after_the_other(drawn) -> None:
    start, builds = drawn
    chain = [build(signed) for build in builds]
    x = np.random.default_rng(1).normal(size=(3, *start))
    assert_equal_to(composed(start, chain).apply(x), run(chain, x))


@given(chains())
def test_the_sparse_form_of_a_chain_gives_the_same(drawn) -> None:
    start, builds = drawn
    chain = [build(signed) for build in builds]
    x = np.random.default_rng(1).normal(size=(3, *start))
    assert_equal_to(composed(start, chain).to_sparse().apply(x), run(chain, x))


@given(chains())
def test_magnitudes_are_the_absolute_values_of_every_synapse(drawn) -> None:
    start, builds = drawn
    linear = composed(start, [build(signed) for build in builds])
    found, plain = linear.magnitudes().to_sparse(), linear.to_sparse()
    np.testing.assert_array_equal(found.indices, plain.indices)
    assert_equal_to(found.values, np.abs(plain.values))


@given(chains())
def test_a_spike_counts_each_neuron_that_it_reaches_once(drawn) -> None:
    start, builds = drawn
    chain = [build(positive) for build in builds]
    expected = reached(lambda x: run(chain, x), start)
    np.testing.assert_array_equal(composed(start, chain).fan_out(), expected)


@given(chains())
def test_a_weight_of_zero_is_still_a_synapse(drawn) -> None:
    start, builds = drawn
    dead, alive = (composed(start, [build(fill) for build in builds]) for fill in (zero, positive))
    np.testing.assert_array_equal(dead.fan_out(), alive.fan_out())
    np.testing.assert_array_equal(dead.to_sparse().fan_out(), alive.fan_out())


@given(chains())
def test_moving_the_factor_into_the_weights_changes_nothing(drawn) -> None:
    start, builds = drawn
    whole = composed(start, [build(signed) for build in builds])
    if not isinstance(whole, (ConvMap, DenseMap)):
        return
    unit = whole.with_unit_factor()
    if unit is None:
        return
    x = np.random.default_rng(1).normal(size=(3, *start))
    assert set(unit.before.factor) <= {1.0}
    assert_equal_to(unit.apply(x), whole.apply(x))
    np.testing.assert_array_equal(unit.fan_out(), whole.fan_out())


def short_cut(start: Shape, end: Shape) -> list[Op]:
    """Send the first neurons of a source to the last of a target, unchanged."""
    n_in, n_out = prod(start), prod(end)
    kept = min(n_in, n_out)
    last = ops.Pad(channels=(n_out - kept, 0))
    return [ops.Flatten(), ops.Slice(stop=(kept,)), last, ops.Reshape(shape=end)]


@given(chains())
def test_parallel_chains_add_up(drawn) -> None:
    start, builds = drawn
    one = [build(signed) for build in builds]
    other = [build(positive) for build in builds]
    past = short_cut(start, composed(start, one).out_shape)
    paths = (one, other, past)
    x = np.random.default_rng(1).normal(size=(3, *start))
    whole = add_maps([composed(start, path) for path in paths])
    assert_equal_to(whole.apply(x), sum(run(path, x) for path in paths))
    assert_equal_to(whole.to_sparse().apply(x), sum(run(path, x) for path in paths))


@given(chains())
def test_a_spike_counts_a_neuron_once_that_it_reaches_on_two_paths(drawn) -> None:
    start, builds = drawn
    chain = [build(positive) for build in builds]
    past = short_cut(start, composed(start, chain).out_shape)
    whole = add_maps([composed(start, chain), composed(start, past)])
    expected = reached(lambda x: run(chain, x) + run(past, x), start)
    np.testing.assert_array_equal(whole.fan_out(), expected)


def weight(*shape: int) -> Tensor:
    return Tensor("w", signed(shape))


CONV = ops.Conv2d(weight=weight(4, 2, 3, 3), padding=1)
DEPTHWISE = weight(4, 1, 3, 3)
HALVES = ops.AvgPool2d(kernel=2)
DOUBLE = ops.Scale(weight=Tensor("s", np.full(4, 2.0)))


@pytest.mark.parametrize(
    ("start", "chain", "kind"),
    [
        ((2, 4, 4), [CONV, DOUBLE], ConvMap),
        ((2, 4, 4), [CONV, HALVES], ConvMap),
        ((2, 4, 4), [CONV, ops.GlobalAvgPool(), ops.Flatten()], ConvMap),
        ((2, 4, 4), [CONV, ops.Reshape(shape=(4, 16))], ConvMap),
        ((2, 4, 4), [CONV, ops.Conv2d(weight=weight(3, 4, 1, 1), stride=2)], ConvMap),
        (
            (2, 4, 4),
            [
                ops.Conv2d(weight=weight(4, 2, 1, 1)),
                ops.Conv2d(weight=DEPTHWISE, padding=1, groups=4),
            ],
            ConvMap,
        ),
        ((2, 4, 4), [CONV, ops.Flatten()], SparseMap),
        ((2, 4, 4), [CONV, ops.Pad(width=(0, 1))], SparseMap),
        ((2, 4, 4), [CONV, ops.Pad(height=(0, 2))], SparseMap),
        ((2, 4, 4), [CONV, ops.Slice(stop=(None, 3, None))], SparseMap),
        ((2, 4, 4), [CONV, ops.Conv2d(weight=DEPTHWISE, padding=1, groups=4)], SparseMap),
        (
            (2, 9, 9),
            [ops.Conv2d(weight=weight(4, 2, 2, 2), stride=3), ops.AvgPool2d(kernel=3)],
            SparseMap,
        ),
        ((2, 8, 8), [HALVES, CONV], ConvMap),
        ((2, 4, 4), [ops.Slice(step=(1, 2, 2)), CONV], ConvMap),
        ((2, 4, 4), [ops.ConvTranspose2d(weight=weight(2, 3, 3, 3), stride=2)], ConvMap),
        ((2, 4, 4), [ops.AvgPool2d(kernel=3, stride=2)], ConvMap),
        ((2, 4, 4), [HALVES, ops.Flatten(), ops.Linear(weight=weight(3, 8))], DenseMap),
        ((6,), [ops.Linear(weight=weight(5, 6)), ops.Linear(weight=weight(3, 5))], DenseMap),
        ((6,), [ops.Linear(weight=weight(5, 6)), ops.Slice(stop=(2,))], DenseMap),
        ((2, 8, 8), [HALVES, ops.Slice(step=(1, 2, 2)), ops.Pad(channels=(1, 1))], IndexMap),
        ((2, 4, 4), [ops.UpsampleNearest(scale=2), CONV], SparseMap),
        ((6,), [ops.Linear(weight=weight(5, 6)), ops.Pad(channels=(0, 1))], SparseMap),
    ],
)
def test_a_chain_keeps_the_cheapest_form_that_holds_it(
    start: Shape, chain: list[Op], kind: type[LinearMap]
) -> None:
    whole = composed(start, chain)
    assert type(whole) is kind
    x = np.random.default_rng(1).normal(size=(2, *start))
    assert_equal_to(whole.apply(x), run(chain, x))


def test_convolutions_of_one_geometry_add_to_a_convolution() -> None:
    (one,), (two,) = CONV.to_linear_maps((2, 4, 4)), CONV.to_linear_maps((2, 4, 4))
    total = add_maps([one, two])
    assert isinstance(total, ConvMap)
    np.testing.assert_array_equal(total.weight, 2 * CONV.weight.values)


@st.composite
def two_convolutions(draw: st.DrawFn) -> tuple[Shape, list[Build]]:
    """Draw a convolution and a second, or a pool, of which most can be one convolution."""
    groups, follow = draw(st.sampled_from([(1, 1), (1, 4), (2, 1), (2, 2), (2, 4), (4, 2), (4, 4)]))
    kernel, step, side = draw(pairs), draw(pairs), draw(paddings)
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1)]))

    def first(fill: Fill) -> Op:
        shapes = tensors(fill, weight=(4, 4 // groups, *kernel), bias=(4,))
        return ops.Conv2d(**shapes, stride=step, padding=side, dilation=dilation, groups=groups)

    window, pace = draw(pairs), draw(pairs)
    spread, edge = draw(st.sampled_from([(1, 1), (1, 2)])), draw(st.integers(0, 3)) // 3
    if draw(st.booleans()):
        return (4, 7, 6), [first, lambda fill: ops.AvgPool2d(kernel=window)]

    def second(fill: Fill) -> Op:
        shapes = tensors(fill, weight=(8, 4 // follow, *window), bias=(8,))
        return ops.Conv2d(**shapes, stride=pace, padding=edge, dilation=spread, groups=follow)

    return (4, 7, 6), [first, second]


@given(two_convolutions())
def test_two_convolutions_have_the_values_and_the_synapses_of_the_chain(drawn) -> None:
    start, builds = drawn
    chain = [build(signed) for build in builds]
    try:
        chain[1].infer_shape(chain[0].infer_shape(start))
    except GraphError:
        return
    x = np.random.default_rng(1).normal(size=(2, *start))
    assert_equal_to(composed(start, chain).apply(x), run(chain, x))
    alike = [build(positive) for build in builds]
    expected = reached(lambda x: run(alike, x), start)
    np.testing.assert_array_equal(composed(start, alike).fan_out(), expected)


def test_taps_lists_where_each_position_lands() -> None:
    conv = ops.Conv2d(weight=weight(1, 1, 1, 3), padding=((0, 0), (1, 0)))
    (linear,) = conv.to_linear_maps((1, 1, 3))
    assert isinstance(linear, ConvMap)
    taps = linear.taps()
    # Output 0 reads (padding, 0, 1), output 1 reads (0, 1, 2).
    np.testing.assert_array_equal(taps.indptr, [0, 2, 4, 5])
    np.testing.assert_array_equal(taps.output, [1, 0, 1, 0, 1])
    np.testing.assert_array_equal(taps.tap, [0, 1, 1, 2, 2])


def test_a_synapse_that_padding_cuts_off_is_none() -> None:
    (linear,) = ops.Conv2d(weight=weight(1, 1, 3, 3), padding=1).to_linear_maps((1, 3, 3))
    np.testing.assert_array_equal(linear.fan_out(), [4, 6, 4, 6, 9, 6, 4, 6, 4])


def test_a_dropped_neuron_reaches_nothing() -> None:
    (linear,) = ops.Slice(start=(1,), step=(2,)).to_linear_maps((5,))
    np.testing.assert_array_equal(linear.fan_out(), [0, 1, 0, 1, 0])


def test_a_factor_that_varies_inside_a_channel_stays_where_it_is() -> None:
    (conv,) = ops.Conv2d(weight=weight(1, 1, 2, 2)).to_linear_maps((1, 2, 2))
    uneven = compose(scaling(np.array([[[1.0, 2.0], [3.0, 4.0]]])), conv)
    assert isinstance(uneven, ConvMap)
    assert uneven.with_unit_factor() is None


def test_the_first_bias_passes_through_the_second_map() -> None:
    first = ops.Linear(weight=weight(2, 2), bias=Tensor("b", np.array([1.0, -2.0])))
    second = ops.Linear(
        weight=Tensor("w", np.array([[3.0, 0.5]])), bias=Tensor("b", np.array([10.0]))
    )
    np.testing.assert_array_equal(composed((2,), [first, second]).bias, [10.0 + 3.0 - 1.0])


def test_a_product_made_a_few_sources_at_a_time_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ops.UpsampleNearest(scale=2).to_linear_maps((2, 3, 3))[0]
    second = CONV.to_linear_maps((2, 6, 6))[0].to_sparse()
    whole = compose(first, second)
    monkeypatch.setattr(composing, "PRODUCTS_AT_ONCE", 50)
    parted = compose(first, second)
    assert isinstance(whole, SparseMap)
    assert isinstance(parted, SparseMap)
    np.testing.assert_array_equal(parted.indptr, whole.indptr)
    np.testing.assert_array_equal(parted.indices, whole.indices)
    np.testing.assert_array_equal(parted.values, whole.values)


def test_a_chain_without_shared_weights_says_when_it_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear_map, "LARGEST_SPARSE", 100)
    with pytest.raises(GraphError, match=r"has 1,024 synapses .* at most 100 are supported: put"):
        composed((1, 4, 4), [ops.UpsampleNearest(scale=2), ops.Conv2d(weight=weight(16, 1, 1, 1))])
