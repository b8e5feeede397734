"""Every solver and learner of pgames and what is claimed of it, on tables and on language models."""

import numpy as np

import pgames as pg
from pgames.bandits import learners
from pgames.solvers import direct, explore, oracle
from pgames.table.duels import DuelArena
from pgames.testing import known_games
from tests.support.roles import role_games, role_maker

TAU = 0.1
FEW = {"cyclic3", "biased_rps", "two_prompts"}


def few(tau=0.0):
    return [known for known in known_games(tau) if known.name in FEW]


def mixed(game, share, tau=TAU):
    """The policy whose geometric mixture with the reference is the Nash of tau / (1 - share)."""
    mu = pg.nash(game, tau=tau / (1 - share)).policy
    inside = np.where(game.support, game.reference, 1.0)
    pi = np.where(game.support, mu / inside**share, 0.0) ** (1 / (1 - share))
    return pi / pi.sum(axis=-1, keepdims=True)


def tilted(game, step):
    """The soft best response to the reference."""
    pi = game.reference * np.exp(step * np.einsum("xyz,xz->xy", game.skew, game.reference))
    return pi / pi.sum(axis=-1, keepdims=True)


def with_expert(game, **arguments):
    return pg.TableArena(game, expert=tilted(game, 1.0), **arguments)


def nash_at_zero(rounds, within):
    return {"fixed_point": "nash", "rounds": rounds, "within": within}


UNCLAIMED = {"fixed_point": None, "games": few()}
SOLVERS = {
    "INPO": (pg.INPO(TAU, 0.3), {"contracts": 1 - 0.3 * TAU}),
    "MMD": (pg.MMD(TAU, 0.4), {"contracts": 1 / (1 + 0.4 * TAU)}),
    "EGPO": (pg.EGPO(TAU, 2.0), {"contracts": 1 - 2.0 * TAU, "within": 1e-9}),
    "EGPO, where INPO cycles": (pg.EGPO(0.01, 0.5), {"contracts": 1 - 0.005, "rounds": 3000}),
    "EGPO, unregularised": (pg.EGPO(0.0, 2.0), {"rounds": 5000, "within": 5e-3}),
    "ONPO": (pg.ONPO(TAU, 0.5), {"within": 1e-9}),
    "OMWU": (pg.ONPO(0.0, 1.0), {"games": few(), "rounds": 5000, "within": 0.05}),
    "NashMD": (pg.NashMD(TAU), {"rounds": 3000}),
    "NashMD, constant step": (pg.NashMD(TAU, 0.5), {"fixed_point": lambda game: mixed(game, 0.05)}),
    "NashEMA": (pg.NashEMA(1.0, 0.5, 0.9), {"within": 1e-9}),
    "NashEMA, arithmetic": (pg.NashEMA(1.0, 0.5, 0.9, arithmetic=True), {"within": 1e-9}),
    "MNPO": (pg.MNPO(TAU, 0.5), {}),
    "IPO-MD": (pg.IPOMD(TAU, 0.5), {"fixed_point": lambda game: mixed(game, 0.125)}),
    "SPPO": (pg.SPPO(0.5), {"fixed_point": "nash", "within": None}),
    "SPPO, averaged": (pg.Average(pg.SPPO(0.5)), nash_at_zero(2000, 0.05)),
    "SPPO, best": (pg.Best(pg.SPPO(0.5)), {**UNCLAIMED, "skip": ["prompts"]}),  # best on average over prompts
    "Regret matching": (pg.RegretMatching(), {"fixed_point": "nash", "within": None}),
    "Regret matching, averaged": (pg.Average(pg.RegretMatching()), nash_at_zero(2000, 0.05)),
    "RM+, averaged": (pg.Average(pg.RMPlus()), nash_at_zero(2000, 0.05)),
    "RM+, restarts": (pg.RMPlus(restart=20), {**nash_at_zero(3000, 1e-3), "games": few()}),
    "PRM+, averaged": (pg.Average(pg.PRMPlus()), nash_at_zero(2000, 0.01)),
    "PRM+, restarts": (pg.PRMPlus(restart=50), {**nash_at_zero(3000, 1e-6)}),
    "COMAL": (pg.COMAL(TAU, 0.5, every=60), nash_at_zero(3000, 0.01)),
    "MPO": (pg.MPO(TAU, 0.5, every=60), nash_at_zero(3000, 0.01)),
    "Fictitious play": (pg.FictitiousPlay(), nash_at_zero(2000, 0.05)),
    "Fictitious play, smoothed": (pg.FictitiousPlay(TAU), {"rounds": 2000}),
    # prompts share the weights of the members, so they are not separate games to a population
    "Best response, smoothed": (pg.BestResponse(1.0), {"games": few(1.0), "rounds": 50}),
    "PSRO": (pg.PSRO(), {**UNCLAIMED, "skip": ["prompts"]}),
    "PSRO, smoothed": (pg.PSRO(oracle=pg.INPO(TAU, 1.0), rounds=3), {**UNCLAIMED, "skip": ["prompts"]}),
    "Anytime PSRO": (pg.AnytimePSRO(), {**nash_at_zero(30, 1e-6), "skip": ["prompts"]}),
    "League": (pg.League(pg.INPO(TAU, 0.5), 4), {**UNCLAIMED, "skip": ["prompts"]}),
    "Main and exploiters": (
        pg.MainAndExploiters(pg.SPPO(1.0), every=3, limit=5),
        {**UNCLAIMED, "skip": ["prompts"]},
    ),
    "Online IPO": (pg.OnlineIPO(TAU, 0.5), {"games": few(TAU)}),
    "Online IPO, minimised": (pg.OnlineIPO(1.0), {"games": few(1.0), "rounds": 50}),
    "Online DPO": (pg.OnlineDPO(TAU, 0.5), UNCLAIMED),
    "IPO": (
        pg.IPO(TAU),
        {"fixed_point": lambda game: tilted(game, 1 / TAU), "rounds": 1, "within": 1e-7},
    ),
    "DPO": (pg.DPO(TAU), UNCLAIMED),
    "SLiC": (pg.SLiC(TAU), UNCLAIMED),
    "RLHF": (pg.RLHF(TAU), UNCLAIMED),
    "SPIN": (
        pg.SPIN(1.0),
        {
            "fixed_point": lambda game: tilted(game, 1.0),
            "rounds": 20,
            "within": 1e-7,
            "arena": with_expert,
        },
    ),
}

