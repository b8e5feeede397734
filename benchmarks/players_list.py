"""The numbers that the design of roles, populations and search measured, measured again by our code.

A question yields `Number`s. It asks the functions by which the tests and the figures measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import pgames as pg
from benchmarks.league import First
from paper_figures import fig13_schedules as schedules
from paper_figures.token_games import proposed, token_game
from pgames.population import Even, Everybody, Hard, Latest, Near, Uniform
from tests.bounds.test_self_preference import GAME as CYCLE
from tests.bounds.test_self_preference import judged_by_itself, starts
from tests.exact.test_regularised_pair import residual
from tests.population.test_panel import SIX, biased
from tests.population.test_panel import gaps as gaps_of_panel
from tests.ratings.test_settled import RPS, online
from tests.roles.test_solvers import MARGINALS, PRODUCTS, SETTLED, TAU, averaged, both, contraction, solved
from tests.search.test_rounds import until_good
from tests.search.test_rules import known_from_the_start
from tests.search.test_tree import BUDGETS, LARGE, PROPOSERS, SMALL
from tests.solvers.test_exploiters import of_nash, prioritised, with_exploiters
from tests.solvers.test_league import disc_and_ranking, members_of, spread
from tests.solvers.test_psro import gaps_of, pure, soft_and_inner, stuck
from tests.support.roles import closed_form, gap, marginals, references, table
from tests.support.token_games import bandits

OTHER = "our games are drawn from other random numbers than the design's, which it does not state"
CYCLES = "play cycles there, from .02 to .71 over the seeds, and the number is its state in one round"


class Number(NamedTuple):
    """A number of the design: what it is, what the design says, ours, and the range in which it is met."""

    what: str
    design: str
    ours: float
    low: float
    high: float
    note: str = ""


Question = Callable[[bool], Iterator[Number]]  # of toy: small inputs, which meet nothing


def at_most(what: str, ours: float | np.floating, bound: float, note: str = "") -> Number:
    """A number with an upper bound."""
    return Number(what, f"at most {bound:g}", float(ours), -np.inf, bound, note)


def near(what: str, ours: float | np.floating, design: float, within: float, note: str = "") -> Number:
    """A number with a tolerance."""
    said = f"{design:g} ± {within:g}" if within else f"{design:g}"
    return Number(what, said, float(ours), design - within - 1e-12, design + within + 1e-12, note)


# -- section 4: formulas ------------------------------------------------------------------------------------


def newton(toy: bool) -> Iterator[Number]:
    """The exact pair: the residual of both equations on 20 games of 6 x 5."""
    logs = (np.log(np.full(6, 1 / 6)), np.log(np.full(5, 1 / 5)))
    for tau, allowed in ((0.1, 1e-15), (0.01, 2e-14), (0.001, 2e-13)):
        found = [
            residual(table(n), (tau, tau), logs, pg.nash_zero_sum(table(n), tau))
            for n in range(2 if toy else 20)
        ]
        yield at_most(f"Newton's pair, tau = {tau:g}: L1 residual", max(found), allowed)


def products(toy: bool) -> Iterator[Number]:
    """Solvers on pairs against the game of all pairs, 25 rounds."""
    names = list(PRODUCTS)[: 1 if toy else None]
    apart = [
        np.abs(np.outer(p, q).ravel() - whole).max() for name in names for p, q, whole in both(PRODUCTS, name)
    ]
    yield at_most(f"{len(names)} solvers on pairs and on the product game, 25 rounds", max(apart), 1e-12)
    names, apart = list(MARGINALS)[: 1 if toy else None], []
    for name in names:
        for p, q, whole in both(MARGINALS, name, seed=1):
            first, second = marginals(whole, (len(p), len(q)))
            apart.append(max(np.abs(p - first).max(), np.abs(q - second).max()))
    yield at_most("FictitiousPlay and Average: their marginals", max(apart), 1e-12)


def rates(toy: bool) -> Iterator[Number]:
    """EGPO contracts by 1 - eta tau a round, for eta up to 1.5."""
    excess = contraction(range(2 if toy else 20))
    yield at_most("EGPO: contraction above 1 - eta tau, 20 games, eta up to 1.5", excess, 1e-5)


def siblings(toy: bool) -> Iterator[Number]:
    """The reverse-KL step beside the mirror step, and INPO made of it."""
    ratios = []
    for prior, value in bandits()[: 10 if toy else None]:
        apart = []
        for step in (0.4, 0.2):
            forward = prior * np.exp(step * value)
            reverse = pg.regularised_policy(prior, value, 1 / step)
            apart.append(np.abs(forward / forward.sum() - reverse).sum())
        ratios.append(apart[0] / apart[1])
    yield near("halving the step divides the L1 distance of both steps by", np.mean(ratios), 4.0, 0.6)
    game = pg.games.comal3()
    nash, reference = pg.nash(game, TAU).policy[0], game.reference[0]
    for eta, design in ((0.1, 1e-5), (0.5, 6e-5), (2.0, 2.2e-4)):
        pi = reference.copy()
        for _ in range(int((3 if toy else 300) / eta)):
            prior = pi ** (1 - TAU * eta) * reference ** (TAU * eta)
            pi = pg.regularised_policy(prior / prior.sum(), game.P[0] @ pi, 1 / eta)
        far = 0.5 * np.abs(pi - nash).sum()
        yield near(f"INPO of reverse-KL steps, eta = {eta:g}: TV to the Nash", far, design, 0.15 * design)


def self_preference(toy: bool) -> Iterator[Number]:
    """A judge that prefers itself, cyclic(5, .7), tau = .1, INPO(.1, .5), random starts."""
    threshold = pg.bounds.self_preference_threshold(CYCLE, TAU)
    yield near("self-preference: the threshold of b", threshold, 0.476, 5e-4)
    arena = pg.TableArena(CYCLE, runs=2 if toy else 10)
    for bias, design, within in (
        (0.4, 0.0, 1e-6),
        (0.45, 0.002, 2e-3),
        (0.47, 0.18, 0.03),
        (0.6, 0.33, 0.03),
    ):
        late = judged_by_itself(pg.INPO(TAU, 0.5), arena, bias, 50 if toy else 5000, starts(arena))
        mean = late[-max(1, len(late) // 10) :].mean()
        yield near(f"self-preference, b = {bias:g}: gap at the end", mean, design, within)


# -- section 5: populations ---------------------------------------------------------------------------------


def rises(toy: bool) -> Iterator[Number]:
    """PSRO's gap rises on the way; the anytime form's does not, with a smaller sum."""
    games = (
        ("random_skew(60, 0)", pg.games.random_skew(60, 0), (34, 15, 0.23), (35, 2.3, 7.6)),
        ("blotto(10, 3)", pg.games.blotto(10, 3), (16, 7, 0.69), (13, 2.7, 5.4)),
        ("disc_and_skill(60)", pg.games.disc_and_skill(60), None, (5, 0.7, 1.8)),
    )
    for name, game, design, sums in games[-1:] if toy else games:
        arena = pg.TableArena(game)
        plain, state = gaps_of(pg.PSRO(), arena, 0, 60)
        if design is not None:
            up = np.diff(plain)
            yield near(f"PSRO on {name}: calls", state.t, design[0], 0)
            yield near(f"PSRO on {name}: calls in which the gap rises", (up > 1e-12).sum(), design[1], 0)
            yield near(f"PSRO on {name}: largest rise", up.max(), design[2], 0.005)
        anytime, state = gaps_of(pg.AnytimePSRO(), arena, 0, 60)
        calls, ours, theirs = sums
        note = "the design does not name its third game" if design is None else ""
        yield near(f"AnytimePSRO on {name}: calls", state.t, calls, 0)
        yield at_most(f"AnytimePSRO on {name}: largest rise", np.diff(anytime).max(), 1e-9)
        yield near(f"AnytimePSRO on {name}: sum of the gaps", anytime.sum(), ours, 0.05, note)
        yield near(f"PSRO on {name}: sum of the gaps", plain.sum(), theirs, 0.05, note)


def stops(toy: bool) -> Iterator[Number]:
    """Best responses to the row strategy instead: gaps after 40 calls on five discs."""
    found = [stuck(seed) for seed in range(1 if toy else 5)]
    yield near(
        "best responses to the row strategy, five discs: least gap after 40 calls",
        min(found),
        2e-4,
        1e-4,
        OTHER,
    )
    yield near("the same: largest gap", max(found), 0.15, 0.005, OTHER)


def collapse(toy: bool) -> Iterator[Number]:
    """Eight equal members of SPPO(1), 300 rounds, on the disc with a ranking of .1."""
    arena, rounds = pg.TableArena(disc_and_ranking(1)), 5 if toy else 300
    for match in (Everybody(), Hard(), Even(), Near(), Everybody(self_play=1.0)):
        state = pg.solve(pg.League(pg.SPPO(1.0), 8, match), arena, rounds)
        design = 0.021 if match == Everybody(self_play=1.0) else 0.011
        yield near(f"equals, {match!r}: mean TV of members", spread(members_of(state)), design, 0.005, OTHER)
        if match == Everybody():
            best = min(2 * float(arena.exploitability(one)[0]) for one in members_of(state))
            yield near(
                "equals: gap of the members' Nash",
                2 * arena.exploitability(state.policy)[0],
                0.047,
                0.01,
                OTHER,
            )
            yield near("equals: gap of the best member", best, 0.042, 0.01, OTHER)


def exploiters(toy: bool) -> Iterator[Number]:
    """Medians of 5 seeds, 300 rounds of SPPO(2), 60 responses: gap of the Nash over main and past."""
    designs = {"skill_and_cycles(60, .95)": (0.018, 0.151, 0.087), "disc(60)": (0.0, 0.002, 0.009)}
    makes = {
        "skill_and_cycles(60, .95)": lambda n: pg.games.skill_and_cycles(60, 0.95, n),
        "disc(60)": lambda n: pg.games.disc(60, n),
    }
    for name, design in designs.items():
        found = []
        for seed in range(1 if toy else 5):
            arena, rounds = pg.TableArena(makes[name](seed)), 20 if toy else 300
            states = pg.iterate(pg.SPPO(2.0), arena, rounds)
            alone = [state.policy for t, state in enumerate(states) if (t + 1) % 10 == 0]
            ours = 2 * float(arena.exploitability(with_exploiters(arena, rounds, limit=30).policy)[0])
            found.append((of_nash(arena, alone), of_nash(arena, prioritised(arena, rounds)), ours))
        whose = ("self-play with its past", "prioritised play against the past", "with exploiters")
        for who, mine, theirs in zip(whose, np.median(found, axis=0), design, strict=True):
            yield near(f"{name}, {who}: median gap", mine, theirs, max(0.01, 0.15 * theirs), OTHER)


# -- section 6: roles ---------------------------------------------------------------------------------------


def settled_pairs(toy: bool) -> Iterator[Number]:
    """Five solvers end at Newton's pair: 1500 rounds, Dirichlet(2) references, seeds 0 to 4."""
    for name, solver in list(SETTLED.items())[: 1 if toy else None]:
        gaps, far = [], []
        for seed in range(1 if toy else 5):
            A, refs = table(seed), references(seed)
            arena, policy, p, q = solved(solver, pg.MatrixRoles(A, *refs), 50 if toy else 1500)
            exact = pg.nash_zero_sum(A, TAU, refs)
            gaps.append(arena.exploitability(policy, TAU)[0])
            far.append(0.5 * max(np.abs(p - exact.row).sum(), np.abs(q - exact.column).sum()))
        yield at_most(f"{name}, 1500 rounds: exploitability", max(gaps), 1e-13)
        yield at_most(f"{name}, 1500 rounds: TV to Newton's pair", max(far), 1e-6)


