"""Damaged or hostile files in a run's folder: one line, and the round before."""

import json
import shutil

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from llm_backend.judges import Cached, Rule, rules
from llm_backend.runs import checkpoint
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.logs import rows
from llm_backend.runs.loop import run
from llm_backend.spaces import recorded
from llm_backend.spaces.draws import Draws
from tests.llm_backend.runs.test_runs import described, told
from tests.support.llm_tiny import tiny_lm

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run of two rounds that are measured little."""
    values = described(tmp_path_factory.mktemp("played") / "run", run={"rounds": 2})
    values["evaluate"] = {"every": 0}
    return values, run(values)


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": {}},
        {"files": {"x": 5}},
        {"files": {"state.json": ["big", "x"]}},
        {"files": None},
        {"round": "2"},
        {"round": 1},
        {"about": []},
        [],
        "[" * 100_000,
    ],
    ids=str,
)
def test_a_damaged_manifest_is_told_and_the_round_before_is_taken(change, played, tmp_path):
    rounds = tmp_path / "rounds"
    shutil.copytree(played[1].folder / "rounds", rounds)
    path = rounds / "00002" / "manifest.json"
    manifest = json.loads(path.read_text())
    text = change if isinstance(change, str) else json.dumps(manifest | change if change else change)
    path.write_text(text)
    lines = []
    assert [found.t for found in checkpoint.intact(rounds, lines.append)] == [1]
    assert len(lines) == 1 and "00002 is damaged (manifest.json" in lines[0]


def test_a_file_that_the_manifest_does_not_list_is_damage(played, tmp_path):
    rounds = tmp_path / "rounds"
    shutil.copytree(played[1].folder / "rounds", rounds)
    (rounds / "00002" / "more.safetensors").write_bytes(b"")
    lines = []
    assert [found.t for found in checkpoint.intact(rounds, lines.append)] == [1]
    assert "more.safetensors is not in manifest.json" in lines[0]


def test_a_log_with_lines_that_are_no_rows_goes_on(played, tmp_path, capsys):
    values, done = played
    shutil.copytree(done.folder, tmp_path / "run")
    path = tmp_path / "run" / "log.jsonl"
    lines = path.read_text().splitlines()
    odd = ['{"round": "1"}', '{"round": null}', '{"round": 1e99}', '{"round": true}', "[" * 100_000, "[]"]
    path.write_text("\n".join([lines[1], *odd]) + "\n")
    again = values | {"run": values["run"] | {"out": str(tmp_path / "run"), "rounds": 3}}
    found = run(again, resume=True).rows
    assert told(found[:1]) == told(done.rows[1:]) and [row["round"] for row in found] == [2, 3]
    assert "has no row of round 1" in capsys.readouterr().err


def test_rows_written_by_two_processes_are_one_a_round(tmp_path):
    lines = [{"round": t, "loss": i} for i, t in enumerate((1, 1, 2, 3, 2, 3))]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert rows(tmp_path / "log.jsonl") == [lines[1], lines[4], lines[5]]


# -- draws ----------------------------------------------------------------------------------------------

DRAWS = Draws(np.array([0, 1]), ((5, 2), (6, 2)), ("a", "b"), np.array([-1, -1]), np.array([False, False]))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": [0, 2**70]},
        {"prompt": [0, float("inf")]},
        {"prompt": [1, 0]},
        {"tokens": [[5, 2], [7, 2]]},
        {"texts": ["a", "c"]},
        {"truncated": [False, True]},
        {"texts": ["a"]},
        {"sha256": "0"},
    ],
    ids=str,
)
def test_a_change_of_recorded_draws_is_refused(change, tmp_path):
    path = tmp_path / "draws.json"
    recorded._write(path, DRAWS)
    assert recorded._read(path).texts == DRAWS.texts
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=r"draws\.json is not a record of responses .*: delete it"):
        recorded._read(path)


# -- answers of the judge -------------------------------------------------------------------------------


def test_a_changed_verdict_is_refused_and_an_older_file_is_read(tmp_path):
    path = tmp_path / "judge.jsonl"
    Cached(Rule(rules.shorter), path).prefer(["x", "x"], ["a", "b"], ["cc", "dd"])
    assert len(Cached(Rule(rules.shorter), path)) == 2
    text = path.read_text()
    path.write_text(text.replace('"p": 1.0', '"p": 0.0', 1))
    with pytest.raises(ValueError, match="has changed since it was written: delete that line"):
        Cached(Rule(rules.shorter), path)
    lines = [json.loads(line) for line in text.splitlines()]
    bare = [{name: value for name, value in line.items() if name != "check"} for line in lines]
    path.write_text("\n".join(map(json.dumps, bare)))
    with pytest.raises(ValueError, match="has changed"):
        Cached(Rule(rules.shorter), path)
    del bare[0]["format"]  # written before lines had digests
    path.write_text("\n".join(map(json.dumps, bare)) + "\n")
    older = Cached(Rule(rules.shorter), path)
    assert older.prefer(["x"], ["a"], ["cc"])[0] == 1 and older.misses == 0


# -- the state of a solver ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "type", ["<U400000000", "O", "V1000000", "complex128", "datetime64[s]", "S99999999", 3]
)
def test_a_state_holds_no_array_of_another_type(type, tmp_path):
    from llm_backend import store
    from llm_backend.policies.handles import BASE
    from pgames.solver import State

    lm = tiny_lm()
    store.save(lm, State(1, BASE, (np.ones(2),)), tmp_path, "asked")
    assert store.load(lm, tmp_path, "asked").memory[0].tolist() == [1.0, 1.0]
    path = tmp_path / "state.json"
    path.write_text(path.read_text().replace('"float64"', json.dumps(type)))
    with pytest.raises(ValueError, match=r"is not a complete saved state \(an array of type"):
        store.load(lm, tmp_path, "asked")


# -- run.toml -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (".x:y", r"judge\.score = '\.x:y' is not a function"),
        ("matches:a{99999999999}", r"judge\.score = .*repetition number is too large"),
        ("matches:" + "(" * 5000, r"judge\.score = 'matches:\(\(\("),
        ("math:pi", r"judge\.score = 'math:pi' is not a function \(it is float\)"),
        ("raising:f", r"judge\.score = 'raising:f' .*RuntimeError: two lines"),
        ("ending:f", r"judge\.score = 'ending:f' .*SystemExit"),
    ],
    ids=lambda value: value[:20],
)
def test_a_function_that_cannot_be_used_is_refused_before_the_first_round(
    score, message, tmp_path, monkeypatch
):
    (tmp_path / "raising.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "ending.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=message) as refusal:
        run(described(tmp_path / "run", judge={"score": score}))
    assert "\n" not in str(refusal.value) and not (tmp_path / "run" / "judge.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5000, "nested too deep"),
        ("a = " + "9" * 5000, "is not TOML: Exceeds the limit"),
        ('[run]\nout = "a\\u0000b"', r"run\.out holds a NUL"),
        ("a = 1\xff", "is not TOML"),
    ],
    ids=["deep", "long number", "NUL", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_is_named(text, message, tmp_path):
    base = (
        '[model]\nname = "tiny"\n[data]\nsource = "tiny"\n[judge]\nkind = "Rule"\n[solver]\nname = "INPO"\n'
    )
    path = tmp_path / "run.toml"
    path.write_bytes((text if text.startswith("a") else base + text).encode("latin-1"))
    with pytest.raises(ConfigError, match=message) as refusal:
        run(path)
    assert "run.toml" in str(refusal.value)


def test_a_text_for_the_rank_is_refused_at_a_toys_scale_too(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.lora = 'four': it must be"):
        run(described(tmp_path / "run", model={"lora": "four"}), tiny=True)
