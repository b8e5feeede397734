"""Sampled feedback in a game of prompts: every draw follows from (seed, run, round, context, policies)."""

from __future__ import annotations

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.streams import accumulate, draw, duel_stream, stream, uniform


@njit
def sampled_prompt_rates(success, opponent, samples, seed, first_run, t):
    """Success of each prompt, and survival of each answer, as means of `samples` verdicts: float64[S, C, N].

    success float64[X, Y] is P(answer y to prompt x fails the defender); opponent float64[S, 1 + X, N].
    """
    X, Y = success.shape
    S, C, N = opponent.shape
    out, cumulative = np.zeros((S, C, N)), np.empty(N)
    attacks = np.empty(N)
    for s in range(S):
        attacks[:] = opponent[s, 0]
        for x in range(X):
            row = opponent[s, 1 + x].copy()
            key = stream(seed, first_run + s, t, 1 + x, row)
            accumulate(row, cumulative)
            for i in range(samples):
                y = draw(cumulative, uniform(key, 2 * i))
                out[s, 0, x] += 1.0 if uniform(key, 2 * i + 1) < success[x, y] else 0.0
            out[s, 0, x] /= samples
            key = stream(seed, first_run + s, t, 1 + X + x, attacks)  # contexts that no other stream has
            for y in range(Y):
                for i in range(samples):
                    lost = uniform(key, y * samples + i) < success[x, y]
                    out[s, 1 + x, y] += 0.0 if lost else 1.0
                out[s, 1 + x, y] /= samples
    return out


@njit
def sampled_prompt_attacks(success, attacker, defender, samples, seed, first_run, t):
    """Share of `samples` attacks by prompts of `attacker` that succeed against `defender`: float64[S]."""
    S, _, N = attacker.shape
    out, attacks, answers = np.zeros(S), np.empty(N), np.empty(N)
    for s in range(S):
        key = duel_stream(seed, first_run + s, t, 0, attacker[s, 0].copy(), defender[s].copy().ravel())
        accumulate(attacker[s, 0], attacks)
        for i in range(samples):
            x = draw(attacks, uniform(key, 3 * i))
            accumulate(defender[s, 1 + x], answers)
            y = draw(answers, uniform(key, 3 * i + 1))
            out[s] += 1.0 if uniform(key, 3 * i + 2) < success[x, y] else 0.0
        out[s] /= samples
    return out
