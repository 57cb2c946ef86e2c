"""Load exported NIR files with the tools that they are for, and compare every layer's spikes.

    python benchmarks/interop_peers.py [--images N] [--steps T]

A tool that is not installed is left out, and so said. `tests/benchmarks` runs it on few images.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher import convert, digits, load, simulate
from thresher.export import export_nir
from thresher.ir import Graph, Input, Node, Op, Tensor
from thresher.ir.ops import Add, AvgPool2d, Conv2d, Flatten, Linear, Relu

ROOT = Path(__file__).parents[1]
Images = NDArray[np.float32]
Counts = dict[str, NDArray[np.int64]]


@contextmanager
def counting(modules: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Count what the modules send, by name, while the block runs."""
    counts = dict.fromkeys(modules, 0.0)

    def hook(name: str) -> Callable[..., None]:
        def count(module: Any, given: Any, sent: Any) -> None:
            counts[name] += float((sent[0] if isinstance(sent, tuple) else sent).sum())

        return count

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def _by_image(images: Images, names: list[str], run: Callable[[Any], dict[str, float]]) -> Counts:
    """Run image by image and gather each layer's spikes."""
    import torch

    with torch.no_grad():
        found = [run(torch.from_numpy(image)) for image in images]
    return {name: np.array([int(counts[name]) for counts in found]) for name in names}


def _named(network: Any, names: list[str]) -> dict[str, Any]:
    """Return the modules that stand for these nodes."""
    modules = dict(network.named_modules())
    return {name: modules[name.replace(".", "_")] for name in names}


def run_sinabs(path: Path, images: Images, steps: int, names: list[str]) -> Counts:
    """As `thresher export --for sinabs` says that the file is to be loaded."""
    import nir
    import sinabs.nir
    import torch

    written = nir.read(path)

    def run(image: Any) -> dict[str, float]:
        network = sinabs.nir.from_nir(written, num_timesteps=steps)
        modules = _named(network, names)
        for name, module in modules.items():
            module.min_v_mem = None
            module.spike_fn = sinabs.activation.SingleSpike
            shape = written.nodes[name].v_threshold.shape
            module.init_state_with_shape((1, *shape))
            if "v_init" in written.nodes[name].metadata:
                module.v_mem += torch.from_numpy(written.nodes[name].metadata["v_init"])
        with counting(modules) as counts:
            network(image[None].repeat(steps, *[1] * image.dim()))
        return counts

    return _by_image(images, names, run)


def run_norse(path: Path, images: Images, steps: int, names: list[str]) -> Counts:
    """Step by step, the state handed on; no batch axis."""
    import nir
    import norse.torch

    network = norse.torch.from_nir(nir.read(path))
    modules = _named(network, names)

    def run(image: Any) -> dict[str, float]:
        with counting(modules) as counts:
            state = None
            for _ in range(steps):
                _, state = network(image, state)
        return counts

    return _by_image(images, names, run)


def run_snntorch(path: Path, images: Images, steps: int, names: list[str]) -> Counts:
    """Step by step; each neuron keeps its potential; no batch axis."""
    import nir
    from snntorch.import_nir import import_from_nir

    written = nir.read(path)

    def run(image: Any) -> dict[str, float]:
        network = import_from_nir(written)
        with counting(_named(network, names)) as counts:
            state = None
            for _ in range(steps):
                _, state = network(image, state)
        return counts

    return _by_image(images, names, run)


