"""Compile an exported C file with strict warnings, run it on images and read its spikes."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="there is no gcc, with which C files are tested")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = ["-fsanitize=undefined,bounds", "-fno-sanitize-recover=all"]
MAIN = """
#include <stdio.h>
#define {upper}_ON_SPIKE on_spike
static void on_spike(int tick, int population, int neuron, int payload)
{{
    printf("s %d %d %d %d\\n", tick, population, neuron, payload);
}}
#include "{name}.c"
int main(void)
{{
    static float image[{upper}_PIXELS];
    while (fread(image, sizeof(float), {upper}_PIXELS, stdin) == {upper}_PIXELS) {{
        int step, neuron, refused = {name}_start(image);
        printf("i %d\\n", refused);
        for (step = 0; !refused && step < {upper}_STEPS; step++)
            printf("d %d\\n", {name}_step());
#if {upper}_SETTLE
        if (!refused)
            printf("d %d\\n", {name}_settle());
#endif
        for (neuron = 0; !refused && neuron < {upper}_CLASSES; neuron++)
            printf("o %lld\\n", (long long){name}_outputs()[neuron]);
    }}
    return 0;
}}
"""


@dataclass(frozen=True)
class ImageRun:
    """One image's spikes (n, 4) of tick, population, neuron and payload, in the order of emission.

    The decisions are those of each step, and, where the file settles, the one in the end.
    """

    refused: bool
    spikes: NDArray[np.int64]
    decisions: list[int]
    outputs: list[int]


def build(source: Path, *, event_driven: bool, flags: list[str] | None = None) -> Path:
    """Compile an exported file with a program around it, which reads images and prints spikes."""
    name, upper = source.stem, source.stem.upper()
    program = source.with_name(f"{name}_main.c")
    program.write_text(MAIN.format(name=name, upper=upper))
    binary = source.with_name(f"{name}_{int(event_driven)}")
    chosen = [f"-D{upper}_ASYNC={int(event_driven)}", *(["-O1"] if flags is None else flags)]
    command = [str(GCC), *STRICT, *chosen, "-o", str(binary), str(program)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return binary


def run(binary: Path, images: NDArray[np.float32]) -> list[ImageRun]:
    """Run a program on images (n, *shape)."""
    pixels = np.ascontiguousarray(images, np.float32).tobytes()
    found = subprocess.run([str(binary)], input=pixels, capture_output=True, check=True)
    runs: list[ImageRun] = []
    parts: dict[str, list[list[int]]] = {}
    for line in [*found.stdout.decode().splitlines(), "i"]:
        kind, *numbers = line.split()
        if kind == "i":
            if parts:
                runs.append(_image_run(parts))
            parts = {"i": [], "s": [], "d": [], "o": []}
        parts[kind].append([int(number) for number in numbers])
    return runs


def _image_run(parts: dict[str, list[list[int]]]) -> ImageRun:
    spikes = np.array(parts["s"], np.int64).reshape(-1, 4)
    decisions, outputs = ([row[0] for row in parts[kind]] for kind in "do")
    return ImageRun(parts["i"] != [[0]], spikes, decisions, outputs)
