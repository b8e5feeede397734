"""The parts of a run, built from its configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.arena import TextArena
from llm_backend.data import Pair, as_asked, identity
from llm_backend.fits.fit import Fit
from llm_backend.judges import Believed, Cached, Judge
from llm_backend.judges.shared import AbsentJudge, SharedJudge
from llm_backend.models.language_model import LanguageModel
from llm_backend.people.sources import PEOPLE
from llm_backend.processes.workers import workers
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError, say
from llm_backend.runs.meter import Meter
from llm_backend.runs.named import build_judge, build_solver, reader
from llm_backend.runs.prompts import READ, Data, load_model, read_data
from llm_backend.runs.reading import said, set_clock
from llm_backend.runs.sections import Table, arguments, construct
from llm_backend.spaces.recorded import Recorded
from llm_backend.spaces.shared import Shared
from pgames.solver import Solver

NOT_IN_ARENA = (
    "lm",
    "prompts",
    "judge",
    "fit",
    "folder",
    "expert",
    "per_round",
    *READ,
)  # set by other sections


UNCACHED = ("Human", "Rule", "Table")  # judges whose answers are cheap, or on the disk already
FEW = 16  # responses in a trial
DEFAULT_PROMPTS = 64  # most prompts that an evaluation measures by default


class Parts(NamedTuple):
    """The solver, the arena it plays in, the arena of the measured prompts, and a digest of all prompts.

    sizes : prompts of a round of the run, and prompts that it measures.
    """

    solver: Solver
    arena: TextArena
    measured: TextArena
    digest: str
    sizes: tuple[int, int]

    @property
    def start(self) -> TextArena:
        """The arena in which the solver begins."""
        return self.measured

    def metered(self, meter: Meter) -> Parts:
        """The same parts, with draws, scores and judgements of both arenas on a meter."""
        return self._replace(arena=meter.watch(self.arena), measured=meter.watch(self.measured))


def build(config: Configuration, folder: Path, few: bool = False) -> Parts:
    """Solver, judge, model and arenas. Cheap checks are made before the model is loaded.

    few : play and measure only as many prompts as one batch of draws holds, for a trial.

    Raises ConfigError naming the key that is wrong.
    """
    set_clock(folder)
    solver = build_solver(config.solver)
    fit = construct("fit", Fit, config.fit)
    options = arguments("arena", TextArena, config.arena, reader, NOT_IN_ARENA)
    with said():
        data = read_data(config.data)
    judge = judge_of(config, folder) if config.judge else AbsentJudge()
    if config.run.shard and workers().size == 1:
        raise ConfigError(
            "run.shard needs several processes: start them with accelerate launch, or unset it."
        )
    lm = load_model(config.model, data.reading)
    if config.run.shard:
        lm.shard()
    lm = _limited(lm, data, options)
    texts = data.prompts
    kept = len(texts) - config.evaluate.held_out
    if kept < 1:
        raise ConfigError(
            f"evaluate.held_out = {config.evaluate.held_out}: it must leave some of the {len(texts)} prompts."
        )
    size = data.per_round
    if size is not None and not 1 <= size <= kept:
        raise ConfigError(f"data.per_round = {size}: it must be from 1 to {kept}, the number of prompts.")

    def arena_of(some: slice, per_round: int | None) -> TextArena:
        given = {"fit": fit, "per_round": per_round, **options}
        if data.answers:
            given["expert"] = data.answers[some]
        return _arena(lm, texts[some], judge, given, folder)

    trained = set(texts[:kept])
    if (again := sum(text in trained for text in texts[kept:])) and workers().first:
        say(f"{again} of {len(texts) - kept} held-out prompts are trained on too: the data repeats them.")
    known = [pair for pair in data.pairs if as_asked(pair.prompt) in trained]
    if not config.judge:
        judge = _believed(lm, known, config.run.shard)
    with said():
        arena = arena_of(slice(kept), size)
        measured = range(len(texts))[_evaluated(config, arena, len(texts))]
        sizes = arena.context.per_round, len(measured)
        if few:
            played, measured = _few(arena, sizes[0]), measured[: _few(arena, len(measured))]
            arena = arena.within(replace(arena.context, per_round=played))
        if config.evaluate.page and sizes[1] < 2:
            raise ConfigError(
                f"evaluate.page = {config.evaluate.page}: the page needs at least 2 measured prompts and has "
                f"{sizes[1]}; set evaluate.held_out or evaluate.prompts, or page = 0."
            )
        some = slice(measured.start, measured.stop)
        other = arena if texts[some] == arena.prompts else arena_of(some, None)
    if known and hasattr(solver, "pairs"):
        solver = _given(solver, arena, known)
    elif known and config.judge and workers().first:
        say("the solver fits no pairs: it asks [judge], and data.pairs give prompts and an expert's answers.")
    asked = [[identity(text) for text in texts], data.answers, lm.tokenizer.chat_template]
    asked.append([[identity(as_asked(pair.prompt)), *pair[1:]] for pair in data.pairs])
    content = json.dumps([*asked, asdict(lm.reading)])
    return Parts(solver, arena, other, hashlib.sha256(content.encode()).hexdigest(), sizes)


def _evaluated(config: Configuration, arena: TextArena, prompts: int) -> slice:
    """The prompts that are measured: those held out, the first `evaluate.prompts`, or as many as are cheap.

    By default the evaluation draws at most half as many responses as one sample of the round, and at most
    64 prompts are measured.
    """
    how, kept = config.evaluate, len(arena.prompts)
    if kept < prompts:
        return slice(kept, None)
    if how.prompts is not None:
        return slice(how.prompts)
    if arena.samples is None:
        return slice(DEFAULT_PROMPTS)
    drawn, each = arena.context.per_round * arena.samples, how.samples * (2 + how.past)
    least = 2 if how.page else 1  # the intervals of a page are over prompts
    return slice(max(least, min(DEFAULT_PROMPTS, drawn // (2 * each))))


def _few(arena: TextArena, prompts: int) -> int:
    """So many of the prompts that their responses fill a batch of draws, but at least two."""
    return min(prompts, max(2, -(-FEW // (arena.samples or 1))))


def judge_of(config: Configuration, folder: Path) -> Judge:
    """The judge of [judge], built in the first process; `cache` is on by default but for UNCACHED.

    The votes of Human lie in the folder `people` of the run unless the section names another.
    """
    built: list[Judge] = []

    def make() -> None:
        table = dict(config.judge)
        cached = table.pop("cache", table.get("kind") not in UNCACHED)
        if not isinstance(cached, bool):
            raise ConfigError(f"judge.cache = {cached!r:.60}: it must be true or false.")
        if table.get("kind") == "Human":
            table.setdefault("folder", str(folder / PEOPLE))
        judge = build_judge(table)
        built.append(Cached(judge, folder / "judge.jsonl") if cached else judge)

    workers().once(make)
    return built[0] if built else AbsentJudge()


def _believed(lm: LanguageModel, pairs: list[Pair], shard: bool) -> Judge:
    """The judge that is learned from pairs, which only the first process asks."""
    if shard:
        raise ConfigError(
            "[judge] is missing: the preference of data.pairs is not learned on a sharded model; name a "
            "judge, or unset run.shard."
        )
    return Believed(lm, pairs) if workers().first else AbsentJudge()


def _given(solver: Any, arena: TextArena, pairs: list[Pair]) -> Solver:
    """The solver with the pairs of the run as its evidence."""
    try:
        return replace(solver, pairs=arena.duels_of(pairs))
    except ValueError as error:
        raise ConfigError(f"[data] {error}") from error


def _limited(lm: LanguageModel, data: Data, options: Table) -> LanguageModel:
    """The model with prompts limited so that responses have room.

    Raises ConfigError when responses alone fill the context.
    """
    most = options.get("max_new_tokens", 256) if options.get("responses") is None else 0
    assert isinstance(most, int)
    if lm.context is not None and most >= lm.context:
        raise ConfigError(
            f"arena.max_new_tokens = {most}: it must leave room for a prompt in a context of {lm.context}."
        )
    room = lm.context and lm.context - most
    longest = min(filter(None, (room, data.reading.longest)), default=None)
    return lm.reads(replace(data.reading, longest=longest))


def _arena(lm: LanguageModel, prompts: list[str], judge: Judge, options: Table, folder: Path) -> TextArena:
    """An arena that records its draws in the run's folder and shares its work among all processes."""
    try:
        arena = TextArena(lm, prompts, judge, **options)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise ConfigError(f"[arena] {error}") from error
    space, asked = arena.space, arena.judge
    if workers().size > 1:
        asked = SharedJudge(asked)
        space = space if arena.listed else Shared(space)  # each process computes the table of a list
    return arena.within(replace(arena.context, judge=asked, space=Recorded(space, folder / "draws")))
