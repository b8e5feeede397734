"""Runs of two roles: their files, resuming, the page, exports and errors."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

import pgames as pg
from llm_backend.__main__ import app
from llm_backend.policies.handles import BASE, Adapter, digest_of
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.export import export_run
from llm_backend.runs.loop import run
from llm_backend.runs.roles import against_one
from tests.support import ROOT

RECIPE = ROOT / "llm_backend" / "recipes" / "adversary.toml"
RUN = {
    "model": {"name": "tiny"},
    "data": {"source": "tiny"},
    "judge": {"kind": "Rule", "score": "shorter"},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "roles": {"seeds": "tiny", "samples": 3, "replies": 2, "answer_tokens": 6, "quality": 0.25, "fresh": 1},
    "evaluate": {"held_out": 3, "page": 2},
}


def played(folder, rounds=2, resume=False, **sections):
    return run({**RUN, **sections, "run": {"rounds": rounds, "out": str(folder)}}, resume=resume)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return played(tmp_path_factory.mktemp("roles") / "run")


def test_a_run_trains_both_roles_and_logs_attackers_by_name(finished):
    assert all(isinstance(half, Adapter) for half in finished.state.policy)
    row = finished.rows[-1]
    assert set(row["attack_success"]) == {"current", "reference", "fixed", "unseen", "round 1"}
    assert all(0 <= one["mean"] <= 1 for one in row["attack_success"].values())
    assert row["verdicts"] > 0 and row["refused"] == 0 and row["judged"] >= row["verdicts"]
    assert 0 <= row["self_bleu"] <= 1 and "win_rate_reference" in row and "leaked_unasked" in row


def test_the_page_holds_fresh_attackers_and_transcripts(finished):
    numbers = json.loads((finished.folder / "page.json").read_text())
    assert set(numbers["attack_success"]) == {"reference", "current", "fixed", "unseen", "fresh"}
    assert set(numbers["attack_success_base"]) == set(numbers["attack_success"])
    text = (finished.folder / "page.html").read_text()
    assert "Transcripts of attacks: trained afresh" in text and "win rate over the base" in text
    assert not (finished.folder / "draws").exists()


def test_a_run_resumes_to_the_bit(finished, tmp_path):
    played(tmp_path / "run", rounds=1)
    again = played(tmp_path / "run", resume=True)
    assert [half.id for half in again.state.policy] == [half.id for half in finished.state.policy]
    left, right = ([row["attack_success"] for row in one.rows] for one in (again, finished))
    assert left == right


def test_a_population_of_pairs_resumes_to_the_bit(tmp_path):
    oracle = {"name": "BestResponse", "tau": 0.2}
    how = {
        "solver": {"name": "PSRO", "oracle": oracle, "meta": {"name": "Uniform"}},
        "roles": {**RUN["roles"], "samples": 2, "quality": 0.0},
    }
    quick = {"held_out": 3, "every": 0, "past": 0}
    whole = played(tmp_path / "whole", evaluate={**quick, "page": 2}, **how)
    played(tmp_path / "run", rounds=1, evaluate=quick, **how)
    again = played(tmp_path / "run", resume=True, evaluate=quick, **how)
    ours, theirs = ([digest_of(half) for half in one.state.policy] for one in (whole, again))
    assert ours == theirs
    met = again.state.memory[1]
    assert np.isfinite(met.success).all() and met.members == 3
    assert "fresh" in json.loads((whole.folder / "page.json").read_text())["attack_success"]
    with pytest.raises(ConfigError, match=r"the defender .* is a mixture of 3 policies, and no single set"):
        export_run(again.folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_fresh_attacker_is_trained_by_what_plays_against_one_defender():
    inner, other = pg.INPO(0.1, 1.0), pg.MMD(0.1, 1.0)
    for solver in (
        inner,
        pg.Turns(inner, other),
        pg.PSRO(oracle=inner),
        pg.League((inner, other)),
        pg.MainAndExploiters(other, inner),
        pg.MainAndExploiters(inner),
    ):
        assert against_one(solver) is inner
    assert against_one(pg.Average(inner)) == pg.Average(inner)


def test_a_wrong_meta_solver_is_named(tmp_path):
    for meta, told in (({}, "missing"), ({"name": "Nahs"}, "'Nahs'.*Did you mean Nash")):
        with pytest.raises(ConfigError, match=rf"solver.meta.name is {told}"):
            played(tmp_path, solver={"name": "PSRO", "meta": meta})


def test_the_baseline_trains_the_defender_alone(tmp_path):
    done = played(tmp_path, rounds=1, roles={**RUN["roles"], "train": "defender", "fresh": 0})
    assert done.state.policy.attacker.texts and isinstance(done.state.policy.defender, Adapter)
    more = played(tmp_path, resume=True, roles={**RUN["roles"], "train": "defender", "fresh": 0})
    assert more.state.t == 2 and isinstance(more.state.policy.defender, Adapter)
    only = played(tmp_path / "attack", rounds=1, roles={**RUN["roles"], "train": "attacker", "fresh": 0})
    assert only.state.policy.defender is BASE and isinstance(only.state.policy.attacker, Adapter)


def test_the_recipe_plays_at_a_toys_scale(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [str(RECIPE), "--tiny"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs" / "adversary-tiny" / "page.html").is_file()


def test_a_role_is_exported(finished, tmp_path):
    for role, option in (("defender", []), ("attacker", ["--attacker"])):
        to = tmp_path / role
        done = CliRunner().invoke(
            app, ["export", str(finished.folder), "--to", str(to), "--adapter", *option]
        )
        assert done.exit_code == 0, done.output
    both = [(tmp_path / role / "adapter_model.safetensors").read_bytes() for role in ("attacker", "defender")]
    assert both[0] != both[1]


@pytest.mark.parametrize(
    "sections, message",
    [
        ({"arena": {"samples": 3}}, r"\[arena\] is not read beside \[roles\]"),
        ({"roles": {"samples": 3}}, "roles.seeds is missing"),
        ({"roles": {"seeds": "tiny", "sample": 3}}, "roles.sample is unknown.*Did you mean samples"),
        ({"roles": {"seeds": "tiny", "train": "judge"}}, "roles.train = 'judge'"),
        ({"roles": {"seeds": "tiny", "quality": 1.5}}, "quality is the share"),
        ({"roles": {"seeds": "password", "held_out": 3}}, "has its own rule"),
        ({"roles": {"seeds": "none.jsonl"}}, "roles.success is missing"),
        (
            {"roles": {"seeds": "none.jsonl", "success": "llm_backend.password:leaks"}},
            "roles.seeds: none.jsonl",
        ),
        ({"evaluate": {"gap_every": 1}}, "evaluate.gap_every is for runs of one policy"),
        ({"evaluate": {"held_out": 8}}, "it must leave some of the 8 ordinary prompts"),
    ],
)
def test_a_wrong_key_is_named(sections, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        played(tmp_path, **sections)


def test_seeds_come_from_a_file(tmp_path):
    path = tmp_path / "seeds.jsonl"
    rows = [{"prompt": f"What is {n}?", "secret": "9"} for n in "1234"]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    roles = {
        "seeds": str(path),
        "success": "llm_backend.password:spelled",
        "held_out": 4,
    }
    with pytest.raises(ConfigError, match="it must leave some of the 4 seeds"):
        played(tmp_path / "run", roles=roles)
    path.write_text(json.dumps({"prompt": "What is 9?", "secret": "9"}))
    with pytest.raises(ConfigError, match="tells the attacker the secret '9'"):
        played(tmp_path / "run", roles={**roles, "held_out": 0})
