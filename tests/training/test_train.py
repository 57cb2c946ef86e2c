"""Training runs: the steps by their formulas, seeds, checkpoints, what is written back."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_graphs import batch_norm, chain, clipped, digits_cnn, digits_images, tensor

from thresher import TrainingSettings, convert, digits, evaluate, load, save, simulate, train
from thresher.errors import DivergenceError, TrainingError
from thresher.ir import Graph
from thresher.ir.ops import ClippedRelu, Linear, Qcfs, Relu, SlipRelu, Softmax
from thresher.training import ACTIVATIONS, Training, TrainingProgress

torch = pytest.importorskip("torch", reason="training needs PyTorch")

X, Y = digits_images(96)
RATE, DECAY = 0.3, 0.1
WEIGHT = np.array([[0.5, -1.0], [0.25, 0.0], [-0.5, 0.75]])
POINTS = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 1.0], [2.0, -1.0]])
CLASSES = np.array([0, 1, 2, 0])


def softmax_gradient(weight: np.ndarray, smoothing: float) -> np.ndarray:
    """The gradient of the mean cross-entropy of a linear classifier, without bias."""
    logits = POINTS @ weight.T
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = np.eye(3)[CLASSES] * (1 - smoothing) + smoothing / 3
    return (share - target).T @ POINTS / len(POINTS)


@pytest.mark.parametrize("at_output", ["nothing", "softmax"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_two_steps_are_those_of_momentum_decay_smoothing_and_a_cosine(
    smoothing: float, at_output: str
) -> None:
    graph = chain(
        (2,),
        ("fc", Linear(weight=tensor("fc.weight", WEIGHT))),
        *([("softmax", Softmax())] if at_output == "softmax" else []),
    )
    settings = TrainingSettings(
        epochs=2, learning_rate=RATE, weight_decay=DECAY, label_smoothing=smoothing, batch=4
    )
    first = softmax_gradient(WEIGHT, smoothing) + DECAY * WEIGHT
    after = WEIGHT - RATE * first
    velocity = 0.9 * first + softmax_gradient(after, smoothing) + DECAY * after
    expected = after - RATE / 2 * velocity  # half of the run is done: (1 + cos(pi / 2)) / 2
    found = train(graph, POINTS.astype(np.float32), CLASSES, settings).graph
    np.testing.assert_allclose(found.tensors["fc.weight"], expected, rtol=0, atol=1e-6)


def test_a_ceiling_that_nothing_reaches_decays_itself() -> None:
    graph = chain((3,), ("act", clipped(100.0)), ("fc", Linear(tensor("w", np.eye(3)))))
    settings = TrainingSettings(epochs=1, learning_rate=RATE, weight_decay=DECAY, batch=4)
    found = train(graph, np.eye(3, dtype=np.float32), np.arange(3), settings).graph
    # at 100 softplus is the identity: one step of gradient DECAY * 100
    assert found["act"].op.max == pytest.approx(100 - RATE * DECAY * 100, rel=1e-6)


def test_batch_norms_keep_running_statistics() -> None:
    graph = chain((2,), ("bn", batch_norm("bn", 2)), ("fc", Linear(tensor("w", np.eye(3, 2)))))
    settings = TrainingSettings(epochs=1, learning_rate=1e-9, batch=4)
    found = train(graph, POINTS.astype(np.float32), CLASSES, settings).graph.tensors
    mean, variance = POINTS.mean(axis=0), POINTS.var(axis=0, ddof=1)
    np.testing.assert_allclose(found["bn.running_mean"], 0.1 * mean, atol=1e-6)
    np.testing.assert_allclose(found["bn.running_var"], 0.9 + 0.1 * variance, atol=1e-6)


def few_epochs(epochs: int = 3, **changed: object) -> TrainingSettings:
    """Settings of a short run in which every kind of random draw occurs."""
    given = {"epochs": epochs, "batch": 32, "crop": 1, "flip": True, "learning_rate": 0.1}
    return TrainingSettings(**{**given, **changed})


def learnt(run: Training) -> dict[str, bytes]:
    """Return the bits of all that a run learnt."""
    held = dict(run.graph.tensors)
    for node in run.graph:
        if isinstance(node.op, ClippedRelu | Qcfs | SlipRelu):
            held[node.name] = np.float64(node.op.max)
    return {name: values.tobytes() for name, values in held.items()}


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    graph = digits_cnn(p=0.3)
    runs = [learnt(train(graph, X, Y, few_epochs(2, seed=seed))) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert all(runs[0][name] != runs[2][name] for name in runs[0])


def test_the_random_state_of_pytorch_and_its_threads_are_left_alone() -> None:
    torch.manual_seed(11)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train(digits_cnn(p=0.3), X, Y, few_epochs(1), threads=threads + 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


class StopError(Exception):
    """What ends a run from outside."""


def stop_in(epoch: int) -> Callable[[TrainingProgress], None]:
    def report(reached: TrainingProgress) -> None:
        if reached.epoch == epoch:
            raise StopError

    return report


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_run_that_is_stopped_and_goes_on_ends_with_the_same_bits(
    activation: str, tmp_path: Path
) -> None:
    graph, file = digits_cnn(p=0.3), tmp_path / "run.safetensors"
    settings = few_epochs(activation=activation)
    whole = train(graph, X, Y, settings, validation=(X[:20], Y[:20]))
    stopped = {"validation": (X[:20], Y[:20]), "checkpoint": file}
    with pytest.raises(StopError):
        train(graph, X, Y, settings, report=stop_in(3), **stopped)
    seen: list[TrainingProgress] = []
    resumed = train(graph, X, Y, settings, report=seen.append, **stopped)
    assert [(at.epoch, at.done, at.total) for at in seen] == [(3, n, 96) for n in (32, 64, 96)]
    assert learnt(resumed) == learnt(whole)
    assert [replace(e, seconds=0) for e in resumed.epochs] == [
        replace(e, seconds=0) for e in whole.epochs
    ]


def test_a_finished_run_is_not_trained_any_further(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    first = train(digits_cnn(), X, Y, few_epochs(1), checkpoint=file)
    again = train(digits_cnn(), X, Y, few_epochs(1), checkpoint=file, report=stop_in(1))
    assert learnt(again) == learnt(first)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": few_epochs(1, seed=1)}, "its seed is 0, this run's is 1"),
        ({"settings": few_epochs(2)}, "its epochs is 1, this run's is 2"),
        ({"graph": digits_cnn(p=0.2)}, "its network is"),
        ({"x": X[::-1]}, "its training data is"),
        ({"validation": (X, Y)}, "its validation data is None"),
    ],
    ids=["seed", "epochs", "network", "data", "validation"],
)
def test_the_checkpoint_of_another_run_is_refused(
    changed: Mapping[str, object], message: str, tmp_path: Path
) -> None:
    run = {"graph": digits_cnn(), "x": X, "y": Y, "settings": few_epochs(1)}
    run["checkpoint"] = tmp_path / "run.safetensors"
    train(**run)
    with pytest.raises(TrainingError, match=f"is the checkpoint of another run: {message}"):
        train(**{**run, **changed})


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path: Path) -> None:
    save(digits_cnn(), tmp_path / "net.yaml")
    file = tmp_path / "net.safetensors"
    content = file.read_bytes()
    with pytest.raises(TrainingError, match="is no checkpoint of a training run, or is damaged"):
        train(digits_cnn(), X, Y, few_epochs(1), checkpoint=file)
    assert file.read_bytes() == content


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    train(digits_cnn(), X, Y, few_epochs(1), checkpoint=file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="is no checkpoint of a training run, or is damaged"):
        train(digits_cnn(), X, Y, few_epochs(1), checkpoint=file)


def test_a_run_that_diverges_keeps_the_checkpoint_of_the_last_good_epoch(tmp_path: Path) -> None:
    # decay alone multiplies the weights by about -1e20 in each epoch of one step
    graph = chain((2,), ("fc", Linear(weight=tensor("fc.weight", WEIGHT))))
    settings = TrainingSettings(epochs=5, learning_rate=1e20, weight_decay=1.0, batch=4)
    file = tmp_path / "run.safetensors"
    message = r"after epoch 2; '.*run.safetensors' holds the network after epoch 1\. Take a lower"
    with pytest.raises(DivergenceError, match=message):
        train(graph, POINTS.astype(np.float32), CLASSES, settings, checkpoint=file)
    with pytest.raises(DivergenceError, match=message):
        train(graph, POINTS.astype(np.float32), CLASSES, settings, checkpoint=file)


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    huge = np.full((3, 2), 3e38)
    graph = chain((2,), ("fc", Linear(weight=tensor("fc.weight", huge))))
    message = r"the loss became nan in step 1 of 1 of epoch 1; nothing was written"
    with pytest.raises(DivergenceError, match=message):
        train(graph, POINTS.astype(np.float32), CLASSES, TrainingSettings(epochs=2, batch=4))


def trained_digits(activation: str, **settings: object) -> Graph:
    """Train the digits CNN, with plain ReLUs at first, for three epochs."""
    x, y, _, _ = digits.load()
    given = TrainingSettings(activation=activation, epochs=3, batch=32, **settings)
    return train(digits_cnn(p=0.1), x, y, given).graph


def test_the_written_spec_comes_back_and_has_the_accuracy_that_was_measured(
    tmp_path: Path,
) -> None:
    x, y, x_test, y_test = digits.load()
    run = train(digits_cnn(), x, y, few_epochs(2, flip=False), validation=(x_test, y_test))
    save(run.graph, tmp_path / "net.yaml")
    graph = load(tmp_path / "net.yaml")
    assert graph == run.graph
    found = (evaluate(graph, x_test).argmax(axis=1) == y_test).mean()
    assert found == run.epochs[-1].validation_accuracy
    assert found > 0.5  # far beyond chance: it learnt


def test_names_and_structure_stay_and_the_run_is_recorded() -> None:
    source = digits_cnn()
    graph = train(source, X, Y, few_epochs(1, seed=4)).graph
    assert [(n.name, n.inputs) for n in graph] == [(n.name, n.inputs) for n in source]
    assert list(graph.tensors) == list(source.tensors)
    assert {n.op.kind for n in graph} - {n.op.kind for n in source} == {"clipped_relu"}
    recorded = graph.meta["training"]
    assert (recorded["epochs"], recorded["seed"], recorded["samples"]) == (1, 4, 96)
    assert "training" not in source.meta


@pytest.mark.parametrize("recipe", ["default", "deng2021"])
def test_a_threshold_relu_network_converts_with_its_learnt_ceilings_and_runs(recipe: str) -> None:
    x, _, x_test, y_test = digits.load()
    graph = trained_digits("threshold_relu")
    snn = convert(graph, recipe, calibration=x[:100], steps=16)
    for name in ("relu1", "relu2"):
        assert snn[name].spiking.threshold == graph[name].op.max
    assert snn.meta["training"] == graph.meta["training"]
    accuracy = (evaluate(graph, x_test).argmax(axis=1) == y_test).mean()
    assert simulate(snn, x_test, y_test, steps=16).accuracy > accuracy - 0.05


def test_a_qcfs_network_is_its_spiking_one_layer_by_layer() -> None:
    x, _, x_test, _ = digits.load()
    graph = trained_digits("qcfs", levels=4)
    assert isinstance(graph["relu1"].op, Qcfs)
    snn = convert(graph, "default", calibration=x[:100], steps=4)
    result = simulate(snn, x_test, steps=4, schedule="layered", precision="float64")
    expected = evaluate(graph, x_test.astype(np.float64)).argmax(axis=1)
    assert (result.predictions[:, -1] == expected).mean() > 0.99  # but for ties within rounding


def test_a_slip_relu_network_converts_with_its_learnt_ceilings_and_runs() -> None:
    _, _, x_test, y_test = digits.load()
    graph = trained_digits("slip_relu", levels=8, slope=0.25)
    snn = convert(graph, "jiang2023-sliprelu")
    for name in ("relu1", "relu2"):
        assert snn[name].spiking.threshold == graph[name].op.max != 1.0
    accuracy = (evaluate(graph, x_test).argmax(axis=1) == y_test).mean()
    assert simulate(snn, x_test, y_test, steps=16).accuracy > accuracy - 0.05


def test_a_relu_network_is_fine_tuned_to_threshold_relus_that_spike_better() -> None:
    x, y, x_test, y_test = digits.load()
    plain = trained_digits("relu")
    assert isinstance(plain["relu1"].op, Relu)
    settings = TrainingSettings(epochs=3, batch=32, learning_rate=0.02)
    tuned = train(plain, x, y, settings).graph
    spiking = [
        simulate(convert(graph, "deng2021", calibration=x, steps=2), x_test, y_test, steps=2)
        for graph in (plain, tuned)
    ]
    assert spiking[1].accuracy > spiking[0].accuracy
