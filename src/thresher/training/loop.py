"""The training loop: SGD with momentum on cross-entropy, epoch by epoch."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from thresher.errors import DivergenceError, GraphError
from thresher.ir import Graph
from thresher.ir.images import preprocess
from thresher.training.augment import Augmentation, batches
from thresher.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from thresher.training.devices import device_named, repeatable
from thresher.training.module import CEILING, TENSOR, GraphModule
from thresher.training.settings import Epoch, TrainingProgress, TrainingSettings

Array = NDArray[Any]

MOMENTUM = 0.9
EVALUATED = 256
"""Images of a batch whose accuracy alone is wanted."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Raw images (N, *shape) and their classes (N,), int64."""

    x: Array
    y: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a run learnt: tensors by name, ceilings by node, and how each epoch went."""

    tensors: Mapping[str, NDArray[np.float32]]
    ceilings: Mapping[str, float]
    epochs: tuple[Epoch, ...]


class Run:
    """A training run: the module, its optimiser, and the epochs that are done."""

    def __init__(
        self,
        graph: Graph,
        images: Labelled,
        settings: TrainingSettings,
        augmentation: Augmentation,
        device: str = "cpu",
    ) -> None:
        self._graph, self._images = graph, images
        self._settings, self._augmentation = settings, augmentation
        self._device = device_named(device)
        self._module = GraphModule(graph, self._device)
        state = self._module.state().items()
        self._learnt = {name: item for name, item in state if item.requires_grad}
        tensors = [item for name, item in self._learnt.items() if name.startswith(TENSOR)]
        ceilings = [item for name, item in self._learnt.items() if name.startswith(CEILING)]
        if not tensors:
            raise GraphError(f"graph '{graph.name}' has no weight; expected one to learn")
        self._optimiser = torch.optim.SGD(
            [{"params": tensors, "weight_decay": settings.weight_decay}, {"params": ceilings}],
            lr=settings.learning_rate,
            momentum=MOMENTUM,
        )
        self.epochs: tuple[Epoch, ...] = ()
        self._began = 0

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint was written."""
        tensors = {name: torch.from_numpy(item) for name, item in checkpoint.tensors.items()}
        with torch.no_grad():
            for name, item in self._module.state().items():
                item.copy_(tensors[name])
        for name, item in self._learnt.items():
            if f"velocity/{name}" in tensors:
                velocity = torch.empty_like(item).copy_(tensors[f"velocity/{name}"])
                self._optimiser.state[item]["momentum_buffer"] = velocity
        self.epochs, self._began = checkpoint.epochs, len(checkpoint.epochs)

    def checkpoint(self, run: Mapping[str, object]) -> Checkpoint:
        """Return all that `restore` needs."""
        tensors = {name: item.detach().cpu().numpy() for name, item in self._module.state().items()}
        for name, item in self._learnt.items():
            velocity = self._optimiser.state[item].get("momentum_buffer")
            if velocity is not None:
                tensors[f"velocity/{name}"] = velocity.cpu().numpy()
        return Checkpoint(run, self.epochs, tensors)

    def fitted(self) -> Fitted:
        """Return what is learnt so far."""
        tensors, ceilings = self._module.written()
        return Fitted(tensors, ceilings, self.epochs)

    def next_epoch(
        self, validation: Labelled | None, report: Callable[[TrainingProgress], None]
    ) -> None:
        """Show every image once; the random draws are those of the seed and the epoch's number.

        Raises
        ------
        DivergenceError
            Where the loss or what is learnt is not finite any more.
        """
        started, number, n = time.monotonic(), len(self.epochs) + 1, len(self._images.x)
        rng = np.random.default_rng([self._settings.seed, number])
        self._module.generator.manual_seed(int(rng.integers(2**63)))
        self._module.train()
        parts = batches(n, self._settings.batch, rng)
        losses, right, done = 0.0, 0, 0
        for step, part in enumerate(parts):
            self._set_learning_rate((number - 1 + step / len(parts)) / self._settings.epochs)
            y = self._images.y[part]
            loss, predictions = self._step(self._augmentation.apply(self._images.x[part], rng), y)
            if not math.isfinite(loss):
                raise DivergenceError(
                    f"the loss became {loss} in step {step + 1} of {len(parts)} of epoch {number}"
                )
            losses, done = losses + loss * len(part), done + len(part)
            right += int((predictions == y).sum())
            report(
                TrainingProgress(
                    (number - 1 - self._began) * n + done,
                    (self._settings.epochs - self._began) * n,
                    number,
                    self._settings.epochs,
                    losses / done,
                    right / done,
                )
            )
        for name, item in self._module.state().items():
            if not bool(item.isfinite().all()):
                raise DivergenceError(f"{name} holds NaN or infinite values after epoch {number}")
        for node, ceiling in self._module.ceilings().items():
            if not ceiling.item() > 0:
                raise DivergenceError(f"the ceiling of '{node}' fell to 0 in epoch {number}")
        accuracy = None if validation is None else self._accuracy(validation)
        seconds = time.monotonic() - started
        self.epochs += (Epoch(number, losses / n, right / n, accuracy, seconds),)

    def _step(self, x: Array, y: NDArray[np.int64]) -> tuple[float, NDArray[np.int64]]:
        """Take one step down; return the loss and the predictions before it."""
        logits = self._module.logits(self._tensor(x))
        classes = torch.from_numpy(y).to(self._device)
        smoothing = self._settings.label_smoothing
        loss = functional.cross_entropy(logits, classes, label_smoothing=smoothing)
        self._optimiser.zero_grad()
        (loss + self._penalty()).backward()
        self._optimiser.step()
        predictions: NDArray[np.int64] = logits.detach().argmax(1).cpu().numpy()
        return loss.item(), predictions

    def _penalty(self) -> Any:
        """Return what makes the ceilings themselves decay, not the parameters behind them."""
        ceilings = self._module.ceilings().values()
        return sum(ceiling**2 for ceiling in ceilings) * (self._settings.weight_decay / 2)

    def _set_learning_rate(self, share: float) -> None:
        """Set the rate for what share of the run is done: half a cosine, down to 0."""
        rate = self._settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def _accuracy(self, images: Labelled) -> float:
        self._module.eval()
        right = 0
        with torch.inference_mode():
            for start in range(0, len(images.x), EVALUATED):
                part = slice(start, start + EVALUATED)
                logits = self._module.logits(self._tensor(images.x[part]))
                right += int((logits.argmax(1).cpu().numpy() == images.y[part]).sum())
        return right / len(images.x)

    def _tensor(self, x: Array) -> Any:
        """Preprocess raw images; lay those with height and width out channels last, for speed."""
        values = np.ascontiguousarray(preprocess(self._graph, x), np.float32)
        tensor = torch.from_numpy(values).to(self._device)
        if tensor.dim() != 4:
            return tensor
        return tensor.contiguous(memory_format=torch.channels_last)


