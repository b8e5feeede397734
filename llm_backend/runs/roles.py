"""A run of two roles, built from its configuration: the arena, the attackers it is measured by, its rows."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from llm_backend import password
from llm_backend.data import checked, identity
from llm_backend.data.rows import read_rows
from llm_backend.fits.fit import Fit
from llm_backend.judges.attack import ByRule, Success
from llm_backend.password import words
from llm_backend.policies.handles import BASE, Answers
from llm_backend.processes.workers import workers
from llm_backend.roles import Seed, TextRoleArena
from llm_backend.roles.arena import Both
from llm_backend.roles.seeds import refusal
from llm_backend.runs.build import judge_of
from llm_backend.runs.config import TINY, Configuration
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.meter import Meter
from llm_backend.runs.named import build_solver, function_named
from llm_backend.runs.prompts import load_model, read_data
from llm_backend.runs.reading import said, set_clock
from llm_backend.runs.sections import STRICT, arguments, construct, unknown, validated
from llm_backend.tiny import PROMPTS
from pgames.arena import Pair
from pgames.solver import Solver

PASSWORD = "password"  # the name of the seeds of llm_backend.password
FEW = 2  # seeds of a trial
NOT_IN_ROLES = ("lm", "seeds", "success", "ordinary", "judge", "fit", "folder", "chat", "template_arguments")


class RoleSettings(BaseModel):
    """What [roles] holds beside the arguments of `TextRoleArena`.

    `seeds` are "password", or a file with the columns prompt (a text or messages), system and secret, of
    which the last `held_out` are only measured. `success` is a function (prompt, answer) -> [0, 1] as
    package.module:name. `fixed` are attacks written by hand, and `unseen` further ones that only measure.
    `train` says who learns: with "defender" the attacker is `fixed`, with "attacker" the defender the base.
    `fresh` rounds train an attacker against the last defender (0: none), by the attacker's solver.
    """

    model_config = STRICT
    seeds: str
    success: str = ""
    held_out: int = Field(default=0, ge=0)
    fixed: list[str] = []
    unseen: list[str] = []
    train: Literal["both", "attacker", "defender"] = "both"
    fresh: int = Field(default=0, ge=0)


class RoleParts(NamedTuple):
    """The solver, the arena it plays in, the arena of the seeds that are measured, and a digest of all texts.

    how : the settings. ordinary : ordinary prompts that are measured. attackers : attackers that write fixed
    texts, by name, which measure the defender. sizes : seeds of a round of the run, and those that it
    measures.
    """

    solver: Solver
    arena: TextRoleArena
    measured: TextRoleArena
    digest: str
    how: RoleSettings
    ordinary: list[str]
    attackers: Mapping[str, Answers]
    sizes: tuple[int, int]

    @property
    def start(self) -> TextRoleArena:
        """The arena in which the solver begins."""
        return self.arena

    @property
    def fresh_solver(self) -> Solver:
        """The solver of fresh attackers: the part of the run's solver that plays against one defender."""
        return against_one(self.solver)

    def metered(self, meter: Meter) -> RoleParts:
        """The same parts, with draws, scores and judgements of both arenas on a meter."""
        arena, measured = (
            one.metered(
                meter,
                meter.success(one.rules.success),
                None if one.rules.judge is None else meter.judge(one.rules.judge),
            )
            for one in (self.arena, self.measured)
        )
        return self._replace(arena=arena, measured=measured)


class Texts(NamedTuple):
    """The seeds to train on and to measure, the rule, the fixed attacks, and the lists of a listed game."""

    seeds: list[Seed]
    held_out: list[Seed]
    success: Success
    fixed: Sequence[str]
    unseen: Sequence[str]
    listed: dict[str, object]


