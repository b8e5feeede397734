"""The verbs of a table, against a slow reference in plain Python, their identities and their symmetries."""

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pgames as pg
from pgames import losses
from tests.support.tables import (
    STEPS,
    WEIGHTS,
    close,
    each,
    log,
    normalised,
    quick,
    slow_duel,
    slow_geometric,
    slow_mirror_step,
    slow_mixture,
    slow_win_rate,
    tables,
)


@quick
@given(tables(), st.tuples(WEIGHTS, WEIGHTS, WEIGHTS))
def test_geometric_mixture(table, weights):
    arena, handles, probs = table
    assume(weights[0] != 0)
    for k in (1, 2, 3):
        made = arena.geometric_mixture(*zip(weights[:k], handles[:k], strict=True))
        close(arena.probs(made), slow_geometric(weights[:k], *probs[:k]))


@quick
@given(tables(), arrays(np.float64, 3, elements=st.floats(0.01, 1)))
def test_mixture(table, weights):
    arena, handles, probs = table
    for k in (1, 2, 3):
        shares = [float(w) for w in weights[:k] / weights[:k].sum()]
        made = arena.mixture(*zip(shares, handles[:k], strict=True))
        close(arena.probs(made), slow_mixture(shares, *probs[:k]))


@quick
@given(tables(policies=2), STEPS)
def test_mirror_step(table, step):
    arena, (prior, opponent), (p, q) = table
    close(arena.probs(arena.mirror_step(prior, opponent, step)), slow_mirror_step(arena.game, step, p, q))


@quick
@given(tables(policies=2))
def test_win_rate(table):
    arena, (first, second), (p, q) = table
    close(arena.win_rate(first, second), slow_win_rate(arena.game, p, q))
    close(arena.win_rate(first, second) + arena.win_rate(second, first), 1.0)
    close(arena.win_rate(first, first), 0.5)


@quick
@given(tables(policies=2))
def test_duel(table):
    arena, (first, second), (p, q) = table
    wins = arena.duel(first, second).wins
    close(wins, slow_duel(arena.game, p, q))
    close(wins.sum(axis=(-1, -2)), 1.0)
    close((arena.duel(first, second) + arena.duel(first, second)).wins, 2 * wins)


@quick
@given(tables(policies=1), STEPS, st.data())
def test_tilt(table, step, data):
    arena, (prior,), (p,) = table
    score = data.draw(arrays(np.float64, p.shape, elements=st.floats(-5, 5)))
    slow = each(
        lambda s, x, row, f: normalised([log(a) + step * b for a, b in zip(row, f, strict=True)]), p, score
    )
    close(arena.probs(arena.tilt(prior, score, step)), slow)


# -- symmetry, identities, runs --------------------------------------------------------------------------


@quick
@given(tables(policies=2), STEPS, st.data())
def test_verbs_do_not_see_the_order_of_responses_or_prompts(table, step, data):
    arena, (a, b), (p, q) = table
    game = arena.game
    order = np.array(data.draw(st.permutations(range(game.responses))))
    prompts = np.array(data.draw(st.permutations(range(game.prompts))))

    def moved(policy):
        return policy[:, prompts][:, :, order]

    other = pg.TableArena(
        pg.PreferenceGame(
            game.P[prompts][:, order][:, :, order],
            game.reference[prompts][:, order],
            game.prompt_weights[prompts],
        ),
        runs=arena.runs,
    )
    c, d = other.policy(moved(p)), other.policy(moved(q))
    close(other.probs(other.mirror_step(c, d, step)), moved(arena.probs(arena.mirror_step(a, b, step))))
    close(
        other.probs(other.geometric_mixture((0.3, c), (0.9, d))),
        moved(arena.probs(arena.geometric_mixture((0.3, a), (0.9, b)))),
    )
    close(
        other.probs(other.mixture((0.3, c), (0.7, d))), moved(arena.probs(arena.mixture((0.3, a), (0.7, b))))
    )
    close(other.win_rate(c, d), arena.win_rate(a, b))
    fitted, seen = (
        view.probs(view.fit_pairs(u, view.duel(u, v), losses.squared, np.full(2, 1.0)))
        for view, u, v in ((other, c, d), (arena, a, b))
    )
    close(fitted, moved(seen), 1e-7)


@quick
@given(tables(), WEIGHTS, st.floats(-1, 1), STEPS, STEPS)
def test_mixture_identities(table, u, v, first, second):
    arena, (a, b, c), _ = table
    mix, step = arena.geometric_mixture, arena.mirror_step

    def same(left, right):
        close(arena.probs(left), arena.probs(right), 1e-10)

    same(mix((1.0, a)), a)
    same(mix((u, a), (1 - u, a)), a)
    same(mix((u, a), (v, b)), mix((v, b), (u, a)))
    same(mix((u, mix((v, a), (1 - v, b))), (0.4, c)), mix((u * v, a), (u * (1 - v), b), (0.4, c)))
    same(mix((2.0, mix((0.5, a), (0.5, b))), (-1.0, b)), a)
    same(mix((0.0, b), (1.0, a)), a)
    same(step(step(a, b, first), b, second), step(a, b, first + second))
    same(step(a, b, 0.0), a)
    same(
        mix((1.0, step(a, c, first)), (1.0, step(b, c, second))),
        step(mix((1.0, a), (1.0, b)), c, first + second),
    )
    same(
        arena.mixture((0.25, a), (0.75, arena.mixture((0.5, b), (0.5, c)))),
        arena.mixture((0.25, a), (0.375, b), (0.375, c)),
    )


# -- sampled feedback ------------------------------------------------------------------------------------


def test_sampled_duels_count_what_was_asked_and_average_to_the_expectation():
    game = pg.games.stack([pg.games.comal3(), pg.games.biased_rps()])
    arena = pg.TableArena(game, runs=400, seed=1, samples=25)
    a, b = arena.policy([0.5, 0.2, 0.3]), arena.policy([0.1, 0.1, 0.8])
    wins = arena.duel(a, b).wins
    assert (wins.sum(axis=(-1, -2)) == 25).all()
    exact = slow_duel(game, arena.probs(a), arena.probs(b))
    close(wins.mean(axis=0) / 25, exact[0], 6 * 0.5 / math.sqrt(400 * 25))
    close(arena.win_rate(a, b).mean(), slow_win_rate(game, arena.probs(a), arena.probs(b))[0], 0.03)
