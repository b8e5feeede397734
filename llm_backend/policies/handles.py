"""Policy handles: the base, adapters, and what is made of them without touching a weight.

A handle is immutable. Weights live in the language model; a handle only names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEGLIGIBLE = 1e-12  # a term of smaller weight is no term


@dataclass(frozen=True, eq=False)
class Base:
    """The model as it came: every adapter switched off."""

    id: str = "base"

    def __copy__(self) -> Base:
        return self

    def __deepcopy__(self, memo: object) -> Base:
        return self


BASE = Base()


@dataclass(frozen=True, eq=False)
class Adapter:
    """Trained weights, frozen, which the language model keeps while a handle holds them.

    `id` is a fingerprint of the weights: equal weights, equal id, on every machine and after a restart.
    `moments` are the optimiser's when training stopped; a policy trained from this one goes on from them.
    """

    id: str
    moments: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __copy__(self) -> Adapter:
        return self  # a language model knows the handle itself, not its id

    def __deepcopy__(self, memo: object) -> Adapter:
        return self


@dataclass(frozen=True, eq=False)
class Answers:
    """A policy known by its answers: `texts[x]` to prompt x, drawn with `weights[x]` (which sum to 1).

    It can be drawn from and imitated, but has no log-probabilities: an expert's demonstrations. There is a
    tuple of texts and an array float64[K] of weights for each prompt; K, at least 1, may differ.
    """

    texts: tuple[tuple[str, ...], ...]
    weights: tuple[NDArray[np.float64], ...]


Leaf = Base | Adapter


@dataclass(frozen=True, eq=False)
class Blend:
    """prod_i leaf_i ** w_i, not normalised: a geometric mixture that stays a formula."""

    terms: tuple[tuple[float, Leaf], ...]


@dataclass(frozen=True, eq=False)
class Mixture:
    """sum_i w_i member_i: a member is drawn anew for every response."""

    terms: tuple[tuple[float, Leaf | Blend | Answers], ...]


Policy = Base | Adapter | Answers | Blend | Mixture


def scalar(weight: ArrayLike, name: str = "a weight") -> float:
    """One finite or infinite number, of shape [] or [1]: text has no run axis.

    Raises ValueError when the weight is a longer array or NaN.
    """
    value = np.asarray(weight, dtype=np.float64)
    if value.size != 1 or np.isnan(value).any():
        raise ValueError(f"{name} on text is one number, got {weight!r}: use a TableArena for grids of them.")
    return float(value.reshape(()))


def blend_terms(policy: Policy) -> tuple[tuple[float, Leaf], ...]:
    """The (weight, leaf) terms whose weighted log-probabilities are those of the policy, up to a constant.

    Raises ValueError when the policy is a mixture or answers, and TypeError when it is no policy of text.
    """
    if isinstance(policy, Base | Adapter):
        return ((1.0, policy),)
    if isinstance(policy, Blend):
        return policy.terms
    if not isinstance(policy, Mixture | Answers):
        raise TypeError(
            f"{policy!r:.60} is no policy of a language model: to resume, pass a state produced by the same "
            "solver."
        )
    what = "a mixture of policies" if isinstance(policy, Mixture) else "a set of answers"
    raise ValueError(
        f"{what} has no log-probability in closed form, so it can be an opponent but not a prior or a term "
        "of a geometric mixture: distil it first, arena.distil(policy)."
    )


def members(policy: Policy) -> tuple[tuple[float, Leaf | Blend | Answers], ...]:
    """The (weight, member) terms that a response is drawn from."""
    return policy.terms if isinstance(policy, Mixture) else ((1.0, policy),)


def geometric_mixture(*terms: tuple[Any, Policy]) -> Policy:
    """prod_i pi_i ** w_i with nested blends flattened, equal leaves merged and terms of weight 0 dropped.

    Raises ValueError when there are no terms, when a weight is not finite or the weights cancel, and when a
    term has no log-probabilities.
    """
    if not terms:
        raise ValueError("a mixture needs at least one (weight, policy) term.")
    merged: dict[Leaf, float] = {}
    for weight, policy in terms:
        w = scalar(weight)
        if not np.isfinite(w):
            raise ValueError(f"a weight of a geometric mixture must be finite, got {w}.")
        for v, leaf in blend_terms(policy) if abs(w) > NEGLIGIBLE else ():
            merged[leaf] = merged.get(leaf, 0.0) + w * v
    kept = tuple((w, leaf) for leaf, w in merged.items() if abs(w) > NEGLIGIBLE)
    if not kept:
        raise ValueError("the weights of a geometric mixture cancel: nothing is left of it.")
    if len(kept) == 1 and abs(kept[0][0] - 1) <= NEGLIGIBLE:
        return kept[0][1]
    return Blend(kept)


def mixture(*terms: tuple[Any, Policy]) -> Policy:
    """sum_i w_i pi_i with nested mixtures flattened and equal members merged.

    Raises ValueError when there are no terms, when a weight is negative or the weights do not sum to 1.
    """
    if not terms:
        raise ValueError("a mixture needs at least one (weight, policy) term.")
    merged: dict[Leaf | Blend | Answers, float] = {}
    for weight, policy in terms:
        w = scalar(weight)
        if w < -1e-9:
            raise ValueError(f"a weight of a mixture must be at least 0, got {w}.")
        for v, member in members(policy):
            merged[member] = merged.get(member, 0.0) + w * v
    total = sum(merged.values())
    if abs(total - 1) > 1e-6:
        raise ValueError(f"the weights of a mixture must sum to 1, got {total:.9g}.")
    kept = tuple((w / total, member) for member, w in merged.items() if w > NEGLIGIBLE)
    return kept[0][1] if len(kept) == 1 else Mixture(kept)


def leaves(policy: Policy) -> tuple[Leaf, ...]:
    """Every leaf that the policy needs, once."""
    found: dict[Leaf, None] = {}
    for _, member in members(policy):
        if not isinstance(member, Answers):
            found.update(dict.fromkeys(leaf for _, leaf in blend_terms(member)))
    return tuple(found)
