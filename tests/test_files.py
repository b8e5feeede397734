"""Files appear whole or not at all."""

import numpy as np
import pytest

from pgames.files import atomic, read_npz


def test_a_file_that_is_interrupted_keeps_its_earlier_text(tmp_path):
    path = tmp_path / "deep" / "notes.txt"
    with atomic(path, "w") as file:
        file.write("first")
    with pytest.raises(KeyboardInterrupt), atomic(path, "w") as file:
        file.write("half of the sec")
        raise KeyboardInterrupt
    assert path.read_text() == "first"
    assert [one.name for one in path.parent.iterdir()] == ["notes.txt"], "no temporary file is left"


def test_arrays_cut_short_are_refused(tmp_path):
    path = tmp_path / "arrays.npz"
    with atomic(path) as file:
        np.savez(file, x=np.arange(3))
    np.testing.assert_array_equal(read_npz(path, "a table")["x"], np.arange(3))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="is not a table, or cut short"):
        read_npz(path, "a table")
