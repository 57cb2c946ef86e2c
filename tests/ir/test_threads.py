"""Work spread over threads: results in order, few items taken ahead, errors passed on."""

import time
from collections.abc import Iterator

import pytest

from thresher.ir.threads import AHEAD, map_in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    def late_if_even(item: int) -> int:
        time.sleep(0.002 * (item % 2 == 0))
        return item * item

    assert [*map_in_threads(late_if_even, range(40), 4)] == [i * i for i in range(40)]


def test_few_items_are_taken_before_their_turn() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = map_in_threads(str, items(), 2)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) == 3 + 2 * AHEAD
    results.close()


def test_an_error_is_passed_on_at_its_place() -> None:
    results = map_in_threads(lambda item: 1 / item, [2, 1, 0, 1])
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        next(results)
