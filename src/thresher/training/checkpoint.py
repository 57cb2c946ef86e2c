"""Checkpoints: all that a run needs to go on as if it had not stopped, in one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from thresher.errors import TrainingError
from thresher.files import replacing
from thresher.training.settings import Epoch

Array = NDArray[np.float32]

KEY = "thresher_training"
"""Where the file's metadata holds the JSON."""
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run after some epochs.

    Parameters
    ----------
    run : mapping
        What has to be the same for the run to go on: settings, network and data.
    epochs : tuple of Epoch
        Those that are done.
    tensors : mapping
        What is learnt, and its velocity, by name.
    """

    run: Mapping[str, object]
    epochs: tuple[Epoch, ...]
    tensors: Mapping[str, Array]


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    record = {
        "format": FORMAT,
        "run": dict(checkpoint.run),
        "epochs": [asdict(epoch) for epoch in checkpoint.epochs],
    }
    tensors = {name: np.asarray(item, order="C") for name, item in checkpoint.tensors.items()}
    content = save(tensors, metadata={KEY: json.dumps(record)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_checkpoint(path: Path, run: Mapping[str, object]) -> Checkpoint:
    """Read the checkpoint of a run.

    Raises
    ------
    TrainingError
        Where the file is no checkpoint, or one of another run; what differs is named.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            record = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"'{path}' is no checkpoint of a training run, or is damaged ({error}); expected a "
            "file that an earlier run wrote, or a name that is not taken"
        ) from error
    if record.get("format") != FORMAT:
        raise TrainingError(
            f"'{path}' is a checkpoint of format {record.get('format')}; expected {FORMAT}, the "
            "only one that this version of Thresher reads"
        )
    _check_run(path, record["run"], run)
    epochs = tuple(Epoch(**item) for item in record["epochs"])
    return Checkpoint(run, epochs, tensors)


def _check_run(path: Path, found: Mapping[str, Any], run: Mapping[str, object]) -> None:
    for name in run:
        if found.get(name) != run[name]:
            raise TrainingError(
                f"'{path}' is the checkpoint of another run: its {name} is {found.get(name)}, "
                f"this run's is {run[name]}; expected the same network, data and settings, or "
                "another file"
            )
