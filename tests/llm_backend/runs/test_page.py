"""The page of a run: the last policy beside the reference on fresh replies, in one self-contained file."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from llm_backend.constraints import HELD_OUT, met, prompts
from llm_backend.runs.loop import run
from llm_backend.runs.replies import compare, over_prompts

CONFIG = {
    "model": {"name": "tiny", "lora": 2},
    "data": {"source": "constraints", "per_round": 4},
    "judge": {"kind": "Rule", "prefer": "llm_backend.constraints:prefer"},
    "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0},
    "arena": {"samples": 2, "max_new_tokens": 4},
    "evaluate": {"held_out": HELD_OUT, "page": 2},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "<run>"
    return run({**CONFIG, "run": {"rounds": 1, "out": str(folder)}})


class Tags(HTMLParser):
    """What a page holds, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.sources = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tables += tag == "table"
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_is_one_file_and_names_are_escaped(finished):
    text = (finished.folder / "page.html").read_text()
    tags = Tags(text)
    assert tags.sources and all(source.startswith("data:") for source in tags.sources)
    assert tags.tables == 3 and "<h1>Run &lt;run&gt;</h1>" in text
    for said in ("win rate over the reference", "one word (never trained)", "240 judged"):
        assert said in text
    assert not (finished.folder / "draws").exists()


def test_its_numbers_are_those_of_the_replies(finished):
    numbers = json.loads((finished.folder / "page.json").read_text())
    replies = compare(finished.arena, finished.state.policy, finished.state.t, 2)  # the same draws
    assert numbers["duels"] == HELD_OUT * 4 == 240
    assert numbers["win_rate_reference"]["mean"] == pytest.approx(replies.wins.mean())
    held = [row for row in prompts() if row.held_out]
    assert replies.prompts == [row.prompt for row in held]
    assert replies.kinds == [row.kind for row in held]
    hits = [
        met(held[x].prompt, text) for x, text in zip(replies.ours.prompt, replies.ours.texts, strict=True)
    ]
    assert numbers["met"]["policy"] == pytest.approx(np.mean(hits))
    assert set(numbers["met_by_kind"]) == set(replies.kinds) and len(replies.kinds) == HELD_OUT
    assert replies.duels == 240 and (replies.wins >= 0).all() and (replies.wins <= 1).all()


def test_an_equal_policy_wins_half(finished):
    replies = compare(finished.arena, finished.arena.reference, 0, 2)
    rate = over_prompts(replies.wins)
    assert abs(rate.mean - 0.5) < 2 * rate.margin and replies.kl.mean == 0


def test_the_interval_covers_the_choice_of_prompts():
    values = np.array([0.1, 0.5, 0.9, 0.7])
    rate = over_prompts(values)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (rate.low, rate.high) == pytest.approx((low, high))
    with pytest.raises(ValueError, match="at least 2 prompts"):
        over_prompts(values[:1])


def test_prompts_without_constraints_have_a_page_too(tmp_path):
    config = {
        **CONFIG,
        "data": {"source": "tiny"},
        "judge": {"kind": "Rule", "score": "shorter"},
        "evaluate": {"prompts": 4, "page": 1},
    }
    done = run({**config, "run": {"rounds": 1, "out": str(tmp_path / "run")}})
    numbers = json.loads((done.folder / "page.json").read_text())
    assert "met" not in numbers and numbers["duels"] == len(done.arena.prompts)
    assert Tags((done.folder / "page.html").read_text()).tables == 2


def test_a_finished_run_gets_its_page_later(tmp_path):
    config = {**CONFIG, "data": {"source": "tiny"}, "judge": {"kind": "Rule", "score": "shorter"}}
    where = {"run": {"rounds": 1, "out": str(tmp_path / "run")}}
    done = run({**config, "evaluate": {"prompts": 2}, **where})
    assert not (done.folder / "page.html").exists()
    run({**config, "evaluate": {"prompts": 2, "page": 1}, **where}, resume=True)
    assert (done.folder / "page.html").exists()
