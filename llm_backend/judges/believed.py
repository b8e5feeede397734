"""Believed: the preference learned from given pairs as a judge, for solvers that must ask one offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from llm_backend.data import Pair, as_asked, identity
from llm_backend.judges.learned import LastLayer, LearnedPreference, learn_preference
from llm_backend.judges.names import digest
from llm_backend.models.language_model import LanguageModel


class Believed:
    """The preference estimated from pairs, on the last hidden states of a language model's base.

    It is a `LearnedPreference` of the pairs, fitted when it is first asked, so that a solver that fits the
    pairs themselves (DPO, IPO, SLiC, GPO) pays nothing for it. An answer is an estimate: on responses unlike
    those of the pairs it tends to 1/2, and a policy that is trained against it can exploit its errors.

    Parameters
    ----------
    lm : the language model whose base gives the features.
    pairs : what is known, at least one pair.
    seed : seed of the ensemble.

    Raises ValueError without a pair.
    """

    as_is = True

    def __init__(self, lm: LanguageModel, pairs: Sequence[Pair], seed: int = 0):
        if not len(pairs):
            raise ValueError("Believed needs at least one pair, got none: read them with read_pairs.")
        self._lm, self._pairs, self._seed = lm, list(pairs), seed
        told = [[identity(as_asked(pair.prompt)), *pair[1:]] for pair in self._pairs]
        self.name = f"Believed({lm.base_id}, {digest(json.dumps([told, seed]))})"

    @cached_property
    def preference(self) -> LearnedPreference:
        """The estimate, with the spread of its ensemble."""
        pairs = self._pairs
        return learn_preference(
            LastLayer(self._lm),
            [as_asked(pair.prompt) for pair in pairs],
            [pair.chosen for pair in pairs],
            [pair.rejected for pair in pairs],
            [pair.win for pair in pairs],
            seed=self._seed,
        )

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        return self.preference.prefer(prompts, firsts, seconds)
