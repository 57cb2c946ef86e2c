"""Write the packaged digits file from scikit-learn's copy of the UCI data set.

Run it as `python specs/make_digits.py`; it needs scikit-learn. The images are shuffled once, with
a fixed seed, so that the first N_TRAIN of the file are the training part and the rest the test
part.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "src" / "thresher" / "digits" / "digits.npz"
SEED = 0


def main() -> None:
    """Write x uint8 (1797, 1, 8, 8) with values 0..16 and y uint8 (1797,)."""
    bunch = load_digits()
    order = np.random.default_rng(SEED).permutation(len(bunch.target))
    x = bunch.images[order].astype(np.uint8)[:, None]
    y = bunch.target[order].astype(np.uint8)
    np.savez_compressed(TARGET, x=x, y=y)
    print(f"{TARGET}: {len(x)} images, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
