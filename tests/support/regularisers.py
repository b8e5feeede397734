"""The regularisers under test, and cvxpy's own expression for the divergence of each to a policy."""

import warnings

import cvxpy as cp
import numpy as np

from pgames.regularisers import KL, L2, ChiSquare, ReverseKL, Tsallis

EVERY = (
    KL(),
    ReverseKL(),
    ReverseKL(kl=0.5),
    ChiSquare(),
    ChiSquare(kl=1.0),
    Tsallis(0.5),
    Tsallis(1.5),
    L2(),
)
NAMES = [repr(one) for one in EVERY]
SPARSE = (ChiSquare(), Tsallis(1.5), L2())  # their policies can leave responses out


def divergence(regulariser, p, reference, prior):
    """cvxpy's D(p, prior) + a constant, written from the definition of psi and its gradient at the prior."""
    if isinstance(regulariser, KL):
        return cp.sum(cp.kl_div(p, prior))
    if isinstance(regulariser, L2):
        return cp.sum_squares(p - prior) / 2
    if isinstance(regulariser, Tsallis):
        q = regulariser.q
        psi = cp.sum(cp.power(p, q)) / (q * (q - 1))
        return psi - (prior ** (q - 1) / (q - 1)) @ p
    if isinstance(regulariser, ReverseKL):
        own = -reference @ cp.log(p) + (reference / prior) @ p
        return own + regulariser.kl * cp.sum(cp.kl_div(p, prior))
    own = cp.sum(cp.multiply(1 / reference, cp.square(p))) / 2 - (prior / reference) @ p
    return own + regulariser.kl * cp.sum(cp.kl_div(p, prior))


def argmax(regulariser, score, reference, prior, step):
    """argmax_p <score, p> - D(p, prior) / step over the simplex, by Clarabel."""
    p = cp.Variable(len(score), nonneg=True)
    aim = cp.Maximize(score @ p - divergence(regulariser, p, reference, prior) / step)
    with warnings.catch_warnings():  # "may be inaccurate": the tests compare with a tolerance of their own
        warnings.simplefilter("ignore", UserWarning)
        cp.Problem(aim, [cp.sum(p) == 1]).solve(
            solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
        )
    return np.asarray(p.value)
