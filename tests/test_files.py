"""Files appear whole or not at all."""

import io
import zipfile

import numpy as np
import pytest

from pgames.files import atomic, parse_json, read_npz


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


DAMAGED = {
    "a .npy file": lambda path: path.write_bytes(npy((0,))),
    "a member that is not an array": lambda path: zipped(path, {"x.npy": b"plain text"}),
    "a header of an absurd shape": lambda path: zipped(path, {"x.npy": npy((10**15,))}),
    "a header that is not a dictionary": lambda path: zipped(path, {"x.npy": npy((1,)).replace(b"{", b"(")}),
    "a member with a damaged stream": lambda path: path.write_bytes(flipped(np.zeros(10**5))),
}


def zipped(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def npy(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": False, "descr": "<f8"})
    return buffer.getvalue()


def flipped(array):
    """A compressed .npz file whose stream has changed in the middle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=array)
    content = bytearray(buffer.getvalue())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize("make", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_of_arrays_is_one_line(make, tmp_path):
    make(tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"x\.npz is not a table, or cut short") as refusal:
        read_npz(tmp_path / "x.npz", "a table")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500


def test_a_small_file_of_much_memory_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(2**24))
    with pytest.raises(ValueError, match=r"would take 128 MiB of memory, \d+ times as much"):
        read_npz(tmp_path / "bomb.npz", "a table")
    np.savez(tmp_path / "plain.npz", x=np.zeros(2**24))
    assert read_npz(tmp_path / "plain.npz", "a table")["x"].shape == (2**24,)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "", "nul"])
def test_json_that_cannot_be_read_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)
    assert parse_json('{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("path", [None, 3, b"x", "a\0b", ["x"]])
def test_what_is_no_path_is_told_before_anything_is_written(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="a path must be a text"), atomic(path):
        pass
    with pytest.raises(ValueError, match="a path must be a text"):
        read_npz(path, "a file of arrays")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_arrays_is_told_so(tmp_path):
    with pytest.raises(ValueError, match="is a folder, and a file of arrays is needed"):
        read_npz(tmp_path, "a file of arrays")