def fit(
    run: Run,
    identity: Mapping[str, object],
    epochs: int,
    *,
    validation: Labelled | None,
    checkpoint: Path | None,
    threads: int | None,
    report: Callable[[TrainingProgress], None],
) -> Fitted:
    """Train until so many epochs are done, from the checkpoint on where there is one.

    Raises
    ------
    TrainingError
        Where the checkpoint is not that of this run.
    DivergenceError
        Where the loss or what is learnt is not finite any more.
    """
    with _threads(threads), repeatable():
        if checkpoint is not None and checkpoint.exists():
            run.restore(read_checkpoint(checkpoint, identity))
        while len(run.epochs) < epochs:
            try:
                run.next_epoch(validation, report)
            except DivergenceError as error:
                raise DivergenceError(f"{error}; {_advice(run, checkpoint)}") from error
            if checkpoint is not None:
                write_checkpoint(run.checkpoint(identity), checkpoint)
        return run.fitted()


def _advice(run: Run, checkpoint: Path | None) -> str:
    kept = "nothing was written"
    if checkpoint is not None and run.epochs:
        kept = f"'{checkpoint}' holds the network after epoch {len(run.epochs)}"
    return f"{kept}. Take a lower learning rate, or a lower percentile for the first ceilings"


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let PyTorch use n threads within the block; None leaves it its own choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
