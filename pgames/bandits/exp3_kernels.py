"""Compiled rounds of sparring EXP3 on blocks of runs (see `pgames.kernels.blocks`): draw, learn, mix.

Losses are float64[S, X, Y] for the left and for the right player, inf outside the game. `exp3_rounds`, many
rounds in one call with each policy charged, gives the same bits as `exp3_draws` and `exp3_update` in turn.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.blocks import LANES, exp_block, load, spread, store, width_of
from pgames.kernels.elementary import exp, log, njit
from pgames.kernels.gaps import gap_block
from pgames.kernels.judging import coin_key, compare, run_key
from pgames.kernels.streams import uniform

U = np.uint64
SMALLEST = 1e-300


@njit
def exp3_scale(eta, size, t):
    """eta, or sqrt(ln K / (K (t + 1))) where eta is 0."""
    return eta if eta > 0.0 else math.sqrt(math.log(max(size, 2)) / (size * (t + 1.0)))


@njit
def exp3_weights(losses, scale, weights, total, Y, lanes):
    """weights = exp(-scale (loss - least loss)) and their totals. A loss of inf has weight 0."""
    for n in range(lanes):
        total[n] = np.inf
    for y in range(Y):
        row = y * lanes
        for n in range(lanes):
            total[n] = min(total[n], losses[row + n])
    for y in range(Y):
        row = y * lanes
        for n in range(lanes):
            weights[row + n] = exp(scale * (total[n] - losses[row + n]))
    for n in range(lanes):
        total[n] = 0.0
    for y in range(Y):
        row = y * lanes
        for n in range(lanes):
            total[n] += weights[row + n]


@njit
def exp3_mean(left, left_total, right, right_total, logs, Y, lanes):
    """logs = log of the mean of both players' mixtures."""
    for y in range(Y):
        row = y * lanes
        for n in range(lanes):
            ours, theirs = left[row + n] / left_total[n], right[row + n] / right_total[n]
            mean = 0.5 * ours + 0.5 * theirs
            logs[row + n] = log(max(mean, SMALLEST)) if mean > 0.0 else -np.inf


@njit
def exp3_draw(weights, total, coins, side, arms, running, target, Y, lanes):
    """arms int64[lanes]: the first response whose running sum of weights exceeds a draw u * total."""
    for n in range(lanes):
        arms[n], running[n] = 0, 0.0
        target[n] = uniform(coins[n], side) * total[n]
    for y in range(Y - U(1)):
        row = y * lanes
        for n in range(lanes):
            running[n] += weights[row + n]
            arms[n] += 1 if running[n] <= target[n] else 0


@njit
def exp3_learn(losses, lost, arms, weights, total, lanes):
    """Add the importance-weighted loss of the response that was drawn."""
    for n in range(lanes):
        i = U(arms[n]) * lanes + n
        losses[i] += lost[n] * total[n] / weights[i]


@njit
def exp3_draws(left_losses, right_losses, sizes, eta, coins, t):
    """int64[2, S, X]: the responses that both players draw in round t, by streams coins uint64[S, X]."""
    S, X, responses = left_losses.shape
    Y, size = U(responses), responses * LANES
    drawn = np.empty((2, S, X), dtype=np.int64)
    loss, weights, arms = np.empty(size), np.empty(size), np.empty(LANES, dtype=np.int64)
    keys, total, running, target = (
        np.empty(LANES, np.uint64),
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES),
    )
    for x in range(X):
        scale, s = exp3_scale(eta, sizes[x], t), 0
        while s < S:
            width = width_of(S - s)
            for n in range(width):
                keys[n] = coins[min(s + n, S - 1), x]
            for side in range(2):
                load(left_losses if side == 0 else right_losses, s, x, loss, width)
                exp3_weights(loss, scale, weights, total, Y, U(width))
                exp3_draw(weights, total, keys, side, arms, running, target, Y, U(width))
                for n in range(min(width, S - s)):
                    drawn[side, s + n, x] = arms[n]
            s += width
    return drawn


