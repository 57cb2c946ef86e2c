"""Write by_hand.safetensors, the weights of by_hand.yaml: multiples of 1/8, so that sums are exact.

Run it as `python specs/make_by_hand.py`.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WEIGHTS = {
    "fc1.weight": [[1.0, 0.0], [0.5, 0.5]],
    "fc1.bias": [0.0, -0.125],
    "fc2.weight": [[1.0, -1.0], [0.5, 0.5]],
    "fc3.weight": [[2.0, 0.0], [0.0, 0.5]],
}


def main() -> None:
    """Write the file beside this one."""
    tensors = {name: np.array(rows, np.float32) for name, rows in WEIGHTS.items()}
    save_file(tensors, Path(__file__).with_name("by_hand.safetensors"))


if __name__ == "__main__":
    main()