def run_spikingjelly(path: Path, images: Images, steps: int, names: list[str]) -> Counts:
    """Step by step, the state handed on; batches of one."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    network = import_from_nir(path)
    modules = _named(network, names)

    def run(image: Any) -> dict[str, float]:
        with counting(modules) as counts:
            state = None
            for _ in range(steps):
                _, state = network(image[None], state)
        return counts

    return _by_image(images, names, run)


PEERS: dict[str, tuple[str, Callable[[Path, Images, int, list[str]], Counts]]] = {
    "sinabs": ("plain", run_sinabs),
    "snntorch": ("diehl2015", run_snntorch),
    "norse": ("diehl2015", run_norse),
    "spikingjelly": ("diehl2015", run_spikingjelly),
}
"""Each tool with a recipe whose reset it has."""


def missing(tool: str) -> str:
    """Say what a tool lacks here; nothing where it can be run."""
    for package in (tool, "nir", "nirtorch", "torch"):
        if find_spec(package) is None:
            return f"the package '{package}' is not installed"
    return ""


def digits_cnn(recipe: str, steps: int) -> tuple[Graph, Images]:
    """Return the digits CNN by a recipe, and the raw test images."""
    x_train, _, x_test, _ = digits.load()
    graph = load(ROOT / "specs" / "digits_cnn.yaml")
    return convert(graph, recipe, calibration=x_train, steps=steps), x_test


def residual(recipe: str, steps: int) -> tuple[Graph, Images]:
    """Return a network of random weights with a shortcut, by a recipe, and random images."""
    rng = np.random.default_rng(0)
    nodes, shape = [], (3, 8, 8)

    def layer(name: str, op: Op, *sources: str) -> None:
        nodes.append(Node(name, op, sources))

    def conv(name: str, channels: int) -> Conv2d:
        weight = rng.normal(0.02, 0.2, (8, channels, 3, 3)).astype(np.float32)
        bias = rng.normal(0, 0.05, 8).astype(np.float32)
        sides = ((1, 1), (1, 1))
        return Conv2d(Tensor(f"{name}.weight", weight), Tensor(f"{name}.bias", bias), padding=sides)

    layer("conv1", conv("conv1", 3), "image")
    layer("relu1", Relu(), "conv1")
    layer("conv2", conv("conv2", 8), "relu1")
    layer("sum", Add(), "conv2", "relu1")
    layer("relu2", Relu(), "sum")
    layer("pool", AvgPool2d(2), "relu2")
    layer("flatten", Flatten(), "pool")
    weight = rng.normal(0, 0.2, (5, 128)).astype(np.float32)
    layer("fc", Linear(Tensor("fc.weight", weight)), "flatten")
    graph = Graph("residual", (Input("image", shape),), tuple(nodes), ("fc",))
    images = rng.random((200, *shape), np.float32)
    return convert(graph, recipe, calibration=images[100:], steps=steps), images[:100]


SUBJECTS = {"digits CNN": digits_cnn, "with a shortcut": residual}


def compare(tool: str, graph: Graph, images: Images, steps: int) -> tuple[Counts, Counts]:
    """Return the tool's spikes by layer and image, and the simulator's."""
    _, run = PEERS[tool]
    expected = dict(simulate(graph, images, steps=steps).spike_counts)
    item = graph.inputs[0]
    given = images if item.preprocess is None else item.preprocess.apply(images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        export_nir(graph, path, profile=tool)
        names = node_names(path, list(expected))
        found = run(path, given, steps, names)
    return dict(zip(expected, found.values(), strict=True)), expected


def node_names(path: Path, populations: list[str]) -> list[str]:
    """Return the neurons of a file by population; an output's stand beside its layer."""
    import nir

    nodes = nir.read(path).nodes
    found = []
    for population in populations:
        names = [population, f"{population}_2"]
        found.append(next(n for n in names if type(nodes.get(n)).__name__ in ("IF", "LIF")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--steps", type=int, default=16)
    given = parser.parse_args()
    print("| tool | recipe | network | layer | its spikes | Thresher's | images that differ |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for tool, (recipe, _) in PEERS.items():
        lacks = missing(tool)
        if lacks:
            print(f"| {tool} | left out: {lacks} | | | | | |")
            continue
        for subject, made in SUBJECTS.items():
            graph, images = made(recipe, given.steps)
            found, expected = compare(tool, graph, images[: given.images], given.steps)
            for name, counts in expected.items():
                differ = int((found[name] != counts).sum())
                cells = (tool, recipe, subject, name, found[name].sum(), counts.sum(), differ)
                print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
