"""Compiled loops of learning from duels: drawing, labelling, fitting a mirror step, beliefs and their Nash.

Streams of randomness are those of `pgames.kernels`: a function of (seed, run, round, prompt) and of the
policies asked about. Y is the number of responses, S runs, X prompts.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.sampling import draw, duel_stream, mix64, stream, uniform


@njit
def normalise_row(row):
    """Subtract the logsumexp of a row, in place."""
    top = row.max()
    row -= top + math.log(np.exp(row - top).sum())


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

    Few duels are drawn one by one; many as one multinomial over pairs and a binomial per pair, which has the
    same distribution at a cost that does not grow with `times`.
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
    """float64[S, X, Y]: how often each response comes up in `times` draws of a policy."""
    S, X, Y = policy.shape
    counts = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            key = mix64(stream(seed, first_run + s, t, x, policy[s, x]) + np.uint64(3))
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
            counts[s, x, np.argmax(p)] += left  # what rounding of the shares left over
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
    1(y' beats z), judged independently: its expectation is the difference of the two win rates, whatever
    drew the pair.
    """
    S, X, Y = opponent.shape
    chosen = np.empty((S, X, pairs, 2), dtype=np.int32)
    labels = np.zeros((S, X, pairs))
    for s in range(S):
        for x in range(X):
            key = mix64(stream(seed, first_run + s, t, x, opponent[s, x]) + np.uint64(1))
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
            key = mix64(stream(seed, first_run + s, t, x, policy[s, x]) + np.uint64(2))
            for i in range(pairs):
                y, z = met[s, x, i, 0], met[s, x, i, 1]
                labels[s, x, i] = 0.5 if uniform(key, i) < 0.5 + skew[x, y, z] else -0.5
    return met, labels