def moved_references(toy: bool) -> Iterator[Number]:
    """COMAL(.1, .5, every 60), 6000 rounds."""
    for seed in range(1 if toy else 5):
        _, _, p, q = solved(pg.COMAL(TAU, 0.5, 60), pg.MatrixRoles(table(seed)), 60 if toy else 6000)
        note = "the exact proximal points are there too: their gap need not fall with their distance"
        yield at_most(
            f"COMAL, seed {seed}: gap of the game", gap(table(seed), p, q), 2e-3 if seed < 4 else 2e-2, note
        )
        value = abs(p @ table(seed) @ q - pg.nash_zero_sum(table(seed)).value)
        yield at_most(f"COMAL, seed {seed}: distance of the value", value, 1e-3)


def turns(toy: bool) -> Iterator[Number]:
    """Two temperatures, turns, and the closed form of prompts."""
    rounds = 20 if toy else 2000
    _, _, p, q = solved(pg.EGPO(TAU, 0.3), pg.MatrixRoles(table(0)), rounds, tempers=(1.0, 5.0))
    exact = pg.nash_zero_sum(table(0), (0.1, 0.02))
    far = max(np.abs(p - exact.row).sum(), np.abs(q - exact.column).sum())
    yield at_most("tempers (1, 5), EGPO(.1, .3), 2000 rounds: L1 to Newton's pair", far, 1e-9)
    step = pg.INPO(TAU, 0.3)
    _, _, p, q = solved(pg.Turns(step, step, 2, 3), pg.MatrixRoles(table(4)), 2 * rounds)
    exact = pg.nash_zero_sum(table(4), TAU)
    far = max(np.abs(p - exact.row).sum(), np.abs(q - exact.column).sum())
    yield at_most("Turns(INPO, INPO, 2, 3), 4000 rounds: L1 to Newton's pair", far, 1e-9)
    arena = pg.RoleArena(pg.MatrixRoles(table(1), *references(1)))
    ours, theirs = (pg.solve(one, arena, 30).policy for one in (pg.Rivals(step, step), step))
    yield at_most(
        "Rivals(INPO, INPO) and INPO, 30 rounds", np.abs(np.exp(ours) - np.exp(theirs)).max(), 1e-13
    )
    inner = pg.INPO(TAU, 0.5)
    for solver in (pg.INPO(TAU, 0.5), pg.MMD(TAU, 0.5), pg.EGPO(TAU, 0.5), pg.Turns(inner, inner, 3, 5)):
        R = table(0, (6, 4))
        _, _, p, q = solved(solver, pg.PromptRoles(R), 60 if toy else 1200)
        attacker, defender = closed_form(R, TAU)
        far = max(np.abs(p - attacker).sum(), np.abs(q - defender).sum())
        yield at_most(f"prompts, {type(solver).__name__}, 1200 rounds: L1 to the closed form", far, 1e-10)