# Arenas of two roles: both have one table of success rates, and references and equilibria of their own. The
# KL contracts in the sum over roles (tests/roles), and not in the worst prompt, which the kit measures.
PAIRS = {"arena": role_maker, "games": role_games(TAU), "tau": TAU, "skip": ["prompts"]}
ON_PAIRS = {
    "INPO": (pg.INPO(TAU, 0.3), PAIRS),
    "MMD": (pg.MMD(TAU, 0.4), PAIRS),
    "EGPO": (pg.EGPO(TAU, 1.0), {**PAIRS, "within": 1e-9}),
    "ONPO": (pg.ONPO(TAU, 0.5), {**PAIRS, "within": 1e-9}),
    "MNPO": (pg.MNPO(TAU, 0.5), PAIRS),
    "NashMD": (pg.NashMD(TAU), {**PAIRS, "rounds": 3000}),
    "Fictitious play, smoothed": (pg.FictitiousPlay(TAU), {**PAIRS, "rounds": 2000, "within": 3e-3}),
    "COMAL": (pg.COMAL(TAU, 0.5, every=60), {**PAIRS, "fixed_point": None}),
    "Turns": (pg.Turns(pg.INPO(TAU, 0.3), pg.MMD(TAU, 0.3), 2, 3), {**PAIRS, "rounds": 1500}),
    "Rivals": (pg.Rivals(pg.INPO(TAU, 0.3), pg.ONPO(TAU, 0.3)), PAIRS),
}


def duels_only(game, runs=1, seed=0, samples=None, first_run=0):
    return DuelArena(game, runs, seed, first_run=first_run)


