"""The benchmarks' own arithmetic, tables and networks; nothing here is timed."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import common, engines, peers, scaling
from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.networks import random_images, random_network
from benchmarks.worker import Measurement, Worker, WorkerError

from thresher import simulate
from thresher.sim import compiled_available


def series(name: str, *seconds: float, spikes: int = 100, sops: int = 10**9) -> peers.Series:
    """A contender's rounds of so many seconds, on work of a given size."""
    contender = next(c for c in CONTENDERS if c.name == name)
    runs = tuple(Measurement(s, spikes, 50.0) for s in seconds)
    return peers.Series(contender, peers.Work(4, 100, sops), runs)


def test_ratios_are_taken_within_a_round() -> None:
    ours = series("lockstep-1", 1.0, 2.0, 4.0)
    peer = series("pytorch-1", 2.0, 2.0, 12.0)
    table = peers.rows([ours, peer], peers.Work(4, 100, 10**9))
    assert [row[5] for row in table] == ["1.0 (1.0-1.0)", "2.0 (1.0-3.0)"]


def test_fewer_images_are_compared_by_the_synaptic_operation() -> None:
    ours = series("lockstep-1", 1.0, sops=16 * 10**9)
    peer = series("brian2", 1.0, sops=10**9)
    whole = peers.Work(64, 1600, 16 * 10**9)
    table = peers.rows([ours, peer], whole)
    assert [row[3:6] for row in table] == [
        ["15.6", "16.0", "1.0 (1.0-1.0)"],
        ["250", "1.00", "16 (16-16)"],
    ]


def test_spikes_that_differ_are_stated() -> None:
    table = peers.rows([series("snntorch-1", 1.0, spikes=96)], peers.Work(4, 100, 10**9))
    assert table[0][6] == "96 (-4)"


def test_a_ratio_without_our_run_is_left_out() -> None:
    table = peers.rows([series("pytorch-1", 1.0)], peers.Work(4, 100, 10**9))
    assert table[0][5] == "-"


def test_a_contender_whose_package_is_absent_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "installed", lambda package: None)
    workload = common.Workload(random_network(2, 1, 0.1), random_images(4))
    measured = peers.measure([CONTENDERS[-1]], 1, workload)
    assert measured == ([], {"nest": "nest-simulator is not installed"})


def test_a_contender_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THRESHER_DATA", str(tmp_path))
    with pytest.raises(WorkerError, match=r"bench_images\.npz is missing"):
        Worker(OURS[0])


def test_contenders_have_names_of_their_own_and_a_run_of_ours_to_compare_with() -> None:
    names = [contender.name for contender in CONTENDERS]
    assert len(set(names)) == len(names)
    assert {contender.against for contender in CONTENDERS} <= {ours.name for ours in OURS}


@pytest.mark.parametrize("contender", OURS, ids=lambda contender: contender.name)
def test_our_runs_do_the_work_that_is_expected(contender: Contender) -> None:
    workload = common.Workload(random_network(2, 1, 0.1), random_images(2))
    seconds, spikes = contender.prepare(workload)()
    assert seconds > 0
    assert spikes == workload.spikes  # one population: nothing arrives, the schedules agree


@pytest.mark.parametrize("argv", [["--rounds", "0"], ["--images", "65"], ["--only", "matlab"]])
def test_bad_options_are_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        peers.parse(argv)


def test_a_subset_is_spaced_evenly() -> None:
    images = np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1)
    assert common.Workload(random_network(2, 1, 0.1), images).subset(4).images.ravel().tolist() == [
        0,
        2,
        4,
        6,
    ]


def test_a_section_of_the_page_is_replaced_and_the_rest_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n", "utf-8")
    common.write_section("x", "new\n", page)
    expected = "before\n<!-- x: begin -->\nnew\n<!-- x: end -->\nafter\n"
    assert page.read_text("utf-8") == expected


def test_a_page_without_marks_is_not_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n", "utf-8")
    with pytest.raises(SystemExit, match="expected the marks"):
        common.write_section("x", "new", page)
    assert page.read_text("utf-8") == "nothing\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (9.5, "9.50"), (1234.5, "1,234")]
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert common.figures(value) == text


def test_a_random_network_fires_at_about_the_rate_asked_for() -> None:
    result = simulate(random_network(4, 2, 0.05), random_images(4), steps=64)
    for name, counts in result.spike_counts.items():
        rate = counts.mean() / result.population_sizes[name] / 64
        assert 0.025 < rate < 0.1, name


@pytest.mark.parametrize("varied", scaling.SWEEPS)
def test_a_sweep_varies_one_thing(varied: str) -> None:
    for value, case in scaling.cases(varied):
        default = scaling.Case(case.schedule)
        changed = {k: v for k, v in vars(case).items() if v != getattr(default, k)}
        assert changed in ({}, {varied: value})


@pytest.mark.skipif(not compiled_available()[0], reason="the kernels are not compiled")
def test_engines_are_compared_by_the_synaptic_operation() -> None:
    subject = engines.Subject(random_network(2, 1, 0.1), random_images(2), 1)
    reference, compiled = engines.compare(subject, "lockstep", "float32", 1)
    assert reference[3:5] + reference[7:] == ["reference", "1", "1.00"]
    assert compiled[3:5] == ["cython", "2"]
