"""Digests of many results, to the bit: that a change of structure changed no number.

    PYTHONPATH=. python tests/support/digests.py --write before.json
    PYTHONPATH=. python tests/support/digests.py --check before.json     # names what differs, exits 1

Only public names are used, so one copy of this file runs on an older and a newer tree. Bits depend on the
processor and on the versions of numpy, numba and torch: compare on one machine, in one environment.
"""
# ruff: noqa: E402

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import json
import os
import pkgutil
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np

import pgames as pg

Case = tuple[str, Callable[[], Any]]
TAU = 0.2


# -- digests ---------------------------------------------------------------------------------------------


def digest(value: Any) -> str:
    """blake2b of arrays, numbers and texts, however nested."""
    state = hashlib.blake2b(digest_size=16)
    feed(state, value)
    return state.hexdigest()


def feed(state: Any, value: Any) -> None:
    if isinstance(value, dict):
        value = list(value.items())
    if value is None or isinstance(value, str):
        data = repr(value).encode()
        state.update(f"text {len(data)} ".encode() + data)
    elif isinstance(value, list | tuple):
        state.update(f"list {len(value)} ".encode())
        for part in value:
            feed(state, part)
    else:
        array = np.ascontiguousarray(value)
        if array.dtype == object:
            raise TypeError(f"cannot digest {type(value).__name__}")
        state.update(f"array {array.dtype.str} {np.shape(value)} ".encode() + array.tobytes())


# -- names that may move -----------------------------------------------------------------------------------


@functools.cache
def found(name: str) -> Any:
    """A function or class of llm_backend that is not a top-level name, wherever it lives."""
    likely = (
        "llm_backend.tiny",
        "llm_backend.testing",
        "llm_backend.testing.tiny",
        "llm_backend.testing.toys",
        "llm_backend.toys",
        "llm_backend.evaluate",
    )
    for module in likely:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    package = importlib.import_module("llm_backend")
    for entry in pkgutil.walk_packages(package.__path__, "llm_backend.", onerror=lambda _: None):
        if entry.name.endswith("__main__"):
            continue
        try:
            value = getattr(importlib.import_module(entry.name), name)
        except (ImportError, AttributeError):
            continue
        if getattr(value, "__module__", "").startswith("llm_backend"):
            return value
    raise ImportError(f"llm_backend has no {name} any more")


# -- games and votes ---------------------------------------------------------------------------------------


@functools.cache
def games() -> dict[str, pg.PreferenceGame]:
    rng = np.random.default_rng(3)
    mixed = pg.games.stack([pg.games.comal3(), pg.games.cyclic(5, 0.8), pg.games.hidden_rps(0.1)])
    return {
        "comal3": pg.games.comal3(),
        "random12": pg.games.random_skew(12, 1).with_reference(rng.dirichlet(np.ones(12))),
        "stack": pg.PreferenceGame(mixed.P, mixed.reference, [0.2, 0.5, 0.3]),
    }


@functools.cache
def votes() -> pg.Comparisons:
    rng = np.random.default_rng(5)
    left = rng.integers(0, 6, 900)
    right = (left + rng.integers(1, 6, 900)) % 6
    winner = rng.choice([-1, 0, 1], 900, p=[0.35, 0.15, 0.5])
    return pg.Comparisons(left, right, winner, list("abcdef"), rng.integers(0, 3, 900), ["x", "y", "z"])


