"""The same equilibria as convex programs in cvxpy: slower, less accurate, and independent of our solvers."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from pgames.extras import need

Array = NDArray[np.float64]


def equilibrium(A: Array, reference: Array, tau: float, select: str) -> Array:
    """x float64[n] for A float64[n, n] antisymmetric and a positive reference.

    tau > 0: argmin of the exploitability, tau KL(x || reference) + tau logsumexp(log reference + A x / tau).
    tau = 0: the point of {A x <= 0} in the simplex that `select` names (see `pgames.nash`).

    Raises ModuleNotFoundError naming the extra when cvxpy is missing, and RuntimeError when Clarabel fails.
    """
    cp = need("cvxpy", "cvxpy")
    n = len(A)
    x = cp.Variable(n, nonneg=True)
    constraints: list = [cp.sum(x) == 1]
    if tau > 0:
        tilt = cp.log_sum_exp(np.log(reference) + A @ x / tau)
        objective = cp.Minimize(cp.sum(cp.rel_entr(x, reference)) + tilt)
    else:
        payoff = A @ x / max(A.max(), 1e-300)
        constraints.append(payoff <= 0)
        if select == "centre":
            objective = cp.Maximize(cp.sum(cp.log(x - payoff)))
        else:
            objective = cp.Minimize(cp.sum(cp.rel_entr(x, reference if select == "closest" else np.ones(n))))
    problem = cp.Problem(objective, constraints)
    with warnings.catch_warnings():  # the certificate measures the accuracy
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)
    if x.value is None:
        raise RuntimeError(f'Clarabel found no equilibrium (status {problem.status}): use method="newton".')
    solution = np.maximum(x.value, 0)
    return solution / solution.sum()
