"""`thresher export`: what it writes and prints of a network, and what it refuses."""

from pathlib import Path

import pytest
from tiny_network import Thresher

EXPORT = "export whole.yaml --to c -o net.c"


@pytest.fixture
def whole(folder: Path) -> Path:
    """The tiny network with the scales of precision int."""
    text = (folder / "tiny.snn.yaml").read_text().replace("threshold:", "scale: 8, threshold:")
    (folder / "whole.yaml").write_text(text + "readout: {kind: membrane, scale: 8}\n")
    return folder


def test_export_writes_a_c_file_and_says_what_it_takes(whole: Path, thresher: Thresher) -> None:
    found = thresher(f"{EXPORT} --steps 4 --schedule async --ticks-per-step 8")
    assert found.status == 0, found.err
    assert found.out.startswith("wrote net.c\n  functions tiny_start, tiny_step, tiny_outputs\n")
    text = (whole / "net.c").read_text()
    assert "#define TINY_ASYNC 1" in text and "#define TINY_TICKS_PER_STEP 8" in text


def test_export_writes_a_pytorch_module_with_its_tensors(whole: Path, thresher: Thresher) -> None:
    found = thresher("export tiny.snn.yaml --to torch -o net.py --steps 4")
    assert found.status == 0, found.err
    assert found.out == "wrote net.py\n  class Tiny, with its tensors in net_tensors.safetensors\n"
    assert (whole / "net_tensors.safetensors").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (EXPORT, "how many steps? Give --steps T"),
        (f"{EXPORT}pp --steps 4", "'net.cpp' has the suffix '.cpp'; expected .c"),
        (f"{EXPORT} --steps 4 --ticks-per-step 0", "'0'; expected a whole number of at least 1"),
        ("export whole.yaml --to d -o net.c", "'d'; expected one of c, nir, torch"),
        ("export tiny.yaml --to c -o net.c --steps 4", "has no threshold: the graph is not"),
        ("export tiny.yaml --to c -o net.c", "has no threshold: the graph is not"),
        ("export tiny.yaml --to torch -o net.py", "has no threshold: the graph is not"),
        ("export tiny.snn.yaml --to c -o net.c --steps 4", "convert with the pass 'quantize'"),
        ("export data.npz --to c -o net.c", "'--to': has no meaning for a trace; leave it out"),
        ("export net.txt --to c -o net.c", "'.txt'; expected the spec of a network"),
        (
            "export whole.yaml -o net.c",
            "'--to': what is the network to be written as? Give one of c, nir, torch",
        ),
        (
            "export whole.yaml --to c --step-ms 2 -o net.c",
            "'--step-ms': has no meaning for a network",
        ),
        (
            "export whole.yaml --to c --for norse --steps 4 -o net.c",
            "'--for': has no meaning for --to c; leave it out",
        ),
        ("export tiny.snn.yaml --to nir --for lava -o net.nir", "profile 'lava' is refused: lava"),
        ("export tiny.snn.yaml --to nir --for nest -o net.nir", "unknown profile 'nest'"),
        ("export tiny.snn.yaml --to nir --steps 4 -o net.nir", "'--steps': has no meaning for"),
        ("export tiny.yaml --to torch -o net.py --steps 4", "has no threshold: the graph is not"),
        (
            "export whole.yaml --to torch -o net.py --steps 4 --refractory 3",
            "'--refractory': has no meaning for --to torch; leave it out",
        ),
    ],
)
def test_export_refuses_by_name(line: str, message: str, whole: Path, thresher: Thresher) -> None:
    before = set(whole.iterdir())
    found = thresher(line)
    assert found.status == 2
    assert message in found.err
    assert len(found.err.splitlines()) == 1
    assert set(whole.iterdir()) == before
