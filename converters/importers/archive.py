"""Zip archives of models, whose entries are believed only after their sizes are checked."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from thresher.errors import SpecError

LARGEST_UNPACKED = 2**33
"""Bytes that the entries of an archive may have together when unpacked."""
LARGEST_RATIO = 200
"""What an entry may grow by when unpacked; weights grow by less than 2."""
MOST_ENTRIES = 100_000


class Archive:
    """Read the entries of a zip file whole, in bounded memory.

    Raises
    ------
    SpecError
        Where the file is no zip archive, is damaged, or unpacks to more than the limits.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.kind = kind
        with self._damage_named():
            self._zip = zipfile.ZipFile(path)
            self.names = self._zip.namelist()
            self._check()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry."""
        with self._damage_named():
            return self._zip.read(name)

    def _check(self) -> None:
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES:
            raise SpecError(f"'{self.path}' has {len(entries):,} entries; at most {MOST_ENTRIES:,}")
        total = sum(entry.file_size for entry in entries)
        swollen = [
            entry.filename
            for entry in entries
            if entry.file_size > 2**20 and entry.file_size > LARGEST_RATIO * entry.compress_size
        ]
        if total > LARGEST_UNPACKED or swollen:
            which = f", '{swollen[0]}' to far more than its share" if swollen else ""
            raise SpecError(
                f"'{self.path}' unpacks to {total:,} bytes{which}; expected at most "
                f"{LARGEST_UNPACKED:,}, none {LARGEST_RATIO} times its packed size"
            )

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError,
                NotImplementedError, OSError) as error:  # fmt: skip
            raise SpecError(
                f"'{self.path}' is not {self.kind}, or is cut off or damaged: {str(error)[:200]}"
            ) from error
