"""Exploitability from below: the largest gain among several opponents, some of them trained for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from llm_backend.arena import TextArena
from llm_backend.evaluate import EVALUATION, Estimate, gains, scored
from llm_backend.evaluate import estimate as estimated
from llm_backend.policies.handles import Adapter, Policy

TRIES = 3  # fits of a best response, each on fresh draws
REACHED, REALISED = 0.9, 0.5  # a best response is certified from this share of its target, and this step
CHOICE = 2 * EVALUATION  # added to the round in the keys of the duels that choose the opponent


@dataclass(frozen=True)
class Trained:
    """A best response, and how far its fit got: the note of the journal, empty for a rule without one."""

    policy: Policy
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def certified(self) -> bool:
        """Whether the target was reached on trained responses, and mostly realised on those held back."""
        share, slope = self.note.get("share"), self.note.get("slope")
        return (share is None or share >= REACHED) and (slope is None or slope >= REALISED)


class Bound(NamedTuple):
    """A lower bound on the exploitability, by the opponent that gained most on the duels that choose it.

    estimate : its gain on other duels, so that the interval holds for the largest of many gains.
    opponent : its name.
    chosen_by : the gains of all opponents on the duels that choose.
    """

    estimate: Estimate
    opponent: str
    chosen_by: dict[str, float]


class Cost(NamedTuple):
    """The most that a bound costs: fits, drawn responses, duels to measure, and judged pairs of the fits."""

    fits: int
    responses: int
    duels: int
    pairs: int

    def __str__(self) -> str:
        judged = self.duels + self.pairs
        return f"up to {self.fits} fits, {self.responses:,} responses and {judged:,} judged pairs"


def best_responses(arena: TextArena, policy: Policy, tau: float, tries: int = TRIES) -> list[Trained]:
    """Best responses to a policy at `tau`, trained until one is certified, at most `tries` of them.

    The first is mirror_step(reference, policy, 1 / tau). Each further one starts half way between the
    reference and the one before, with half the step, so that its fixed point is the same, and on fresh draws.

    Raises ValueError when tau is not above 0.
    """
    if not tau > 0:
        raise ValueError(f"a regularised best response needs tau above 0, got {tau}.")
    found: list[Trained] = []
    while len(found) < tries and not (found and found[-1].certified):
        fresh = arena.at((3 + len(found)) * EVALUATION + arena.round)
        if found:
            prior, step = arena.geometric_mixture((0.5, arena.reference), (0.5, found[-1].policy)), 0.5 / tau
        else:
            prior, step = arena.reference, 1 / tau
        notes = len(arena.journal)
        best = fresh.mirror_step(prior, policy, step)
        note = arena.journal[-1] if len(arena.journal) > notes else {}
        found.append(Trained(best, dict(note)))
        if not isinstance(best, Adapter):
            break  # computed, not trained
    return found


def lower_bound(
    arena: TextArena, policy: Policy, tau: float, samples: int, opponents: Mapping[str, Policy]
) -> Bound:
    """A lower bound on max_p J_tau(p, policy) - 1/2, the mean over prompts, by the strongest of opponents.

    Half of the duels choose the opponent with the largest gain, the other half measure its gain: the expected
    value is a gain of one opponent, and so at most the exploitability. The maximum of gains measured on one
    set of duels would lie above it. With tau above 0, opponents without a log-probability are left out.

    opponents : policies by name, such as best responses, past policies and the results of other solvers.
    samples : duels per prompt and half, at least 2.

    Raises ValueError when `samples` < 2, no opponent is left, or the policy has no log-probability.
    """
    usable = {name: one for name, one in opponents.items() if tau == 0 or scored(arena, one)}
    if not usable:
        raise ValueError("a bound needs an opponent whose log-probability is known, got none.")
    if len(usable) == 1:
        ((name, only),) = usable.items()
        return Bound(estimated(gains(arena, only, policy, tau, samples)), name, {})
    choosing = arena.at(CHOICE + arena.round)
    first = {name: float(np.mean(gains(choosing, one, policy, tau, samples))) for name, one in usable.items()}
    best = max(first, key=lambda name: first[name])
    return Bound(estimated(gains(arena, usable[best], policy, tau, samples)), best, first)


def cost(trained: TextArena, measured: TextArena, samples: int, opponents: int) -> Cost:
    """The most that `best_responses` on one arena and `lower_bound` on another cost, with other opponents.

    The judged pairs of a fit are those of all draws of a prompt, in both orders for a judge that needs both.
    """
    K = trained.samples or 0
    prompts, tries = trained.context.per_round, TRIES
    duels = len(measured.prompts) * samples * (opponents + tries + 1)
    # a fit draws candidates and opponents; each opponent is drawn once to choose, and one again to measure
    responses = tries * 2 * prompts * K + len(measured.prompts) * samples * (opponents + tries + 3)
    pairs = tries * prompts * K * (3 * K - 1) // 2
    return Cost(tries, responses, duels, pairs)
