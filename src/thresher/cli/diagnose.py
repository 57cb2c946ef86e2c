"""`thresher diagnose`: which layer loses the accuracy, and why."""

import csv
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from thresher import datasets, ir
from thresher.cli import options
from thresher.cli.ann import check_samples
from thresher.cli.output import print_facts, print_table, short
from thresher.cli.paths import check_output, write_json
from thresher.cli.progress import progress
from thresher.cli.simulate import (
    Arrivals,
    Engine,
    ReadoutKind,
    Schedule,
    StartStep,
    Steps,
    Threads,
)
from thresher.diagnosis import CAUSES, Diagnosis, advice, verdict
from thresher.diagnosis import diagnose as run_diagnosis
from thresher.diagnosis.run import PRECISIONS
from thresher.files import replacing

Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        parser=options.one_of(list(PRECISIONS)),
        help="Of the potentials.",
    ),
]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="F.csv", help="Write one row a layer.")]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="F.json", help="Write all figures and the verdict as JSON."),
]


def diagnose(
    spec: options.Spec,
    data: options.Data,
    limit: options.Limit = None,
    offset: options.Offset = 0,
    schedule: Schedule = "lockstep",
    steps: Steps = None,
    ticks_per_step: options.TicksPerStep = None,
    delay: options.Delay = None,
    refractory: options.Refractory = None,
    arrivals: Arrivals = None,
    settle: options.Settle = False,
    settle_limit: options.SettleLimit = None,
    readout: ReadoutKind = None,
    t_start: StartStep = None,
    precision: Precision = "float32",
    engine: Engine = "auto",
    threads: Threads = None,
    csv_file: Csv = None,
    json_file: Json = None,
) -> None:
    """Tell which layer of a converted network loses accuracy, and by what."""
    keep = [spec, Path(data)]
    check_output(csv_file, "--csv", [".csv"], keep)
    check_output(json_file, "--json", [".json"], keep)
    graph = ir.load(spec)
    samples = datasets.stream(data, offset=offset, limit=limit, shape=graph.inputs[0].shape)
    check_samples(graph, samples)
    with progress(f"diagnosing, {schedule}", len(samples)) as report:
        found = run_diagnosis(
            graph,
            samples.x,
            samples.y,
            steps=steps,
            schedule=schedule,
            ticks_per_step=ticks_per_step,
            delay=delay,
            refractory=refractory,
            arrivals=arrivals,
            settle=settle,
            settle_limit=settle_limit,
            readout=readout,
            t_start=t_start,
            precision=precision,
            engine=engine,
            threads=threads,
            progress=report,
        )
    try:  # whichever of files and output fails, the other is not lost
        if csv_file is not None:
            _write_csv(csv_file, found)
        if json_file is not None:
            write_json(json_file, _measures(found, spec))
    finally:
        _print(graph.name, found)
    for path in (csv_file, json_file):
        if path is not None:
            print(f"wrote {path}")


def _print(name: str, found: Diagnosis) -> None:
    print(f"{name}: {_conditions(found)}")
    print()
    _print_errors(found)
    print()
    _print_activity(found)
    print()
    for sentence in verdict(found):
        print(sentence)
    print()
    print_facts([(layer.name, advice(found, layer)) for layer in found.layers])


def _conditions(found: Diagnosis) -> str:
    settings = found.settings
    parts = [settings.schedule, f"T = {settings.steps}"]
    if settings.schedule == "async":
        parts.append(f"{settings.ticks_per_step} ticks a step")
        parts.append(f"refractory {settings.refractory}")
    if settings.delay:
        parts.append(f"delay {settings.delay}")
    if settings.settle_limit:
        parts.append("settled")
    return ", ".join([*parts, f"{found.samples} samples"])


def _print_errors(found: Diagnosis) -> None:
    print("Error of each layer in % of its mean activation: RMS, and the mean (bias)")
    columns = ("error", "bias", *CAUSES, "cosine", "logits off", "agree %")
    rows = []
    for layer in found.layers:
        mean = layer.mean_activation
        rows.append(
            [
                layer.name,
                f"{mean:.3g}",
                _part(layer.error.rms, mean),
                _part(layer.error.bias, mean),
                *(_part(layer.moments(cause).rms, mean) for cause in CAUSES),
                f"{layer.cosine:.3f}",
                f"{layer.output_error:.3g}",
                _share(layer.agreement),
            ]
        )
    print_table(("layer", "activation", *columns), rows, numbers=("activation", *columns))


def _print_activity(found: Diagnosis) -> None:
    print("Activity by image; |staircase - line| beside its mean for evenly spread inputs")
    columns = (
        "threshold",
        "rate",
        "spikes",
        "SOPs",
        "clipped %",
        "full %",
        "dead %",
        "spurious %",
        "|h - z|",
        "even",
    )
    rows = [
        [
            layer.name,
            f"{layer.threshold:.3g}" if layer.threshold is not None else "-",
            f"{layer.mean_rate:.4f}",
            short(layer.spikes),
            short(layer.synaptic_operations),
            *map(_share, (layer.clipped, layer.saturated, layer.dead, layer.spurious)),
            *(
                "-" if error is None else f"{error:.3g}"
                for error in (layer.staircase_error, layer.uniform_error)
            ),
        ]
        for layer in found.layers
        if layer.neuron != "readout"
    ]
    print_table(("layer", *columns), rows, numbers=columns)


def _part(value: float, mean: float) -> str:
    return f"{100 * value / mean:.1f}" if mean else "-"


def _share(share: float) -> str:
    return f"{100 * share:.1f}"


def _measures(found: Diagnosis, spec: Path) -> dict[str, object]:
    advised = {layer.name: advice(found, layer) for layer in found.layers}
    return found.metrics() | {
        "verdict": verdict(found),
        "advice": advised,
        "spec_sha256": hashlib.sha256(spec.read_bytes()).hexdigest(),
    }


def _write_csv(path: Path, found: Diagnosis) -> None:
    rows = found.rows()
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