def game_cases() -> Iterator[Case]:
    g = pg.games
    made: dict[str, Callable[[], pg.PreferenceGame]] = {
        "cyclic": lambda: g.cyclic(6, 0.7),
        "rock_paper_scissors": g.rock_paper_scissors,
        "comal3": g.comal3,
        "biased_rps": g.biased_rps,
        "perturbed_rps": g.perturbed_rps,
        "dice": g.dice,
        "raters": lambda: g.raters(0.1),
        "six_rankers": g.six_rankers,
        "bradley_terry": lambda: g.bradley_terry([0.0, 1.0, -0.5, 2.0]),
        "random_skew": lambda: g.random_skew(30, 2),
        "uniform_random": lambda: g.uniform_random(30, 2),
        "blotto": lambda: g.blotto(5, 3),
        "disc": lambda: g.disc(20, 1),
        "skill_and_cycles": lambda: g.skill_and_cycles(9, 0.4, 1),
        "low_rank": lambda: g.low_rank(np.random.default_rng(0).normal(size=(2, 6, 4))),
        "hidden_rps": lambda: g.hidden_rps(0.1),
        "needle": lambda: g.needle(0.1),
        "clones": lambda: g.clones(g.comal3(), [1, 2, 3]),
        "stack": lambda: games()["stack"],
    }

    def tables(make: Callable[[], pg.PreferenceGame]) -> Any:
        game = make()
        return [game.P, game.skew, game.reference, game.prompt_weights, game.support, list(game.labels)]

    for name, make in made.items():
        yield f"games/{name}", functools.partial(tables, make)


# -- exact equilibria --------------------------------------------------------------------------------------


def nash_cases() -> Iterator[Case]:
    def solved(game: pg.PreferenceGame, *arguments: Any, **options: Any) -> Any:
        answer = pg.nash(game, *arguments, **options)
        return [answer.policy, answer.exploitability, answer.residual, answer.iterations]

    for name, game in games().items():
        for tau in (0.0, 0.01, 0.2):
            yield f"nash/{name} tau={tau}", functools.partial(solved, game, tau)
    # several equilibria: which one is meant matters
    twins = pg.games.clones(pg.games.comal3(), [2, 1, 3])
    uneven = twins.with_reference(np.random.default_rng(1).dirichlet(np.ones(6)))
    for select in ("centre", "max_entropy", "closest"):
        yield f"nash/select={select}", functools.partial(solved, uneven, select=select)
    for n in (40, 120):
        for tau in (0.0, 0.05):
            yield f"nash/random{n} tau={tau}", functools.partial(solved, pg.games.random_skew(n, 4), tau)
    batch = pg.games.stack([pg.games.random_skew(8, k) for k in range(30)])
    for tau in (0.0, 0.1):
        yield f"nash/batch tau={tau}", functools.partial(solved, batch, tau)
    yield "nash/blotto", functools.partial(solved, pg.games.blotto(6, 3))
    yield "nash/cvxpy", functools.partial(solved, pg.games.random_skew(6, 1), 0.1, method="cvxpy")

    def zero_sum(A: Any) -> Any:
        return list(pg.nash_zero_sum(A))

    rng = np.random.default_rng(2)
    yield "nash_zero_sum/small", functools.partial(zero_sum, [[3.0, -1.0], [-2.0, 4.0]])
    yield "nash_zero_sum/random", functools.partial(zero_sum, rng.normal(size=(7, 11)) * 50)
    yield "nash_zero_sum/alike", functools.partial(zero_sum, np.full((3, 4), 1e9))

    def certificates() -> Any:
        game, policy = games()["stack"], games()["stack"].reference
        taus = (0.0, 0.1)
        return [
            [
                pg.exploitability(game, policy, t),
                pg.duality_gap(game, policy, t),
                pg.best_response(game, policy, t),
            ]
            for t in taus
        ]

    yield "certificates", certificates


# -- solvers on tables -------------------------------------------------------------------------------------


def mirror() -> dict[str, Callable[[Any], Any]]:
    """By name, a solver for a step size, which may be one per run."""
    return {
        "EGPO": lambda eta: pg.EGPO(TAU, eta),
        "INPO": lambda eta: pg.INPO(TAU, eta),
        "MMD": lambda eta: pg.MMD(TAU, eta),
        "NashMD": lambda eta: pg.NashMD(TAU, eta),
        "NashMD(paper)": lambda eta: pg.NashMD(TAU),
        "NashEMA": lambda eta: pg.NashEMA(TAU, eta, decay=0.8),
        "ONPO": lambda eta: pg.ONPO(TAU, eta),
        "MNPO": lambda eta: pg.MNPO(TAU, eta),
        "IPOMD": lambda eta: pg.IPOMD(TAU, eta),
        "SPPO": lambda eta: pg.SPPO(eta),
    }


