"""Registry: named things of one kind, with an answer for a name that is unknown."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from thresher.errors import ThresherError

T = TypeVar("T")


class Registry(Generic[T]):
    """Map names to the registered things of one kind (ops, passes, neurons, ...).

    Parameters
    ----------
    kind : str
        What is registered, in the singular, for messages: ``"op"``.
    error : type of ThresherError
        Raised for an unknown name.
    """

    def __init__(self, kind: str, error: type[ThresherError] = ThresherError) -> None:
        self.kind = kind
        self._error = error
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add an entry; refuse a name that is taken."""
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered already")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """Return the entry; an unknown name is answered with the nearest ones and the list."""
        if name in self._entries:
            return self._entries[name]
        raise self._error(self.unknown(name))

    def unknown(self, name: str) -> str:
        """Word the answer to an unknown name."""
        known = ", ".join(self._entries)
        return f"unknown {self.kind} '{name}': {suggest(name, self._entries)}known are {known}"

    def names(self) -> list[str]:
        """List the registered names in order of registration."""
        return list(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)


def suggest(name: str, known: Collection[str]) -> str:
    """Word the question 'did you mean ...? ', or nothing where no known name is near."""
    near = get_close_matches(name, known, n=3)
    return "did you mean " + " or ".join(f"'{n}'" for n in near) + "? " if near else ""
