"""The digits data set, and the CNN trained on it, as they come with the package."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_TRAIN = 1297
FOLDER = Path(str(files(__name__)))


def load() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Read the 8x8 digits: x_train, y_train, x_test, y_test.

    Images are (N, 1, 8, 8) with values 0..16; 1,297 to train on and 500 to test on, shuffled once
    and for all. Source and licence stand in LICENSE.txt beside the file.
    """
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as arrays:
        x: NDArray[np.uint8] = arrays["x"]
        y: NDArray[np.int64] = arrays["y"].astype(np.int64)
    return x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:]


def cnn_spec() -> Path:
    """Return the file of the CNN's spec; its weights lie beside it.

    In a checkout it is a link into specs/, which is followed, so that both names are found in one
    folder.
    """
    return (FOLDER / "digits_cnn.yaml").resolve()