def others() -> dict[str, Any]:
    return {
        "NashEMA(arithmetic)": pg.NashEMA(TAU, 0.5, decay=0.8, arithmetic=True),
        "COMAL": pg.COMAL(TAU, 0.5, every=5),
        "MPO": pg.MPO(TAU, 0.5, every=5),
        "Average": pg.Average(pg.SPPO(0.5)),
        "Best": pg.Best(pg.EGPO(TAU, 0.5), TAU),
        "ProximalPoint": pg.ProximalPoint(pg.INPO(TAU, 0.5), every=4),
        "DPO": pg.DPO(0.5),
        "IPO": pg.IPO(0.5),
        "SLiC": pg.SLiC(1.0),
        "GPO": pg.GPO(pg.losses.truncated_square, 0.5),
        "OnlineDPO": pg.OnlineDPO(0.5, 0.5),
        "OnlineIPO": pg.OnlineIPO(0.5),
        "RLHF": pg.RLHF(0.5),
        "SPIN": pg.SPIN(1.5),
        "FictitiousPlay": pg.FictitiousPlay(),
        "FictitiousPlay(tau)": pg.FictitiousPlay(0.3),
    }


def expert_of(game: pg.PreferenceGame) -> Any:
    table = np.random.default_rng(8).dirichlet(np.ones(game.responses), game.prompts) * game.support
    return table / table.sum(axis=1, keepdims=True)


def played(solver: Any, game: pg.PreferenceGame, rounds: int, run: dict[str, Any], **options: Any) -> Any:
    """What `run` measured, and the last policy."""
    arena = pg.TableArena(game, expert=expert_of(game), **options)
    answer = pg.run(solver, arena, rounds, points=8, **run)
    return [answer.rounds, values_of(answer), answer.state.t, answer.state.policy]


def values_of(answer: Any) -> dict[str, Any]:
    """What a run recorded, float64[S, R, ...] by name: until they were one class, runs had [R, S, ...]."""
    old = type(answer).__name__ == "Run"
    return {name: np.moveaxis(v, 1, 0) if old else v for name, v in answer.values.items()}


def solved_state(solver: Any, game: pg.PreferenceGame, rounds: int, **options: Any) -> Any:
    arena = pg.TableArena(game, expert=expert_of(game), **options)
    state = pg.solve(solver, arena, rounds)
    again = pg.solve(solver, arena, rounds, pg.solve(solver, arena, 2))
    return [state.policy, arena.probs(state.policy), again.policy]


