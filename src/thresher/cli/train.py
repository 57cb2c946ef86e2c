"""`thresher train`: a network trained or fine-tuned for its conversion."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from thresher import datasets, ir, training
from thresher.cli import options
from thresher.cli.ann import check_samples
from thresher.cli.convert import check_tensors
from thresher.cli.output import percent, print_table, short
from thresher.cli.paths import check_output
from thresher.cli.progress import StoppedError, progress_of, times
from thresher.datasets import Samples
from thresher.errors import DataError
from thresher.training import ACTIVATIONS, LEVELS, SLOPE, Epoch, TrainingProgress, TrainingSettings

Labelled = tuple[NDArray[Any], NDArray[np.int64]]
"""Raw images (N, *shape) and their classes (N,)."""

DEFAULT = TrainingSettings()

Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUT.yaml", help="The ANN's spec; tensors beside it."),
]
Activation = Annotated[
    str,
    typer.Option(
        "--activation",
        metavar="|".join(ACTIVATIONS),
        parser=options.one_of(ACTIVATIONS),
        help="What activations become: threshold ReLUs, QCFS or SlipReLUs, whose ceilings are "
        "learnt, or plain ReLUs.",
    ),
]
Epochs = Annotated[
    int,
    typer.Option("--epochs", metavar="N", parser=options.whole(1), help="Passes over the images."),
]
LearningRate = Annotated[
    float, typer.Option("--lr", metavar="RATE", help="At the start; it falls to 0 along a cosine.")
]
Batch = Annotated[
    int, typer.Option("--batch", metavar="N", parser=options.whole(2), help="Images of a step.")
]
WeightDecay = Annotated[
    float, typer.Option("--weight-decay", metavar="X", help="On weights and ceilings.")
]
LabelSmoothing = Annotated[
    float, typer.Option("--label-smoothing", metavar="X", help="Share spread over all classes.")
]
Levels = Annotated[
    int | None,
    typer.Option(
        "--levels",
        metavar="L",
        parser=options.whole(1),
        help=f"Of qcfs and slip_relu; by default those that a node has, or {LEVELS}.",
    ),
]
Slope = Annotated[
    float | None,
    typer.Option(
        "--slope",
        metavar="A",
        help="Of slip_relu, the threshold ReLU's weight in it; by default that which a node has, "
        f"or {SLOPE:g}.",
    ),
]
ReplaceMaxPool = Annotated[
    bool, typer.Option("--replace-max-pool", help="Put average pools in the place of max pools.")
]
Percentile = Annotated[
    float,
    typer.Option(
        "--percentile",
        metavar="P",
        help="Where a node has no ceiling, its first is this percentile of its nonzero values.",
    ),
]
Crop = Annotated[
    int | None,
    typer.Option(
        "--crop",
        metavar="PIXELS",
        parser=options.whole(0),
        help="Shift images at random by up to so many; by default 4 for images of three channels, "
        "0 for others.",
    ),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Mirror images at random; by default those of three channels.",
        show_default=False,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="S", parser=options.whole(0), help="Of every random draw.")
]
Validate = Annotated[
    str | None,
    typer.Option(
        "--validate",
        metavar="D2",
        help="Images whose accuracy is measured after each epoch; nothing is chosen by it.",
    ),
]
HoldOut = Annotated[
    int | None,
    typer.Option(
        "--hold-out",
        metavar="N",
        parser=options.whole(1),
        help="Validate on N images, drawn at random from D and not trained on.",
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="F.safetensors",
        help="Written after each epoch; where it is there, the run goes on from it.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", parser=options.whole(1), help="Of PyTorch."),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="Where PyTorch computes, such as cuda."),
]


def train(
    spec: options.Spec,
    data: options.Data,
    output: Output,
    activation: Activation = DEFAULT.activation,
    epochs: Epochs = DEFAULT.epochs,
    lr: LearningRate = DEFAULT.learning_rate,
    batch: Batch = DEFAULT.batch,
    weight_decay: WeightDecay = DEFAULT.weight_decay,
    label_smoothing: LabelSmoothing = DEFAULT.label_smoothing,
    levels: Levels = None,
    slope: Slope = None,
    replace_max_pool: ReplaceMaxPool = False,
    percentile: Percentile = DEFAULT.percent,
    crop: Crop = None,
    flip: Flip = None,
    seed: Seed = DEFAULT.seed,
    limit: options.Limit = None,
    offset: options.Offset = 0,
    validate: Validate = None,
    hold_out: HoldOut = None,
    checkpoint: CheckpointFile = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Train an ANN with PyTorch, from its weights on, and write its spec; then convert it."""
    settings = TrainingSettings(
        activation=activation,
        epochs=epochs,
        learning_rate=lr,
        batch=batch,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        levels=levels,
        slope=slope,
        replace_max_pool=replace_max_pool,
        percent=percentile,
        crop=crop,
        flip=flip,
        seed=seed,
    )
    check_output(output, "--output", [".yaml", ".yml"], keep=[spec])
    check_tensors(output)
    _check_checkpoint(checkpoint, output)
    if validate is not None and hold_out is not None:
        raise typer.BadParameter("expected --validate or --hold-out, not both")
    graph = ir.load(spec)
    shape = graph.inputs[0].shape
    samples = datasets.load(data, part="train", offset=offset, limit=limit, shape=shape)
    images = _labelled(graph, samples)
    held_out = None
    if validate is not None:
        held_out = _labelled(graph, datasets.load(validate, shape=shape))
    if hold_out is not None:
        images, held_out = _split(images, hold_out, seed)
    result = _train(graph, images, held_out, settings, checkpoint, threads, device)
    ir.save(result.graph, output)
    _print_epochs(result.epochs)
    print(f"wrote {output} and {output.with_suffix('.safetensors').name}")
    snn = output.with_suffix(".snn.yaml")
    print(
        f"next: thresher convert {shlex.quote(str(output))} --data {shlex.quote(data)} --steps 8 "
        f"-o {shlex.quote(str(snn))}"
    )