# Learners draw duels: another order of responses, another prompt or another response means other draws.
LEARNED = {
    "fixed_point": None,
    "games": few(),
    "skip": ["symmetry", "irrelevance", "prompts"],
    "arena": duels_only,
}
LEARNERS = [
    explore.ENPO(TAU),
    explore.DENPO(TAU),
    explore.Passive(TAU),
    explore.Passive(TAU, loss="pair"),
    oracle.OnPolicyGreedy(TAU),
    oracle.Greedy(TAU),
    oracle.UniformAdversary(TAU),
    oracle.Optimistic(TAU),
    oracle.Enhancer(TAU),
    oracle.OMG(TAU),
    oracle.VMG(TAU),
    oracle.ExploreThenCommit(TAU, explore=7),
    learners.SparringEXP3(),
    learners.RUCB(),
    learners.DoubleThompson(),
    direct.XPO(TAU, 0.01),
    direct.VPO(TAU, 0.01),
    direct.SELM(TAU, 0.01),
]


# The same solvers on a language model, where a round takes a tenth of a second: settings that arrive in tens
# of rounds, and what their claims become. What is not said here is claimed as above.
ON_TEXT = {
    "INPO": (pg.INPO(0.2, 2.0), {"contracts": 1 - 0.4, "rounds": 10}),
    "MMD": (pg.MMD(0.2, 3.0), {"contracts": 1 / (1 + 0.6), "rounds": 12}),
    "EGPO": (pg.EGPO(0.2, 2.0), {"contracts": 1 - 0.4, "rounds": 8}),
    "EGPO, where INPO cycles": (pg.EGPO(0.05, 3.0), {"contracts": 1 - 0.15, "rounds": 12}),
    "EGPO, unregularised": (pg.EGPO(0.0, 3.0), {"rounds": 25}),
    "ONPO": (pg.ONPO(0.2, 2.0), {"rounds": 8}),
    "OMWU": (pg.ONPO(0.0, 2.0), {"rounds": 28}),
    "NashMD": (pg.NashMD(0.2), {"rounds": 25}),
    "NashMD, constant step": (
        pg.NashMD(0.2, 2.0),
        {"fixed_point": lambda game: mixed(game, 0.4, 0.2), "rounds": 8},
    ),
    "NashEMA": (pg.NashEMA(0.3, 1.5, 0.5), {"rounds": 11}),
    "NashEMA, arithmetic": (pg.NashEMA(0.3, 1.5, 0.5, arithmetic=True), {"rounds": 11}),
    "MNPO": (pg.MNPO(0.2, 3.0), {"rounds": 9}),
    "IPO-MD": (pg.IPOMD(0.2, 2.0), {"fixed_point": lambda game: mixed(game, 0.125, 0.2), "rounds": 10}),
    "SPPO, averaged": (pg.Average(pg.SPPO(2.0)), {"rounds": 25, "within": 0.1}),
    "Regret matching, averaged": (pg.Average(pg.RegretMatching()), {"rounds": 100, "within": 0.1}),
    "RM+, averaged": (pg.Average(pg.RMPlus()), {"rounds": 100, "within": 0.1}),
    "RM+, restarts": (pg.RMPlus(restart=10), {"rounds": 100}),
    "PRM+, averaged": (pg.Average(pg.PRMPlus()), {"rounds": 100, "within": 0.1}),
    "PRM+, restarts": (pg.PRMPlus(restart=10), {"rounds": 100}),
    "COMAL": (pg.COMAL(0.2, 2.5, every=5), {"rounds": 30, "short": 6}),
    "MPO": (pg.MPO(0.2, 5.0, every=5), {"rounds": 30, "short": 6}),
    # a model comes as near to a sure answer as it is trained long
    "Fictitious play": (pg.FictitiousPlay(), {"rounds": 30, "within": 0.12, "tolerance": 0.03}),
    "Fictitious play, smoothed": (pg.FictitiousPlay(0.2), {"rounds": 20}),
    "Anytime PSRO": (pg.AnytimePSRO(), {"rounds": 6, "within": 0.04}),
    "Online IPO": (pg.OnlineIPO(0.2, 2.0), {"rounds": 10}),
    "Online IPO, minimised": (pg.OnlineIPO(0.3), {"rounds": 8}),
    "IPO": (pg.IPO(0.2), {"fixed_point": lambda game: tilted(game, 1 / 0.2)}),
    "Online DPO": (pg.OnlineDPO(1.0, 0.5), {}),
    "DPO": (pg.DPO(1.0), {}),
    "SLiC": (pg.SLiC(1.0), {"tolerance": 0.03}),  # its loss is flat where it is small
    "RLHF": (pg.RLHF(1.0), {}),
    "SPIN": (pg.SPIN(1.0), {"rounds": 4}),
}
