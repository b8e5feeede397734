"""A run's configuration: every error names its key, in one line."""

import pytest

import pgames as pg

pytest.importorskip("torch")

from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.named import build_judge, build_solver

WHOLE = {
    "model": {"name": "somewhere"},
    "data": {"source": "prompts.jsonl"},
    "judge": {"kind": "Rule", "score": "shorter"},
    "solver": {"name": "EGPO", "tau": 0.1, "eta": 1},
}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, r"\[model\] is missing"),
        ({"modl": {}}, r"modl is unknown: the file takes \[model\].*Did you mean \[model\]"),
        ({"model": 3}, "model must be a table"),
        (
            WHOLE | {"run": {"round": 3}},
            r"run.round is unknown: \[run\] takes rounds, out, keep, shard. Did you mean rounds",
        ),
        (WHOLE | {"run": {"rounds": "3"}}, "run.rounds = '3': it must be a valid integer"),
        (WHOLE | {"run": {"rounds": 0}}, "run.rounds = 0: it must be greater than or equal to 1"),
        (WHOLE | {"run": {"rounds": True}}, "run.rounds = True: it must be a valid integer"),
        (WHOLE | {"evaluate": {"tau": -1.0}}, "evaluate.tau = -1.0: it must be greater than 0"),
        (WHOLE | {"log": {"wandb": 1}}, "log.wandb = 1: it must be a valid string"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(values, told):
    with pytest.raises(ConfigError, match=told):
        Configuration.parse(values)


def test_what_is_left_out_has_defaults():
    config = Configuration.parse(WHOLE, "mine")
    assert (config.run.rounds, config.run.out, config.fit) == (3, "runs/mine", {})
    assert config == Configuration.parse(config.dump(), "mine")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        ("[model", "is not TOML: Expected"),
        ("[modle]", "run.toml: modle is unknown"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, content, told):
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=told):
        Configuration.read(path)
    with pytest.raises(ConfigError, match="is a folder"):
        Configuration.read(tmp_path)


def test_every_solver_of_pgames_can_be_named():
    assert build_solver({"name": "EGPO", "tau": 0.1, "eta": 1}) == pg.EGPO(0.1, 1.0)
    assert build_solver({"name": "COMAL", "tau": 0.1, "eta": 0.5, "every": 3}) == pg.COMAL(0.1, 0.5, 3)
    assert build_solver({"name": "NashMD", "tau": 0.1}) == pg.NashMD(0.1)
    nested = {"name": "Average", "inner": {"name": "SPPO", "eta": 0.5}}
    assert build_solver(nested) == pg.Average(pg.SPPO(0.5))
    scheduled = {"name": "ENPO", "tau": 0.1, "schedule": {"kind": "constant", "c": 0.5}}
    assert build_solver(scheduled) == pg.ENPO(0.1, pg.Schedule("constant", 0.5))
    assert build_solver({"name": "GPO", "tau": 0.1, "loss": "squared"}) == pg.IPO(0.1)
    own = {"name": "pgames.solvers.mirror:MMD", "tau": 0.1, "eta": 0.5}
    assert build_solver({"name": "Average", "inner": own}) == pg.Average(pg.MMD(0.1, 0.5))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"tau": 1.0}, "solver.name is missing: it is one of .*Average.*EGPO"),
        ({"name": "egpo"}, "solver.name = 'egpo': it must be one of"),
        ({"name": "EGPP", "tau": 0.1}, r"it must be one of .* or package.module:Class .*Did you mean EGPO\?"),
        ({"name": "no.such:Solver"}, "solver.name = 'no.such:Solver': it must be .*No module named 'no'"),
        ({"name": 3}, "solver.name = 3: it must be one of"),
        ({"name": "EGPO", "tau": 0.1}, "solver.eta is missing"),
        ({"name": "EGPO", "tau": "x", "eta": 1}, "solver.tau = 'x': it must be a valid number"),
        ({"name": "EGPO", "tau": 0.1, "eta": 1, "etta": 1}, "solver.etta is unknown.*takes tau, eta"),
        ({"name": "EGPO", "tau": 0.1, "eta": -1}, r"\[solver\] EGPO: eta must be finite and above 0"),
        ({"name": "GPO", "tau": 0.1, "loss": "squred"}, "solver.loss = 'squred': it must be one of logistic"),
        ({"name": "Average", "inner": {"name": "SPPO", "etta": 1}}, "solver.inner.etta is unknown"),
        ({"name": "Average", "inner": 3}, "solver.inner = 3: it must be a table"),
        (
            {"name": "ENPO", "tau": 0.1, "schedule": {"kind": "constat"}},
            "solver.schedule.kind = 'constat': it must be 'sqrt', 'linear' or 'constant'",
        ),
    ],
)
def test_a_solver_that_cannot_be_made_says_why(values, told):
    with pytest.raises(ConfigError, match=told):
        build_solver(values)


def test_judges_are_named_too_and_can_be_nested():
    rule = {"kind": "Rule", "score": "shorter"}
    three = build_judge({"kind": "Majority", "judges": [rule, rule, {"kind": "Rule", "score": "matches:a+"}]})
    assert three.prefer(["?"], ["aaaa"], ["bb"]) == pytest.approx(1 / 3)
    table = build_judge({"kind": "Table", "P": [[0.5, 0.75], [0.25, 0.5]], "responses": ["a", "b"]})
    assert table.prefer(["?"], ["a"], ["b"]) == 0.75
    own = build_judge({"kind": "Rule", "score": "llm_backend.judges.rules:longer"})
    assert own.prefer(["?"], ["aa"], ["b"]) == 1
    assert (
        build_judge({"kind": "Rule", "score": "matches:a"}).name
        != build_judge({"kind": "Rule", "score": "matches:b"}).name
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "judge.kind is missing: it is one of Chat"),
        ({"kind": "Rule"}, r"\[judge\] Rule needs either score"),
        ({"kind": "Rule", "score": "shoter"}, "judge.score = 'shoter' is not a function"),
        ({"kind": "Rule", "score": "pgames:nothing"}, "judge.score = 'pgames:nothing' is not a function"),
        ({"kind": "RewardModel", "path": "/nowhere/at/all"}, r"\[judge\]"),
        (
            {"kind": "Majority", "judges": [{"kind": "Rule", "scre": "x"}]},
            r"judge.judges\[0\].scre is unknown",
        ),
        ({"kind": "Chat", "url": "http://127.0.0.1:1/v1"}, "judge.model is missing"),
    ],
)
def test_a_judge_that_cannot_be_made_says_why(values, told):
    with pytest.raises(ConfigError, match=told):
        build_judge(values)


def test_another_device_is_the_same_run():
    read = Configuration.parse(WHOLE)
    moved = read.on("cuda")
    assert moved.model == {**read.model, "device": "cuda"} and "device" not in read.model
    assert moved.model_copy(update={"model": read.model}) == read
