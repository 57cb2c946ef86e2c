"""Parameters of a neuron model in an annotation: a value like the others, written one way."""

import pytest

from thresher import GraphError
from thresher.ir import Spiking


def test_annotations_with_the_same_parameters_are_equal_whatever_the_order() -> None:
    one = Spiking(1.0, parameters={"a": 1, "b": 2.5})
    other = Spiking(1.0, parameters={"b": 2.5, "a": 1.0})
    assert one == other
    assert hash(one) == hash(other)
    assert list(other.parameters) == ["a", "b"]


def test_a_dictionary_that_changes_later_leaves_the_annotation_as_it_is() -> None:
    numbers = {"a": 1.0}
    spiking = Spiking(1.0, parameters=numbers)
    numbers["a"] = 2.0
    assert spiking.parameters == {"a": 1.0}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"a": float("nan")}, "'a' is nan"),
        ({"a": "1"}, "'a' is '1'"),
        ({1: 1.0}, "1 is no name"),
        ({"": 1.0}, "'' is no name"),
        ([("a", 1.0)], "expected a mapping of names to finite numbers"),
    ],
)
def test_what_is_no_mapping_of_names_to_numbers_is_refused(
    parameters: object, message: str
) -> None:
    with pytest.raises(GraphError, match=f"field 'parameters' is .*{message}"):
        Spiking(1.0, parameters=parameters)
