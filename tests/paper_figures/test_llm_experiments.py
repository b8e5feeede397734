"""What the experiments on language models are to show, at the smallest size that shows it."""

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import TextArena
from llm_backend.tiny import tiny_language_model
from paper_figures import fig8_arithmetic, fig9_majority
from tests.support.figures import ON_TEXT, check_figure, check_toy


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
    before, *_, after = fig8_arithmetic.played(*fig8_arithmetic.SIZES["quick"])
    assert 0.3 < before.accuracy.mean < 0.8, "a reference that speaks, but not well"
    assert after.accuracy.low > before.accuracy.high
    assert after.win_rate.low > 0.52
    assert after.greedy > before.greedy
    assert 0.05 < after.kl.mean < 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the judge preferred nothing")  # three votes often tie
def test_nash_learners_end_less_exploitable_than_online_dpo_on_as_many_judgements():
    steps, budget, _ = fig9_majority.SIZES["quick"]
    found = fig9_majority.curves(fig9_majority.llama(steps), budget, 0)
    for curve in found.values():
        assert 1100 < curve[-1, 0] < 1700
    gap = {name: curve[-1, 1] for name, curve in found.items()}
    for name in ("Nash-MD", "EGPO"):
        assert gap[name] < 0.6 * gap["online DPO"]
        assert gap[name] < 0.6 * gap["RLHF"]


# -- the figures ----------------------------------------------------------------------------------------


def self_play_learns_held_out_sums(found):
    assert found["accuracy after self-play"] > found["accuracy of the reference"]
    assert found["win_rate after self-play"] > 0.5


def a_part_of_a_step_is_realised(found):
    assert len(found) == 9
    slopes = [*found.values()]
    assert all(0.05 < slope < 0.5 for slope in slopes)
    assert slopes[3] > 1.3 * slopes[0]  # a second fit to fresh draws
    assert np.allclose(slopes[5:], slopes[0], atol=0.03)  # neither ridge nor rank


def replies_end_at_their_nash(found):
    assert found["TV of the trained model to the exact Nash, worst prompt"] < 0.01
    assert found["TV of the reference"] > 0.2
    assert found["largest probability under the reference, means of tokens"] < 0.5
    assert found["largest probability under the reference, sums of tokens"] > 0.7


def no_single_reply_is_best(found):
    assert found["cycles of three"] > 0
    assert found["exploitability of the best single reply"] == 0.5


def learners_of_a_league_stay_apart(found):
    """A toy's league of two rounds: learners start as one policy."""
    assert found["mean distance of learners after the first round"] == 0
    assert found["mean distance of learners at the end"] > 0.05
    gaps = [value for what, value in found.items() if what.startswith(("exploitability", "of the"))]
    assert len(gaps) == 3 and gaps[0] <= min(gaps) + 1e-12  # the best mixture has the smallest


def a_password_game_has_a_base_and_two_defenders(found):
    """A toy's game: rates alone."""
    assert len(found) == 3 and all(0 <= value <= 1 for value in found.values())


CLAIMS = {
    "fig21_smollm2_league": learners_of_a_league_stay_apart,
    "fig22_password": a_password_game_has_a_base_and_two_defenders,
    "fig8_arithmetic": self_play_learns_held_out_sums,
    "fig9_majority": no_single_reply_is_best,
    "fig10_realised": a_part_of_a_step_is_realised,
    "fig11_replies": replies_end_at_their_nash,
}


def test_every_figure_has_a_claim():
    assert sorted(CLAIMS) == sorted(ON_TEXT)


@pytest.mark.parametrize("name", ON_TEXT)
def test_a_toy_of_the_figure_has_its_axes_and_series(name, tmp_path, capsys):
    check_toy(name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TEXT)
def test_figure(name, tmp_path, capsys):
    check_figure(name, CLAIMS[name], tmp_path, capsys)
