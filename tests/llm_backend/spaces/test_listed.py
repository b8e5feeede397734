"""Enumerable games: win rates from few draws, and responses that are the same tokens."""

from dataclasses import replace

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena, judges
from llm_backend.policies.handles import Answers
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs import listed_wins
from llm_backend.verbs.listed_wins import _chances
from llm_backend.verbs.verdicts import wins_against
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm


def test_two_texts_with_the_same_tokens_are_refused():
    lm = tiny_language_model()
    assert lm.encode_response("b") == lm.encode_response("c"), "both are unknown to the tiny tokenizer"
    judge = judges.Table(np.full((3, 3), 0.5), ["1", "b", "c"])
    with pytest.raises(ValueError, match=r"responses 'b' and 'c' are the same tokens"):
        TextArena(lm, ["1+1="], judge, samples=None, responses=["1", "b", "c"])


def uneven(responses, samples, power=1.5):
    """A game of cycles, an opponent with few likely responses, and P(y > opponent) float64[X, Y]."""
    texts, prompts = [chr(97 + y) for y in range(responses)], ["1", "2 3", "4"]
    game = cyclic_game(3, responses)
    judge = TableJudge(game.P, prompts, texts)
    arena = TextArena(tiny_lm((*texts, *"1234")), prompts, judge, samples, responses=texts)
    p = np.arange(1.0, responses + 1) ** -power
    opponent = Answers((tuple(texts),) * 3, (p / p.sum(),) * 3)
    return arena, opponent, np.einsum("xyz,z->xy", game.P, p / p.sum())


@pytest.mark.parametrize(("samples", "bias", "share"), [(3, 0.03, 0.75), (4, 0.03, 0.45)])
def test_wins_of_a_list_are_those_of_few_draws_with_less_noise(samples, bias, share):
    """Against the wins that count how often an opponent was drawn, from as many draws."""
    arena, opponent, exact = uneven(5, samples)
    every, often = np.ones((3, 5), np.bool_), 1000
    known, counted = np.zeros((2, often, 3, 5))
    for t in range(often):
        context = arena.at(t).context
        drawn = listed_wins.sample(context, opponent, "opponent", samples)
        assert drawn.drawn.sum() == 3 * samples
        rows, worth = listed_wins.wins(context, every, drawn)
        known[t][rows.prompt, rows.column] = worth.mean
        theirs = context.draw(opponent, "opponent")
        counted[t][rows.prompt, rows.column] = wins_against(arena.judge, arena.prompts, rows, theirs).mean
    errors = [table - exact for table in (known, counted)]
    off = [table - table.mean(axis=2, keepdims=True) for table in errors]
    assert np.abs(off[0].mean(axis=0)).max() < bias
    assert np.sqrt((off[0] ** 2).mean()) < share * np.sqrt((off[1] ** 2).mean())


@pytest.mark.parametrize("samples", [5, 8, 64])
def test_a_list_that_is_drawn_whole_has_no_noise(samples):
    arena, opponent, exact = uneven(5, samples)
    drawn = listed_wins.sample(arena.context, opponent, "opponent", samples)
    _, worth = listed_wins.wins(arena.context, drawn.drawn, drawn)
    np.testing.assert_allclose(worth.mean.reshape(3, 5), exact, atol=1e-12)
    assert worth.variance is not None and not worth.variance.any()
    assert arena.judge.asked <= 3 * 20  # each of ten pairs a prompt at most twice: the judge is not a coin


def test_chances_of_a_sample_are_those_it_is_weighted_by():
    arena, opponent, _ = uneven(26, 3, power=1.0)
    p = arena.space.probs(opponent)
    often, total, hits = 4000, np.zeros((3, 26)), np.zeros((3, 26))
    for t in range(often):
        found = listed_wins.sample(arena.at(t).context, opponent, "opponent", 3)
        hits += found.drawn
        raw = np.where(found.drawn, p / np.minimum(1, 3 * p), 0)
        total += raw
    assert np.abs(hits / often - np.minimum(1, _chances(p[0], 3))).max() < 0.03
    assert np.abs(total / often - p)[:, 2:].max() < 0.03


def test_few_draws_a_step_come_close_to_the_nash():
    """EGPO at a large step and a small tau, where the noise of counted wins left a TV of .04."""
    arena, _, _ = uneven(5, 64)
    arena = arena.within(replace(arena.context, fit=Fit(epochs=20, lr=1e-2)))
    nash, apart = pg.nash(arena.game, 0.1).policy, []
    for state in pg.iterate(pg.EGPO(0.1, 2.0), arena, 20):
        apart.append(0.5 * np.abs(arena.probs(state.policy) - nash).sum(axis=1).max())
    assert np.mean(apart[-4:]) < 0.03


def test_both_answers_of_a_judge_that_is_not_antisymmetric_count():
    """y over z and z over y are two verdicts, of which neither is one minus the other."""
    arena, opponent, _ = uneven(5, 8)
    biased = np.clip(cyclic_game(3, 5).P + 0.2, 0, 1)
    biased[:, range(5), range(5)] = 0.5  # a response against itself is not judged
    judge = TableJudge(biased, arena.prompts, [chr(97 + y) for y in range(5)])
    judge.antisymmetric = False
    context = replace(arena.context, judge=judge)
    drawn = listed_wins.sample(context, opponent, "opponent", 8)
    _, worth = listed_wins.wins(context, drawn.drawn, drawn)
    exact = np.einsum("xyz,xz->xy", biased, arena.space.probs(opponent))
    np.testing.assert_allclose(worth.mean.reshape(3, 5), exact, atol=1e-12)
