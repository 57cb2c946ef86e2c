"""`thresher simulate`: an SNN, spike by spike."""

from pathlib import Path
from typing import Annotated

import typer

from thresher import datasets, ir, sim
from thresher.cli import options
from thresher.cli.ann import check_samples
from thresher.cli.comparison import measures_of, simulate_beside_ann
from thresher.cli.paths import check_output, write_json
from thresher.cli.summary import print_result
from thresher.sim.options import ARRIVALS, PRECISIONS, SCHEDULES
from thresher.sim.trace_formats import trace_suffixes

READOUTS = ("membrane", "spikes")


Schedule = Annotated[
    str,
    typer.Option(
        "--schedule",
        metavar="|".join(SCHEDULES),
        parser=options.one_of(SCHEDULES),
        help="Every neuron once a step; spike by spike without a barrier; layer by layer.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="T",
        parser=options.whole(1),
        help="Time steps; by default those that the network was converted for.",
    ),
]
Arrivals = Annotated[
    str | None,
    typer.Option(
        "--arrivals",
        metavar="|".join(ARRIVALS),
        parser=options.one_of(ARRIVALS),
        help="Compare with the threshold after each spike, or after all of a tick (async).",
    ),
]
ReadoutKind = Annotated[
    str | None,
    typer.Option(
        "--readout",
        metavar="|".join(READOUTS),
        parser=options.one_of(READOUTS),
        help="What decides; by default as the spec says.",
    ),
]
StartStep = Annotated[
    int | None,
    typer.Option(
        "--t-start",
        metavar="STEP",
        parser=options.whole(0),
        help="Decide by what comes after this step.",
    ),
]
Encoder = Annotated[
    str,
    typer.Option(
        "--encoder", metavar="|".join(sim.ENCODERS), help="How images or events become input."
    ),
]
StepMs = Annotated[
    float | None,
    typer.Option(
        "--step-ms",
        metavar="MS",
        help="How long a step is of recorded events (encoder events); by default 1 ms.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        parser=options.one_of(PRECISIONS),
        help="Of the potentials.",
    ),
]
Engine = Annotated[
    str, typer.Option("--engine", metavar="|".join(["auto", *sim.ENGINES]), help="What computes.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        parser=options.whole(1),
        help="Samples run side by side; by default one a processor.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="S", parser=options.whole(0), help="Of random encoders.")
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="NODES", help="Trace these (A,B,...); by default all."),
]
RecordSamples = Annotated[
    str | None,
    typer.Option(
        "--record-samples", metavar="A:B", help="Trace samples A..B - 1 of the selection."
    ),
]
TracePath = Annotated[
    Path | None,
    typer.Option("--trace", metavar="F", help=f"Write the spikes: {', '.join(trace_suffixes())}."),
]


def simulate(
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
    encoder: Encoder = "constant",
    precision: Precision = "float32",
    engine: Engine = "auto",
    threads: Threads = None,
    step_ms: StepMs = None,
    seed: Seed = 0,
    record: Record = None,
    record_samples: RecordSamples = None,
    metrics: options.Metrics = None,
    trace: TracePath = None,
) -> None:
    """Simulate a converted network and compare it with the ANN that it came from."""
    window = _parse_window(record_samples)
    if trace is None and (record, record_samples) != (None, None):
        option = "'--record'" if record is not None else "'--record-samples'"
        raise typer.BadParameter("there is no trace to record; add --trace F", param_hint=option)
    keep = [spec, Path(data)]
    check_output(metrics, "--metrics", [".json"], keep)
    check_output(trace, "--trace", trace_suffixes(), keep)
    graph = ir.load(spec)
    samples = datasets.stream(data, offset=offset, limit=limit, shape=graph.inputs[0].shape)
    check_samples(graph, samples)
    result = simulate_beside_ann(
        graph,
        samples,
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
        encoder=encoder,
        precision=precision,
        engine=engine,
        threads=threads,
        step_ms=step_ms,
        seed=seed,
        offset=offset,
        record=None if record is None else [name.strip() for name in record.split(",")],
        record_samples=window,
        trace=trace,
    )
    measures = measures_of(result, spec)
    try:  # whichever of file and output fails, the other is not lost
        if metrics is not None:
            write_json(metrics, measures)
    finally:
        print_result(graph.name, measures)
    for path in (metrics, trace):
        if path is not None:
            print(f"wrote {path}")


def _parse_window(text: str | None) -> tuple[int, int] | None:
    """Read A:B, both counted from 0 in the selected samples, B not included."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon or not first.isdecimal() or not last.isdecimal() or int(first) >= int(last):
        raise typer.BadParameter(
            f"'{text}'; expected A:B with whole numbers 0 <= A < B", param_hint="'--record-samples'"
        )
    return int(first), int(last)
