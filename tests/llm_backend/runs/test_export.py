"""The policy of a run leaves from the command line."""

import json
import shutil

import pytest
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.runs.loop import run

CONFIG = {
    "model": {"name": "tiny", "lora": 2},
    "data": {"source": "tiny"},
    "judge": {"kind": "Rule", "score": "shorter"},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 2, "max_new_tokens": 4},
    "evaluate": {"prompts": 2},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    run({**CONFIG, "run": {"rounds": 1, "out": str(folder)}})
    return folder


def called(*arguments) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_a_run_leaves_merged_or_as_an_adapter(played, tmp_path):
    assert called("export", played, "--to", tmp_path / "merged") == (0, f"{tmp_path / 'merged'}\n", "")
    AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert called("export", played, "--to", tmp_path / "adapter", "--adapter")[0] == 0
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"] == 2
    for folder in ("merged", "adapter"):
        card = (tmp_path / folder / "README.md").read_text()
        for line in (
            "| tau | 0.1 |",
            "| rounds | 1 |",
            "INPO(",
            "kind = Rule, score = shorter",
            "kl_reference",
        ):
            assert line in card


def test_one_line_says_what_is_wrong(played, tmp_path):
    code, _, said = called("export", tmp_path, "--to", tmp_path / "out")
    assert code == 2 and said == f"llm_backend: {tmp_path} holds no config.json: pass the folder of a run.\n"
    code, _, said = called("export", played, "--to", played)
    assert code == 1 and "pass the name of a new folder" in said and said.count("\n") == 1
    code, _, said = called("export", played, "--to", tmp_path / "out", "--attacker")
    assert code == 2 and "is a run of one policy; leave it out" in said
    code, _, said = called("export", played, "--to", tmp_path / "out", "--member", "a")
    assert code == 2 and f"--member a: {played} is no league" in said
    empty = tmp_path / "empty"
    shutil.copytree(played, empty, ignore=shutil.ignore_patterns("0*"))
    code, _, said = called("export", empty, "--to", tmp_path / "out")
    assert code == 2 and "holds no complete round" in said
    assert not (tmp_path / "out").exists()
