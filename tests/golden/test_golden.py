"""Golden cases: a spec, a pass, and the spec that it must give, as text that one can check by hand.

`PASS/CASE.in.yaml` begins with the command, in lines that start with `#|`: `pass`, and where it is
needed `steps` and `calibration`. `PASS/CASE.out.yaml` is the graph as it is saved, with the values
of its tensors and the pass's notes as comments. `pytest tests/golden --update-golden` rewrites it.
"""

from pathlib import Path

import numpy as np
import pytest

from thresher.conversion import EngineSimulator
from thresher.converters import PASSES, Context, Pass
from thresher.ir import Graph
from thresher.ir.spec import load
from thresher.ir.spec_writer import spec_text
from thresher.ir.yaml_reader import parse_yaml

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*/*.in.yaml"))


def command(case: Path) -> tuple[Pass, Context]:
    """Read the pass and its context from a case's first lines."""
    lines = case.read_text("utf-8").splitlines()
    text = "\n".join(line[2:] for line in lines if line.startswith("#|"))
    given = parse_yaml(text, str(case)).plain()
    named = given["pass"]
    fields = {} if isinstance(named, str) else named[case.parent.name]
    calibration = given.get("calibration")
    images = None if calibration is None else np.array(calibration, np.float32)
    return PASSES.get(case.parent.name)(**fields), Context(
        images, steps=given.get("steps"), simulator=EngineSimulator(threads=1)
    )


def written(graph: Graph, context: Context) -> str:
    """Write a graph, its tensors and the notes about its nodes."""
    lines = [
        f"# {name} ({values.dtype}): {values.tolist()}" for name, values in graph.tensors.items()
    ]
    notes = [f"# {note.node} -> {note.became}: {note.why}" for note in context.notes]
    return spec_text(graph, None).decode() + "\n".join([*lines, *notes, ""])


@pytest.mark.parametrize(
    "case", CASES, ids=[str(case.relative_to(FOLDER)).removesuffix(".in.yaml") for case in CASES]
)
def test_the_pass_gives_the_golden_graph(case: Path, request: pytest.FixtureRequest) -> None:
    step, context = command(case)
    expected = case.with_name(case.name.replace(".in.", ".out."))

    text = written(step.apply(load(case), context), context)

    if request.config.getoption("--update-golden", default=False):
        expected.write_text(text, "utf-8")
    assert text == expected.read_text("utf-8")


def test_every_pass_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(PASSES)