def averages(toy: bool) -> Iterator[Number]:
    """Averaged multiplicative weights, both at once, eta = 2 sqrt(L / T), seeds 0 to 9."""
    for T, design in ((100, 0.081), (1000, 0.024), (10000, 0.0087))[: 1 if toy else 3]:
        largest, bound = averaged(T)[:2]
        yield near(f"averaged MWU, T = {T}: largest gap", largest, design, 0.02 * design)
        yield at_most(f"averaged MWU, T = {T}: its ratio to the bound", largest / bound, 0.48)


def who_trains_when(toy: bool) -> Iterator[Number]:
    """Schedules with and without diversity: medians over 8 seeds after 6000 rounds."""
    for game, expected in schedules.EXPECTED.items():
        for schedule, design in list(expected.items())[: 1 if toy else None]:
            found = schedules.last(schedule, game, 120 if toy else 6000, 2 if toy else 8)
            for what, values, wanted in zip(("gap", "entropy"), found, design, strict=True):
                for w, weight in enumerate(schedules.WEIGHTS):
                    said = f"{game}, {schedule}, w = {weight:g}: {what}"
                    within = max(0.005 if what == "entropy" else 0.0005, 0.02 * wanted[w])
                    yield near(said, np.median(values[:, w]), wanted[w], within, CYCLES)


