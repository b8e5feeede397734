"""One process writes to a folder at a time; one that cannot be written is refused before the work."""

import os
import subprocess
import sys

import pytest

import pgames as pg
from pgames import folders
from pgames.files import atomic
from pgames.plot import heatmap, save_figure

HOLD = """
import sys, time
from pgames.folders import held
with held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_by_number(tmp_path, holder):
    with pytest.raises(ValueError, match=f"is in use by process {holder.pid}: wait until it ends, or pass"):
        with folders.held(tmp_path):
            raise AssertionError("held twice")
    holder.kill()
    holder.wait()
    with folders.held(tmp_path) as folder:
        assert folder == tmp_path
    assert not list(tmp_path.iterdir()), "no lock is left"


def test_the_reports_of_two_processes_are_not_mixed(tmp_path, holder):
    from pgames.report.writing import write_report

    votes = pg.Comparisons.from_names(["a", "b"], ["b", "a"], ["a", "b"])
    with pytest.raises(ValueError, match="is in use by process"):
        write_report(votes, tmp_path, resamples=2)


def test_work_that_writes_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), folders.held(tmp_path / "new"):
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()
    with folders.held(tmp_path / "new") as folder:
        (folder / "page").write_text("x")
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["page"]
    with folders.held(tmp_path):
        pass
    assert tmp_path.exists(), "a folder that was there stays"


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ValueError, match="is a file, and a folder is needed"),
        folders.held(tmp_path / "file"),
    ):
        pass


def test_a_folder_without_space_or_permission_is_named_before_the_work(tmp_path, monkeypatch):
    def refuse(*args, **named):
        raise PermissionError(13, "Permission denied", str(tmp_path / "tmp0x3"))

    monkeypatch.setattr(folders.tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError) as error, folders.held(tmp_path):
        raise AssertionError("the work began")
    assert error.value.filename == str(tmp_path)

    def cell(tau):
        raise AssertionError("the work began")

    with pytest.raises(PermissionError):
        pg.sweep({"tau": [0.1]}, cell, tmp_path / "sweep")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders")
def test_an_error_names_the_file_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(dir, prefix):
        raise PermissionError(13, "Permission denied", os.path.join(dir, prefix + "abcdefgh"))

    monkeypatch.setattr("pgames.files.tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as error, atomic(tmp_path / "a.json", "w"):
        raise AssertionError("opened")
    assert error.value.filename == str(tmp_path / "a.json")


def test_a_long_name_can_be_written(tmp_path):
    path = tmp_path / ("x" * 245 + ".png")
    assert save_figure(heatmap(pg.games.comal3()), path).stat().st_size > 1000
