"""The devices that PyTorch trains on, by the names that it gives them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from thresher.errors import TrainingError

CPU = torch.device("cpu")


def device_named(name: str) -> torch.device:
    """Return the device of a name such as 'cpu', 'cuda' or 'cuda:1'.

    Raises
    ------
    TrainingError
        Where PyTorch knows no such device, or cannot compute on it.
    """
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise TrainingError(
            f"PyTorch cannot compute on device '{name}' ({reason}); expected {_usable()}"
        ) from error
    return device


def _usable() -> str:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return "'cpu'" if accelerator is None else f"'cpu' or '{accelerator.type}'"


@contextmanager
def repeatable() -> Iterator[None]:
    """Have convolutions on NVIDIA's GPUs round alike in every run, and in float32, in the block."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
