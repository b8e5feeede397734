"""Handles: blends and mixtures are flattened, merged and checked."""

import numpy as np
import pytest

from llm_backend.policies import handles as policy
from llm_backend.policies.handles import BASE, Adapter, Blend, Mixture, geometric_mixture, mixture


def test_blends_are_flattened_merged_and_reduced():
    a, b = Adapter("a"), Adapter("b")
    nested = geometric_mixture((0.6, geometric_mixture((0.5, a), (0.5, b))), (0.4, BASE))
    assert isinstance(nested, Blend)
    assert [leaf for _, leaf in nested.terms] == [a, b, BASE]
    np.testing.assert_allclose([w for w, _ in nested.terms], [0.3, 0.3, 0.4])
    assert geometric_mixture((1.0, a), (0.0, b)) is a
    assert geometric_mixture((2.0, geometric_mixture((0.5, a), (0.5, b))), (-1.0, b)) is a
    league = mixture((0.5, mixture((0.5, a), (0.5, nested))), (0.5, a))
    assert isinstance(league, Mixture)
    assert [w for w, _ in league.terms] == [0.75, 0.25]
    assert policy.leaves(league) == (a, b, BASE)


def test_mixtures_that_mean_nothing_are_refused():
    a = Adapter("a")
    with pytest.raises(ValueError, match=r"distil it first, arena\.distil"):
        geometric_mixture((0.5, mixture((0.5, a), (0.5, BASE))), (0.5, a))
    with pytest.raises(ValueError, match="cancel"):
        geometric_mixture((1.0, a), (-1.0, a))
    with pytest.raises(ValueError, match="sum to 1"):
        mixture((0.5, a), (0.2, BASE))
    with pytest.raises(ValueError, match="use a TableArena"):
        geometric_mixture((np.array([0.1, 0.9]), a))