def table_cases() -> Iterator[Case]:
    stack, small = games()["stack"], games()["random12"]
    solvers = {name: make(0.5) for name, make in mirror().items()} | others()
    for name, solver in solvers.items():
        yield f"run/{name} exact", functools.partial(played, solver, stack, 40, {})
        yield (
            f"run/{name} sampled",
            functools.partial(played, solver, small, 20, {}, samples=5, runs=3, seed=4),
        )
        yield (
            f"solve/{name}",
            functools.partial(solved_state, solver, stack, 10, samples=3, runs=9, first_run=2),
        )
    etas = np.array([0.1, 0.3, 0.5, 0.7, 0.2])
    for name, make in mirror().items():
        solver = make(etas)
        yield f"run/{name} step per run", functools.partial(played, solver, stack, 20, {}, runs=5)
        if name != "NashMD(paper)":
            fast = {"compiled": True}
            yield f"compiled/{name}", functools.partial(played, solver, stack, 20, fast, runs=5)
            once = make(0.5)
            yield (
                f"compiled/{name} sampled",
                functools.partial(played, once, small, 20, fast, runs=3, samples=4),
            )
            yield f"tableau/{name}", functools.partial(lambda solver: repr(pg.tableau(solver)), once)

    def metrics() -> Any:
        m, arena = pg.metrics, pg.TableArena(stack, runs=2, samples=4, seed=1)
        kinds = [
            m.Exploitability(TAU),
            m.DualityGap(TAU),
            m.KLToNash(TAU),
            m.KLToReference(),
            m.Entropy(),
            m.Support(1e-3),
            m.Policies(),
        ]
        return [values_of(pg.run(pg.EGPO(TAU, 0.5), arena, 12, kinds, points=6))]

    yield "metrics", metrics

    def verbs(samples: int | None) -> Any:
        arena = pg.TableArena(stack, runs=3, samples=samples, seed=2).at(5)
        one = arena.policy(expert_of(stack))
        two = arena.mirror_step(arena.reference, one, 2.0)
        three = arena.mirror_step(two, one, np.inf)
        blend = arena.geometric_mixture((0.5, one), (0.7, two), (-0.2, arena.reference))
        mix = arena.mixture((0.25, one), (0.5, two), (0.25, three))
        pairs = arena.duel(one, two) + arena.duel(two, mix)
        score = arena.fit_reward(arena.duel(one, one))
        return [
            two,
            three,
            blend,
            mix,
            arena.win_rate(one, mix),
            pairs.wins,
            score,
            arena.tilt(one, score, 0.3),
        ]

    yield "verbs exact", functools.partial(verbs, None)
    yield "verbs sampled", functools.partial(verbs, 6)


# -- learners ----------------------------------------------------------------------------------------------


def curve_of(learner: Any, game: pg.PreferenceGame, rounds: int, **options: Any) -> Any:
    curve = pg.simulate(learner, game, rounds, **options)
    summary = curve.summary()
    parts = [getattr(summary, name) for name in getattr(summary, "_fields", ())]
    return [
        curve.rounds,
        curve.regret,
        curve.gap,
        curve.external,
        curve.average_gap,
        curve.bits,
        [part for part in parts if isinstance(part, np.ndarray | float | int)],
    ]


def learner_cases() -> Iterator[Case]:
    tau = 0.1
    hidden, both = (
        pg.games.hidden_rps(tau),
        pg.games.stack([pg.games.hidden_rps(tau), pg.games.cyclic(4, 0.8)]),
    )
    learners = {
        "ENPO": pg.ENPO(tau),
        "ENPO(sft)": pg.ENPO(tau, pg.Schedule("linear"), pairs=2, labels=4, comparators=2, sft=0.01),
        "DENPO": pg.DENPO(tau),
        "Passive": pg.Passive(tau),
        "Passive(pair)": pg.Passive(tau, loss="pair", keep=False),
        "OnPolicyGreedy": pg.OnPolicyGreedy(tau),
        "Greedy": pg.Greedy(tau),
        "UniformAdversary": pg.UniformAdversary(tau),
        "Optimistic": pg.Optimistic(tau),
        "Enhancer": pg.Enhancer(tau),
        "OMG": pg.OMG(tau),
        "VMG": pg.VMG(tau),
        "ExploreThenCommit": pg.ExploreThenCommit(tau, 100),
        "XPO": pg.XPO(tau, 0.05),
        "VPO": pg.VPO(tau, 0.5),
        "SELM": pg.SELM(tau, 0.05),
        "SparringEXP3": pg.SparringEXP3(),
        "RUCB": pg.RUCB(),
        "DoubleThompson": pg.DoubleThompson(),
    }
    for name, learner in learners.items():
        yield f"simulate/{name}", functools.partial(curve_of, learner, hidden, 250, seeds=3, record=12)
        yield (
            f"simulate/{name} two prompts",
            functools.partial(curve_of, learner, both, 60, seeds=2, record=5, seed=7, tau=0.05, first_run=3),
        )
    for name in ("Greedy", "Optimistic", "Enhancer", "OMG", "VMG", "XPO", "SELM"):
        yield (
            f"simulate/{name} lazy",
            functools.partial(curve_of, learners[name], hidden, 2000, seeds=3, refresh=1.1, record=9),
        )
    features = np.random.default_rng(6).normal(size=(1, 5, 3))
    for name in ("ENPO", "DENPO", "Passive", "Greedy", "Optimistic", "Enhancer"):
        yield (
            f"simulate/{name} features",
            functools.partial(curve_of, learners[name], hidden, 120, seeds=2, record=6, features=features),
        )

    def swept() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            result = pg.sweep({"tau": [0.1, 0.2], "learner": [pg.Greedy, pg.ENPO]}, cell, folder)
            return [[one.curve.regret, one.curve.bits] for one in result.cells]

    yield "sweep", swept

    def grown() -> Any:
        curves = {t: pg.simulate(pg.Greedy(t), pg.games.hidden_rps(t), 300, 4) for t in (0.1, 0.15, 0.2)}
        return [repr(pg.growth(curves)), repr(curves[0.1].late_slope())]

    yield "growth", grown


