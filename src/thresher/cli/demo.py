"""`thresher demo`: from a trained network to spikes, with what comes along in the package."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thresher import conversion, datasets, digits, ir, sim
from thresher.cli.comparison import Measures, measures_of, simulate_beside_ann
from thresher.cli.convert import print_account
from thresher.cli.output import count, percent, print_table
from thresher.cli.paths import check_new_folder, write_json
from thresher.cli.summary import latency

STEPS = 16
SCHEDULES = {"lockstep": None, "async": 16}
"""Ticks a step, by schedule."""
TRACED = 10
"""Samples whose spikes are written: enough to plot, few enough to keep."""
UNCOMPILED = 2
"""Samples that the reference engine gets through in seconds."""


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files go.")
    ] = Path("thresher-demo"),
) -> None:
    """Convert a small network for handwritten digits and simulate it; nothing is downloaded."""
    check_new_folder(output, "--output")
    ann = ir.load(digits.cnn_spec())
    training = datasets.load("digits", part="train")
    compiled, reason = sim.compiled_available()
    if not compiled:
        print(f"the kernels are not compiled ({reason}): {UNCOMPILED} images only, slowly")
    test = datasets.load("digits", limit=None if compiled else UNCOMPILED)
    print(f"'{ann.name}' for {len(test)} images of handwritten digits becomes spiking:")
    snn = conversion.convert(ann, "default", calibration=training.x[:], steps=STEPS)
    print_account(snn)
    print()
    runs = {
        schedule: simulate_beside_ann(
            snn,
            test,
            steps=STEPS,
            schedule=schedule,
            ticks_per_step=ticks,
            record="spikes",
            record_samples=(0, min(TRACED, len(test))),
        )
        for schedule, ticks in SCHEDULES.items()
    }
    _print_side_by_side({schedule: result.metrics() for schedule, result in runs.items()})
    print()
    spec = _write(output, snn, runs)
    _print_next(spec)


def _write(output: Path, snn: ir.Graph, runs: dict[str, sim.Result]) -> Path:
    """Write the spec, each run's measures and its trace; return the spec's path."""
    output.mkdir(parents=True, exist_ok=True)
    spec = output / "digits.snn.yaml"
    ir.save(snn, spec)
    written = [spec]
    for schedule, result in runs.items():
        metrics, trace = output / f"{schedule}.json", output / f"{schedule}.npz"
        write_json(metrics, measures_of(result, spec))
        result.trace.save(trace)
        written += [metrics, trace]
    print(f"wrote {', '.join(str(path) for path in written)}")
    return spec


def _print_side_by_side(runs: dict[str, Measures]) -> None:
    measures = list(runs.values())
    first = measures[0]
    rows = [
        ["accuracy", percent(first["ann_accuracy"]), *(percent(m["accuracy"]) for m in measures)],
        ["agreement with the ANN", "", *(percent(m["ann_agreement"]) for m in measures)],
        ["spikes an image", "", *(count(m["spikes_per_sample"]) for m in measures)],
        [
            "operations an image",
            f"{count(first['dense_macs_per_sample'])} MACs",
            *(f"{count(m['synaptic_operations_per_sample'])} synaptic" for m in measures),
        ],
        ["latency in steps", "", *(latency(m) for m in measures)],
        ["images a second", "", *(count(m["images_per_second"]) for m in measures)],
    ]
    columns = ["ANN", *(f"SNN, {schedule}, T = {STEPS}" for schedule in runs)]
    print_table(["", *columns], rows, numbers=columns)


def _print_next(spec: Path) -> None:
    print("try next:")
    path = shlex.quote(str(spec))
    for command in (
        f"inspect {path}",
        f"diagnose {path} --data digits --limit 100",
        f"simulate {path} --data digits --limit 100 --schedule layered",
    ):
        print(f"  thresher {command}")
