"""The queue of future events of the asynchronous reference."""

from typing import NamedTuple

from sortedcontainers import SortedList

RAMP, ARRIVAL = 0, 1


class Event(NamedTuple):
    """A ramp crossing (`order` is the neuron) or the arrival of a spike (`order` is its seq).

    Events compare by (tick, rank, phase, order), which is the order in which they happen.
    """

    tick: int
    rank: int
    phase: int
    order: int
    projection: int = -1
    neuron: int = -1
    sign: int = 1


class EventQueue:
    """Hold future events in order; adding, removing and taking one cost O(log n)."""

    def __init__(self) -> None:
        self._events: SortedList[Event] = SortedList()
        self.peak = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: Event) -> None:
        self._events.add(event)
        self.peak = max(self.peak, len(self._events))

    def remove(self, event: Event) -> None:
        """Take an event out that will not happen after all."""
        self._events.remove(event)

    def next(self) -> Event:
        """Return the earliest event, which stays in the queue."""
        return self._events[0]

    def pop(self) -> Event:
        """Take the earliest event out."""
        return self._events.pop(0)