@njit
def exp3_update(left_losses, right_losses, sizes, eta, drawn, won, t):
    """Learn the outcomes float64[S, X] of round t in place; returns the next policy float64[S, X, Y]."""
    S, X, responses = left_losses.shape
    Y, size = U(responses), responses * LANES
    policy, logs = np.empty((S, X, responses)), np.empty(size)
    left_loss, right_loss, left, right = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    left_total, right_total, arms, lost = (
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES, dtype=np.int64),
        np.empty(LANES),
    )
    for x in range(X):
        now, then, s = exp3_scale(eta, sizes[x], t), exp3_scale(eta, sizes[x], t + 1), 0
        while s < S:
            width = width_of(S - s)
            lanes = U(width)
            load(left_losses, s, x, left_loss, width)
            load(right_losses, s, x, right_loss, width)
            exp3_weights(left_loss, now, left, left_total, Y, lanes)
            exp3_weights(right_loss, now, right, right_total, Y, lanes)
            for n in range(width):
                arms[n], lost[n] = drawn[1, min(s + n, S - 1), x], won[min(s + n, S - 1), x]
            exp3_learn(right_loss, lost, arms, right, right_total, lanes)
            for n in range(width):
                arms[n], lost[n] = drawn[0, min(s + n, S - 1), x], 1.0 - lost[n]
            exp3_learn(left_loss, lost, arms, left, left_total, lanes)
            exp3_weights(left_loss, then, left, left_total, Y, lanes)
            exp3_weights(right_loss, then, right, right_total, Y, lanes)
            exp3_mean(left, left_total, right, right_total, logs, Y, lanes)
            store(left_loss, left_losses, s, x, width)
            store(right_loss, right_losses, s, x, width)
            store(logs, policy, s, x, width)
            s += width
    return policy


@njit
def exp3_rounds(left_losses, right_losses, policy, sizes, eta, seed, first_run, t, rounds, arrays):
    """`rounds` rounds of every run from round t, in place, each policy charged."""
    skew, log_reference, prompt_weights, tau, gap, regret, policies, divergence = arrays
    S, X, responses = policy.shape
    Y, size = U(responses), (X, responses * LANES)
    left_loss, right_loss, left, right = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    logs, sums = np.empty(size), np.empty(size)
    left_total, right_total = np.empty((X, LANES)), np.empty((X, LANES))
    keys, coins = np.empty((X, LANES), dtype=np.uint64), np.empty(LANES, dtype=np.uint64)
    p, score = np.empty(responses * LANES), np.empty(responses * LANES)
    value, kl, scratch, target = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    gaps, regrets, won = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    ours, theirs = np.empty(LANES, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    s = 0
    while s < S:
        width = width_of(S - s)
        lanes = U(width)
        spread(regret, s, regrets, width)
        for x in range(X):
            load(left_losses, s, x, left_loss[x], width)
            load(right_losses, s, x, right_loss[x], width)
            load(policy, s, x, logs[x], width)
            load(policies, s, x, sums[x], width)
            scale = exp3_scale(eta, sizes[x], t)
            exp3_weights(left_loss[x], scale, left[x], left_total[x], Y, lanes)
            exp3_weights(right_loss[x], scale, right[x], right_total[x], Y, lanes)
            for n in range(width):
                keys[x, n] = run_key(seed, first_run + s + n, x)
        for now in range(t, t + rounds):
            for n in range(lanes):
                gaps[n] = 0.0
            for x in range(X):
                exp_block(logs[x], p, responses, width)
                gap_block(skew, log_reference, x, tau, logs[x], p, score, value, kl, scratch, width)
                weight = prompt_weights[x]
                for n in range(lanes):
                    gaps[n] += weight * value[n]
                add_block(sums[x], p, Y * lanes)
                for n in range(min(width, S - s)):
                    divergence[s + n, x] += kl[n]
                for n in range(lanes):
                    coins[n] = coin_key(keys[x, n], now)
                exp3_draw(left[x], left_total[x], coins, 0, ours, scratch, target, Y, lanes)
                exp3_draw(right[x], right_total[x], coins, 1, theirs, scratch, target, Y, lanes)
                for n in range(lanes):
                    won[n] = compare(skew, x, ours[n], theirs[n], keys[x, n], now)
                exp3_learn(right_loss[x], won, theirs, right[x], right_total[x], lanes)
                for n in range(lanes):
                    won[n] = 1.0 - won[n]
                exp3_learn(left_loss[x], won, ours, left[x], left_total[x], lanes)
                scale = exp3_scale(eta, sizes[x], now + 1)
                exp3_weights(left_loss[x], scale, left[x], left_total[x], Y, lanes)
                exp3_weights(right_loss[x], scale, right[x], right_total[x], Y, lanes)
                exp3_mean(left[x], left_total[x], right[x], right_total[x], logs[x], Y, lanes)
            for n in range(lanes):
                regrets[n] += gaps[n]
        for x in range(X):
            store(left_loss[x], left_losses, s, x, width)
            store(right_loss[x], right_losses, s, x, width)
            store(logs[x], policy, s, x, width)
            store(sums[x], policies, s, x, width)
        for n in range(min(width, S - s)):
            gap[s + n], regret[s + n] = gaps[n], regrets[n]
        s += width


@njit
def add_block(total, block, size):
    for i in range(size):
        total[i] += block[i]
