"""What a run of two roles measures after a round and at its end: attackers old and new, ordinary prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llm_backend.evaluate import Estimate
from llm_backend.policies.handles import BASE, Policy
from llm_backend.roles import measure
from llm_backend.roles.arena import Both
from llm_backend.roles.measure import Attacked, Ordinary
from llm_backend.runs.config import EvaluateSettings
from llm_backend.runs.logs import Row, rows
from llm_backend.runs.plot import curves
from llm_backend.runs.roles import RoleParts
from pgames.files import atomic
from pgames.solver import State

SHOWN = 12  # transcripts of an attacker on the page
SAMPLES = 4  # attacks on a held-out seed after a round
NAMES = {  # of the attackers on the page
    "reference": "the base",
    "current": "the attacker of the run",
    "fixed": "by hand, trained on",
    "unseen": "by hand, unseen",
    "fresh": "trained afresh",
}


def measured(
    parts: RoleParts, state: State, past: Mapping[int, Both], others: Mapping[str, Any], how: EvaluateSettings
) -> Row:
    """The measurements after this round, on held-out seeds and fresh draws; every `how.every` rounds."""
    row: Row = {"refused": len(parts.arena.refused), "verdicts": parts.arena.verdicts}
    row["success"] = parts.arena.succeeded
    if not how.every or state.t % how.every:
        return row
    arena, (attacker, defender) = parts.measured.at(state.t), state.policy
    shown = {"current": attacker, "reference": BASE, **parts.attackers}
    shown |= {f"round {t}": pair.attacker for t, pair in past.items()}
    found = {
        name: measure.attacked(arena, one, defender, SAMPLES, how.samples) for name, one in shown.items()
    }
    row["attack_success"] = {name: _interval(one.rate) for name, one in found.items()}
    texts = found["current"].attacks.draws.texts
    if several(texts):
        row |= measure.diversity(arena, texts)._asdict()
    if arena.rules.judge is not None:
        row |= ordinary_row(measure.ordinary(arena, defender, parts.ordinary, how.samples))
    return row


def several(texts: Sequence[str]) -> bool:
    """Whether more than one of the texts is not blank, so that they can differ."""
    return sum(bool(text.strip()) for text in texts) > 1


def ordinary_row(found: Ordinary) -> Row:
    """The numbers of answers to ordinary prompts."""
    return {
        "win_rate_reference": _interval(found.win_rate),
        "leaked_unasked": float(found.leaked.mean()),
        "length": float(np.mean([len(tokens) for tokens in found.ours.tokens])),
        "truncated": float(found.ours.truncated.mean()),
    }


def notes(parts: RoleParts) -> list[str]:
    """The attacks of the last round that no defender read, by name."""
    return [f"{one}." for one in parts.arena.refused]


class Compared(NamedTuple):
    """Every attacker, by name, on the last defender and on the base; answers to ordinary prompts, or None."""

    found: dict[str, Attacked]
    base: dict[str, Attacked]
    asked: Ordinary | None


def known(parts: RoleParts, pair: Both) -> dict[str, Policy]:
    """The attackers that measure the last defender and need no training, by name."""
    return {"reference": BASE, "current": pair.attacker, **parts.attackers}


def fresh(parts: RoleParts, pair: Both, rounds: int) -> Policy:
    """An attacker that is trained in so many rounds against the defender of the pair."""
    return measure.fresh(parts.arena.at(0), pair.defender, parts.fresh_solver, rounds)


def compared(parts: RoleParts, state: State, attackers: Mapping[str, Policy], samples: int) -> Compared:
    """Attack the last defender and the base; `samples` answers to each attack and each ordinary prompt."""
    arena, defender = parts.measured.at(state.t), state.policy.defender
    count = max(SAMPLES, samples)
    found, base = (
        {name: measure.attacked(arena, one, against, count, samples) for name, one in attackers.items()}
        for against in (defender, BASE)
    )
    judged = arena.rules.judge is not None
    asked = measure.ordinary(arena, defender, parts.ordinary, max(2, samples)) if judged else None
    return Compared(found, base, asked)


def write_page(parts: RoleParts, state: State, folder: Path, samples: int) -> None:
    """Write FOLDER/page.html and page.json: every attacker on the last defender and on the base, with
    transcripts; `samples` answers to each attack and to each ordinary prompt."""
    from pgames.report.html import cards, grid, heading, page, paragraph, picture

    attackers = known(parts, state.policy)
    if parts.how.fresh:
        attackers["fresh"] = fresh(parts, state.policy, parts.how.fresh)
    found, base, asked = compared(parts, state, attackers, samples)
    numbers: dict[str, Any] = {
        "attack_success": {name: _interval(one.rate) for name, one in found.items()},
        "attack_success_base": {name: _interval(one.rate) for name, one in base.items()},
        "refused": {name: len(one.refused) for name, one in found.items()},
        "diversity": {
            name: measure.diversity(parts.measured, texts)._asdict()
            for name, one in found.items()
            if several(texts := one.attacks.draws.texts)
        },
    }
    facts = [(_shown(found[name].rate), f"success of attacks: {NAMES.get(name, name)}") for name in found]
    if asked is not None:
        numbers |= ordinary_row(asked)
        facts.append((_shown(asked.win_rate), "win rate over the base on ordinary prompts"))
    title, log = f"Run {folder.name}", rows(folder / "log.jsonl")
    body = [
        f"<h1>{escape(title)}</h1>",
        paragraph(f"{parts.solver!r}, {state.t} rounds, {parts.how.train} trained", "lead"),
        cards(facts),
        heading("Round by round"),
        picture(curves({folder.name: log}), "A panel per quantity of the log", "Bands are 95 % intervals."),
        heading("Attackers"),
        grid(
            ["attacks", "on this defender", "on the base", "self-BLEU", "distance", "refused"],
            [_attacker(name, found[name], base[name], numbers) for name in found],
        ),
        paragraph(
            "Success on held-out seeds, the mean over seeds with 95 % intervals. An attacker trained afresh "
            "starts from the reference and meets this frozen defender, on draws that no other training "
            "shares. Self-BLEU is high when attacks repeat each other; distance is the mean cosine distance "
            "of their embeddings.",
            "quiet",
        ),
        *(
            part
            for name, one in found.items()
            for part in (heading(f"Transcripts of attacks: {NAMES.get(name, name)}"), _transcripts(one))
        ),
    ]
    with atomic(folder / "page.json", "w") as file:
        json.dump(numbers, file, indent=1)
    with atomic(folder / "page.html", "w") as file:
        file.write(page(title, body))


def _attacker(name: str, ours: Attacked, base: Attacked, numbers: Mapping[str, Any]) -> list[str]:
    far = numbers["diversity"].get(name)
    differ = ["–", "–"] if far is None else [f"{far['self_bleu']:.2f}", f"{far['distance']:.3f}"]
    rates = [_shown(ours.rate), _shown(base.rate)]
    return [NAMES.get(name, name), *rates, *differ, str(len(ours.refused))]


def _transcripts(found: Attacked) -> str:
    from pgames.report.html import grid

    lines = [
        [prompt, answer, "leaked" if won else "kept"] for prompt, answer, won in found.transcripts(SHOWN)
    ]
    return grid(["the defender reads", "it answers", "outcome"], lines, names=(0, 1))


def _shown(rate: Estimate) -> str:
    return f"{rate.mean:.2f} ± {rate.margin:.2f}"


def _interval(value: Estimate) -> dict[str, float]:
    return {"mean": value.mean, "margin": value.margin}
