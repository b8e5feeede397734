"""One process per run's folder, and nothing left of a process that was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from llm_backend.runs.errors import ConfigError
from llm_backend.runs.lock import held
from pgames.files import atomic, remove_leftovers
from tests.support import ROOT

HOLD = """
import sys, time
from pathlib import Path
from llm_backend.runs.lock import held
from pgames.files import atomic
with held(Path(sys.argv[1])):
    with atomic(Path(sys.argv[1], "config.json"), "w") as file:
        file.write("half")
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path / "run" and is writing its config.json."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def unfinished(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".config.json.*")]


def test_a_second_process_is_refused_by_the_name_of_the_first(holder, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match=rf"run is in use by process {holder.pid}: wait until it ends"):
        with held(folder):
            pass
    remove_leftovers(folder)
    assert len(unfinished(folder)) == 1, "a file that is being written is not removed"


def test_a_killed_process_leaves_neither_its_lock_nor_its_temporary_files(holder, tmp_path):
    folder = tmp_path / "run"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert len(unfinished(folder)) == 1
    begun = time.monotonic()
    with held(folder):
        assert not unfinished(folder) and not (folder / "config.json").exists()
        with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"), held(folder):
            pass
    with held(folder):
        pass
    assert time.monotonic() - begun < 5


def test_only_the_temporary_files_of_this_program_are_removed(tmp_path):
    kept = [".lock", ".gitignore", ".notes.txt", ".env.local", "log.jsonl.a1b2c3d4"]
    for name in [*kept, ".log.jsonl.a1b2c3d4", ".run_id.k_9xyz01", ".0003.npz.abcdefgh"]:
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*table\.json'"):
        with atomic(tmp_path / "table.json", "w"), open("/dev/full", "w") as full:
            full.write("x" * 100_000)
