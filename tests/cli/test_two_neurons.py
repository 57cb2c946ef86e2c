"""specs/two_neurons.yaml from the command line: what its README tells one to run."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tiny_network import Thresher

from thresher import load, simulate

SPEC = Path(__file__).parents[2] / "specs" / "two_neurons.yaml"
CURRENTS = np.array([[4.0], [10.0]], np.float32)
LINE = f"simulate {SPEC} --data currents.npz --steps 300"


@pytest.fixture
def currents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.savez("currents.npz", x=CURRENTS)
    return tmp_path


def papers_program(current: float, milliseconds: int) -> list[int]:
    """Run the loop of Izhikevich's 2003 program, regular spiking: the ms of its spikes."""
    v, u, spikes = -65.0, -65.0 * 0.2, []
    for t in range(1, milliseconds + 1):
        for _ in range(2):
            v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u = u + 0.02 * (0.2 * v - u)
        if v >= 30:
            spikes.append(t)
            v, u = -65.0, u + 8
    return spikes


def test_the_driven_neuron_fires_as_the_papers_program_and_the_other_follows(
    currents: Path, thresher: Thresher
) -> None:
    run = thresher(f"{LINE} --trace spikes.csv")
    assert run.status == 0, run.err
    lines = (currents / "spikes.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    for sample, current in enumerate(CURRENTS[:, 0].tolist()):
        trains = {"regular": [], "fast": []}
        for row in rows:
            if int(row["sample"]) == sample:
                trains[row["population"]].append(int(row["tick"]))
        assert trains["regular"] == papers_program(current, 300)
        late = np.subtract(trains["fast"], trains["regular"])  # one for one, 2 ms of them delay
        assert ((late > 2) & (late < 8)).all()


def test_a_spike_of_the_first_lifts_the_second_by_its_psp_two_milliseconds_later() -> None:
    graph = load(SPEC)
    options = {"steps": 10, "precision": "float64", "record": "spikes", "membranes": {"fast": [0]}}
    with_spike = simulate(graph, CURRENTS[1:], **options)
    without = simulate(graph, 0 * CURRENTS[1:], **options)
    (spike,) = with_spike.trace.spike_train("regular", 0)
    difference = with_spike.trace.membranes["fast"] - without.trace.membranes["fast"]
    lifted = np.flatnonzero(difference[0, :, 0])[0] + 1
    assert lifted == spike + 2
    assert abs(difference[0, lifted - 1, 0] - 25) < 1e-9


def test_the_compiled_engine_is_refused_in_one_line(currents: Path, thresher: Thresher) -> None:
    run = thresher(f"{LINE} --engine cython")
    assert run.status == 2
    assert "--engine reference" in run.err
    assert "Traceback" not in run.err


def test_a_parameter_out_of_range_is_answered_with_its_line(
    currents: Path, thresher: Thresher
) -> None:
    (currents / "bad.yaml").write_text(SPEC.read_text().replace("c: -65, d: 8", "c: 65, d: 8"))
    run = thresher("simulate bad.yaml --data currents.npz --steps 300")
    assert run.status == 2
    assert "bad.yaml:13: node 'regular': neuron 'izhikevich': parameter 'c'" in run.err
    assert "is 65; expected a finite number" in run.err
