"""Members as judges: nobody judges what it wrote, and anchors decide who counts."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from llm_backend.data import Pair
from llm_backend.judges import JudgeError
from llm_backend.league.loop import run
from llm_backend.league.panel import Members, Panel, weighed
from llm_backend.runs.errors import ConfigError
from llm_backend.spaces.draws import Draws
from tests.support.llm_league import MEMBERS, league

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:the judge preferred nothing")


class Likes:
    """Prefers the longer response with probability p."""

    as_is = True

    def __init__(self, p):
        self.p, self.asked = p, 0

    def prefer(self, prompts, firsts, seconds):
        self.asked += len(prompts)
        return np.array(
            [self.p if len(y) > len(z) else 1 - self.p for y, z in zip(firsts, seconds, strict=True)]
        )


def said(*texts):
    n = len(texts)
    return Draws(np.zeros(n, np.int64), ((),) * n, texts, np.full(n, -1), np.zeros(n, np.bool_))


def test_nobody_judges_what_it_wrote():
    voters = {"a": Likes(1.0), "b": Likes(0.0), "c": Likes(0.6)}
    panel = Panel(voters, dict.fromkeys(voters, 1.0))
    panel.wrote("a", ["x"], said("long one"))
    panel.wrote("b", ["x"], said("short"))
    assert panel.prefer(["x"], ["long one"], ["short"]) == pytest.approx([0.6])  # c alone
    assert voters["a"].asked == voters["b"].asked == 0
    assert panel.prefer(["x"], ["long one"], ["new"]) == pytest.approx([0.3])  # b and c
    panel.wrote("c", ["x"], said("short"))
    with pytest.raises(JudgeError, match="no member is left to judge 'long one' against 'short'"):
        panel.prefer(["x"], ["long one"], ["short"])


def test_anchors_weigh_judges_by_the_odds_that_they_are_right():
    anchors = [Pair("x", "longer", "s"), Pair("x", "s", "longer", 0.0)]  # two votes on one pair: one anchor
    voters = {"good": Likes(0.9), "blind": Likes(0.5), "wrong": Likes(0.1)}
    weights = weighed(voters, anchors)
    assert weights == pytest.approx({"good": 2.0, "blind": 1.0, "wrong": 0.5})
    expected = (2 * 0.9 + 0.5 + 0.5 * 0.1) / 3.5
    assert Panel(voters, weights).prefer(["x"], ["longer"], ["s"]) == pytest.approx([expected])
    assert weighed(voters, []) == {"good": 1.0, "blind": 1.0, "wrong": 1.0}
    with pytest.raises(JudgeError, match=r"no member agrees with the anchors .*wrong 0.00"):
        weighed({"wrong": Likes(0.1)}, anchors)


def test_a_league_of_judges(tmp_path, capsys):
    judge = {"kind": "Members", "question": "{prompt} {first} or {second}", "answers": ["1", "2"]}
    tables = {"judge": judge, "arena": {"samples": 2, "max_new_tokens": 6}}
    config = league(tmp_path / "judges", rounds=2, **tables)
    config = config.model_copy(update={"judge": judge})
    done = run(config)
    assert done.pool.t == 2 and "members judge the pairs in which they do not play" in capsys.readouterr().err
    with pytest.raises(JudgeError, match="no member is left"):
        two = league(tmp_path / "two", MEMBERS[:2], rounds=1).model_copy(update={"judge": judge})
        run(two)


@pytest.mark.parametrize(
    "judge, match",
    [
        ({"anchors": "nowhere.jsonl"}, "judge.anchors: .*nowhere"),
        ({"question": "{prompt}"}, "question must show both responses"),
        ({"question": "{prompt} {first} {second} {third}"}, "a field other than"),
        ({"colour": 1}, "judge.colour is unknown"),
    ],
)
def test_panels_that_cannot_be_are_named(judge, match, tmp_path):
    config = league(tmp_path / "bad").model_copy(update={"judge": {"kind": "Members", **judge}})
    with pytest.raises(ConfigError, match=match):
        run(config)


def test_listed_responses_have_no_author(tmp_path):
    config = league(tmp_path / "bad", arena={"responses": ["1", "22"]})
    with pytest.raises(ConfigError, match="listed responses have no author"):
        run(config.model_copy(update={"judge": {"kind": "Members"}}))


def test_anchors_are_read(tmp_path):
    file = tmp_path / "anchors.jsonl"
    file.write_text(json.dumps({"prompt": "x", "chosen": "a", "rejected": "b"}) + "\n")
    assert [pair.chosen for pair in Members(anchors=str(file)).known()] == ["a"]
