"""Training on another device than the CPU, where PyTorch finds one; what is refused everywhere."""

from pathlib import Path

import numpy as np
import pytest
from training_graphs import digits_cnn, digits_images

from thresher import TrainingSettings, train
from thresher.errors import TrainingError
from thresher.ir.ops import ClippedRelu
from thresher.training import ACTIVATIONS, Training

torch = pytest.importorskip("torch", reason="training needs PyTorch")

X, Y = digits_images(96)
ACCELERATOR = torch.accelerator.current_accelerator(check_available=True)
on_accelerator = pytest.mark.skipif(ACCELERATOR is None, reason="PyTorch finds no GPU here")


def settings(epochs: int, **changed: object) -> TrainingSettings:
    return TrainingSettings(epochs=epochs, batch=32, learning_rate=0.1, **changed)


def learnt(run: Training) -> dict[str, bytes]:
    ceilings = {n.name: np.float64(n.op.max) for n in run.graph if isinstance(n.op, ClippedRelu)}
    return {name: item.tobytes() for name, item in {**run.graph.tensors, **ceilings}.items()}


@pytest.mark.parametrize("name", ["gpu", "meta", "", "cuda:99"])
def test_a_device_that_nothing_is_computed_on_is_refused_and_those_there_are_named(
    name: str,
) -> None:
    with pytest.raises(TrainingError, match=rf"device '{name}' \(.*\); expected 'cpu'"):
        train(digits_cnn(p=0.3), X, Y, settings(1), device=name)


@on_accelerator
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_step_on_a_gpu_is_that_of_the_cpu_but_for_rounding(activation: str) -> None:
    short = TrainingSettings(epochs=1, batch=96, learning_rate=0.1, activation=activation)
    on_cpu, on_gpu = (
        train(digits_cnn(), X, Y, short, device=device).graph.tensors
        for device in ("cpu", str(ACCELERATOR))
    )
    for name, values in on_cpu.items():
        np.testing.assert_allclose(on_gpu[name], values, rtol=1e-3, atol=1e-5)


@on_accelerator
def test_a_run_on_a_gpu_repeats_to_the_last_bit_and_goes_on_from_a_checkpoint(
    tmp_path: Path,
) -> None:
    graph, device = digits_cnn(p=0.3), str(ACCELERATOR)
    whole, again = (train(graph, X, Y, settings(3), device=device) for _ in range(2))
    assert learnt(again) == learnt(whole)
    file = tmp_path / "run.safetensors"

    def stop(reached: object) -> None:
        if reached.epoch == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(graph, X, Y, settings(3), device=device, checkpoint=file, report=stop)
    resumed = train(graph, X, Y, settings(3), device=device, checkpoint=file)
    assert learnt(resumed) == learnt(whole)


def test_convolutions_are_repeatable_and_cudnns_within_a_run_and_as_they_were_after_it() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32
    seen = set()

    def look(reached: object) -> None:
        seen.add((cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32))

    train(digits_cnn(), X, Y, settings(1), report=look)
    assert seen == {(True, True, False)}
    assert (cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32) == before
