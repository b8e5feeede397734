"""What [evaluate] measures after a round, on which prompts, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llm_backend import bounds, evaluate
from llm_backend.policies.handles import Policy
from llm_backend.runs import checkpoint
from llm_backend.runs.build import Parts
from llm_backend.runs.config import EvaluateSettings
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.folder import say
from llm_backend.runs.logs import Row
from llm_backend.runs.meter import certificate
from pgames.solver import State, one_target


def rivals(parts: Parts, how: EvaluateSettings) -> dict[str, Policy]:
    """The last policies of the runs in the folders `how.rivals`, by the name of the folder.

    Raises ConfigError naming the folder that holds no policy of this model.
    """
    found: dict[str, Policy] = {}
    for name in how.rivals:
        there = next(checkpoint.intact(Path(name) / "rounds", say), None)
        if there is None:
            raise ConfigError(f"evaluate.rivals: {name} holds no complete round: pass the folder of a run.")
        try:
            found[name] = parts.measured.load(there.folder).policy
        except (ValueError, OSError) as error:
            raise ConfigError(f"evaluate.rivals: {error}") from None
    return found


def gap_tau(parts: Parts, how: EvaluateSettings) -> float:
    """The tau at which the gap is measured; 0 when it is not measured.

    Raises ConfigError when it is measured and neither [evaluate] nor the solver has a tau above 0.
    """
    if not how.gap_every:
        return 0.0
    tau = how.tau or one_target(parts.solver)
    if not tau > 0:
        raise ConfigError("evaluate.tau is missing: the solver has no tau to measure the gap at.")
    return tau


def measured(
    parts: Parts,
    state: State,
    past: Mapping[int, Policy],
    others: Mapping[str, Policy],
    how: EvaluateSettings,
) -> Row:
    """The measurements of [evaluate] after this round; `others` are the policies of `rivals`."""
    arena = parts.measured.at(state.t)
    row: Row = {}
    if how.every and state.t % how.every == 0:
        row |= evaluate.measure(arena, state.policy, past, how.samples)
    if how.gap_every and state.t % how.gap_every == 0 and evaluate.scored(arena, state.policy):
        tau = gap_tau(parts, how)
        trained = bounds.best_responses(parts.arena.at(state.t), state.policy, tau)
        opponents = _opponents(trained, past, others) | {"reference": arena.reference}
        found = bounds.lower_bound(arena, state.policy, tau, how.samples, opponents)
        row["exploitability"] = {
            **found.estimate._asdict(),
            "tau": tau,
            "opponent": found.opponent,
            "opponents": len(opponents),
            "fits": len(trained),
            "trained": certificate(trained[-1].note),
        }
    return row


def told(parts: Parts, how: EvaluateSettings) -> list[str]:
    """Lines on the cost of the evaluation, where it is more than a round, or trains best responses."""
    lines, arena = [], parts.arena
    if how.every:
        prompts, policies = len(parts.measured.prompts), 2 + how.past
        drawn = prompts * how.samples * policies
        played = arena.context.per_round * (arena.samples or 0)
        if arena.samples is not None and drawn > played:
            lines.append(
                f"each evaluation draws {drawn:,} responses ({prompts} prompts x {how.samples} samples x "
                f"{policies} policies), and each sample of a round {played:,}: a smaller evaluate.prompts or "
                "evaluate.held_out, or a larger evaluate.every, costs less."
            )
    if how.gap_every:
        others = how.past + len(how.rivals) + 1
        cost = bounds.cost(arena, parts.measured, how.samples, others)
        each = "each round" if how.gap_every == 1 else f"every {how.gap_every} rounds"
        lines.append(f"the exploitability bound costs {each} {cost}.")
    return lines


def _opponents(
    trained: list[bounds.Trained], past: Mapping[int, Policy], others: Mapping[str, Policy]
) -> dict[str, Policy]:
    names = ["best response", *(f"best response {k}" for k in range(2, len(trained) + 1))]
    best = dict(zip(names, (one.policy for one in trained), strict=True))
    return best | {f"round {t}": policy for t, policy in past.items()} | dict(others)