# -- section 6: populations and ratings ---------------------------------------------------------------------


def oracles(toy: bool) -> Iterator[Number]:
    """Double oracle on the disc with a ranking of 5 %, and on Blotto."""
    calls, even, latest = [], [], []
    for seed in range(2 if toy else 20):
        arena = pg.TableArena(pg.games.disc_and_skill(60, seed=seed))
        calls.append(gaps_of(pg.PSRO(), arena, 0, 30)[1].t)
        even.append(gaps_of(pg.PSRO(meta=Uniform()), arena, 0, 25)[0][-1])
        latest.append(gaps_of(pg.PSRO(meta=Latest()), arena, 0, 40)[0])
    yield near("disc_and_skill, 20 seeds: fewest calls of PSRO", min(calls), 4, 0)
    yield near("disc_and_skill: median calls", np.median(calls), 6, 0)
    yield near("disc_and_skill: most calls", max(calls), 7, 0)
    yield near("disc_and_skill, uniform weights, 25 calls: median gap", np.median(even), 0.123, 5e-4)
    yield near("disc_and_skill, uniform weights: least gap", min(even), 0.086, 5e-4)
    yield near("disc_and_skill, uniform weights: largest gap", max(even), 0.153, 5e-4)
    yield near("disc_and_skill, self-play: mean gap", np.mean(latest), 0.79, 0.02)
    yield Number(
        "disc_and_skill, self-play: least gap after call 20",
        "at least 0.51",
        float(min(g[20:].min() for g in latest)),
        0.505,
        np.inf,
    )
    gaps, _ = gaps_of(pg.PSRO(), pg.TableArena(pg.games.disc_and_skill(60)), 0, 10)
    wanted = np.array([0.528299, 0.731371, 0.065669, 0.107114, 0.017261, 0.0])
    apart = np.abs(gaps - wanted).max() if len(gaps) == 6 else np.inf
    yield at_most("disc_and_skill, seed 0: distance of six gaps from the design's", apart, 1e-6)
    for fields, start, design in (
        (3, 0, 16),
        (3, 33, 16),
        (3, 65, 16),
        (4, 0, 29),
        (4, 143, 58),
        (4, 285, 29),
    )[: 1 if toy else 6]:
        gaps, state = gaps_of(pg.PSRO(), pg.TableArena(pg.games.blotto(10, fields)), start, 100)
        yield near(f"blotto(10, {fields}) from {start}: calls", state.t, design, 0)
        yield at_most(f"blotto(10, {fields}) from {start}: gap", gaps[-1], 1e-15)
    for fields, start, design, support in (
        (3, 0, 25, 24),
        (3, 33, 24, 24),
        (4, 0, 110, 102),
        (4, 143, 102, 99),
    )[: 1 if toy else 4]:
        _, state = gaps_of(pg.PSRO(oracle=First()), pg.TableArena(pg.games.blotto(10, fields)), start, 150)
        said = f"blotto(10, {fields}) from {start}, pure best responses"
        yield near(f"{said}: calls", state.t, design, 0)
        yield near(f"{said}: support", (np.exp(state.policy) > 1e-9).sum(), support, 0)
    yield at_most(
        "PSRO with BestResponse(.01) and with INPO(.01, 10), 6 calls: L1",
        soft_and_inner(1 if toy else 6),
        1e-6,
    )
    game = pg.games.random_skew(20, 3)
    one, three = pg.TableArena(game), pg.TableArena(game, runs=3)
    begun = [pure(one, y) for y in (0, 5, 9)]
    solver = pg.PSRO()
    together = pg.solve(solver, three, 6, solver.starting(three, [np.concatenate(begun)])).policy
    alone = np.concatenate([pg.solve(solver, one, 6, solver.starting(one, [y])).policy for y in begun])
    yield near("PSRO, three runs and one by one: entries that differ", (together != alone).sum(), 0, 0)


