"""The policy of a member of a league leaves from the command line."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.league import settings
from llm_backend.league.loop import run

CONFIG = {
    "model": {"name": "tiny", "lora": 2},
    "data": {"source": "tiny"},
    "judge": {"kind": "Rule", "score": "shorter"},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 2, "max_new_tokens": 4},
    "fit": {"epochs": 1},
    "league": {
        "members": [
            {"name": "one"},
            {"name": "two", "solver": {"name": "INPO", "tau": 0.2, "eta": 2.0}},
            {"name": "start", "policy": "base"},
        ]
    },
    "log": {"tensorboard": False},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("league") / "out"
    values = {**CONFIG, "run": {"rounds": 1, "out": str(folder)}}
    return run(settings.LeagueConfiguration.parse(values))


def called(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stderr


def test_a_member_leaves_merged_and_as_an_adapter(played, tmp_path):
    for folder, more in (("merged", ()), ("adapter", ("--adapter",))):
        to = tmp_path / folder
        assert called("export", played.folder, "--to", to, "--member", "two", *more) == (0, "")
        card = (to / "README.md").read_text()
        for line in ("| tau | 0.2 |", "| rounds | 1 |", "INPO(tau=0.2, eta=2.0), member two", "| win_rate |"):
            assert line in card
    lm = played.ground.homes[0].measured.lm
    ids = torch.tensor([[1, 5, 6, 7]])
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(ids).logits
    policy = played.pool.members[1].policy
    with torch.no_grad(), lm.active(policy):
        torch.testing.assert_close(plain, lm.head(lm.trunk(ids)), rtol=1e-4, atol=1e-4)
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"] == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "is a league of one, two, start, and --member is missing: name one with --member"),
        (("--member", "three"), "and 'three' is not among them"),
    ],
)
def test_a_member_must_be_named(played, more, told, tmp_path):
    code, said = called("export", played.folder, "--to", tmp_path / "x", *more)
    assert code == 2 and told in said and said.count("\n") == 1 and not (tmp_path / "x").exists()


def test_a_damaged_configuration_is_told(played, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"league": 3}))
    code, said = called("export", tmp_path, "--to", tmp_path / "x", "--member", "one")
    assert code == 2 and "config.json is damaged" in said and said.count("\n") == 1