@njit
def cholesky_solve(A, b):
    """Solve A x = b for a symmetric positive definite A, which is overwritten; b too, by x."""
    n = b.size
    for j in range(n):
        for k in range(j):
            for i in range(j, n):
                A[i, j] -= A[i, k] * A[j, k]
        root = math.sqrt(A[j, j])
        for i in range(j, n):
            A[i, j] /= root
    for i in range(n):
        for k in range(i):
            b[i] -= A[i, k] * b[k]
        b[i] /= A[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= A[k, i] * b[k]
        b[i] /= A[i, i]


@njit
def regress(prior, features, pairs, labels, step, ridge, sft, anchor):
    """argmin over d = features w of mean (d_y - d_y' - step label)^2 + ridge |w|^2 + sft KL(anchor || pi).

    pi = prior exp(d), normalised: log-probabilities float64[S, X, Y]. `features` float64[X, Y, D]; a table is
    D = Y with the identity. The minimiser is closed form in the smaller of the two spaces, pairs or features;
    with `sft` > 0 it is where two Newton steps from d = 0 lead.

    pairs int32[S, X, m, 2], labels float64[S, X, m], step float64[S], anchor float64[S, X, Y] probabilities.
    """
    S, X, Y = prior.shape
    m, D = pairs.shape[2], features.shape[2]
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            phi = features[x]
            rows = np.empty((m, D))
            for i in range(m):
                rows[i] = phi[pairs[s, x, i, 0]] - phi[pairs[s, x, i, 1]]
            target = step[s] * labels[s, x]
            if sft == 0.0 and m < D:
                gram = rows @ rows.T
                for i in range(m):
                    gram[i, i] += ridge * m
                cholesky_solve(gram, target)
                w = rows.T @ target
            else:
                A = rows.T @ rows * (2.0 / m)
                for k in range(D):
                    A[k, k] += 2.0 * ridge
                r = rows.T @ target * (2.0 / m)
                w = np.zeros(D)
                for _ in range(1 if sft == 0.0 else 2):
                    hessian, move = A.copy(), r - A @ w
                    if sft != 0.0:
                        p = prior[s, x] + phi @ w
                        normalise_row(p)
                        p = np.exp(p)
                        mean = phi.T @ p
                        move += sft * (phi.T @ anchor[s, x] - mean)
                        weighted = phi * p.reshape((-1, 1))
                        hessian += sft * (phi.T @ weighted - np.outer(mean, mean))
                    cholesky_solve(hessian, move)
                    w += move
            out[s, x] = prior[s, x] + phi @ w
            normalise_row(out[s, x])
    return out


@njit
def regress_table(prior, pairs, labels, step, ridge):
    """`regress` for a table without the SFT term, where a pair has two non-zero features."""
    S, X, Y = prior.shape
    m = pairs.shape[2]
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            d = np.zeros(Y)
            if m < Y:
                gram = np.zeros((m, m))
                target = step[s] * labels[s, x]
                for i in range(m):
                    a, b = pairs[s, x, i, 0], pairs[s, x, i, 1]
                    for j in range(m):
                        c, e = pairs[s, x, j, 0], pairs[s, x, j, 1]
                        gram[i, j] = int(a == c) - int(a == e) - int(b == c) + int(b == e)
                    gram[i, i] += ridge * m
                cholesky_solve(gram, target)
                for i in range(m):
                    d[pairs[s, x, i, 0]] += target[i]
                    d[pairs[s, x, i, 1]] -= target[i]
            else:
                A = np.zeros((Y, Y))
                for y in range(Y):
                    A[y, y] = ridge * m
                for i in range(m):
                    a, b = pairs[s, x, i, 0], pairs[s, x, i, 1]
                    if a == b:
                        continue
                    A[a, a] += 1.0
                    A[b, b] += 1.0
                    A[a, b] -= 1.0
                    A[b, a] -= 1.0
                    d[a] += step[s] * labels[s, x, i]
                    d[b] -= step[s] * labels[s, x, i]
                cholesky_solve(A, d)
            for y in range(Y):
                out[s, x, y] = prior[s, x, y] + d[y]
            normalise_row(out[s, x])
    return out


@njit
def remember(counts, inverse, features, pairs):
    """Add pairs to a buffer in place: its counts, and the inverse of I + sum (phi - phi')(phi - phi')'."""
    S, X, n, _ = pairs.shape
    D = features.shape[2]
    for s in range(S):
        for x in range(X):
            for i in range(n):
                y, z = pairs[s, x, i, 0], pairs[s, x, i, 1]
                counts[s, x, y, z] += 1.0
                if y == z:
                    continue
                v = features[x, y] - features[x, z]
                u = inverse[s, x] @ v
                scale = 1.0 / (1.0 + v @ u)
                for k in range(D):
                    for j in range(D):
                        inverse[s, x, k, j] -= scale * u[k] * u[j]


@njit
def least_known(inverse, features, tabular, policy, support):
    """int64[S, X]: argmax_y of the elliptic norm of phi(y) - E_policy phi over the support; first of ties."""
    S, X, Y = policy.shape
    out = np.zeros((S, X), dtype=np.int64)
    for s in range(S):
        for x in range(X):
            p, metric = np.exp(policy[s, x]), inverse[s, x]
            mean = p if tabular else features[x].T @ p
            reach = metric @ mean
            offset = mean @ reach
            best = -1.0
            for y in range(Y):
                if not support[x, y]:
                    continue
                if tabular:
                    width = metric[y, y] - 2.0 * reach[y] + offset
                else:
                    phi = features[x, y]
                    width = phi @ (metric @ phi) - 2.0 * (phi @ reach) + offset
                if width > best * (1.0 + 1e-12):
                    best, out[s, x] = width, y
    return out


@njit
def centred_residual(u, log_reference, rates, scale):
    """(F, p): p = softmax(u) and F = u - log_reference - scale * rates p, centred by its p-mean."""
    p = np.exp(u - u.max())
    p /= p.sum()
    F = u - log_reference - scale * (rates @ p)
    return F - p @ F, p


@njit
def newton_nash(u, log_reference, rates, scale, tolerance):
    """(u, error) with u ~ log_reference + scale * rates softmax(u): damped Newton steps from u."""
    n = u.size
    F, p = centred_residual(u, log_reference, rates, scale)
    error = np.abs(F).max()
    for _ in range(60):
        if error <= tolerance:
            break
        jacobian = np.empty((n, n))
        played = rates @ p
        for i in range(n):
            for j in range(n):
                jacobian[i, j] = -scale * p[j] * (rates[i, j] - played[i])
            jacobian[i, i] += 1.0
        # every column of F's derivative is centred by p; solving without that shifts u by a constant
        move = np.linalg.solve(jacobian, F)
        damping, improved = 1.0, False
        while damping > 1e-4:
            trial = u - damping * move
            trial_F, trial_p = centred_residual(trial, log_reference, rates, scale)
            trial_error = np.abs(trial_F).max()
            if trial_error < (1.0 - 0.25 * damping) * error or trial_error <= tolerance:
                u, F, p, error, improved = trial - trial.max(), trial_F, trial_p, trial_error, True
                break
            damping *= 0.5
        if not improved:
            break
    return u, error


@njit
def belief_nash(rates, log_reference, tau, start):
    """The regularised Nash of every run's belief: log-probabilities float64[S, X, Y], by warm-started Newton.

    `rates` float64[S, X, Y, Y] with rates + rates' = 1, `start` float64[S, X, Y] finite inside the game. When
    Newton fails from `start`, the beliefs are turned on in 40 steps from indifference.
    """
    S, X, Y = start.shape
    out = np.full((S, X, Y), -np.inf)
    for x in range(X):
        inside = np.flatnonzero(log_reference[x] > -np.inf)
        n = inside.size
        base = log_reference[x][inside]
        for s in range(S):
            P = np.empty((n, n))
            for i in range(n):
                for j in range(n):
                    P[i, j] = rates[s, x, inside[i], inside[j]] - 0.5
            u, error = newton_nash(start[s, x][inside], base, P, 1.0 / tau, 1e-10)
            if not error <= 1e-10:
                u = base.copy()
                for level in range(1, 41):
                    u, error = newton_nash(u, base, P, level / 40.0 / tau, 1e-10)
            normalise_row(u)
            for i in range(n):
                out[s, x, inside[i]] = u[i]
    return out


@njit
def belief_rates(wins, optimism, confidence, bernstein):
    """Estimates float64[S, X, Y, Y]: share of wins, 1/2 where never compared, 1/2 on the diagonal.

    With `optimism` > 0 plus that many widths of `pgames.learning.belief.Belief` off the diagonal, clipped to
    [0, 1].
    """
    S, X, Y, _ = wins.shape
    out = np.full((S, X, Y, Y), 0.5)
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                for z in range(Y):
                    if y == z:
                        continue
                    n = wins[s, x, y, z] + wins[s, x, z, y]
                    p = wins[s, x, y, z] / n if n > 0.0 else 0.5
                    if optimism > 0.0:
                        width = 1.0
                        if n > 0.0 and bernstein:
                            width = math.sqrt(2.0 * p * (1.0 - p) * confidence / n) + 3.0 * confidence / n
                        elif n > 0.0:
                            width = math.sqrt(confidence / (2.0 * n))
                        p = min(1.0, p + min(1.0, optimism * width))
                    out[s, x, y, z] = p
    return out


@njit
def expected_rates(rates, opponent):
    """P(y > opponent) float64[S, X, Y] under each run's own table float64[S, X, Y, Y]."""
    S, X, Y = opponent.shape
    out = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                for z in range(Y):
                    out[s, x, y] += rates[s, x, y, z] * math.exp(opponent[s, x, z])
    return out
