"""Compiled loops of learning from duels: drawing responses, comparing them, and labelling pairs.

Random streams are those of `pgames.kernels.streams`: a function of (seed, run, round, prompt) and of the
policies compared. Y is the number of responses, S runs, X prompts.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.streams import (
    CALIBRATION,
    SELF_LABELS,
    THIRD_LABELS,
    draw,
    duel_stream,
    mix64,
    tagged,
    uniform,
)


@njit
def binomial(n, p, key, index):
    """(successes, next index): a binomial draw from the stream `key`, exact for every n and p.

    Inversion while n * min(p, 1-p) < 10, then Hormann's transformed rejection (BTRS, 1993).
    """
    if n <= 0 or p <= 0.0:
        return 0, index
    if p >= 1.0:
        return n, index
    q = min(p, 1.0 - p)
    if n * q < 10.0:
        odds, left = q / (1.0 - q), math.exp(n * math.log1p(-q))
        u, k = uniform(key, index), 0
        index += 1
        while u > left and k < n:
            u -= left
            k += 1
            left *= odds * (n - k + 1) / k
    else:
        spread = math.sqrt(n * q * (1.0 - q))
        b = 1.15 + 2.53 * spread
        a = -0.0873 + 0.0248 * b + 0.01 * q
        centre = n * q + 0.5
        alpha = (2.83 + 5.1 / b) * spread
        mode = math.floor((n + 1) * q)
        h = math.lgamma(mode + 1.0) + math.lgamma(n - mode + 1.0)
        log_odds = math.log(q / (1.0 - q))
        while True:
            u, v = uniform(key, index) - 0.5, 1.0 - uniform(key, index + 1)
            index += 2
            us = 0.5 - abs(u)
            k = math.floor((2.0 * a / us + b) * u + centre)
            if k < 0 or k > n:
                continue
            if us >= 0.07 and v <= 0.92 - 4.2 / b:
                break
            v = math.log(v * alpha / (a / (us * us) + b))
            if v <= h - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + (k - mode) * log_odds:
                break
    return (k if p <= 0.5 else n - k), index


@njit
def duels(wins, skew, first, second, times, seed, first_run, t):
    """Add to `wins` float64[S, X, Y, Y] the outcomes of `times` duels per run and prompt.

    Few duels are drawn one by one. Many are one multinomial over pairs and a binomial per pair, which has
    the same distribution at a cost that does not grow with `times`.
    """
    S, X, Y = first.shape
    for s in range(S):
        for x in range(X):
            key = duel_stream(seed, first_run + s, t, x, first[s, x], second[s, x])
            ours, theirs = np.exp(first[s, x]), np.exp(second[s, x])
            if times <= Y * Y:
                ours, theirs = np.cumsum(ours), np.cumsum(theirs)
                for i in range(times):
                    y = draw(ours, uniform(key, 3 * i))
                    z = draw(theirs, uniform(key, 3 * i + 1))
                    if uniform(key, 3 * i + 2) < 0.5 + skew[x, y, z]:
                        wins[s, x, y, z] += 1.0
                    else:
                        wins[s, x, z, y] += 1.0
                continue
            index, left, mass = 0, times, ours.sum()
            theirs_total = theirs.sum()
            for y in range(Y):
                mine, index = binomial(left, min(1.0, ours[y] / mass) if mass > 0.0 else 0.0, key, index)
                if y == Y - 1:
                    mine = left if mass > 0.0 else 0
                left -= mine
                mass -= ours[y]
                rest, rest_mass = mine, theirs_total
                for z in range(Y):
                    if rest == 0:
                        break
                    met, index = binomial(rest, min(1.0, theirs[z] / rest_mass), key, index)
                    rest -= met
                    rest_mass -= theirs[z]
                    if rest_mass <= 0.0:
                        met, rest = met + rest, 0
                    won, index = binomial(met, 0.5 + skew[x, y, z], key, index)
                    wins[s, x, y, z] += won
                    wins[s, x, z, y] += met - won


@njit
def sampled(policy, times, seed, first_run, t):
    """float64[S, X, Y]: the counts of each response in `times` draws of a policy."""
    S, X, Y = policy.shape
    counts = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            key = tagged(seed, first_run + s, t, x, policy[s, x], CALIBRATION)
            p = np.exp(policy[s, x])
            if times <= Y:
                cumulative = np.cumsum(p)
                for i in range(times):
                    counts[s, x, draw(cumulative, uniform(key, i))] += 1.0
                continue
            index, left, mass = 0, times, p.sum()
            for y in range(Y):
                share = min(1.0, p[y] / mass) if mass > 0.0 else 0.0
                drawn, index = binomial(left, share, key, index)
                counts[s, x, y] = drawn
                left -= drawn
                mass -= p[y]
            counts[s, x, np.argmax(p)] += left  # the remainder left by rounding
    return counts


@njit
def drawn_pairs(first, second, pairs, seed, first_run, t):
    """int32[S, X, n, 2]: `pairs` independent pairs of a response of each policy; no judge is asked."""
    S, X, _ = first.shape
    out = np.empty((S, X, pairs, 2), dtype=np.int32)
    for s in range(S):
        for x in range(X):
            key = mix64(duel_stream(seed, first_run + s, t, x, first[s, x], second[s, x]))
            ours, theirs = np.cumsum(np.exp(first[s, x])), np.cumsum(np.exp(second[s, x]))
            for i in range(pairs):
                out[s, x, i, 0] = draw(ours, uniform(key, 2 * i))
                out[s, x, i, 1] = draw(theirs, uniform(key, 2 * i + 1))
    return out


@njit
def third_labels(skew, counts, opponent, pairs, comparators, seed, first_run, t):
    """(pairs int32[S, X, m, 2], labels float64[S, X, m]): m buffered pairs, each against fresh opponents.

    The label of (y, y') is the mean over `comparators` draws z of the opponent of 1(y beats z) -
    1(y' beats z), judged independently. Its expectation is the difference of the two win rates, for any
    distribution of the pair.
    """
    S, X, Y = opponent.shape
    chosen = np.empty((S, X, pairs, 2), dtype=np.int32)
    labels = np.zeros((S, X, pairs))
    for s in range(S):
        for x in range(X):
            key = tagged(seed, first_run + s, t, x, opponent[s, x], THIRD_LABELS)
            cumulative = np.cumsum(np.exp(opponent[s, x]))
            buffer = np.cumsum(counts[s, x].ravel())
            index = 0
            for i in range(pairs):
                cell = draw(buffer, uniform(key, index))
                index += 1
                y, other = cell // Y, cell % Y
                chosen[s, x, i, 0], chosen[s, x, i, 1] = y, other
                for _ in range(comparators):
                    z = draw(cumulative, uniform(key, index))
                    won = 1.0 if uniform(key, index + 1) < 0.5 + skew[x, y, z] else 0.0
                    lost = 1.0 if uniform(key, index + 2) < 0.5 + skew[x, other, z] else 0.0
                    labels[s, x, i] += (won - lost) / comparators
                    index += 3
    return chosen, labels


@njit
def self_labels(skew, policy, pairs, seed, first_run, t):
    """(pairs int32[S, X, m, 2], labels float64[S, X, m]): duels of a policy with itself."""
    S, X, _ = policy.shape
    met = drawn_pairs(policy, policy, pairs, seed, first_run, t)
    labels = np.empty((S, X, pairs))
    for s in range(S):
        for x in range(X):
            key = tagged(seed, first_run + s, t, x, policy[s, x], SELF_LABELS)
            for i in range(pairs):
                y, z = met[s, x, i, 0], met[s, x, i, 1]
                labels[s, x, i] = 0.5 if uniform(key, i) < 0.5 + skew[x, y, z] else -0.5
    return met, labels
