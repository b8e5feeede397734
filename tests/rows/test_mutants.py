"""Damaged files are read or refused in one line; `python -m tests.support.mutants 200000` reads many more."""

from tests.support import mutants


def test_whole_files_are_read(tmp_path):
    read = mutants.readers()
    for number, (reader, end, content) in enumerate(mutants.seeds()):
        path = tmp_path / f"{number}{end}"
        path.write_bytes(content)
        read[reader](path)


def test_mutants_are_read_or_refused_in_one_line(tmp_path):
    assert mutants.run(0, 750, tmp_path) == []


def test_the_search_finds_a_fault(tmp_path):
    """Negative control."""
    path = tmp_path / "v.csv"
    path.write_bytes(b"left")

    def two_lines(path):
        raise ValueError("one\ntwo")

    for read in (lambda path: {}[path], lambda path: path.read_text() / 0, two_lines):
        assert mutants.fault(read, path) is not None
