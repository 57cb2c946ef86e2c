"""YAML text to a tree of values that know their line; tags, bombs and doubled keys are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from thresher.errors import SpecError
from thresher.ir.marks import YamlList, YamlMap, YamlScalar, YamlValue
from thresher.ir.node import Mark

LARGEST_TEXT = 4 * 2**20
"""Bytes that a YAML file may have."""
LARGEST_TREE = 1_000_000
"""Values that a YAML file may hold, each alias counted as what it stands for."""
DEEPEST = 50
"""Lists and mappings that may stand in each other."""


def read_yaml(path: Path) -> YamlValue:
    """Read a YAML file of one document.

    Raises
    ------
    SpecError
        Where it is missing, too large, not UTF-8 text or not YAML; the message names the line.
    """
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "there is no such file"
        raise SpecError(f"cannot read '{path}': {reason}")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise SpecError(f"cannot read '{path}': {error.strerror}") from error
    if len(content) > LARGEST_TEXT:
        raise SpecError(
            f"{path}: is larger than {LARGEST_TEXT:,} bytes; expected a YAML file that describes "
            "a network, whose weights lie in a file of their own"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(
            f"{path}:{line}: is not UTF-8 text (byte 0x{content[error.start]:02x}); expected a "
            "YAML file, saved as UTF-8"
        ) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str) -> YamlValue:
    """Parse YAML text of one document; `file` is what marks call it."""
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(
            f"{file}:{line}: holds the character {chr(int(error.character))!r}, which YAML does "
            "not allow; expected text"
        ) from error
    try:
        return _Composer(loader, file).document()
    except yaml.MarkedYAMLError as error:
        raise SpecError(_syntax_error(error, file)) from error
    except (ValueError, OverflowError) as error:
        raise SpecError(f"{file}:{loader.line + 1}: not valid YAML: {error}") from error


def _syntax_error(error: yaml.MarkedYAMLError, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    message = f"{file}:{line}: not valid YAML: {error.problem}"
    if error.context and error.context_mark:
        message += f" ({error.context} that began in line {error.context_mark.line + 1})"
    if "'\\t'" in str(error.problem):
        message += "; indent with spaces, not with tabs"
    if "stream end" in str(error.problem):
        message += "; the file seems to be cut off"
    return message


class _Composer:
    """Build the tree from PyYAML's events, which do not recurse however deep the text is."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._anchors: dict[str, YamlValue] = {}
        self._n_values = 0

    def document(self) -> YamlValue:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise SpecError(f"{self._file}: is empty; expected a mapping")
        root = self._value(self._next(), 0)
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise SpecError(f"{self._mark(after)}: a second document begins; expected one")
        return root

    def _next(self) -> Any:
        return self._loader.get_event()  # type: ignore[no-untyped-call]

    def _mark(self, event: Any) -> Mark:
        return Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _value(self, event: Any, depth: int) -> YamlValue:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            value = self._alias(event)
        else:
            if event.tag is not None:
                raise SpecError(
                    f"{mark}: the tag '{event.tag}' is not supported; expected plain values (put "
                    "text that looks like a number in quotes)"
                )
            self._check(mark, depth)
            value = self._new_value(event, mark, depth)
            self._n_values += 1
            if event.anchor is not None:
                self._anchors[event.anchor] = value
        self._check(mark, depth + value.depth)
        return value

    def _new_value(self, event: Any, mark: Mark, depth: int) -> YamlValue:
        if isinstance(event, yaml.ScalarEvent):
            return YamlScalar(mark, event.value, quoted=event.style is not None)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(following := self._next(), yaml.SequenceEndEvent):
                items.append(self._value(following, depth + 1))
            return YamlList(mark, tuple(items))
        entries: dict[str, YamlValue] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(following := self._next(), yaml.MappingEndEvent):
            key = self._key(following, keys)
            keys[key] = self._mark(following)
            entries[key] = self._value(self._next(), depth + 1)
        return YamlMap(mark, entries, keys)

    def _key(self, event: Any, keys: Mapping[str, Mark]) -> str:
        mark = self._mark(event)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise SpecError(f"{mark}: a key is no plain text; expected a name")
        key: str = event.value
        if key in keys:
            raise SpecError(
                f"{mark}: '{key}' is written twice, here and in line {keys[key].line}; rename one "
                "or remove it"
            )
        return key

    def _alias(self, event: Any) -> YamlValue:
        if event.anchor not in self._anchors:
            raise SpecError(
                f"{self._mark(event)}: the alias '*{event.anchor}' has no finished anchor "
                f"'&{event.anchor}' before it"
            )
        value = self._anchors[event.anchor]
        self._n_values += value.size
        return value

    def _check(self, mark: Mark, depth: int) -> None:
        if depth > DEEPEST:
            raise SpecError(f"{mark}: lists and mappings stand more than {DEEPEST} deep")
        if self._n_values > LARGEST_TREE:
            raise SpecError(
                f"{mark}: holds more than {LARGEST_TREE:,} values, aliases counted as what they "
                "stand for"
            )
