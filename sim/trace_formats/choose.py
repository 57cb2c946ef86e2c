"""Choose a format: by its name, or by the suffix of the file."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from thresher.errors import SimulationError
from thresher.files import replacing
from thresher.sim.trace_formats.trace_format import (
    TRACE_FORMATS,
    ReadableFormat,
    Rows,
    TraceFormat,
)
from thresher.sim.trace_header import TraceHeader


def trace_suffixes() -> tuple[str, ...]:
    """List the suffixes that stand for a format, first those of formats that are read back."""
    suffixes = [TRACE_FORMATS.get(name).suffix for name in TRACE_FORMATS]
    others = {suffix for suffix in suffixes if suffix is not None} - {*readable_suffixes()}
    return *readable_suffixes(), *sorted(others)


def choose_format(path: Path, name: str | None = None, **options: Any) -> TraceFormat:
    """Return the format of a file, by name or suffix, with the options that it has.

    Raises
    ------
    SimulationError
        For a suffix or name that is none, or an option that the format does not have.
    """
    kind = _of_suffix(path) if name is None else TRACE_FORMATS.get(name)
    if path.suffix not in kind.suffixes:
        raise SimulationError(
            f"trace '{path.name}': format '{kind.name}' has files that end in "
            f"{' or '.join(kind.suffixes)}"
        )
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise SimulationError(
                f"format '{kind.name}' has no {option}; it takes {', '.join(known) or 'no options'}"
            )
    return kind(**options)


def readable_format(path: Path) -> type[ReadableFormat]:
    """Return the format of a file that is to be read, by its suffix."""
    kind = _of_suffix(path)
    if not issubclass(kind, ReadableFormat):
        raise SimulationError(
            f"trace '{path.name}': format '{kind.name}' does not hold all of a trace and is not "
            f"read back; expected {' or '.join(readable_suffixes())}"
        )
    return kind


def readable_suffixes() -> tuple[str, ...]:
    """List the suffixes of formats that hold all of a trace."""
    kinds = [TRACE_FORMATS.get(name) for name in TRACE_FORMATS]
    return tuple(sorted(str(kind.suffix) for kind in kinds if issubclass(kind, ReadableFormat)))


def expect_fit(
    path: Path, chosen: TraceFormat, header: TraceHeader, membranes: Mapping[str, Any]
) -> None:
    """Raise where a format cannot say what a trace with these nodes' membranes holds."""
    if membranes and not chosen.membranes:
        raise SimulationError(
            f"trace '{path.name}': format '{chosen.name}' has no place for the membranes of "
            + ", ".join(f"'{name}'" for name in membranes)
            + "; save it as .npz or .h5"
        )
    chosen.check(header)


def write_trace(
    path: Path,
    chosen: TraceFormat,
    header: TraceHeader,
    spikes: Mapping[str, Rows],
    membranes: Mapping[str, Rows],
) -> None:
    """Write a trace, whole or not at all.

    Parameters
    ----------
    spikes : mapping
        The rows (n,) of every name in `COLUMNS`.
    membranes : mapping of node to rows
        Potentials: (samples, ticks, neurons).

    Raises
    ------
    SimulationError
        Where the format cannot say it.
    """
    expect_fit(path, chosen, header, membranes)
    with replacing(path) as temporary:
        chosen.write(temporary, header, spikes, membranes)


def _of_suffix(path: Path) -> type[TraceFormat]:
    for name in TRACE_FORMATS:
        if TRACE_FORMATS.get(name).suffix == path.suffix and path.suffix:
            return TRACE_FORMATS.get(name)
    raise SimulationError(
        f"trace '{path.name}': unknown format '{path.suffix}'; expected one of "
        + ", ".join(trace_suffixes())
    )