def elo(toy: bool) -> Iterator[Number]:
    """Where Elo settles under a schedule, and the online ratings around it."""
    for said, met, design in (
        ("even", [[0, 1, 1], [1, 0, 1], [1, 1, 0]], 0.0),
        ("80/10/10", [[0, 8, 1], [8, 0, 1], [1, 1, 0]], 135.74),
        ("twice as often", [[0, 2, 1], [2, 0, 1], [1, 1, 0]], 57.28),
        ("one pair never met", [[0, 1, 1], [1, 0, 0], [1, 0, 0]], -381.70),
    ):
        scores = pg.ratings.settled(RPS, met).scores
        yield near(f"Elo's limit, {said}", scores[1 if "never" in said else 0], design, 5e-3)
    for k, mean, deviation in ((4.0, 136.6, 15), (16.0, 138.4, 32), (32.0, 140.6, 46))[: 1 if toy else 3]:
        tails = [online(k, seed, 2000 if toy else 60_000)[1] for seed in range(1 if toy else 4)]
        yield near(f"online Elo, k = {k:g}: mean", np.mean(tails), mean, 4)
        yield near(f"online Elo, k = {k:g}: deviation", np.std(tails), deviation, 0.15 * deviation)
    scores = pg.ratings.nash_average(pg.PreferenceGame(RPS)).scores
    yield at_most("Nash averaging of equals in a cycle", np.abs(scores).max(), 1e-12)


