"""Tables in files: what format a file has, its columns, and pieces of those that are wanted."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from pgames.files import check_growth
from pgames.rows.coded import Coded

OBJECTS = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".csv", *OBJECTS, ".parquet", ".tsv", ".txt")
LONGEST = 600  # characters of a message
AS_UTF_8 = "save it as UTF-8"
STARTS = {  # how files that are not text begin, what they are, and the remedy
    b"PAR1": ("a Parquet file", "let its name end in .parquet"),
    b"\x1f\x8b": ("a gzip file", "let its name end in .gz after the format within"),
    b"PK\x03\x04": ("a zip file or a workbook", "unpack it, or export CSV"),
    b"\x93NUMPY": ("a .npy file", "let its name end in .npy"),
    b"\xff\xfe": ("UTF-16", AS_UTF_8),
    b"\xfe\xff": ("UTF-16", AS_UTF_8),
}


RAGGED = "with too many or too few cells"


class Damaged(ValueError):
    """The content of a file is not of the format that its name tells."""


class Table(Protocol):
    """A table in a file."""

    @property
    def kind(self) -> str:
        """Its format in words."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The names of all columns, of which some may be equal."""
        ...

    @property
    def rows(self) -> int | None:
        """The number of rows, where the file says it."""
        ...

    @property
    def fault(self) -> str:
        """What is wrong with the rows that `pieces` leaves out, as in "2 with too many or too few cells"."""
        ...

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """The columns of these names, piece by piece, in the order of the rows.

        Rows that have too few or too many cells, or that are not JSON objects, are refused. With a list
        `ragged` they are left out, and their numbers, counted from 1, are appended to it. Raises ValueError
        when the file is damaged.
        """
        ...


def suffix_of(path: Path) -> str:
    """The end of the file's name that tells its format, in lower case and without .gz."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


class reading:
    """A context in which every error on a file is a ValueError of one line that begins with its path."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        """Raises ValueError in place of any error on the file but a missing package."""
        if not isinstance(error, Exception) or isinstance(error, ModuleNotFoundError):
            return
        said = " ".join(str(error).split()) or type(error).__name__
        if said.startswith(f"{self.path}: "):
            raise error
        if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in said:
            raise ValueError(f"{self.path}: it is not text in UTF-8: {AS_UTF_8}.") from None
        if type(error) is ValueError:
            raise ValueError(f"{self.path}: {_cut(said)}") from None
        # pyarrow, csv, zlib and gzip raise many kinds of errors on a damaged file
        suffix = suffix_of(self.path)[1:]
        raise ValueError(f"{self.path}: not readable as {suffix}, cut or damaged? {_cut(said)}") from None


def _cut(text: str) -> str:
    """The text, or its beginning and its end where it is long."""
    return text if len(text) <= LONGEST else f"{text[: 2 * LONGEST // 3]} ... {text[-LONGEST // 3 :]}"


def open_bytes(path: Path) -> IO[bytes]:
    """The content of a file, decompressed where its name ends in .gz."""
    if path.suffix.lower() != ".gz":
        return open(path, "rb")
    return io.BufferedReader(_Unzipped(path))  # pyright: ignore[reportArgumentType]


def beginning(file: IO[bytes]) -> bytes:
    """The next bytes of a buffered file, at most 64, which stay to be read."""
    return file.peek(64)[:64]  # pyright: ignore[reportAttributeAccessIssue]


def check_text(start: bytes, separated: bool = False) -> None:
    """Refuse a file that begins as no text does, or, where its cells are to be `separated`, as JSON does.

    Raises ValueError that says what the file is, and the remedy.
    """
    found = next((about for sign, about in STARTS.items() if start.startswith(sign)), None)
    if found is None and b"\0" in start.split(b"\n", 1)[0]:  # below its first line a NUL is a character
        found = ("UTF-16, or no text", AS_UTF_8)
    if found is None and separated and re.match(rb"(\xef\xbb\xbf)?\s*(\{\s*\"|\[\s*[\[{])", start):
        found = ("JSON", "let its name end in .json, or in .jsonl with one object a line")
    if found is not None:
        raise ValueError(f"it is {found[0]}: {found[1]}.")


class _Unzipped(io.RawIOBase):
    """A gzip file that refuses to become far larger than it is on the disk."""

    def __init__(self, path: Path):
        self._file, self._stored, self._read = gzip.open(path), path.stat().st_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer; the number of bytes. Raises ValueError when the content is far too large."""
        data = self._file.read(len(buffer))
        self._read += len(data)
        check_growth(self._read, self._stored)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