def cell(tau: float, learner: Any, rounds: int = 80, seeds: int = 2) -> Any:
    """One cell of the sweep."""
    return pg.simulate(learner(tau), pg.games.hidden_rps(tau), rounds, seeds, record=5)


# -- ratings, votes, bounds --------------------------------------------------------------------------------


def rating_cases() -> Iterator[Case]:
    r = pg.ratings

    def rated(make: Callable[[], Any]) -> Any:
        rating = make()
        names = (
            "scores",
            "intervals",
            "covariance",
            "tie",
            "policy",
            "flow",
            "gradient",
            "rotation",
            "harmonic",
        )
        known = [[name, getattr(rating, name)] for name in names if hasattr(rating, name)]
        cycles = [[list(c.items), c.strength] for c in getattr(rating, "cycles", ())]
        return [list(rating.items), list(rating.ranking), known, cycles]

    game = pg.games.skill_and_cycles(7, 0.5, 2)
    made: dict[str, Callable[[], Any]] = {
        "elo": lambda: r.elo(votes()),
        "elo k=32": lambda: r.elo(votes(), k=32.0, initial=0.0),
        "bradley_terry": lambda: r.bradley_terry(votes()),
        "bradley_terry davidson": lambda: r.bradley_terry(votes(), ties="davidson"),
        "bradley_terry prior": lambda: r.bradley_terry(votes(), "drop", 0.5, robust=False),
        "bradley_terry game": lambda: r.bradley_terry(game),
        "alpha_rank": lambda: r.alpha_rank(game, 2.0),
        "alpha_rank infinite": lambda: r.alpha_rank(game, 1e3, 20),
        "nash_average": lambda: r.nash_average(votes().to_game()),
        "nash_average payoffs": lambda: r.nash_average(game.skew[0] * 3),
        "hodge": lambda: r.hodge(votes()),
        "hodge logit": lambda: r.hodge(votes(), "logit", prior=0.5),
        "win_count": lambda: r.win_count(votes()),
        "average_win_rate": lambda: r.average_win_rate(votes()),
        "bootstrap": lambda: r.bootstrap(r.elo, votes(), 20, 1),
    }
    for name, make in made.items():
        yield f"ratings/{name}", functools.partial(rated, make)
    yield (
        "ratings/strongest_cycles",
        lambda: [[list(c.items), c.strength] for c in r.strongest_cycles(game, 5)],
    )

    def estimated() -> Any:
        v = votes()
        made = [v.to_game(), v.to_game(0.0, 1.0, "drop"), v.to_game(prompt_weights="votes", only_seen=True)]
        resampled = [[s.left, s.right, s.winner, s.prompt] for s in v.bootstrap(2, 3)]
        pooled = (v + v.subset("y")).pooled_counts
        return [
            [[g.P, g.prompt_weights] for g in made],
            [[c.wins, c.ties] for c in (v.counts, pooled)],
            resampled,
        ]

    yield "comparisons", estimated

    def read() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "votes.csv"
            v = votes()
            rows = ["left,right,winner,prompt"]
            for a, b, w, x in zip(v.left, v.right, v.winner, v.prompt, strict=True):
                said = {1: "left", 0: "tie", -1: "right"}[int(w)]
                rows.append(f"{v.items[a]},{v.items[b]},{said},{v.prompts[x]}")
            path.write_text("\n".join(rows) + "\n")
            back = pg.Comparisons.read(path)
        return [back.left, back.right, back.winner, back.prompt, list(back.items), list(back.prompts)]

    yield "comparisons/read", read

    def losses() -> Any:
        margins = np.linspace(-3, 3, 13)
        kinds = [pg.losses.logistic, pg.losses.squared, pg.losses.truncated_square, pg.losses.exponential]
        wins = np.random.default_rng(0).poisson(3, (2, 1, 5, 5)).astype(float)
        shapes = [[f(margins) for f in (k.value, k.slope, k.curvature)] for k in [*kinds, pg.losses.hinge()]]
        return [shapes, [pg.losses.minimise(k, wins) for k in kinds]]

    yield "losses", losses

    def bounds() -> Any:
        b, rounds, comal3 = pg.bounds, np.array([1, 10, 100, 1000]), pg.games.comal3()
        curves = [
            b.nash_md(tau=0.1),
            b.egpo(0.1, 0.5, 0.3),
            b.mmd(0.1, 0.2, 0.3),
            b.inpo(0.1, 0.2, 0.3),
            b.average_iterate(0.5, [0.2, 0.8]),
            b.spin(1.5, 0.4),
            b.optimistic_oracle(comal3, 0.1),
            b.enpo(comal3, 0.1),
            b.passive_lower(0.01, 0.2),
        ]
        games_at = (b.rotation, b.inpo_stable_step, b.mmd_stable_step, b.comal_rate, b.oracle_rate)
        return [[curve(rounds) for curve in curves], [float(f(comal3, 0.1)) for f in games_at]]

    yield "bounds", bounds