# -- section 6: search and judges ---------------------------------------------------------------------------


def rules(toy: bool) -> Iterator[Number]:
    """Visits and the regularised policy, 100 bandits, N = 1 to 1000."""
    some, total = bandits()[: 1 if toy else None], np.arange(1, 1001)
    for c, design in ((0.5, 0.98), (1.25, 1.10), (3.0, 1.16)):
        worst, apart = 0.0, {10: [], 100: [], 1000: []}
        for prior, value in some:
            V, known = len(prior), known_from_the_start(prior, value, pg.PUCT(c), 1000)
            wanted = pg.regularised_policy(prior, value, c * np.sqrt(total) / (V + total))
            ours = (1 + known) / (V + total)[:, None]
            worst = max(worst, (np.abs(ours - wanted).max(axis=1) * (V + total) / (V - 1)).max())
            for n, found in apart.items():
                found.append(0.5 * np.abs(known[n - 1] / n - wanted[n - 1]).sum())
        yield Number(
            f"PUCT({c:g}): constant of the distance of its visits",
            f"{design:g}, at most 1.25",
            float(worst),
            0.5,
            1.25,
        )
        for n, design_tv in ((10, 0.107), (100, 0.013), (1000, 0.0017)) if c == 1.25 else ():
            yield near(f"PUCT(1.25): TV of n / N after {n}", np.mean(apart[n]), design_tv, 0.1 * design_tv)
    for step in (0.5, 2.0, 10.0):
        far = max(
            np.abs(
                known_from_the_start(p, v, pg.Tempered(step), 4000)[-1] / 4000
                - pg.regularised_policy(p, v, 1 / step)
            ).max()
            for p, v in some[:30]
        )
        yield at_most(f"Tempered({step:g}), N = 4000: distance to the reverse-KL step, 30 bandits", far, 4e-3)


