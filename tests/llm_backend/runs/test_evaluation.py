"""[evaluate]: what it measures, what it costs, and that its cost is told."""

import pytest

pytest.importorskip("torch")

import torch

from llm_backend.policies.handles import BASE
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from llm_backend.runs.meter import Meter
from llm_backend.spaces.metered import metered
from tests.llm_backend.runs.test_runs import described, told
from tests.support.llm_free import free_arena
from tests.support.llm_tiny import tiny_lm

torch.set_num_threads(1)


def plain(out, **evaluate):
    values = described(out, run={"rounds": 2})
    return values | {"evaluate": evaluate}


def test_by_default_an_evaluation_draws_at_most_half_of_a_round(tmp_path):
    done = run(plain(tmp_path / "run"))
    for row in done.rows:
        drawn = row["tokens"] / row["drawn_length"]
        assert 0 < row["evaluation"]["responses"] <= drawn / 2
        assert 0 < row["evaluation"]["judged"] < row["judged"]
    assert len(done.arena.prompts) == 2  # 8 prompts x 3 samples, 2 samples of 3 policies


def test_an_evaluation_that_costs_more_than_a_round_says_so(tmp_path, capsys):
    run(plain(tmp_path / "dear", prompts=8, samples=4))
    said = capsys.readouterr().err
    assert "each evaluation draws 96 responses (8 prompts x 4 samples x 3 policies)" in said
    assert said.index("each evaluation draws") < said.index("round 1/2")
    run(plain(tmp_path / "cheap"))
    assert "each evaluation draws" not in capsys.readouterr().err


def test_the_bound_names_its_opponent_its_training_and_its_cost(tmp_path, capsys):
    rival = run(plain(tmp_path / "rival", every=0)).folder
    values = plain(tmp_path / "run", prompts=4, gap_every=1, rivals=[str(rival)])
    done = run(values)
    said = capsys.readouterr().err
    cost = "the exploitability bound costs each round up to 3 fits"
    assert cost in said and said.index(cost) < said.rindex("round 1/2")
    for t, row in enumerate(done.rows, 1):
        bound = row["exploitability"]
        # best responses, the rival, the reference, and the policy of the round before
        assert bound["opponents"] == bound["fits"] + 2 + (t > 1) and bound["margin"] > 0
        assert bound["opponent"] in {"reference", "round 1", str(rival)} or "best" in bound["opponent"]
    again = run(values | {"run": values["run"] | {"rounds": 3}}, resume=True)
    assert told(again.rows[:2]) == told(done.rows)


def test_what_cannot_be_measured_is_said_before_the_first_round(tmp_path):
    with pytest.raises(ConfigError, match=r"evaluate\.rivals: .*nowhere holds no complete round"):
        run(plain(tmp_path / "run", rivals=[str(tmp_path / "nowhere")]))
    values = plain(tmp_path / "other", gap_every=1) | {"solver": {"name": "SPPO", "eta": 1.0}}
    with pytest.raises(ConfigError, match=r"evaluate\.tau is missing"):
        run(values)
    assert not (tmp_path / "other" / "log.jsonl").exists()


def test_the_speed_of_drawing_leaves_out_what_is_read(tmp_path):
    meter, arena = Meter(), free_arena(tiny_lm("abc", spread=0.15), folder=tmp_path)
    space = metered(arena.space, meter)
    first = space.draw(BASE, 2, (0, 1))
    fresh = meter.fresh_tokens
    assert fresh == meter.tokens == sum(map(len, first.tokens)) and meter.fresh_seconds > 0
    assert space.draw(BASE, 2, (0, 1)).tokens == first.tokens
    assert meter.tokens == 2 * fresh and meter.fresh_tokens == fresh
