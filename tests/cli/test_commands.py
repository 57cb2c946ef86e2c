"""What each command prints and writes on the tiny network, whose numbers are worked out by hand."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_network import SPEC, SPIKING, TENSORS, Thresher, X, Y

from thresher import ir
from thresher.ir import Synapses

METRICS = (
    "format", "schedule", "steps", "ticks_per_step", "refractory", "delay", "samples", "engine",
    "precision", "accuracy", "ann_accuracy", "ann_agreement", "accuracy_by_step", "predictions",
    "spikes_per_sample", "spikes_by_population", "mean_rate_by_population",
    "synaptic_operations_per_sample", "dense_macs_per_sample", "input_macs_per_sample",
    "latency_steps", "events", "peak_queue", "wall_seconds", "images_per_second", "spec_sha256",
    "thresher_version",
)  # fmt: skip
SIMULATE = "simulate tiny.snn.yaml --data data.npz --steps 4"


def test_validate_says_what_an_ann_is(folder: Path, thresher: Thresher) -> None:
    run = thresher("validate tiny.yaml")
    assert run.status == 0
    assert run.out == (
        "tiny.yaml: fine: 'tiny' is an ANN (not converted), 4 nodes, 31 parameters, "
        "[1, 2, 2] -> [3]\n"
    )
    assert run.err == ""


def test_validate_knows_a_converted_network(folder: Path, thresher: Thresher) -> None:
    assert "'tiny' is a converted SNN, 4 nodes" in thresher("validate tiny.snn.yaml").out


def test_validate_names_activations_that_have_no_threshold(
    folder: Path, thresher: Thresher
) -> None:
    text = SPEC.replace("relu1: {op: relu, from: conv1}", SPIKING)
    text = text.replace("  flatten: {", "  relu2: {op: relu, from: relu1}\n  flatten: {")
    (folder / "part.yaml").write_text(text)
    run = thresher("validate part.yaml")
    assert "is a partly converted SNN (no threshold at 'relu2')" in run.out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{threshold", "{neuron: gif, threshold", "node 'relu1': unknown neuron 'gif'"),
        ("features: 3", "features: 3, delay: 2000000000", "delay 2,000,000,000 is longer than"),
        (
            "flatten: {op: flatten, from: relu1}",
            "pool: {op: max_pool2d, from: conv1, kernel: 1}\n  flatten: {op: flatten, from: pool}",
            r"node 'pool' \(max_pool2d\) does not read the activations of populations",
        ),
    ],
)
def test_validate_refuses_a_converted_network_that_cannot_run(
    folder: Path, thresher: Thresher, old: str, new: str, message: str
) -> None:
    text = (folder / "tiny.snn.yaml").read_text()
    (folder / "tiny.snn.yaml").write_text(text.replace(old, new))
    run = thresher("validate tiny.snn.yaml")
    assert (run.status, run.out) == (2, "")
    assert re.search(message, run.err)


def test_inspect_lists_every_node_and_the_totals(folder: Path, thresher: Thresher) -> None:
    run = thresher("inspect tiny.snn.yaml")
    rows = [line.split() for line in run.out.splitlines()]
    assert ["conv1", "conv2d", "image", "[2,2,2]", "4", "8"] in rows
    assert ["relu1", "relu", "conv1", "[2,2,2]", "0", "0", "1"] in rows
    assert ["fc", "linear", "flatten", "[3]", "27", "24"] in rows
    assert ["total", "31", "32"] in rows


def test_inspect_says_which_layers_have_synapses_of_their_own(
    folder: Path, thresher: Thresher
) -> None:
    assert "synapses" not in thresher("inspect tiny.snn.yaml").out
    graph = ir.load("tiny.snn.yaml")
    own = Synapses(**graph["fc"].op.tensors)
    ir.save(graph.replace("fc", synapses=own), "own.snn.yaml")
    shown = thresher("inspect own.snn.yaml").out.splitlines()
    assert [line.split()[0] for line in shown if line.rstrip().endswith("its own")] == ["fc"]


def test_tables_are_not_cut_in_a_pipe(folder: Path, thresher: Thresher) -> None:
    name = "relu_" + "x" * 200
    (folder / "long.yaml").write_text(SPEC.replace("relu1", name))
    lines = thresher("inspect long.yaml").out.splitlines()
    assert [line.split()[0] for line in lines if name in line] == [name, "flatten"]


def test_evaluate_writes_accuracy_and_predictions(folder: Path, thresher: Thresher) -> None:
    run = thresher("evaluate tiny.yaml --data data.npz --metrics out.json")
    assert run.status == 0 and run.err == ""
    assert "83.33 %" in run.out
    assert json.loads((folder / "out.json").read_text()) == {
        "accuracy": 5 / 6,
        "predictions": [0, 1, 2, 0, 1, 2],
        "samples": 6,
        "dense_macs_per_sample": 32,
    }


def test_evaluate_takes_offset_and_limit(folder: Path, thresher: Thresher) -> None:
    thresher("evaluate tiny.yaml --data data.npz --offset 4 --limit 1 --metrics out.json")
    assert json.loads((folder / "out.json").read_text())["predictions"] == [1]


def test_evaluate_does_without_labels(folder: Path, thresher: Thresher) -> None:
    np.savez(folder / "data.npz", x=X)
    thresher("evaluate tiny.yaml --data data.npz --metrics out.json")
    assert json.loads((folder / "out.json").read_text())["accuracy"] is None


def test_convert_accounts_for_every_node_and_writes_the_snn(
    folder: Path, thresher: Thresher
) -> None:
    run = thresher("convert tiny.yaml --data data.npz --steps 4 -o out.snn.yaml")
    assert run.status == 0 and run.err == ""
    rows = {line.split()[0]: line for line in run.out.splitlines() if line.strip()}
    for node in ("conv1", "relu1", "flatten", "fc"):
        assert node in rows
    snn = ir.load("out.snn.yaml")
    assert snn["relu1"].spiking is not None
    assert (folder / "out.snn.safetensors").exists()


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("default", ""),
        ("exact", "--settle"),
        ("int8", "--precision int"),
        ("stoeckl2021-fs", "--schedule layered"),
    ],
)
def test_convert_says_a_command_that_works_next(
    folder: Path, thresher: Thresher, recipe: str, options: str
) -> None:
    run = thresher(f"convert tiny.yaml --recipe {recipe} --data data.npz --steps 4 -o out.yaml")
    (line,) = [line for line in run.out.splitlines() if line.startswith("next: thresher ")]
    command = line.removeprefix("next: thresher ")
    assert command.partition("--steps 4")[2].strip() == options
    assert thresher(command).status == 0


def test_set_reaches_the_pass(folder: Path, thresher: Thresher) -> None:
    line = "convert tiny.yaml --data data.npz --steps 4 -o out.yaml --recipe deng2021"
    thresher(f"{line} --set balance-thresholds.statistic=percentile")
    thresher(f"{line.replace('deng2021', 'plain')} --set init-potential.fraction=0.25")
    spiking = ir.load("out.yaml")["relu1"].spiking
    assert spiking is not None
    assert isinstance(spiking.threshold, float)
    assert spiking.v_init == spiking.threshold / 4


def test_convert_does_not_overwrite_the_tensors_of_another_spec(
    folder: Path, thresher: Thresher
) -> None:
    before = (folder / "tiny.safetensors").read_bytes()
    run = thresher("convert tiny.yaml --data data.npz --steps 4 -o tiny.yml")
    assert run.status == 2
    assert "'tiny.safetensors'" in run.err
    assert (folder / "tiny.safetensors").read_bytes() == before


def test_simulate_writes_every_measure(folder: Path, thresher: Thresher) -> None:
    run = thresher(f"{SIMULATE} --metrics out.json")
    assert run.status == 0 and run.err == ""
    found = json.loads((folder / "out.json").read_text())
    assert set(METRICS) <= set(found)
    # N = floor(4 z + 1/2): 3 spikes for the bright pixel, 1 for the others, on two channels
    assert found["spikes_by_population"] == {"relu1": 12.0}
    assert found["synaptic_operations_per_sample"] == 36.0
    assert found["predictions"] == [0, 1, 2, 0, 1, 2]
    assert found["accuracy"] == found["ann_accuracy"] == 5 / 6
    assert found["ann_agreement"] == 1.0
    assert found["wall_seconds"] > 0
    assert found["images_per_second"] == pytest.approx(6 / found["wall_seconds"])


def test_agreement_with_the_ann_needs_no_labels(folder: Path, thresher: Thresher) -> None:
    np.savez(folder / "data.npz", x=X)
    assert thresher(f"{SIMULATE} --metrics out.json").status == 0
    found = json.loads((folder / "out.json").read_text())
    assert (found["accuracy"], found["ann_accuracy"], found["ann_agreement"]) == (None, None, 1.0)


def test_spec_hash_is_that_of_the_file(folder: Path, thresher: Thresher) -> None:
    (folder / "tiny.snn.yaml").write_bytes(b"# abc\n" + (folder / "tiny.snn.yaml").read_bytes())
    thresher(f"{SIMULATE} --metrics out.json")
    expected = hashlib.sha256((folder / "tiny.snn.yaml").read_bytes()).hexdigest()
    assert json.loads((folder / "out.json").read_text())["spec_sha256"] == expected


def test_trace_holds_every_spike_by_default(folder: Path, thresher: Thresher) -> None:
    thresher(f"{SIMULATE} --trace out.npz")
    with np.load("out.npz", allow_pickle=False) as trace:
        assert trace["populations"].tolist() == ["relu1"]
        counts = np.zeros((6, 8), int)
        np.add.at(counts, (trace["sample"], trace["neuron"]), 1)
    expected = np.floor(4 * X.reshape(6, 4) + 0.5)
    np.testing.assert_array_equal(counts, np.concatenate([expected, expected], axis=1))


def test_trace_can_be_narrowed_to_nodes_and_samples(folder: Path, thresher: Thresher) -> None:
    thresher(f"{SIMULATE} --trace out.csv --record relu1 --record-samples 2:4")
    lines = (folder / "out.csv").read_text().splitlines()
    samples = [int(line.split(",")[0]) for line in lines if line[0].isdigit()]
    assert samples == [2] * 12 + [3] * 12


@pytest.mark.parametrize("schedule", ["lockstep", "async", "layered"])
def test_every_schedule_runs(folder: Path, thresher: Thresher, schedule: str) -> None:
    thresher(f"{SIMULATE} --schedule {schedule} --metrics out.json")
    assert json.loads((folder / "out.json").read_text())["schedule"] == schedule


def test_asynchronous_options_are_passed_on(folder: Path, thresher: Thresher) -> None:
    options = "--schedule async --ticks-per-step 8 --delay 2 --refractory 3 --arrivals netted"
    run = thresher(f"{SIMULATE} {options} --threads 1 --metrics out.json")
    assert run.status == 0
    found = json.loads((folder / "out.json").read_text())
    assert [found[key] for key in ("ticks_per_step", "delay", "refractory")] == [8, 2, 3]


def test_settling_is_passed_on_and_said(folder: Path, thresher: Thresher) -> None:
    run = thresher(f"{SIMULATE} --settle --settle-limit 50 --metrics out.json")
    assert "settled after steps" in run.out
    assert json.loads((folder / "out.json").read_text())["settle_limit"] == 50


def test_poisson_input_repeats_with_the_same_seed(folder: Path, thresher: Thresher) -> None:
    spec = folder / "tiny.snn.yaml"
    spec.write_text(spec.read_text().replace("[1, 2, 2]}", "[1, 2, 2], threshold: 1.0}"))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        thresher(f"{SIMULATE} --encoder poisson --seed {seed} --trace {name}.csv")
    first, second, third = ((folder / f"{name}.csv").read_text() for name in "abc")
    assert first == second
    assert first != third


def test_schema_prints_json(thresher: Thresher) -> None:
    assert json.loads(thresher("schema").out) == ir.schema()


def test_info_names_what_is_registered(thresher: Thresher) -> None:
    out = thresher("info").out
    for word in ("thresher", "numpy", "kernels", "clipped_relu", "poisson", "init-potential"):
        assert word in out
    assert "deng2021" in out


def test_images_that_look_preprocessed_give_a_note(folder: Path, thresher: Thresher) -> None:
    text = SPEC.replace("[1, 2, 2]}", "[1, 2, 2], preprocess: {divide: 255}}")
    (folder / "tiny.yaml").write_text(text)
    save_file(TENSORS, folder / "tiny.safetensors")
    np.savez(folder / "data.npz", x=X, y=Y)
    run = thresher("evaluate tiny.yaml --data data.npz")
    assert run.status == 0
    assert run.err.startswith("thresher: note: the images' values lie in [0.25, 0.75]")
    assert run.err.count("\n") == 1
