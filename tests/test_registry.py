"""Registry: what it holds, and its answer to a name that is taken or unknown."""

import pytest

from thresher.errors import PassError, ThresherError
from thresher.registry import Registry, suggest


def colours() -> Registry[int]:
    registry: Registry[int] = Registry("colour", PassError)
    registry.register("red", 1)
    registry.register("green", 2)
    return registry


def test_an_entry_is_found_by_its_name() -> None:
    assert colours().get("green") == 2
    assert "green" in colours()
    assert "blue" not in colours()


def test_names_keep_the_order_of_registration() -> None:
    assert colours().names() == list(colours()) == ["red", "green"]


def test_a_taken_name_is_refused_and_the_first_entry_stays() -> None:
    registry = colours()

    with pytest.raises(ValueError, match="colour 'red' is registered already"):
        registry.register("red", 3)
    assert registry.get("red") == 1


def test_an_unknown_name_is_answered_with_the_nearest_and_the_list() -> None:
    with pytest.raises(
        PassError, match=r"^unknown colour 'gren': did you mean 'green'\? known are red, green$"
    ):
        colours().get("gren")


def test_a_name_that_is_near_to_none_gets_the_list_alone() -> None:
    with pytest.raises(ThresherError, match=r"^unknown colour 'xyz': known are red, green$"):
        colours().get("xyz")


def test_several_near_names_are_offered_nearest_first() -> None:
    assert suggest("conv12", ["conv", "fc", "conv1"]) == "did you mean 'conv1' or 'conv'? "
