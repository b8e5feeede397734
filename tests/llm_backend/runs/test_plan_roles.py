"""--plan of a run of two roles: what it then costs, its page and its fresh attacker included."""

import zlib

import pytest

pytest.importorskip("torch")
import torch
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.runs import roles
from llm_backend.runs.config import Configuration
from llm_backend.runs.loop import run
from llm_backend.runs.plan import plan
from tests.llm_backend.runs.test_roles import RECIPE, RUN

torch.set_num_threads(1)


def described(folder, rounds=2, **sections):
    tables = {name: {**RUN[name], **sections.get(name, {})} for name in RUN}
    return {
        **tables,
        **{k: v for k, v in sections.items() if k not in RUN},
        "run": {"rounds": rounds, "out": str(folder)},
    }


STILL = {"solver": {"name": "INPO", "tau": 0.1, "eta": 0.01}}  # so that made-up verdicts change little


def made_up(prompt, answer):
    """The verdict of a rehearsal."""
    return float(zlib.crc32(answer.encode()) % 2)


@pytest.mark.parametrize("train", ["both", "defender"])
def test_the_plan_is_what_the_run_then_costs(train, tmp_path, monkeypatch):
    """A run whose verdicts are those of the trial; how many tokens a fit trains depends on them."""
    monkeypatch.setattr(roles, "_even", made_up)
    values = described(tmp_path / "run", roles={"train": train, "quality": 0.0}, evaluate={"every": 2})
    told = plan(Configuration.parse(values))
    assert not (tmp_path / "run").exists()
    row = run(values).rows[-1]
    assert told.round.drawn == pytest.approx(row["tokens"], rel=0.05)
    assert told.round.trained == pytest.approx(row["tokens_trained"], rel=0.05)
    assert told.round.verdicts == pytest.approx(row["judged"], rel=0.05)
    assert told.evaluation.verdicts == pytest.approx(row["evaluation"]["judged"] / 2, rel=0.2)
    assert told.unit == "seeds" and told.page.verdicts > 0 and told.page.trained > 0  # of a fresh attacker


def test_seeds_are_scaled(tmp_path, monkeypatch):
    """One seed is played for the two of the run."""
    values = described(tmp_path, evaluate={"every": 0, "page": 0}, **STILL)
    two = plan(Configuration.parse(values))
    monkeypatch.setattr(roles, "FEW", 1)
    one = plan(Configuration.parse(values))
    assert (one.prompts[0], two.prompts[0]) == (1, 2)
    assert one.round.drawn == pytest.approx(two.round.drawn, rel=0.4)
    assert one.page == two.page == (0, 0, 0, 0)


def test_turns_are_averaged_over_both_roles(tmp_path, monkeypatch):
    """A run whose verdicts are those of the trial, over two cycles of four turns."""
    monkeypatch.setattr(roles, "_even", made_up)
    inpo = {"name": "INPO", "tau": 0.1, "eta": 1.0}
    turns = {"name": "Turns", "attacker": inpo, "defender": inpo, "attack": 1, "defend": 3}
    values = described(tmp_path / "run", rounds=12, roles={"quality": 0.0}, evaluate={"every": 0, "page": 0})
    values["solver"] = turns
    told = plan(Configuration.parse(values))
    rows = run(values).rows[4:]  # the first turns of each role are cheaper
    assert told.round.trained == pytest.approx(sum(row["tokens_trained"] for row in rows) / 8, rel=0.4)


def test_the_rule_is_asked_about_a_few_answers_only(tmp_path, monkeypatch):
    asked = []

    def counted(prompt, answer):
        asked.append(answer)
        return float(answer in "246")

    monkeypatch.setattr(roles, "_even", counted)
    told = plan(Configuration.parse(described(tmp_path / "run")))
    assert 0 < len(asked) <= 8 and told.judging is not None and told.page.verdicts > 8


def test_the_command_prints_the_plan_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [str(RECIPE), "--tiny", "--plan"])
    assert done.exit_code == 0, done.output
    for what in ("2 seeds a round", "verdicts", "+ page", "Memory at the peak"):
        assert what in done.stdout
    assert list(tmp_path.iterdir()) == []
