"""The `tensors` of a spec: files beside it, and initialisers of what is not trained."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path

from thresher.errors import SpecError
from thresher.ir.initialise import INITIALISERS, Initialiser
from thresher.ir.marks import (
    YamlList,
    YamlMap,
    YamlValue,
    expect_map,
    listed,
    placed,
    text_of,
)
from thresher.ir.op import Shape
from thresher.ir.spec_fields import read_plain_fields
from thresher.ir.tensor import Tensor
from thresher.ir.tensors import StoredTensor, expect_size, open_tensors
from thresher.registry import suggest

LARGEST_DRAWN = 2**29
"""Values that all initialisers of a spec may draw together."""


class TensorSource:
    """Find the tensors of one spec by name; each is read or drawn once.

    Parameters
    ----------
    section : YamlValue or None
        A file's name, a mapping from tensors' names (or patterns such as ``*.bias``, of which the
        first that fits counts) to initialisers, or a list of such.
    folder : Path
        Where the spec lies.
    """

    def __init__(self, section: YamlValue | None, folder: Path) -> None:
        self._stored: dict[str, StoredTensor] = {}
        self._initialisers: dict[str, Initialiser] = {}
        self._tensors: dict[str, Tensor] = {}
        self._n_drawn = 0
        if section is None:
            return
        for item in section.items if isinstance(section, YamlList) else (section,):
            if isinstance(item, YamlMap):
                self._add_initialisers(item)
            else:
                self._add_file(item, folder)

    def __contains__(self, name: str) -> bool:
        return name in self._stored or self._initialiser(name) is not None

    def get(self, name: str, infer_shape: Callable[[], Shape]) -> Tensor:
        """Return a tensor; `infer_shape` is asked only where it has to be drawn.

        Raises
        ------
        SpecError
            Where there is none, or it cannot be read or drawn; the message lacks the place.
        """
        if name not in self._tensors:
            self._tensors[name] = self._make(name, infer_shape)
        return self._tensors[name]

    def missing(self, name: str) -> str:
        """Word the answer to a name that nothing here bears."""
        known = [*self._stored, *self._initialisers]
        if not known:
            return f"there is no tensor '{name}': the spec names no file under 'tensors'"
        files = sorted({item.file for item in self._stored.values()}) or ["'tensors'"]
        hint = suggest(name, known) + f"known are {listed(known)}"
        return f"there is no tensor '{name}' in {', '.join(files)}: {hint}"

    def _make(self, name: str, infer_shape: Callable[[], Shape]) -> Tensor:
        if name in self._stored:
            return Tensor(name, self._stored[name].read())
        initialiser = self._initialiser(name)
        if initialiser is None:
            raise SpecError(self.missing(name))
        shape = infer_shape()
        expect_size(name, shape)
        self._n_drawn += prod(shape)
        if not prod(shape) or self._n_drawn > LARGEST_DRAWN:
            raise SpecError(
                f"tensor '{name}' is {list(shape)}; expected at least one value, and at most "
                f"{LARGEST_DRAWN:,} in all tensors that are drawn"
            )
        return Tensor(name, initialiser.draw(name, shape))

    def _initialiser(self, name: str) -> Initialiser | None:
        if name in self._initialisers:
            return self._initialisers[name]
        fitting = (p for p in self._initialisers if fnmatchcase(name, p))
        return next((self._initialisers[p] for p in fitting), None)

    def _add_file(self, item: YamlValue, folder: Path) -> None:
        name = text_of(item, "'tensors'")
        with placed(item.mark, "'tensors'"):
            stored = open_tensors(folder, name)
            for key in stored.keys() & self._stored.keys():
                raise SpecError(
                    f"tensor '{key}' stands in '{self._stored[key].file}' and in '{name}'; "
                    "expected it in one of them"
                )
        self._stored.update(stored)

    def _add_initialisers(self, section: YamlMap) -> None:
        for name, value in section.entries.items():
            what = f"tensor '{name}'"
            entry = expect_map(value, what)
            if "init" not in entry.entries:
                raise SpecError(
                    f"{entry.mark}: {what}: field 'init' is missing; expected one of "
                    f"{', '.join(INITIALISERS)}"
                )
            init = entry.entries["init"]
            kind = text_of(init, f"{what}: field 'init'")
            with placed(init.mark, what):
                initialiser = INITIALISERS.get(kind)
            values = read_plain_fields(initialiser, entry, what, beside=("init",))
            with placed(entry.mark, what):
                self._initialisers[name] = initialiser(**values)
