"""Enumerable games: win rates from few draws, and responses that are the same tokens."""

from dataclasses import replace

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena, judges
from llm_backend.policies.handles import Answers
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs import steps
from llm_backend.verbs.verdicts import wins_among
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


@pytest.mark.parametrize(("samples", "bias", "share"), [(4, 0.02, 0.95), (16, 0.01, 0.7), (64, 0.005, 0.4)])
def test_wins_of_a_list_are_those_of_few_draws_with_less_noise(samples, bias, share):
    """Against the wins that count how often an opponent was drawn; both asked the same questions."""
    arena, opponent, exact = uneven(5, samples)
    often = 4000 // samples
    errors = {"known": np.zeros((often, 3, 5)), "counted": np.zeros((often, 3, 5))}
    for t, known, counted in zip(range(often), *errors.values(), strict=True):
        draws = arena.at(t).context.draw(opponent, "opponent")
        place, before = (draws.prompt, draws.column), arena.judge.asked
        known[place] = steps.wins(arena.context, draws, opponent) - exact[place]
        asked = arena.judge.asked - before
        counted[place] = wins_among(arena.judge, arena.prompts, draws) - exact[place]
        assert arena.judge.asked - before == 2 * asked
    seen = errors["counted"] != 0
    off = {name: table - table.mean(axis=2, where=seen, keepdims=True) for name, table in errors.items()}
    mean = np.sum(off["known"] * seen, axis=0) / seen.sum(axis=0)
    assert np.abs(mean[:, :2]).max() < bias  # of responses that are nearly always drawn
    spread = {name: np.sqrt((table**2).mean(where=seen)) for name, table in off.items()}
    assert spread["known"] < share * spread["counted"]


def test_among_many_rare_responses_nothing_changes():
    arena, opponent, _ = uneven(26, 3, power=0.0)
    draws = arena.context.draw(opponent, "opponent")
    assert len({(x, y) for x, y in zip(draws.prompt, draws.column, strict=True)}) == len(draws)
    counted = wins_among(arena.judge, arena.prompts, draws)
    np.testing.assert_allclose(steps.wins(arena.context, draws, opponent), counted, atol=1e-12)


def test_few_draws_a_step_come_close_to_the_nash():
    """EGPO at a large step and a small tau, where the noise of counted wins left a TV of .04."""
    arena, _, _ = uneven(5, 64)
    arena = arena.within(replace(arena.context, fit=Fit(epochs=20, lr=1e-2)))
    nash, apart = pg.nash(arena.game, 0.1).policy, []
    for state in pg.iterate(pg.EGPO(0.1, 2.0), arena, 20):
        apart.append(0.5 * np.abs(arena.probs(state.policy) - nash).sum(axis=1).max())
    assert np.mean(apart[-4:]) < 0.03