# -- language models ---------------------------------------------------------------------------------------

PROMPTS = ["your move ?", "and now ?", "last one :"]
MOVES = ["rock", "paper", "scissors", "well"]


class Lookup:
    """P[prompt, first, second] by text; a response that is not in the list loses to every one that is."""

    as_is = True

    def __init__(self, P: Any):
        self.P = P

    def prefer(self, prompts: Any, firsts: Any, seconds: Any) -> Any:
        x = [PROMPTS.index(text) for text in prompts]
        return self.P[x, [MOVES.index(text) for text in firsts], [MOVES.index(text) for text in seconds]]


def letters(prompt: str, response: str) -> float:
    """A score of free text: vowels count, length costs a little."""
    return sum(letter in "aeiou" for letter in response) - 0.1 * abs(len(response) - len(prompt) / 2)


def listed_arena(samples: int | None, seed: int, lora: int | None = 4, **options: Any) -> Any:
    from llm_backend import Fit, TextArena

    lm = found("tiny_language_model")(lora=lora, seed=seed, texts=[*PROMPTS, *MOVES * 2])
    tables = [pg.games.cyclic(4, 0.9), pg.games.uniform_random(4, 1), pg.games.random_skew(4, 2)]
    judge = Lookup(np.concatenate([game.P for game in tables]))
    options.setdefault("fit", Fit(epochs=3, lr=3e-2))
    return TextArena(lm, PROMPTS, judge, samples, seed=seed, responses=MOVES, expert=EXPERT, **options)


EXPERT = np.random.default_rng(5).dirichlet(np.ones(4), 3)


def listed(solver: Any, rounds: int, *arguments: Any, **options: Any) -> Any:
    arena = listed_arena(*arguments, **options)
    states = list(pg.iterate(solver, arena, rounds))
    drawn = arena.sample(states[-1].policy, n=4)
    return [
        [arena.probs(state.policy) for state in states],
        [arena.exploitability(state.policy, TAU) for state in states],
        list(drawn),
    ]