def describe(reached: TrainingProgress, seconds: float) -> str:
    """Write the epoch, its figures so far, the rate, the time taken and the time left."""
    parts = [
        f"epoch {reached.epoch}/{reached.epochs}",
        f"loss {reached.loss:.4f}",
        percent(reached.accuracy),
        f"{short(reached.done / seconds)} images/s",
    ]
    return ", ".join([*parts, times(reached, seconds)])


def _train(
    graph: ir.Graph,
    images: Labelled,
    held_out: Labelled | None,
    settings: TrainingSettings,
    checkpoint: Path | None,
    threads: int | None,
    device: str,
) -> training.Training:
    x, y = images
    try:
        with progress_of("training", settings.epochs * len(x), describe) as report:
            return training.train(
                graph,
                x,
                y,
                settings,
                validation=held_out,
                checkpoint=checkpoint,
                threads=threads,
                device=device,
                report=report,
            )
    except StoppedError as error:
        if checkpoint is None or not checkpoint.exists():
            raise
        raise StoppedError(f"{error}; the same command goes on from '{checkpoint}'") from error


def _check_checkpoint(checkpoint: Path | None, output: Path) -> None:
    check_output(checkpoint, "--checkpoint", [".safetensors"])
    tensors = output.with_suffix(".safetensors")
    if checkpoint is not None and checkpoint.resolve() == tensors.resolve():
        raise typer.BadParameter(
            f"'{checkpoint}' is where the tensors of '{output}' go; expected another file",
            param_hint="'--checkpoint'",
        )


def _labelled(graph: ir.Graph, samples: Samples) -> Labelled:
    if samples.y is None:
        raise DataError(f"{samples.source}: there are no labels; expected y, a class an image")
    check_samples(graph, samples)
    return samples.x[:], samples.y


def _split(images: Labelled, hold_out: int, seed: int) -> tuple[Labelled, Labelled]:
    """Return the images to train on and those held out, each in their order."""
    x, y = images
    if hold_out > len(x) - 2:
        raise typer.BadParameter(
            f"{hold_out} of {len(x)} images; expected to leave at least 2 to train on",
            param_hint="'--hold-out'",
        )
    order = np.random.default_rng(seed).permutation(len(x))
    held, kept = np.sort(order[:hold_out]), np.sort(order[hold_out:])
    return (x[kept], y[kept]), (x[held], y[held])


def _print_epochs(epochs: Sequence[Epoch]) -> None:
    """Print a row an epoch."""
    rows = [
        (
            str(epoch.number),
            f"{epoch.loss:.4f}",
            percent(epoch.accuracy),
            percent(epoch.validation_accuracy),
            f"{epoch.seconds:.1f}",
        )
        for epoch in epochs
    ]
    columns = ("epoch", "loss", "accuracy in training", "validation", "seconds")
    print_table(columns, rows, numbers=columns)
