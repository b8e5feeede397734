"""A full disk: one line that names the file, and every finished round is kept."""

import errno
import os

import pytest

pytest.importorskip("torch")

import torch
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.runs.logs import rows
from tests.llm_backend.runs.test_runs import as_toml, described

torch.set_num_threads(1)


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full for the files whose path holds `disk["full"]`."""
    state, sync = {"full": ""}, os.fsync

    def fsync(handle):
        if state["full"] and state["full"] in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return state


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="tells files by /proc")
@pytest.mark.parametrize(
    ("full", "named"),
    [
        (".00002.new/.state.json", "state.json"),
        (".safetensors", ".safetensors"),
        (".00002.new/manifest.json", "manifest.json"),
        ("draws/", "draws/"),
        ("config.json", "config.json"),
    ],
)
def test_a_full_disk_in_a_round_names_the_file_and_keeps_the_rounds_before(full, named, disk, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(as_toml(described(tmp_path / "run", run={"rounds": 1}, evaluate={"gap_every": 0})))
    assert CliRunner().invoke(app, [str(config)]).exit_code == 0
    config.write_text(as_toml(described(tmp_path / "run", run={"rounds": 2}, evaluate={"gap_every": 0})))
    disk["full"] = full
    ended = CliRunner().invoke(app, [str(config), "--resume"])
    said = ended.stderr.strip().splitlines()[-1]
    assert ended.exit_code == 1 and "Traceback" not in ended.stderr
    assert "No space left on device" in said and named in said and "Free space" in said
    disk["full"] = ""
    assert [path.name for path in sorted((tmp_path / "run" / "rounds").glob("0*"))] == ["00001"]
    again = CliRunner().invoke(app, [str(config), "--resume"])
    assert again.exit_code == 0 and [row["round"] for row in rows(tmp_path / "run" / "log.jsonl")] == [1, 2]
    assert not [path for path in (tmp_path / "run").rglob(".*") if path.name not in (".lock", ".holder")]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="tells files by /proc")
@pytest.mark.parametrize("suffix", ["html", "png"])
def test_a_full_disk_at_a_plot_names_the_file(suffix, disk, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text('{"round": 1, "loss": 1.0}\n')
    disk["full"] = f"curves.{suffix}"
    out = tmp_path / f"curves.{suffix}"
    ended = CliRunner().invoke(app, ["plot", str(tmp_path / "run"), "--out", str(out)])
    assert ended.exit_code == 1 and ended.stderr.count("\n") == 1
    assert "No space left on device" in ended.stderr and str(out) in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