def free_arena(seed: int, lora: int | None = 4, **options: Any) -> Any:
    from llm_backend import Fit, TextArena, judges

    lm = found("tiny_language_model")(lora=lora, seed=seed, texts=[*PROMPTS, *MOVES * 2])
    options = {"samples": 4, "max_new_tokens": 6, "fit": Fit(epochs=2, lr=1e-2), **options}
    return TextArena(lm, PROMPTS, judges.Rule(letters), seed=seed, **options)


def free(solver: Any, rounds: int, seed: int, **options: Any) -> Any:
    arena = free_arena(seed, **options)
    states = list(pg.iterate(solver, arena, rounds))
    last = states[-1].policy
    return [[arena.probs(state.policy, MOVES) for state in states], list(arena.sample(last, n=3))]


def text_cases() -> Iterator[Case]:
    solvers = {
        "EGPO": pg.EGPO(TAU, 1.0),
        "INPO": pg.INPO(TAU, 1.0),
        "NashMD": pg.NashMD(TAU, 1.0),
        "OnlineDPO": pg.OnlineDPO(0.5, 1.0),
        "RLHF": pg.RLHF(0.5),
    }
    more = {
        "MMD": pg.MMD(TAU, 1.0),
        "SPPO": pg.SPPO(0.5),
        "NashEMA": pg.NashEMA(TAU, 1.0, decay=0.5),
        "ONPO": pg.ONPO(TAU, 1.0),
        "MNPO": pg.MNPO(TAU, 1.0),
        "IPOMD": pg.IPOMD(TAU, 1.0),
        "COMAL": pg.COMAL(TAU, 1.0, every=2),
        "Average": pg.Average(pg.SPPO(0.5)),
        "Best": pg.Best(pg.EGPO(TAU, 1.0), TAU),
        "FictitiousPlay": pg.FictitiousPlay(0.5),
        "DPO": pg.DPO(0.5),
        "SLiC": pg.SLiC(1.0),
        "SPIN": pg.SPIN(1.5),
    }
    learners = {
        "ENPO": pg.ENPO(TAU, labels=4),
        "DENPO": pg.DENPO(TAU, labels=4),
        "Passive": pg.Passive(TAU, labels=4),
        "XPO": pg.XPO(TAU, 0.05),
        "VPO": pg.VPO(TAU, 0.05),
        "Greedy": pg.Greedy(TAU),
        "Optimistic": pg.Optimistic(TAU),
    }
    for name, solver in solvers.items():
        for seed in (0, 3):
            yield f"text/{name} exact seed={seed}", functools.partial(listed, solver, 3, None, seed)
            yield f"text/{name} sampled seed={seed}", functools.partial(listed, solver, 3, 4, seed)
    for name, solver in more.items():
        yield f"text/{name} exact", functools.partial(listed, solver, 2, None, 1)
    for name, solver in [*more.items(), *learners.items()]:
        yield f"text/{name} sampled", functools.partial(listed, solver, 3, 6, 1)
    yield "text/all weights", functools.partial(listed, pg.EGPO(TAU, 1.0), 2, 3, 2, lora=None)
    yield "text/per_round", functools.partial(listed, pg.INPO(TAU, 1.0), 3, 3, 2, per_round=1)
    for name in ("EGPO", "INPO", "OnlineDPO"):
        for seed in (0, 3):
            yield f"free/{name} seed={seed}", functools.partial(free, solvers[name], 2, seed)
    for name in ("ENPO", "XPO", "Greedy"):
        yield f"free/{name}", functools.partial(free, learners[name], 2, 1)
    yield "free/RLHF", functools.partial(free, solvers["RLHF"], 1, 1)
    yield "free/NashMD", functools.partial(free, solvers["NashMD"], 2, 1)
    yield "free/NashMD correct", functools.partial(free, solvers["NashMD"], 2, 1, correct=3)
    yield (
        "free/temperature",
        functools.partial(free, solvers["INPO"], 2, 4, temperature=0.7, min_new_tokens=2, lora=None),
    )

    def rule(name: str) -> Any:
        from llm_backend import Fit

        return free(pg.INPO(TAU, 1.0), 2, 5, fit=Fit(rule=name, epochs=2, lr=1e-2))  # type: ignore[arg-type]

    for name in ("logistic", "reinforce", "rloo", "grpo", "ppo"):
        yield f"free/Fit {name}", functools.partial(rule, name)

    def resumed() -> Any:
        arena, solver = listed_arena(4, 6), pg.EGPO(TAU, 1.0)
        state = pg.solve(solver, arena, 2)
        with tempfile.TemporaryDirectory() as folder:
            arena.save(state, folder)
            back = arena.load(folder)
        return [arena.probs(back.policy), arena.probs(pg.solve(solver, arena, 1, back).policy)]

    yield "text/save and load", resumed

    def toy() -> Any:
        game = pg.games.stack([pg.games.comal3(), pg.games.cyclic(4, 0.8)])
        answers = []
        for samples in (None, 4):
            arena = found("text_arena")(game, seed=1, samples=samples)
            states = list(pg.iterate(pg.EGPO(TAU, 1.0), arena, 2))
            answers.append([arena.probs(state.policy) for state in states])
        return answers

    yield "text/text_arena", toy

    def evaluated() -> Any:
        arena = free_arena(2)
        state = pg.solve(pg.INPO(TAU, 1.0), arena, 1)
        row = found("measure")(arena, state.policy, {0: arena.reference}, 4)
        return [json.dumps(row, sort_keys=True)]

    yield "free/measure", evaluated


