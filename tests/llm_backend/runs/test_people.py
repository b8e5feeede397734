"""A run that people judge is that of the rule they follow, killed or not; and it can go on without all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from llm_backend import judges
from llm_backend.people.sources import open_source
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from pgames import Comparisons
from tests.support import ROOT
from tests.support.voting import Voter

RUN: dict[str, dict] = {
    "model": {"name": "tiny", "lora": 2},
    "data": {"source": "tiny", "per_round": 2},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 3, "max_new_tokens": 4},
    "fit": {"epochs": 2, "batch": 4, "lr": 1e-2},
    "evaluate": {"prompts": 2},
    "run": {"rounds": 2},
    "log": {"tensorboard": False},
}
PEOPLE, SHORTER = {"kind": "Human"}, {"kind": "Rule", "score": "shorter"}


def described(out: Path, judge: dict, **changes: dict) -> dict:
    values = {section: keys | changes.get(section, {}) for section, keys in RUN.items()}
    values["run"] = values["run"] | {"out": str(out)}
    return {**values, "judge": judge}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found = sorted((folder / "rounds").rglob("*.safetensors"))
    return {
        f"{path.relative_to(folder)}/{name}": tensor
        for path in found
        for name, tensor in load_file(path).items()
    }


def equal(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys() and ours
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def by_rule(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rule") / "run"
    run(described(folder, SHORTER))
    return folder


def test_people_who_follow_a_rule_train_the_policy_of_the_rule(by_rule, tmp_path):
    with Voter(tmp_path / "run"):
        done = run(described(tmp_path / "run", PEOPLE))
    assert equal(tmp_path / "run", by_rule)
    assert done.rows[-1]["win_rate_reference"]["margin"] > 0
    votes = Comparisons.read(tmp_path / "run" / "people" / "votes.jsonl")
    assert len(votes) > 10 and len(votes.prompts) >= 2
    assert not (tmp_path / "run" / "judge.jsonl").exists()  # the votes are the record


def test_a_run_trains_on_what_has_come_in(tmp_path, capsys):
    with Voter(tmp_path / "run"):
        done = run(described(tmp_path / "run", {**PEOPLE, "wait": 2}))
    assert done.state.t == 2 and "the others have no verdict" in capsys.readouterr().err


def test_a_run_that_nobody_judges_ends_with_one_line_and_goes_on_later(by_rule, tmp_path):
    config = described(tmp_path / "run", {**PEOPLE, "seconds": 0.1})
    with pytest.raises(judges.JudgeError, match=r"nobody voted .* --resume"):
        run(config)
    config["judge"] = PEOPLE  # how long people are awaited may change
    with Voter(tmp_path / "run"):
        run(config, resume=True)
    assert equal(tmp_path / "run", by_rule)


def test_a_page_of_people_is_written_and_its_replies_can_be_voted_on(tmp_path):
    with Voter(tmp_path / "run"):
        run(described(tmp_path / "run", {**PEOPLE, "wait": 3}, evaluate={"page": 2, "prompts": 4}))
    numbers = json.loads((tmp_path / "run" / "page.json").read_text())
    assert 0 < numbers["duels"] <= 4 * 2 * 2
    asked = open_source([tmp_path / "run" / "replies.jsonl"]).source.asked()
    assert {name for one in asked.questions for name in one.names} == {"reference", "run"}


def test_what_cannot_be_waited_for_is_said_before_anything_is_loaded(tmp_path):
    for judge, why in (
        ({"wait": 0}, r"\[judge\] Human: wait must be at least 1 pair"),
        ({"wait": 1.5}, r"judge.wait = 1\.5: it must be"),
        ({"weight": 3}, r"judge.weight is unknown: \[judge\] takes folder, wait, seconds"),
    ):
        with pytest.raises(ConfigError, match=why):
            run(described(tmp_path / "run", {**PEOPLE, **judge}))


@pytest.mark.slow
def test_a_run_killed_while_people_vote_ends_as_if_nothing_had_happened(by_rule, tmp_path):
    config = tmp_path / "run.toml"
    lines = []
    for section, keys in described(tmp_path / "run", PEOPLE).items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    config.write_text("\n".join(lines))
    command = [sys.executable, "-m", "llm_backend", str(config), "--resume"]
    with Voter(tmp_path / "run") as voter:
        for more in (3, 8):
            process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
            wanted, end = voter.votes + more, time.monotonic() + 240
            while voter.votes < wanted and process.poll() is None and time.monotonic() < end:
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, process.stderr.read()
            process.stderr.close()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert equal(tmp_path / "run", by_rule)
