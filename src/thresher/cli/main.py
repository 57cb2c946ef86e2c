"""The app: its commands, and what becomes of errors, warnings and Ctrl-C."""

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO, TextIOWrapper
from typing import Annotated, TextIO

import typer

from thresher import __version__
from thresher.cli.convert import convert
from thresher.cli.demo import demo
from thresher.cli.diagnose import diagnose
from thresher.cli.evaluate import evaluate
from thresher.cli.export import export
from thresher.cli.import_ import import_
from thresher.cli.info import info
from thresher.cli.inspect import inspect
from thresher.cli.progress import StoppedError
from thresher.cli.schema import schema
from thresher.cli.simulate import simulate
from thresher.cli.train import train
from thresher.cli.validate import validate
from thresher.errors import DivergenceError, MissingExtraError, PassError, ThresherError

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 130

# typer carries its own copy of click in later versions; its BadParameter leads to either
UsageError = typer.BadParameter.__bases__[0]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
COMMANDS = (
    demo,
    validate,
    inspect,
    import_,
    train,
    evaluate,
    convert,
    simulate,
    diagnose,
    export,
    info,
    schema,
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"thresher {__version__}")
        raise typer.Exit


@app.callback()
def thresher(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """Convert trained neural networks to spiking ones and simulate them spike by spike."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status.

    0 done, 1 failed while running, 2 the input or the usage is wrong, 130 stopped with Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [item for item in given if item != "--debug"]
    sys.stdout = sys.stdout or StringIO()  # None where the shell has closed it
    sys.stderr = sys.stderr or StringIO()
    if isinstance(sys.stdout, TextIOWrapper):  # names may hold what its encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _warnings_as_notes():
            run = typer.main.get_command(app)
            status = run(given or ["--help"], prog_name="thresher", standalone_mode=False)
            sys.stdout.flush()
    except StoppedError as error:
        _say(f"stopped {error}")
        return STOPPED
    except (KeyboardInterrupt, typer.Abort):
        status = STOPPED
    except BrokenPipeError:
        _drop_unwritten()
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        status, message = _explain(error)
        _say(message)
        _drop_unwritten()
    if status == STOPPED:
        _say("stopped")
    return status or DONE


def _drop_unwritten() -> None:
    """Keep Python from trying once more, at its exit, what standard output did not take."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> tuple[int, str]:
    """Return the exit status and the paragraph for an error."""
    if isinstance(error, UsageError):
        return WRONG, _usage(error)
    if isinstance(error, PassError) and not isinstance(error.__cause__, ThresherError | type(None)):
        return FAILED, str(error)
    if type(error) is ThresherError and isinstance(error.__cause__, OSError):
        return FAILED, str(error)
    if isinstance(error, ThresherError):
        failed = isinstance(error, MissingExtraError | DivergenceError)
        return FAILED if failed else WRONG, str(error)
    if isinstance(error, OSError) and error.strerror is not None:
        where = "standard output" if error.filename is None else error.filename
        return FAILED, f"{where}: {error.strerror}"
    if isinstance(error, MemoryError):
        return FAILED, f"out of memory ({error}); give fewer samples with --limit"
    return FAILED, (
        f"{type(error).__name__}: {error}. This is a defect of Thresher: please report it, with "
        "what --debug shows"
    )


def _usage(error: Exception) -> str:
    message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "thresher"
    return f"{message[:1].lower()}{message[1:]} (see '{where} --help')"


def _say(message: str) -> None:
    print(f"thresher: {' '.join(message.split())}", file=sys.stderr)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        _say(f"note: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
