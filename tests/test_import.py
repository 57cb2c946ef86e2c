"""What importing thresher costs: nothing of what only an optional part needs."""

import subprocess
import sys

import pytest

import thresher

HEAVY = ("torch", "onnx", "nir", "matplotlib", "scipy", "pandas", "pyarrow", "h5py", "sklearn")


@pytest.mark.parametrize("module", ["thresher", "thresher.cli"])
def test_import_brings_no_heavy_package(module: str) -> None:
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there() -> None:
    missing = [name for name in thresher.__all__ if not hasattr(thresher, name)]
    assert missing == []
