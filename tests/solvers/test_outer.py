"""Solvers around another solver."""

import numpy as np

import pgames as pg


def test_best_answers_with_the_least_exploitable_iterate_of_each_run():
    """On a cycle multiplicative weights move away from the Nash, so the last iterate is not the best one."""
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    arena = pg.TableArena(game, runs=5, samples=8)
    inner, rounds = pg.SPPO(0.5), 12
    states = list(pg.iterate(inner, arena, rounds))
    gaps = np.array([arena.exploitability(state.policy, 0.0) for state in states]).reshape(len(states), -1)
    policies = np.array([arena.probs(state.policy)[:, 0] for state in states])
    best = pg.solve(pg.Best(inner), arena, rounds)
    least = gaps.argmin(axis=0)
    assert (least < len(states) - 1).any(), "in some run the last iterate is not the best"
    np.testing.assert_allclose(
        np.ravel(arena.exploitability(best.policy, 0.0)), gaps.min(axis=0), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(arena.probs(best.policy)[:, 0], policies[least, np.arange(5)], atol=1e-12)
