"""Output files: their paths, checked before anything is computed, and how JSON is written."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from typer import BadParameter

from thresher.files import replacing


def check_output(
    path: Path | None, option: str, suffixes: Sequence[str], keep: Sequence[Path] = ()
) -> None:
    """Raise a usage error unless a file can be written there; `keep` are never overwritten."""
    if path is None:
        return
    if path.suffix not in suffixes:
        raise BadParameter(
            f"'{path}' has the suffix '{path.suffix}'; expected {' or '.join(suffixes)}",
            param_hint=f"'{option}'",
        )
    if path.is_dir():
        raise BadParameter(f"'{path}' is a folder; expected a file", param_hint=f"'{option}'")
    check_folder(path.parent, option)
    if path.exists() and not os.access(path, os.W_OK):
        raise BadParameter(
            f"'{path}' exists and is write-protected; expected another file",
            param_hint=f"'{option}'",
        )
    for source in keep:
        if path.exists() and source.exists() and path.samefile(source):
            raise BadParameter(
                f"'{path}' is what is read; expected another file", param_hint=f"'{option}'"
            )


def check_folder(folder: Path, option: str) -> None:
    """Raise a usage error unless a folder exists and can be written."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise BadParameter(
            f"the folder '{folder}' {found}; expected a folder that exists",
            param_hint=f"'{option}'",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadParameter(f"the folder '{folder}' cannot be written", param_hint=f"'{option}'")


def check_new_folder(folder: Path, option: str) -> None:
    """Raise a usage error unless a folder can be written, or made."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    check_folder(nearest, option)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
