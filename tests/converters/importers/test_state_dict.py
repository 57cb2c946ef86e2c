"""Weights by name for a network whose spec is known."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import thresher
from thresher.errors import SpecError
from thresher.ir import Graph, Input, Node, Spiking, Tensor, ops


def net() -> Graph:
    nodes = (
        Node("fc", ops.Linear(weight=Tensor("fc.weight", np.zeros((2, 3), np.float32)),
                              bias=Tensor("fc.bias", np.zeros(2, np.float32))), ("x",)),
        Node("relu", ops.Relu(), ("fc",)),
        Node("again", ops.Scale(weight=Tensor("fc.bias", np.zeros(2, np.float32))), ("relu",)),
    )  # fmt: skip
    return Graph("net", (Input("x", (3,)),), nodes, ("again",))


WEIGHTS = {
    "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fc.bias": np.array([1, -1], np.float32),
}


def test_stored_tensors_take_the_places_of_the_specs(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **WEIGHTS)
    for name in ("w.safetensors", "w.npz"):
        graph = thresher.with_weights(net(), tmp_path / name)
        for key, values in WEIGHTS.items():
            np.testing.assert_array_equal(graph.tensors[key], values)


def test_every_difference_of_names_and_shapes_is_listed(tmp_path: Path) -> None:
    wrong = {"fc.weight": np.zeros((2, 4), np.float32), "bn.weight": np.zeros(2, np.float32)}
    save_file(wrong, tmp_path / "w.safetensors")
    expected = (
        r"w.safetensors' does not hold the weights of 'net': 'bn.weight' is of no node; "
        r"'fc.bias' is missing; 'fc.weight' is \[2, 4\], expected \[2, 3\]"
    )
    with pytest.raises(SpecError, match=expected):
        thresher.with_weights(net(), tmp_path / "w.safetensors")


def test_a_converted_network_is_refused(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    snn = net().replace("relu", spiking=Spiking(threshold=1.0))
    with pytest.raises(SpecError, match="node 'relu' was converted for the weights that it has"):
        thresher.with_weights(snn, tmp_path / "w.safetensors")


class TestPyTorchFiles:
    @pytest.fixture(autouse=True)
    def torch(self) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def save(self, content: object, folder: Path) -> Path:
        self.torch.save(content, folder / "w.pt")
        return folder / "w.pt"

    def state(self, prefix: str = "") -> dict[str, object]:
        tensors = {prefix + k: self.torch.from_numpy(v) for k, v in WEIGHTS.items()}
        return tensors | {f"{prefix}bn.num_batches_tracked": self.torch.tensor(3)}

    @pytest.mark.parametrize("prefix", ["", "module."])
    @pytest.mark.parametrize("nested", [False, True])
    def test_a_state_dict_is_read(self, tmp_path: Path, prefix: str, nested: bool) -> None:
        state = self.state(prefix)
        path = self.save({"state_dict": state, "epoch": 3} if nested else state, tmp_path)
        graph = thresher.with_weights(net(), path)
        np.testing.assert_array_equal(graph.tensors["fc.weight"], WEIGHTS["fc.weight"])

    def test_what_could_run_code_is_not_read(self, tmp_path: Path) -> None:
        trap = tmp_path / "trap"

        class Payload:
            def __reduce__(self) -> tuple[object, ...]:
                return (Path.touch, (trap,))

        with pytest.raises(SpecError, match=r"w.pt'.*could run code and is not read"):
            thresher.with_weights(net(), self.save({"fc.weight": Payload()}, tmp_path))
        assert not trap.exists()

    def test_a_whole_module_is_refused(self, tmp_path: Path) -> None:
        path = self.save(self.torch.nn.Linear(3, 2), tmp_path)
        with pytest.raises(SpecError, match=r"save the module's state_dict\(\)"):
            thresher.with_weights(net(), path)

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        path = self.save(self.state(), tmp_path)
        content = path.read_bytes()
        for size in (0, 1, 100, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:size])
            with pytest.raises(SpecError, match=r"w.pt"):
                thresher.with_weights(net(), path)
