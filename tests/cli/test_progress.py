"""Progress: what the line says, and that it is drawn on a terminal alone."""

import sys
from io import StringIO

import pytest

from thresher.cli.output import short
from thresher.cli.progress import StoppedError, describe, progress
from thresher.sim import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_holds_counts_rates_and_the_time_left() -> None:
    reached = Progress(done=500, total=2000, spikes=57_300_000, synaptic_operations=24_600_000_000)
    assert describe(reached, seconds=10.0) == (
        "500/2,000, 50 images/s, 2.46 G SOP/s, 57.3 M spikes, 0:00:10, 0:00:30 left"
    )


def test_where_no_spikes_are_counted_none_are_shown() -> None:
    expected = "64/128, 32 images/s, 0:00:02, 0:00:02 left"
    assert describe(Progress(64, 128, 0, 0), seconds=2.0) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.25, "0.25"), (7, "7"), (999, "999"), (1000, "1 k"), (49_220_000, "49.2 M"), (3e12, "3 T")],
)
def test_large_numbers_have_a_prefix(number: float, text: str) -> None:
    assert short(number) == text


def test_a_terminal_shows_how_far_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress("simulating", 8) as report:
        report(Progress(8, 8, 16, 32))
    assert "8/8, " in sys.stderr.getvalue() and " 16 spikes" in sys.stderr.getvalue()


def test_a_pipe_stays_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", StringIO())
    with progress("simulating", 8) as report:
        report(Progress(8, 8, 16, 32))
    assert sys.stderr.getvalue() == ""


def test_an_interrupt_says_how_many_images_were_done() -> None:
    message = r"^after 1,200 of 8,000 images \(simulating\)$"
    with pytest.raises(StoppedError, match=message), progress("simulating", 8000) as report:
        report(Progress(1200, 8000, 0, 0))
        raise KeyboardInterrupt
