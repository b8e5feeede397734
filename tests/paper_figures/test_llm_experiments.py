"""What the experiments on language models are to show, at the smallest size that shows it."""

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import TextArena
from llm_backend.tiny import tiny_language_model
from paper_figures import fig8_arithmetic, fig9_majority


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_demo_plays_one_solver_in_two_worlds(capsys):
    from rich.console import Console

    from llm_backend import demo

    played = demo.play(rounds=16)
    assert np.abs(played.table - played.llama).sum(axis=1).max() / 2 < 1e-3
    distance = played.distance(played.llama)
    assert distance[0] > 0.3 and distance[-1] < 1e-2
    Console().print(demo.table_of(played))
    assert "…" not in capsys.readouterr().out, "the table is too wide for a terminal"


def test_the_majority_has_cycles_and_no_best_reply_though_its_judges_have():
    lm = tiny_language_model(texts=[*fig9_majority.REPLIES, *fig9_majority.PROMPTS])

    def game(judge):
        arena = TextArena(lm, fig9_majority.PROMPTS, judge, samples=None, responses=fig9_majority.REPLIES)
        return arena.to_game()

    votes = fig9_majority.majority()
    whole = game(votes)
    assert fig9_majority.cycles(whole)
    assert (whole.P.min(axis=2) == 0).all(), "a reply that loses to none"
    for judge in votes.judges:
        assert not fig9_majority.cycles(game(judge))
        assert (game(judge).P.min(axis=2).max(axis=1) == 0.5).all()
    assert pg.nash(whole).exploitability < 1e-9


@pytest.mark.slow
def test_self_play_before_a_verifiable_judge_learns_held_out_sums():
    train, held = fig8_arithmetic.sums()
    assert not set(train) & set(held)
    before, *_, after = fig8_arithmetic.play(fig8_arithmetic.llama(), 2)
    assert 0.3 < before.accuracy.mean < 0.8, "a reference that speaks, but not well"
    assert after.accuracy.low > before.accuracy.high
    assert after.win_rate.low > 0.52
    assert after.greedy > before.greedy
    assert 0.05 < after.kl.mean < 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the judge preferred nothing")  # three votes often tie
def test_nash_learners_end_less_exploitable_than_online_dpo_on_as_many_judgements():
    found = fig9_majority.curves(fig9_majority.llama(80), 1200, seed=0)
    for curve in found.values():
        assert 1100 < curve[-1, 0] < 1700
    gap = {name: curve[-1, 1] for name, curve in found.items()}
    for name in ("Nash-MD", "EGPO"):
        assert gap[name] < 0.6 * gap["online DPO"]
        assert gap[name] < 0.6 * gap["RLHF"]