# -- the command -------------------------------------------------------------------------------------------


def cases() -> Iterator[Case]:
    for part in (game_cases, nash_cases, table_cases, learner_cases, rating_cases, text_cases):
        yield from part()


def compute(only: str = "") -> tuple[dict[str, str], dict[str, str]]:
    """Digests by name, and by name what was raised instead."""
    done: dict[str, str] = {}
    failed: dict[str, str] = {}
    for name, make in cases():
        if only not in name:
            continue
        if name in done or name in failed:
            raise ValueError(f"two cases are named {name}")
        try:
            done[name] = digest(make())
        except Exception as error:  # one that is gone must not hide the others
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return done, failed


def environment() -> dict[str, str]:
    packages = ("numpy", "scipy", "numba", "torch", "transformers", "peft")
    return {"machine": platform.machine(), "python": platform.python_version()} | {
        package: version(package) for package in packages
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE", help="write the digests")
    what.add_argument("--check", type=Path, metavar="FILE", help="compare with the digests of FILE")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases with TEXT in their name")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"digests of {Path(pg.__file__).parent}", file=sys.stderr)
    begun = time.perf_counter()
    done, failed = compute(options.only)
    seconds = time.perf_counter() - begun
    if options.write:
        for name, error in failed.items():
            print(f"{name}: {error}")
        options.write.write_text(json.dumps({"environment": environment(), "digests": done}, indent=1) + "\n")
        print(f"{len(done)} digests in {seconds:.0f} s, {len(failed)} failed")
        return 1 if failed else 0
    there = json.loads(options.check.read_text())
    if there["environment"] != environment():
        print(f"note: made with {there['environment']}, this is {environment()}", file=sys.stderr)
    before = {name: value for name, value in there["digests"].items() if options.only in name}
    wrong = 0
    for name in dict.fromkeys([*before, *done, *failed]):
        if name in failed:
            said = failed[name]
        elif name not in done:
            said = "is not computed any more"
        elif name not in before:
            continue
        elif before[name] != done[name]:
            said = "differs"
        else:
            continue
        wrong += 1
        print(f"{name}: {said}")
    print(f"{len(before) - wrong} of {len(before)} digests are the same, in {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
