"""Counts of wins that evidence and beliefs share."""

import numpy as np
import pytest

from tests.support.llm_evidence import off_diagonal


@pytest.fixture(scope="session")
def wins():
    return off_diagonal(np.random.default_rng(3).integers(1, 9, (3, 5, 5)).astype(float))
