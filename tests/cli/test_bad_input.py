"""Bad input: exit status 2, one paragraph that names the culprit, and no file is left behind."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_network import TENSORS, Thresher, X, Y

Change = Callable[[Path], object]

VALIDATE = "validate tiny.yaml"
EVALUATE = "evaluate tiny.yaml --data data.npz --metrics out.json"
CONVERT = "convert tiny.yaml --data data.npz --steps 4 -o out.yaml"
SIMULATE = "simulate tiny.snn.yaml --data data.npz --steps 4 --metrics out.json --trace out.npz"

DIAGNOSE = "diagnose tiny.snn.yaml --data data.npz --steps 4 --csv out.csv --json out.json"


def nothing(folder: Path) -> None:
    """Leave the files as they are: the command line itself is wrong."""


def edit(old: str, new: str) -> Change:
    """Replace text in both specs; the SNN's holds all that the ANN's does."""

    def change(folder: Path) -> None:
        assert old in (folder / "tiny.snn.yaml").read_text()
        for path in (folder / "tiny.yaml", folder / "tiny.snn.yaml"):
            path.write_text(path.read_text().replace(old, new))

    return change


def tensor(name: str, values: np.ndarray) -> Change:
    return lambda folder: save_file({**TENSORS, name: values}, folder / "tiny.safetensors")


def arrays(**given: object) -> Change:
    return lambda folder: np.savez(folder / "data.npz", **given)  # type: ignore[arg-type]


def cut(name: str, share: float) -> Change:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return change


def write(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def poisoned(values: np.ndarray, bad: float) -> np.ndarray:
    values = values.astype(np.float32)
    values.flat[1] = bad
    return values


class Case(NamedTuple):
    name: str
    line: str
    change: Change
    message: str


CASES = [
    # the spec
    Case("missing spec", "validate absent.yaml", nothing, "absent.yaml"),
    Case("spec is a folder", "validate .", nothing, "'?[.]'?"),
    Case("empty spec", VALIDATE, write("tiny.yaml", ""), "tiny.yaml"),
    Case("truncated spec", VALIDATE, cut("tiny.yaml", 0.7), "tiny.yaml"),
    Case("unknown op", VALIDATE, edit("conv2d", "conv2e"), "'conv2e'.*'conv2d'"),
    Case("unknown field", VALIDATE, edit("kernel:", "kernal:"), "'kernal'.*'kernel'"),
    Case("unknown node", VALIDATE, edit("from: conv1", "from: conv9"), "'relu1'.*'conv9'"),
    Case("cycle", VALIDATE, edit("from: image", "from: relu1"), "'conv1'.*cycle"),
    Case("same name", VALIDATE, edit("flatten: {", "conv1: {"), "'conv1'"),
    Case("shape mismatch", VALIDATE, edit("from: flatten", "from: relu1"), "'fc'.*2, 2, 2"),
    Case("threshold 0", SIMULATE, edit("threshold: 1.0", "threshold: 0"), "'relu1'.*threshold"),
    Case("threshold -1", SIMULATE, edit("threshold: 1.0", "threshold: -1"), "'relu1'.*threshold"),
    # its tensors
    Case("tensor of another shape", VALIDATE, tensor("fc.weight", X), "'fc'.*'fc.weight'"),
    Case("tensor type", VALIDATE, tensor("fc.bias", np.arange(3)), "'fc.bias'.*I64"),
    Case("nan weight", VALIDATE, tensor("fc.bias", poisoned(np.ones(3), np.nan)), "'fc.bias'"),
    Case("inf weight", VALIDATE, tensor("fc.bias", poisoned(np.ones(3), np.inf)), "'fc.bias'"),
    Case("tensor file cut", VALIDATE, cut("tiny.safetensors", 0.5), "tiny.safetensors"),
    Case("tensor path", VALIDATE, edit("tiny.safe", "../tiny.safe"), "'?../tiny.safetensors'?"),
    Case("missing tensors", VALIDATE, edit("tiny.safe", "lost.safe"), "lost.safetensors"),
    # the data
    Case("missing data", EVALUATE.replace("data.", "absent."), nothing, "absent.npz"),
    Case("truncated data", EVALUATE, cut("data.npz", 0.5), "data.npz"),
    Case("pickled data", EVALUATE, arrays(x=np.array([[None]])), "data.npz: 'x'.*pickle"),
    Case("image size", EVALUATE, arrays(x=np.zeros((6, 1, 3, 3))), r"'image' takes \[1, 2, 2\]"),
    Case("image size", SIMULATE, arrays(x=np.zeros((6, 1, 3, 3))), r"'image' takes \[1, 2, 2\]"),
    Case("image size", CONVERT, arrays(x=np.zeros((6, 1, 3, 3))), r"'image' takes \[1, 2, 2\]"),
    Case("nan image", EVALUATE, arrays(x=poisoned(X, np.nan)), "data.npz: image 0 holds a NaN"),
    Case("inf image", SIMULATE, arrays(x=poisoned(X, np.inf)), "data.npz: image 0 holds"),
    Case("label range", EVALUATE, arrays(x=X, y=Y + 1), "data.npz: sample 2 .* label 3"),
    Case("label range", SIMULATE, arrays(x=X, y=Y + 1), "data.npz: sample 2 .* label 3"),
    Case("negative label", SIMULATE, arrays(x=X, y=Y - 1), "data.npz: sample 0 has label -1"),
    Case("label count", SIMULATE, arrays(x=X, y=Y[:5]), r"data.npz: 'y' is \[5\]"),
    Case("label type", SIMULATE, arrays(x=X, y=Y / 2), "data.npz: 'y' is of type float64"),
    Case("empty selection", EVALUATE + " --offset 6", nothing, "data.npz: offset 6"),
    Case("limit 0", EVALUATE + " --limit 0", nothing, "'--limit'"),
    # the conversion
    Case("unknown recipe", CONVERT + " --recipe defalt", nothing, "'defalt'.*'default'"),
    Case("missing recipe file", CONVERT + " --recipe r.yaml", nothing, "r.yaml"),
    Case(
        "unknown pass",
        CONVERT + " --recipe r.yaml",
        write("r.yaml", "passes: [fold-batchnorm]"),
        "'fold-batchnorm'.*'fold-batch-norm'",
    ),
    Case("setting of no pass", CONVERT + " --set shifts.mode=x", nothing, "'shifts'"),
    Case("unknown setting", CONVERT + " --set init-potential.part=1", nothing, "'part'"),
    Case("bad setting", CONVERT + " --set init-potential.fraction=x", nothing, "'fraction'.*'x'"),
    Case("malformed setting", CONVERT + " --set fraction=1", nothing, "'--set'.*PASS.FIELD=VALUE"),
    Case(
        "no calibration data",
        CONVERT.replace("--data data.npz", ""),
        nothing,
        "calibration.*--data",
    ),
    Case("one image", CONVERT + " --limit 1", nothing, "single image"),
    Case("converted already", CONVERT.replace("tiny.", "tiny.snn."), nothing, "converted already"),
    # the simulation
    Case("not converted", SIMULATE.replace(".snn", ""), nothing, "thresher convert"),
    *(
        Case(f"steps {steps}", line.replace("--steps 4", f"--steps {steps}"), nothing, "'--steps'")
        for steps in ("0", "-1", "1.5")
        for line in (CONVERT, SIMULATE)
    ),
    *(
        Case(
            f"ticks {r}",
            f"{SIMULATE} --schedule async --ticks-per-step {r}",
            nothing,
            f"'--ticks.*{r}",
        )
        for r in ("0", "-4", "2.5")
    ),
    Case("delay -1", SIMULATE + " --delay -1", nothing, "'--delay'"),
    Case("threads 0", SIMULATE + " --threads 0", nothing, "'--threads'"),
    Case("refractory in lockstep", SIMULATE + " --refractory 1", nothing, "refractory"),
    Case("unknown schedule", SIMULATE + " --schedule synced", nothing, "'--schedule'.*'synced'"),
    Case("unknown encoder", SIMULATE + " --encoder poison", nothing, "'poison'.*'poisson'"),
    Case("unknown engine", SIMULATE + " --engine gpu", nothing, "'gpu'"),
    Case("unknown population", SIMULATE + " --record relu7", nothing, "'relu7'.*'relu1'"),
    Case("samples to record", SIMULATE + " --record-samples 3:2", nothing, "'--record-samples'"),
    Case("no trace", SIMULATE[: SIMULATE.index("--trace")] + "--record relu1", nothing, "--trace"),
    # the diagnosis
    Case("not converted", DIAGNOSE.replace(".snn", ""), nothing, "thresher convert"),
    Case("nan image", DIAGNOSE, arrays(x=poisoned(X, np.nan)), "data.npz: image 0 holds"),
    Case("label range", DIAGNOSE, arrays(x=X, y=Y + 1), "data.npz: sample 2 .* label 3"),
    Case("steps 0", DIAGNOSE.replace("--steps 4", "--steps 0"), nothing, "'--steps'"),
    Case("precision", DIAGNOSE + " --precision int", nothing, "'--precision'.*'int'.*float64"),
    Case("refractory in lockstep", DIAGNOSE + " --refractory 1", nothing, "refractory"),
    Case("leak", DIAGNOSE, edit("threshold: 1.0", "neuron: lif, tau: 3, threshold: 1"), "'lif'"),
    Case("suffix", DIAGNOSE.replace("out.csv", "out.xls"), nothing, "'--csv'.*'.xls'.*csv"),
    Case("suffix", DIAGNOSE.replace("out.json", "out.txt"), nothing, "'--json'.*'.txt'.*json"),
    Case("no folder", DIAGNOSE.replace("out.c", "absent/out.c"), nothing, "'--csv'.*'absent'"),
    # the outputs
    Case("no folder", CONVERT.replace("out", "absent/out"), nothing, "'--output'.*'absent'"),
    Case("under a file", CONVERT.replace("out", "data.npz/out"), nothing, "'--output'.*'data.npz'"),
    Case("no folder", SIMULATE.replace("out.j", "absent/out.j"), nothing, "'--metrics'.*'absent'"),
    Case(
        "under a file", SIMULATE.replace("out.n", "data.npz/o.n"), nothing, "'--trace'.*is a file"
    ),
    Case("demo under a file", "demo --output data.npz/demo", nothing, "'--output'.*'data.npz'"),
    Case("suffix", CONVERT.replace("out.yaml", "out.txt"), nothing, "'--output'.*'.txt'.*yaml"),
    Case("suffix", SIMULATE.replace("out.npz", "out.mat"), nothing, "'--trace'.*'.mat'.*csv"),
    Case("over the spec", CONVERT.replace("out.yaml", "tiny.yaml"), nothing, "'--output'.*what is"),
    Case("over the data", SIMULATE.replace("out.npz", "data.npz"), nothing, "'--trace'.*what is"),
    # the usage
    Case("unknown command", "simulat tiny.yaml", nothing, "no such command 'simulat'"),
    Case("unknown option", EVALUATE + " --ofset 1", nothing, "--ofset.*--offset"),
    Case("missing option", "evaluate tiny.yaml", nothing, "'--data'"),
    Case("missing argument", "validate", nothing, "'SPEC'"),
]


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [pytest.param(*case[1:], id=f"{case.line.split()[0]}-{case.name}") for case in CASES],
)
def test_bad_input_is_named_in_one_paragraph(
    folder: Path, thresher: Thresher, line: str, change: Change, message: str
) -> None:
    change(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = thresher(line)
    assert run.status == 2
    assert run.out == ""
    assert run.err.startswith("thresher: ") and run.err.count("\n") == 1
    assert "Traceback" not in run.err
    assert re.search(message, run.err), run.err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
