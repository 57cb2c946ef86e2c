"""Columns: what was appended is read back in slices, from memory or from a file without a name."""

from pathlib import Path

import numpy as np
import pytest

from thresher.sim.column import Column

PLACES = pytest.mark.parametrize("in_file", [False, True])


@PLACES
def test_slices_give_what_was_appended(tmp_path: Path, in_file: bool) -> None:
    column = Column(np.dtype(np.int32), (2,), tmp_path if in_file else None)
    rows = np.arange(14).reshape(7, 2)
    column.append(rows[:3])
    np.testing.assert_array_equal(column[1:3], rows[1:3])
    column.append(rows[3:3])
    column.append(rows[3:])
    for part in (slice(None), slice(2, 5), slice(5, 99), slice(4, 4), slice(5, 2)):
        np.testing.assert_array_equal(column[part], rows[part])
    assert (column.shape, column[:].dtype) == ((7, 2), np.int32)
    column.close()


@PLACES
def test_an_empty_column_has_no_rows(tmp_path: Path, in_file: bool) -> None:
    column = Column(np.dtype(np.int8), (), tmp_path if in_file else None)
    assert column[:].shape == column.shape == (0,)
    column.close()


def test_the_file_has_no_name(tmp_path: Path) -> None:
    column = Column(np.dtype(np.int8), (), tmp_path)
    column.append(np.ones(100_000))
    assert list(tmp_path.iterdir()) == []
    column.close()
