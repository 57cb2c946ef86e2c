"""Node, Input, Preprocess and Spiking: what they refuse as they are made."""

import math

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import Input, Node, Preprocess, Spiking, Tensor, ops


@pytest.mark.parametrize("delay", [-1, 1.5, True, "3"])
def test_a_delay_is_a_whole_number_of_at_least_0(delay: object) -> None:
    with pytest.raises(GraphError, match=r"node 'a': field 'delay' is .*; expected a whole number"):
        Node("a", ops.Identity(), ("x",), delay=delay)


@pytest.mark.parametrize("shape", [(), (0, 2), (-2,), (2.5,)])
def test_an_input_has_axes_of_at_least_one_value(shape: tuple[object, ...]) -> None:
    with pytest.raises(GraphError, match=r"input 'x': .*shape.* is .*; expected"):
        Input("x", shape)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_an_inputs_threshold_is_above_0(threshold: float) -> None:
    with pytest.raises(GraphError, match=r"input 'x': field 'threshold' is .*; expected .* above"):
        Input("x", (2,), threshold=threshold)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("divide", 0.0),
        ("divide", math.nan),
        ("std", (1.0, 0.0)),
        ("std", (-1.0,)),
        ("mean", (math.inf,)),
    ],
)
def test_preprocessing_that_no_pixel_survives_is_refused(field: str, value: object) -> None:
    with pytest.raises(GraphError, match=f"preprocess: field '{field}' is .*; expected a finite"):
        Preprocess(**{field: value})


@pytest.mark.parametrize("field", ["mean", "std"])
def test_preprocessing_has_one_value_for_all_channels_or_one_for_each(field: str) -> None:
    for fitting in ((1.0,), (1.0, 2.0, 3.0)):
        Input("x", (3, 4, 4), Preprocess(**{field: fitting}))
    with pytest.raises(GraphError, match=f"'x': preprocess: {field} has 2 values; expected 1, or"):
        Input("x", (3, 4, 4), Preprocess(**{field: (1.0, 2.0)}))


@pytest.mark.parametrize(
    "values", [[1.0, 0.0], [1.0, -2.0], [math.nan, 1.0], [1.0, math.inf], [-math.inf, 1.0], ["a"]]
)
def test_every_threshold_of_a_tensor_is_finite_and_above_0(values: list[object]) -> None:
    with pytest.raises(GraphError, match="spiking: field 'threshold' is t; expected a finite num"):
        Spiking(threshold=Tensor("t", np.array(values)))


def test_thresholds_may_be_whole_numbers() -> None:
    assert Spiking(threshold=Tensor("t", np.array([1, 2]))).threshold.shape == (2,)
