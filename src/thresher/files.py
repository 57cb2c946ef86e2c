"""Files that are written whole or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thresher.errors import ThresherError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which takes the place of `path` when the block ends.

    The block does nothing but write. Whatever it raises, an interrupt too, leaves `path` as it
    was and nothing beside it. The temporary name has the suffix of `path`; a link is followed; a
    pipe or device is written to directly.

    Raises
    ------
    ThresherError
        Where the folder does not exist, `path` is a folder, or the system refuses to write.
    """
    target = Path(path)
    with writing(target):
        if target.exists() and not target.is_file():
            yield target
        else:
            yield from _through_temporary(target.resolve())


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Translate what the system refuses while the block writes for `target`.

    Raises
    ------
    ThresherError
        Where the folder does not exist, `target` is a folder, or the system refuses to write.
    """
    if not target.parent.is_dir():
        raise ThresherError(
            f"cannot write '{target}': there is no folder '{target.parent}'; create it or give "
            "another path"
        )
    if target.is_dir():
        raise ThresherError(f"cannot write '{target}': it is a folder; give a file's name")
    try:
        yield
    except OSError as error:
        raise ThresherError(
            f"cannot write '{target}': {error.strerror or error}; give another path, or change "
            "what is in the way"
        ) from error


def _through_temporary(target: Path) -> Iterator[Path]:
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