def proposers(toy: bool) -> Iterator[Number]:
    """Share of the best soft value after so many verdicts, 20 seeds: who proposes."""
    for size, figures in (((4, 3), SMALL), ((5, 4), LARGE))[: 1 if toy else 2]:
        games = [token_game(*size, seed) for seed in range(2 if toy else 20)]
        for name, rule in PROPOSERS.items():
            each = [proposed(game, rule, BUDGETS[size], seed).value for seed, game in enumerate(games)]
            for budget, mine, theirs in zip(BUDGETS[size], np.mean(each, axis=0), figures[name], strict=True):
                yield near(f"V, L = {size}, {name}, {budget} verdicts: share", mine, theirs, 0.08, OTHER)
    budgets, games = (16, 32, 64, 128), [token_game(5, 4, seed) for seed in range(2 if toy else 20)]
    for rule, name, figures in (
        ("reference", "sampling", (0.71, 0.80, 0.91, 0.92)),
        (pg.PUCT(), "PUCT", (0.80, 0.89, 0.97, 1.00)),
    ):
        seen = np.mean([proposed(game, rule, budgets, n).seen for n, game in enumerate(games)], axis=0)
        for budget, mine, theirs in zip(budgets, seen, figures, strict=True):
            yield near(f"best response seen, {name}, {budget} verdicts: share", mine, theirs, 0.08, OTHER)


def forgetful(toy: bool) -> Iterator[Number]:
    """Rounds of 32 verdicts that are forgotten: verdicts to 95 % of the best, and the share that arrives."""
    games = [token_game(5, 4, seed) for seed in range(2 if toy else 20)]
    for step, who, verdicts, share in (
        (5.0, "draws shared", 180, 0.70),
        (5.0, "search", 252, 0.65),
        (5.0, "draws alone", None, 0.25),
        (20.0, "search", 45, 0.70),
        (20.0, "draws shared", None, 0.25),
        (5.0, "visits", None, 0.0),
    ):
        found = [until_good(game, who, step, seed) for seed, game in enumerate(games)]
        good = [one for one in found if one is not None]
        yield near(
            f"no verdict kept, step {step:g}, {who}: share of seeds",
            len(good) / len(games),
            share,
            0.15,
            OTHER,
        )
        if verdicts is not None and good:
            yield near(
                f"no verdict kept, step {step:g}, {who}: verdicts",
                np.median(good),
                verdicts,
                0.3 * verdicts,
                OTHER,
            )


def panels(toy: bool) -> Iterator[Number]:
    """Judges that are players: gap of the agents and of their mean, 6 agents, 300 rounds, 10 seeds."""
    cases = {"b = .3, all": (0.3,) * 6} | {f"{n} of 6": biased(n) for n in (1, 2, 3, 6)}
    designs = {
        "oneself": ("oneself", None, ((0, 0), (0.12, 0.05), (0.16, 0.04), (0.21, 0.06), (0.35, 0.10))),
        "outside": ("outside", None, ((0, 0), (1e-4, 1e-4), (0.005, 0.005), (0.18, 0.18), (0.39, 0.39))),
        "outside, by anchors": ("outside", SIX, ((0, 0), (0, 0), (0.005, 0.005), (0.11, 0.11), (0.39, 0.39))),
    }
    for by, (verdict, anchors, figures) in list(designs.items())[: 1 if toy else 3]:
        for (name, biases), design in list(zip(cases.items(), figures, strict=True))[: 1 if toy else 5]:
            found = gaps_of_panel(biases, verdict, anchors, 10 if toy else 300)
            for whose, mine, theirs in zip(("agents", "their mean"), found, design, strict=True):
                within = max(0.002, min(0.03, 0.2 * theirs))
                yield near(f"judged by {by}, {name}: gap of {whose}", mine, theirs, within)


QUESTIONS: dict[str, tuple[Question, ...]] = {
    "4, formulas": (newton, products, rates, siblings, self_preference),
    "5, populations": (rises, stops, collapse, exploiters),
    "6, roles": (settled_pairs, moved_references, turns, averages, who_trains_when),
    "6, populations and ratings": (oracles, elo),
    "6, search and judges": (rules, proposers, forgetful, panels),
}
