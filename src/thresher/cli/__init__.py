"""The command line: one file per command, each of them arguments in, a call, a print."""

from thresher.cli.main import main

__all__ = ["main"]
