"""--plan: the cost of a run, said before its first round."""

import re

import pytest

pytest.importorskip("torch")

import torch
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.judges import rules
from llm_backend.runs.config import Configuration
from llm_backend.runs.loop import run
from llm_backend.runs.plan import Cost, Plan, plan
from tests.llm_backend.runs.test_runs import as_toml, described

torch.set_num_threads(1)


@pytest.mark.parametrize("solver", ["EGPO", "NashMD"])
def test_the_plan_is_what_the_run_then_costs(solver, tmp_path):
    values = described(tmp_path / "run", data={"per_round": 8}, evaluate={"prompts": 4, "gap_every": 2})
    values |= {"solver": {"name": solver, "tau": 0.1} | ({"eta": 1.0} if solver == "EGPO" else {})}
    values["run"]["rounds"] = 2
    told = plan(Configuration.parse(values))
    assert not (tmp_path / "run").exists()
    row = run(values).rows[-1]
    assert told.round.verdicts == row["judged"]
    assert told.round.drawn == pytest.approx(row["tokens"], rel=0.4)
    assert told.round.trained == pytest.approx(row["tokens_trained"], rel=0.4)
    assert told.evaluation.verdicts > 0 and 0 < told.share < 1


def test_the_judge_is_asked_about_a_few_pairs_only(tmp_path, monkeypatch):
    asked, shorter = [], rules.shorter

    def counted(prompt, response):
        asked.append(response)
        return shorter(prompt, response)

    monkeypatch.setattr(rules, "shorter", counted)
    told = plan(Configuration.parse(described(tmp_path / "run")))
    assert told.round.verdicts > 20 and 0 < len(asked) <= 2 * 8 and told.judging is not None


def test_the_command_prints_the_plan_and_leaves_nothing(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(as_toml(described(tmp_path / "run")))
    done = CliRunner().invoke(app, [str(config), "--plan"])
    assert done.exit_code == 0, done.stderr
    for what in (
        "tokens drawn",
        "tokens trained",
        "verdicts",
        "time",
        "Evaluation takes",
        "Memory at the peak",
    ):
        assert what in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]
    number = re.search(r"verdicts +([\d,]+) +([\d,]+)", done.stdout)
    assert number and int(number[2].replace(",", "")) == pytest.approx(
        3 * int(number[1].replace(",", "")), abs=3
    )


def test_the_page_is_counted_once(tmp_path):
    values = described(tmp_path / "run", evaluate={"prompts": 4, "gap_every": 0, "page": 2})
    told = plan(Configuration.parse(values))
    assert told.page.verdicts == 4 * 2 * 2 and told.page.drawn > 0
    assert told.lines()[1].endswith("3 rounds + page")


def test_an_evaluation_that_costs_more_than_the_rounds_is_named():
    played, measured = Cost(10, 10, 10, 1), Cost(5, 0, 30, 3)
    made = Plan(4, (2, 2), played, measured, Cost(), None, 2**30, 2**31, "the host", 2**20, True)
    said = "\n".join(made.lines())
    assert made.share == 0.75 and "Evaluation takes 75 % of the time and 75% of the verdicts" in said
    assert "the time of the judge, which was not asked" in said and "Rounds grow" in said
    assert "a smaller evaluate.prompts" in said and "1.00 GiB on the host; 2.00 GiB more are free" in said
