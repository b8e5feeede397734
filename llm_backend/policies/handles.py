"""Policy handles: the base, adapters, and formulas that combine them.

A handle is immutable and holds no weights; the language model holds them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEGLIGIBLE = 1e-12  # terms of smaller weight are dropped


@dataclass(frozen=True, eq=False)
class Base:
    """The model before training: every adapter off."""

    id: str = "base"

    def __copy__(self) -> Base:
        return self

    def __deepcopy__(self, memo: object) -> Base:
        return self


BASE = Base()


@dataclass(frozen=True, eq=False)
class Adapter:
    """Trained weights, frozen. The language model keeps them while the handle is alive.

    `id` is a fingerprint of the weights: equal weights have equal ids, on every machine and after a restart.
    `moments` are the optimiser's at the end of training; a policy trained from this one starts with them.
    """

    id: str
    moments: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __copy__(self) -> Adapter:
        return self  # a language model looks up the handle itself, not its id

    def __deepcopy__(self, memo: object) -> Adapter:
        return self


@dataclass(frozen=True, eq=False)
class Answers:
    """A policy given by its answers, such as an expert's demonstrations.

    `texts[x]` are the answers to prompt x and `weights[x]` float64[Y] their probabilities, which sum to 1. It
    can be sampled and imitated, but has no log-probabilities of other responses.
    """

    texts: tuple[tuple[str, ...], ...]
    weights: tuple[NDArray[np.float64], ...]


Leaf = Base | Adapter


@dataclass(frozen=True, eq=False)
class Blend:
    """A geometric mixture as a formula: prod_i leaf_i ** w_i, not normalised."""

    terms: tuple[tuple[float, Leaf], ...]


@dataclass(frozen=True, eq=False)
class Mixture:
    """sum_i w_i member_i: a member is drawn anew for every response."""

    terms: tuple[tuple[float, Leaf | Blend | Answers], ...]


Policy = Base | Adapter | Answers | Blend | Mixture


def scalar(weight: ArrayLike, name: str = "a weight") -> float:
    """The weight, of any shape with one entry, as a float: text has no run axis.

    Raises ValueError for several numbers and for NaN.
    """
    value = np.asarray(weight, dtype=np.float64)
    if value.size != 1 or np.isnan(value).any():
        raise ValueError(f"{name} on text is one number, got {weight!r}: use a TableArena for grids of them.")
    return float(value.reshape(()))


def blend_terms(policy: Policy) -> tuple[tuple[float, Leaf], ...]:
    """The (weight, leaf) terms of log pi = sum_i w_i log leaf_i + constant.

    Raises ValueError for a policy that has no such form, TypeError for an object that is not a policy.
    """
    if isinstance(policy, Base | Adapter):
        return ((1.0, policy),)
    if isinstance(policy, Blend):
        return policy.terms
    if not isinstance(policy, Mixture | Answers):
        raise TypeError(
            f"{policy!r:.60} is not a policy of a language model: to resume, pass a state produced by the "
            "same solver."
        )
    what = "a mixture of policies" if isinstance(policy, Mixture) else "a set of answers"
    raise ValueError(
        f"{what} has no log-probability in closed form, so it can be an opponent but not a prior or a term "
        "of a geometric mixture: distil it first, arena.distil(policy)."
    )


def members(policy: Policy) -> tuple[tuple[float, Leaf | Blend | Answers], ...]:
    """The (weight, member) terms of a policy; each response is drawn from one member."""
    return policy.terms if isinstance(policy, Mixture) else ((1.0, policy),)


def geometric_mixture(*terms: tuple[Any, Policy]) -> Policy:
    """prod_i pi_i ** w_i with nested blends flattened, equal leaves merged and terms of weight 0 dropped.

    Raises ValueError without terms, for a weight that is not finite, if all terms cancel, and for a mixture.
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
        raise ValueError("the weights of a geometric mixture cancel: no term is left.")
    if len(kept) == 1 and abs(kept[0][0] - 1) <= NEGLIGIBLE:
        return kept[0][1]
    return Blend(kept)


def mixture(*terms: tuple[Any, Policy]) -> Policy:
    """sum_i w_i pi_i with nested mixtures flattened and equal members merged.

    Raises ValueError without terms, for a negative weight, and when the weights do not sum to 1.
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
    """Every leaf of the policy, once."""
    found: dict[Leaf, None] = {}
    for _, member in members(policy):
        if not isinstance(member, Answers):
            found.update(dict.fromkeys(leaf for _, leaf in blend_terms(member)))
    return tuple(found)


def described(policy: Policy) -> object:
    """A policy as JSON values that a restart does not change; adapters by their fingerprint."""
    if isinstance(policy, Base | Adapter):
        return policy.id
    if isinstance(policy, Answers):
        return [list(map(list, policy.texts)), [list(w) for w in policy.weights]]
    return [type(policy).__name__, *([w, described(part)] for w, part in policy.terms)]


def digest_of(policy: Policy) -> int:
    """A number in [0, 2**56) that identifies a policy, on every machine and after a restart."""
    told = json.dumps(described(policy)).encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=7).digest(), "big")
