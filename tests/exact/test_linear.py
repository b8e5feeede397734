"""The compiled LU and the compiled path against LAPACK and the path in NumPy, step by step."""

import numpy as np
import pytest

from pgames.exact.interior_point import follow_path
from pgames.exact.linear import factor_small, substitute_small
from pgames.exact.small import follow_paths


@pytest.mark.parametrize("n", [*range(1, 18), 40, 97])
def test_the_compiled_lu_solves_with_the_transpose(n):
    random = np.random.default_rng(n)
    for matrix in (random.normal(size=(n, n)), np.eye(n)[::-1] + 0.1 * random.normal(size=(n, n))):
        M, b, pivots = matrix.copy(), random.normal(size=n), np.empty(n, np.int64)
        x = b.copy()
        assert factor_small(M, n, pivots) > 0
        substitute_small(M, n, pivots, x)
        np.testing.assert_allclose(x, np.linalg.solve(matrix.T, b), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("tau", [0.0, 0.003, 0.03])
@pytest.mark.parametrize("n", [5, 20, 61])
def test_the_compiled_path_takes_the_steps_of_the_path_in_numpy(n, tau):
    """A wrong sign or factor in a step's system still converges, slowly: the number of steps shows it."""
    random = np.random.default_rng(n)
    A = random.uniform(-1, 1, (n, n))
    A = np.triu(A, 1) - np.triu(A, 1).T
    A /= A.max()
    base = np.log(random.dirichlet(np.ones(n)))
    points, _, exact, steps = follow_paths(A[None], base[None], tau)
    large = follow_path(A, base, tau, 2.3e-16)
    assert exact[0] and large.exact
    np.testing.assert_allclose(points[0], large.x, atol=1e-9)
    assert steps[0] <= large.steps + 6 < 45