def build_roles(config: Configuration, folder: Path, few: bool = False) -> RoleParts:
    """Solver, judge, model and arenas of a run with [roles]; cheap checks come before the model is loaded.

    few : play and measure only FEW seeds, for a trial.

    Raises ConfigError naming the key that is wrong.
    """
    set_clock(folder)
    _check(config)
    own = set(RoleSettings.model_fields)
    how = validated(RoleSettings, "roles", {key: value for key, value in config.roles.items() if key in own})
    rest = {key: value for key, value in config.roles.items() if key not in own}
    takes = [name for name in inspect.signature(TextRoleArena).parameters if name not in NOT_IN_ROLES]
    for key in rest:
        if key not in takes:
            raise ConfigError(unknown(f"roles.{key}", "[roles]", [*RoleSettings.model_fields, *takes]))
    options = arguments("roles", TextRoleArena, rest, others=NOT_IN_ROLES)
    solver, fit = build_solver(config.solver), construct("fit", Fit, config.fit)
    texts = _texts(how)
    with said():
        data = read_data(config.data)
    kept = len(data.prompts) - config.evaluate.held_out
    if kept < 1:
        raise ConfigError(
            f"evaluate.held_out = {config.evaluate.held_out}: it must leave some of the "
            f"{len(data.prompts)} ordinary prompts."
        )
    judge = judge_of(config, folder) if config.judge else None
    lm = load_model(config.model, data.reading)
    given = {**options, **texts.listed, "fit": fit, "judge": judge, "folder": folder / "draws"}

    def arena_of(seeds: list[Seed], ordinary: Sequence[str], **others: Any) -> TextRoleArena:
        try:
            with said():
                return TextRoleArena(lm, seeds, texts.success, ordinary=ordinary, **{**given, **others})
        except (ValueError, TypeError) as error:
            raise ConfigError(f"[roles] {error}") from error

    arena = arena_of(texts.seeds, data.prompts[:kept])
    seen = texts.held_out or texts.seeds
    sizes = arena.per_round, len(seen)
    if few:
        arena = arena_of(texts.seeds, data.prompts[:kept], per_round=min(FEW, sizes[0]))
        seen = seen[:FEW]
    measured = arena_of(seen, (), quality=0.0, per_round=None)
    seeds = measured.seeds
    attackers = {
        name: password.fixed(seeds, some)
        for name, some in (("fixed", texts.fixed), ("unseen", texts.unseen))
        if some
    }
    last = data.prompts[kept:] or data.prompts[: config.evaluate.prompts or sizes[1]]
    last = last[: max(FEW, -(-len(last) * len(seen) // sizes[1]))]  # as large a share as of the seeds
    if config.evaluate.every or config.evaluate.page:
        _check_enough("seeds", len(seeds), "more roles.seeds, or a larger roles.held_out")
        if judge is not None:
            _check_enough("ordinary prompts", len(last), "a larger evaluate.held_out or evaluate.prompts")
    for name, some in (("fixed", texts.fixed), ("unseen", texts.unseen)):
        for one in (arena, measured) if name == "fixed" and how.train == "defender" else (measured,):
            _check_written(one, f"roles.{name}", some)
    asked = [[identity(str(seed.prompt)), seed.system, seed.secret] for seed in (*arena.seeds, *seeds)]
    content = json.dumps([asked, list(map(identity, data.prompts)), asdict(lm.reading), list(texts.fixed)])
    digest = hashlib.sha256(content.encode()).hexdigest()
    view = _trained(arena, how, texts.fixed)
    return RoleParts(solver, view, measured, digest, how, list(last), attackers, sizes)


def _check_enough(what: str, count: int, remedy: str) -> None:
    """Raises ConfigError unless an interval over so many of them is known."""
    if count < 2:
        raise ConfigError(
            f"[roles] the intervals of [evaluate] need at least 2 {what} to measure and have {count}: give "
            f"{remedy}, or set evaluate.every and evaluate.page to 0."
        )


def _check_written(arena: TextRoleArena, key: str, texts: Sequence[str]) -> None:
    """Raises ConfigError for attacks written by hand none of which can be put to the defender of a seed."""
    room = arena.rules.answer_tokens
    for i, seed in enumerate(arena.seeds if arena.rules.attacks is None else ()):
        why = [refusal(arena.lm, seed, text, False, None, room) for text in texts]
        if why and all(why):
            raise ConfigError(
                f"{key}: none of its {len(texts)} attacks can be put to the defender of seed {i}: the first "
                f"is {texts[0]!r:.60}, and {why[0]}. Write others."
            )


def _trained(arena: TextRoleArena, how: RoleSettings, fixed: Sequence[str]) -> TextRoleArena:
    """The arena in which only the roles that learn move."""
    if how.train == "both":
        return arena
    if how.train == "attacker":
        return arena.only("attacker", Pair(BASE, BASE))
    if not fixed:
        raise ConfigError('roles.train = "defender": it needs roles.fixed, the attacks to train on.')
    at: Both = Pair(password.fixed(arena.seeds, fixed), BASE)
    return arena.only("defender", at)


def _check(config: Configuration) -> None:
    how = config.evaluate
    for key, value in (("gap_every", how.gap_every), ("rivals", how.rivals)):
        if value:
            raise ConfigError(
                f"evaluate.{key} is for runs of one policy: with [roles], set roles.fresh to measure the "
                "defender by attackers that are trained afresh."
            )
    if workers().size > 1:
        raise ConfigError("a run with [roles] has one process: start it without accelerate launch.")


def _texts(how: RoleSettings) -> Texts:
    if how.seeds == TINY:
        return _tiny()
    if how.seeds == PASSWORD:
        rule = ByRule(password.leaks)
        fixed, unseen = how.fixed or words.FIXED, how.unseen or words.NEW_FIXED
        if how.success or how.held_out:
            raise ConfigError(
                'roles.seeds = "password" has its own rule and held-out seeds: remove roles.success and '
                "roles.held_out."
            )
        return Texts(password.seeds(), password.new_seeds(), rule, fixed, unseen, {})
    if not how.success:
        raise ConfigError("roles.success is missing: name a function (prompt, answer) -> [0, 1].")
    rule = ByRule(function_named("roles.success", how.success), how.success)  # type: ignore[arg-type]
    try:
        rows = read_rows(how.seeds, ["prompt"], "train", None, ["system", "secret"])
    except (ValueError, OSError) as error:
        raise ConfigError(f"roles.seeds: {error}") from None
    seeds = [_seed(row, f"{how.seeds}, row {i}") for i, row in enumerate(rows)]
    if how.held_out >= len(seeds):
        raise ConfigError(
            f"roles.held_out = {how.held_out}: it must leave some of the {len(seeds)} seeds of {how.seeds}."
        )
    kept = len(seeds) - how.held_out
    return Texts(seeds[:kept], seeds[kept:], rule, how.fixed, how.unseen, {})


def _seed(row: Mapping[str, Any], place: str) -> Seed:
    try:
        prompt = checked(row["prompt"], f"{place}, column 'prompt'")
    except ValueError as error:
        raise ConfigError(f"roles.seeds: {error}") from None
    return Seed(prompt, row.get("system") or "", row.get("secret") or "")


def _tiny() -> Texts:
    """A toy's game: attacks and answers are listed, because a random model hardly ever ends a text."""
    seeds = [Seed(prompt) for prompt in PROMPTS[:4]]
    listed = {"attacks": PROMPTS[4:], "answers": [*"1234567"]}
    return Texts(seeds[:2], seeds[2:], ByRule(_even), PROMPTS[4:6], PROMPTS[6:], dict(listed))


def _even(prompt: str, answer: str) -> float:
    """1 for an even number."""
    return float(answer in "246")


def against_one(solver: Solver) -> Solver:
    """The part of a solver that trains an attacker against one defender.

    It is the attacker's of two solvers, the oracle of a population, the (first) exploiter or learner of a
    league, and else the solver itself.
    """
    part = getattr(solver, "attacker", None) or getattr(solver, "oracle", None)
    if part is None and hasattr(solver, "meta"):
        part = getattr(solver, "exploiter", None) or getattr(solver, "solver", None)
    if isinstance(part, tuple):
        part = part[0]
    return solver if part is None else against_one(part)
