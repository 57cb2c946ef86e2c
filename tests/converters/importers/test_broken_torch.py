"""Broken and hostile `.pt2` archives: nothing of them is run, and what is wrong is said."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thresher
from thresher.errors import SpecError, ThresherError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

CONFIG = "data/weights/model_weights_config.json"
MODEL = "models/model.json"


class Payload:
    """What would leave a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture(scope="module")
def archive() -> dict[str, bytes]:
    """Return the entries of an exported layer, without the archive's root folder."""
    program = torch.export.export(torch.nn.Linear(3, 4), (torch.zeros(2, 3),))
    content = io.BytesIO()
    torch.export.save(program, content)
    with zipfile.ZipFile(content) as packed:
        return {name.split("/", 1)[1]: packed.read(name) for name in packed.namelist()}


def written(entries: dict[str, bytes], folder: Path) -> Path:
    path = folder / "net.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(f"net/{name}", content)
    return path


def changed(
    entries: dict[str, bytes], name: str, change: Callable[[Any], object]
) -> dict[str, bytes]:
    content = json.loads(entries[name])
    change(content)
    return entries | {name: json.dumps(content).encode()}


def test_an_archive_is_read_without_its_pickles(archive: dict[str, bytes], tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    entries = archive | {"data/sample_inputs/model.pt": pickle.dumps(Payload(trap))}
    graph = thresher.import_model(written(entries, tmp_path))
    assert graph.tensors["weight"].shape == (4, 3)
    assert not trap.exists()


def test_a_tensor_stored_as_a_pickle_is_refused(archive: dict[str, bytes], tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    entries = changed(archive, CONFIG, lambda c: c["config"]["weight"].update(use_pickle=True))
    entries["data/weights/weight_0"] = pickle.dumps(Payload(trap))
    with pytest.raises(SpecError, match="'weight' is stored as a pickle, which can run code"):
        thresher.import_model(written(entries, tmp_path))
    assert not trap.exists()


def test_an_expression_in_a_size_is_not_evaluated(
    archive: dict[str, bytes], tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    expression = {"as_expr": {"expr_str": f"__import__('pathlib').Path({str(trap)!r}).touch()"}}

    def change(model: Any) -> None:
        values = model["graph_module"]["graph"]["tensor_values"]
        for item in values.values():
            if item["sizes"][0] == {"as_int": 2}:
                item["sizes"][0] = expression

    graph = thresher.import_model(written(changed(archive, MODEL, change), tmp_path))
    assert graph.inputs[0].shape == (3,)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("sizes", [2**40, 3], "expected at most"),
        ("sizes", [5, 3], "12 numbers are stored"),
        ("sizes", [12], "not laid out as torch.export.save"),
        ("strides", [-1, 1], "not laid out as torch.export.save"),
        ("strides", [2**60, 1], "12 numbers are stored"),
    ],
)
def test_a_tensor_that_is_not_as_it_says_is_refused(
    archive: dict[str, bytes], tmp_path: Path, field: str, value: list[int], why: str
) -> None:
    def change(config: Any) -> None:
        sizes = [{"as_int": size} for size in value]
        config["config"]["weight"]["tensor_meta"][field] = sizes

    with pytest.raises(SpecError, match=why):
        thresher.import_model(written(changed(archive, CONFIG, change), tmp_path))


def test_a_tensor_is_looked_for_in_the_archive_alone(
    archive: dict[str, bytes], tmp_path: Path
) -> None:
    outside = {"path_name": "../../../../../etc/passwd"}
    entries = changed(archive, CONFIG, lambda c: c["config"]["weight"].update(outside))
    with pytest.raises(SpecError, match=r"net.pt2.*no item named .*passwd"):
        thresher.import_model(written(entries, tmp_path))


def test_archives_of_other_kinds_are_told(archive: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.save(torch.nn.Linear(3, 4), path)
    with pytest.raises(SpecError, match="holds 0 exported programs"):
        thresher.import_model(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(SpecError, match=r"is not an archive of torch.export.save"):
        thresher.import_model(path)
    entries = changed(archive, MODEL, lambda model: model["schema_version"].update(major=7))
    with pytest.raises(SpecError, match="schema version 7; expected 8"):
        thresher.import_model(written(entries, tmp_path))


def test_an_archive_that_swells_is_refused(archive: dict[str, bytes], tmp_path: Path) -> None:
    path = written(archive | {MODEL: bytes(2**26)}, tmp_path)
    assert path.stat().st_size < 2**18
    with pytest.raises(SpecError, match=r"unpacks to .*models/model.json"):
        thresher.import_model(path)


def test_every_cut_of_an_archive_is_an_error(archive: dict[str, bytes], tmp_path: Path) -> None:
    path = written(archive, tmp_path)
    content = path.read_bytes()
    for size in range(0, len(content), 37):
        path.write_bytes(content[:size])
        with pytest.raises(ThresherError):
            thresher.import_model(path)


def test_flipped_bytes_of_the_model_give_a_graph_or_an_error(
    archive: dict[str, bytes], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        flipped = bytearray(archive[MODEL])
        for place in rng.integers(0, len(flipped), 2):
            flipped[place] = rng.integers(32, 127)
        try:
            thresher.import_model(written(archive | {MODEL: bytes(flipped)}, tmp_path))
        except ThresherError:
            continue
