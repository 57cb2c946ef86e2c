"""The values of a YAML file, each of which knows its line, and what messages say of them."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from thresher.errors import GraphError, SpecError
from thresher.ir.node import Mark
from thresher.registry import suggest

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
BOOLEAN = re.compile("|".join(f"{w}|{w.title()}|{w.upper()}" for w in (
    "y", "n", "yes", "no", "on", "off", "true", "false"
)))  # fmt: skip
NULL = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class YamlScalar:
    """A scalar: `text` is what a name is taken from, whatever YAML would make of it."""

    mark: Mark
    text: str
    quoted: bool
    size = 1
    depth = 0

    def plain(self) -> object:
        """Read the text as YAML does: null, a truth value, a number or, failing those, text."""
        text = self.text
        if self.quoted:
            return text
        if text in NULL:
            return None
        if BOOLEAN.fullmatch(text):
            return text.lower() in ("y", "yes", "on", "true")
        if INTEGER.fullmatch(text):
            return int(text)
        if FLOAT.fullmatch(text):
            return float(re.sub(r"\.(?=[in])", "", text.lower()))
        return text


@dataclass(frozen=True)
class YamlList:
    mark: Mark
    items: tuple["YamlValue", ...]

    @cached_property
    def size(self) -> int:
        return 1 + sum(item.size for item in self.items)

    @cached_property
    def depth(self) -> int:
        return 1 + max((item.depth for item in self.items), default=0)

    def plain(self) -> list[object]:
        return [item.plain() for item in self.items]


@dataclass(frozen=True)
class YamlMap:
    """A mapping in the order of the file; `keys` says where each key stands."""

    mark: Mark
    entries: Mapping[str, "YamlValue"]
    keys: Mapping[str, Mark]

    @cached_property
    def size(self) -> int:
        return 1 + sum(1 + item.size for item in self.entries.values())

    @cached_property
    def depth(self) -> int:
        return 1 + max((item.depth for item in self.entries.values()), default=0)

    def plain(self) -> dict[str, object]:
        return {key: item.plain() for key, item in self.entries.items()}

    def expect_keys(self, known: Collection[str], what: str) -> None:
        """Raise SpecError for the first key that is not known; `what` owns the keys."""
        for key, mark in self.keys.items():
            if key not in known:
                raise SpecError(
                    f"{mark}: {what}: unknown field '{key}': {suggest(key, known)}"
                    f"known are {', '.join(known)}"
                )


YamlValue = YamlScalar | YamlList | YamlMap


def listed(names: Collection[str]) -> str:
    """List the first names for a message."""
    return ", ".join(list(names)[:12]) + (", ..." if len(names) > 12 else "")


@contextmanager
def placed(place: object, who: str = "") -> Iterator[None]:
    """Put the place, and who is concerned, before the message of what is raised inside."""
    try:
        yield
    except (SpecError, GraphError) as error:
        raise type(error)(f"{place}: {who}: {error}" if who else f"{place}: {error}") from error


def expect_map(value: YamlValue, what: str) -> YamlMap:
    """Return the value; raise SpecError unless it is a mapping."""
    if not isinstance(value, YamlMap):
        raise SpecError(f"{value.mark}: {what} is {found(value)}; expected a mapping")
    return value


def text_of(value: YamlValue, what: str) -> str:
    """Return a scalar's text, so that names such as `no` or `10` stay names."""
    if not isinstance(value, YamlScalar) or not (value.text or value.quoted):
        raise SpecError(f"{value.mark}: {what} is {found(value)}; expected a name")
    return value.text


def texts_of(value: YamlValue, what: str) -> tuple[str, ...]:
    """Return the texts of a list of scalars."""
    if not isinstance(value, YamlList):
        raise SpecError(f"{value.mark}: {what} is {found(value)}; expected a list of names")
    return tuple(text_of(item, what) for item in value.items)


def found(value: YamlValue) -> str:
    """Word a value for a message, shortened."""
    if value.size > 20:
        return f"a {'list' if isinstance(value, YamlList) else 'mapping'} of {value.size} values"
    plain = value.plain()
    shown = repr(plain)
    if isinstance(value, YamlScalar) and not isinstance(plain, str):
        shown = value.text or "empty"
    return shown if len(shown) <= 100 else shown[:97] + "..."
