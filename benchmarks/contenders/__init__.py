"""The contenders of the speed comparison: Thresher's own runs, and other simulators."""

from benchmarks.contenders.contender import CONTENDERS, OURS, Contender, Run

__all__ = ["CONTENDERS", "OURS", "Contender", "Run"]
