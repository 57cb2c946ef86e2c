"""Exit statuses, streams and interrupts: what holds for every command."""

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_network import Thresher

import thresher as package
from thresher import ir, sim
from thresher.cli.progress import Report
from thresher.sim import Progress

PYTHON = [sys.executable, "-m", "thresher"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def test_version_is_printed(thresher: Thresher) -> None:
    assert thresher("--version").out == f"thresher {package.__version__}\n"


@pytest.mark.parametrize("line", ["", "--help"])
def test_help_lists_every_command(thresher: Thresher, line: str) -> None:
    run = thresher(line)
    assert run.status == 0
    for command in [
        "demo",
        "validate",
        "inspect",
        "evaluate",
        "convert",
        "simulate",
        "diagnose",
        "info",
        "schema",
    ]:
        assert command in run.out


def test_usage_error_says_where_to_look(thresher: Thresher) -> None:
    assert thresher("simulate x.yaml --stepps 3").err.endswith("(see 'thresher simulate --help')\n")


@pytest.mark.parametrize("line", ["--debug validate absent.yaml", "validate absent.yaml --debug"])
def test_debug_shows_the_traceback_wherever_it_stands(
    folder: Path, thresher: Thresher, line: str
) -> None:
    run = thresher(line)
    assert run.status == 2
    assert "Traceback" in run.err
    assert run.err.splitlines()[-1].startswith("thresher: ")


def test_defect_of_the_program_is_called_one(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr(ir, "load", broken)
    run = thresher("validate tiny.yaml")
    assert run.status == 1
    assert run.err.startswith("thresher: TypeError: no such thing. This is a defect")
    assert "Traceback" not in run.err


def test_full_disk_is_a_failure_not_a_wrong_input(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out.json")

    monkeypatch.setattr(Path, "write_text", full)
    run = thresher("evaluate tiny.yaml --data data.npz --metrics out.json")
    assert run.status == 1
    assert "out.json" in run.err and "No space left on device" in run.err
    assert not list(folder.glob("out*")) and not list(folder.glob(".*"))


@pytest.mark.parametrize("there", [False, True], ids=["folder", "file"])
def test_output_that_is_write_protected_is_refused_before_anything_runs(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (folder / "out.json").write_text("{}")
    protected = "out.json" if there else "."
    access = os.access  # root may write everywhere, so the system's answer is put on

    def refusing(path: Path, mode: int) -> bool:
        return access(path, mode) and not (mode & os.W_OK and str(path) == protected)

    monkeypatch.setattr(os, "access", refusing)
    run = thresher("evaluate tiny.yaml --data data.npz --metrics out.json")
    assert run.status == 2
    assert f"'{protected}'" in run.err
    assert re.search("cannot be written|is write-protected", run.err)
    assert (folder / "out.json").exists() == there


def test_interrupt_says_what_was_done_and_leaves_no_file(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object, progress: Report, **options: object) -> None:
        progress(Progress(2, 6, 100, 1000))
        raise KeyboardInterrupt

    monkeypatch.setattr(sim, "simulate", interrupted)
    before = sorted(folder.iterdir())
    line = "simulate tiny.snn.yaml --data data.npz --steps 4 --metrics out.json --trace out.npz"
    run = thresher(line)
    message = "thresher: stopped after 2 of 6 images (simulating, lockstep)"
    assert (run.status, run.err.strip()) == (130, message)
    assert sorted(folder.iterdir()) == before


def heed_interrupts() -> None:
    """Undo what a shell does that starts the tests in the background: it has SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_a_simulation_that_runs(folder: Path) -> None:
    before = sorted(folder.iterdir())
    began = time.monotonic()
    subprocess.run([*PYTHON, "validate", "tiny.snn.yaml"], env=ENVIRONMENT, capture_output=True)
    startup = time.monotonic() - began  # how long a loaded machine takes
    line = "simulate tiny.snn.yaml --data data.npz --steps 1000000 --engine reference"
    process = subprocess.Popen(
        [*PYTHON, *line.split(), "--metrics", "out.json", "--trace", "out.npz"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        time.sleep(max(2.0, 3 * startup))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    message = "thresher: stopped after 0 of 6 images (simulating, lockstep)"
    assert (process.returncode, out, err.strip()) == (130, "", message)
    assert sorted(folder.iterdir()) == before


def test_closed_pipe_is_quiet(folder: Path) -> None:
    process = subprocess.Popen(
        [*PYTHON, "schema"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(timeout=20)
    process.stderr.close()


def test_files_are_written_although_the_pipe_is_closed(folder: Path) -> None:
    line = "simulate tiny.snn.yaml --data data.npz --steps 4 --metrics out.json --trace out.npz"
    with subprocess.Popen(
        [*PYTHON, *line.split()], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
    assert (folder / "out.json").exists() and (folder / "out.npz").exists()


def test_result_is_printed_although_a_file_cannot_be_written(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out.json")

    monkeypatch.setattr(Path, "write_text", full)
    run = thresher("simulate tiny.snn.yaml --data data.npz --steps 4 --metrics out.json")
    assert run.status == 1
    assert "SNN accuracy" in run.out and "wrote" not in run.out


def test_closed_output_is_no_defect(folder: Path) -> None:
    line = f"{shlex.join(PYTHON)} validate tiny.yaml >&- 2>&-"
    assert subprocess.run(line, shell=True, env=ENVIRONMENT).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_on_a_full_disk_is_said_to_be_so(folder: Path, unbuffered: str) -> None:
    environment = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        line = [*PYTHON, "validate", "tiny.yaml"]
        done = subprocess.run(line, env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
    message = "thresher: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_name_that_the_output_cannot_encode_is_escaped(folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text(encoding="utf-8").replace("relu1", "rélu")
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    line = [*PYTHON, "inspect", "tiny.yaml"]
    done = subprocess.run(line, env=environment, capture_output=True, check=True)
    assert b"r\\xe9lu" in done.stdout


def test_module_runs_as_the_command_does() -> None:
    done = subprocess.run([*PYTHON, "schema"], env=ENVIRONMENT, capture_output=True, check=True)
    assert json.loads(done.stdout) == ir.schema()
