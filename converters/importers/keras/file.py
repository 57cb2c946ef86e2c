"""Keras files (`.keras`, `.h5`) as plain values: layers, how they are joined, and their weights.

Neither Keras nor TensorFlow is needed, and no code of a file (a Lambda layer holds some) is run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from thresher.converters.importers.archive import Archive
from thresher.converters.importers.keras.config import KerasModel, read_model
from thresher.converters.importers.keras.nested import flattened
from thresher.converters.importers.keras.weights import ArchiveWeights, LegacyWeights
from thresher.errors import MissingExtraError, SpecError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
LARGEST_CONFIG = 2**26


def read_keras(path: Path) -> KerasModel:
    """Read a model with the package `h5py`.

    Raises
    ------
    SpecError
        Where the file is no Keras model, is damaged, or holds arrays that are not what they say.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "keras", "reading a Keras file") from error
    with _damage_named(path):
        if path.suffix.lower() == ".keras":
            return _read_archive(path, h5py)
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None or "model_weights" not in file:
                raise SpecError(
                    f"'{path}' holds no model, only weights or other data; expected what "
                    "model.save writes: save the whole model, not its weights"
                )
            return flattened(
                read_model(json.loads(text), LegacyWeights(file["model_weights"], h5py))
            )


def _read_archive(path: Path, h5py: Any) -> KerasModel:
    with Archive(path, "a Keras model (.keras)") as archive:
        for name in (CONFIG, WEIGHTS):
            if name not in archive.names:
                raise SpecError(f"'{path}' is no Keras model: it holds no {name}")
        text = archive.read(CONFIG)
        if len(text) > LARGEST_CONFIG:
            raise SpecError(
                f"'{path}': {CONFIG} is {len(text):,} bytes; at most {LARGEST_CONFIG:,}"
            )
        with h5py.File(BytesIO(archive.read(WEIGHTS)), "r") as file:
            return flattened(read_model(json.loads(text), ArchiveWeights(file, h5py)))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError,
            RecursionError) as error:  # fmt: skip
        raise SpecError(
            f"'{path}' is not laid out as Keras does, or is cut off or damaged: "
            f"{type(error).__name__}: {str(error)[:200]}"
        ) from error
