"""What each arena offers, as claims that pyright checks and `test_contract.py` repeats at run time."""

from __future__ import annotations

from llm_backend.arena import TextArena
from llm_backend.policies.handles import Policy as TextPolicy
from llm_backend.roles.arena import Both as TextPair
from llm_backend.roles.arena import TextRoleArena
from llm_backend.verbs.beliefs import FreeBelief, ListedBelief
from llm_backend.verbs.evidence import Buffer as TextBuffer
from llm_backend.verbs.evidence import Duels as TextDuels
from llm_backend.verbs.evidence import Labels as TextLabels
from llm_backend.verbs.evidence import Samples as TextSamples
from llm_backend.verbs.rewards import Score as TextScore
from pgames.arena import (
    Arena,
    Believed,
    Calibrating,
    Comparing,
    Demonstrating,
    Enumerating,
    Exploring,
    Listed,
    ListedPopulation,
    Measuring,
    Mixing,
    OpposingMeasured,
    Pairing,
    Rewarding,
    Streaming,
)
from pgames.bandits.learners import RUCB, DoubleThompson, SparringEXP3
from pgames.counts import PairCounts
from pgames.population.facing import Facing
from pgames.roles.arena import RoleArena
from pgames.solver import Solver
from pgames.solvers.adversary import Rivals, Turns
from pgames.solvers.direct import SELM, VPO, XPO
from pgames.solvers.explore import DENPO, ENPO, Passive
from pgames.solvers.league import FictitiousPlay
from pgames.solvers.mirror import EGPO, INPO, IPOMD, MMD, MNPO, ONPO, SPPO, NashEMA, NashMD
from pgames.solvers.oracle import OMG, VMG, Enhancer, ExploreThenCommit, Greedy, Optimistic
from pgames.solvers.outer import Average, Best, ProximalPoint
from pgames.solvers.pairs import GPO, RLHF, SPIN, OnlineGPO
from pgames.solvers.regret_matching import PRMPlus, RegretMatching, RMPlus
from pgames.table.arena import Policy, TableArena
from pgames.table.beliefs import Belief
from pgames.table.duels import Buffer, DuelArena, Evidence, Labels, Samples
from pgames.table.linear import LinearBelief


def table(arena: TableArena) -> None:
    """A known game on a table."""
    game: Arena[Policy] = arena
    measuring: Measuring[Policy] = arena
    pairing: Pairing[Policy, PairCounts] = arena
    demonstrating: Demonstrating[Policy, PairCounts] = arena
    population: ListedPopulation[Policy] = arena
    listed: Listed[Policy] = arena
    facing: Arena[Policy] = Facing(arena, arena.reference)
    del game, measuring, pairing, demonstrating, population, listed, facing


def roles(arena: RoleArena) -> None:
    """A game of an attacker and a defender on a table."""
    opposing: OpposingMeasured[Policy] = arena
    listed: Listed[Policy] = arena
    population: ListedPopulation[Policy] = arena
    del opposing, listed, population


def text_roles(arena: TextRoleArena) -> None:
    """A language model in two roles."""
    opposing: OpposingMeasured[TextPair] = arena
    population: ListedPopulation[TextPair] = arena
    facing: Arena[TextPair] = Facing(arena, arena.reference)
    del opposing, population, facing


def duels(arena: DuelArena) -> None:
    """A table whose preference answers to duels."""
    mixing: Mixing[Policy] = arena
    enumerating: Enumerating[Policy, Evidence] = arena
    calibrating: Calibrating[Policy, Evidence, Samples] = arena
    exploring: Exploring[Policy, Buffer, Labels] = arena
    comparing: Comparing = arena
    streaming: Streaming = arena
    del mixing, enumerating, calibrating, exploring, comparing, streaming


def beliefs(tabular: Belief, linear: LinearBelief, listed: ListedBelief, free: FreeBelief) -> None:
    """What duels say of the game, on tables and on text."""
    on_tables: list[Believed[Policy]] = [tabular, linear]
    on_text: list[Believed[TextPolicy]] = [listed, free]
    del on_tables, on_text


def text(arena: TextArena) -> None:
    """A language model."""
    game: Arena[TextPolicy] = arena
    measuring: Measuring[TextPolicy] = arena
    pairing: Pairing[TextPolicy, TextDuels] = arena
    rewarding: Rewarding[TextPolicy, TextDuels, TextScore] = arena
    demonstrating: Demonstrating[TextPolicy, TextDuels] = arena
    calibrating: Calibrating[TextPolicy, TextDuels, TextSamples] = arena
    exploring: Exploring[TextPolicy, TextBuffer, TextLabels] = arena
    enumerating: Enumerating[TextPolicy, TextDuels] = arena
    del game, measuring, pairing, rewarding, demonstrating, calibrating, exploring, enumerating


def solvers(inner: Solver, loss: GPO) -> list[Solver]:
    """Every solver is one."""
    mirror: list[Solver] = [INPO(0.1, 0.5), MMD(0.1, 0.5), EGPO(0.1, 0.5), SPPO(0.5), NashMD(0.1)]
    mirror += [NashEMA(0.1, 0.5), ONPO(0.1, 0.5), MNPO(0.1, 0.5), IPOMD(0.1, 0.5), FictitiousPlay()]
    mirror += [RegretMatching(), RMPlus(), PRMPlus(100)]
    outer: list[Solver] = [Average(inner), Best(inner), ProximalPoint(inner, 10)]
    outer += [Turns(inner, inner), Rivals(inner, inner)]
    pairs: list[Solver] = [loss, OnlineGPO(loss.loss, 0.1), RLHF(0.1), SPIN(1.0)]
    learners: list[Solver] = [
        ENPO(0.1),
        DENPO(0.1),
        Passive(0.1),
        XPO(0.1, 0.01),
        VPO(0.1, 0.01),
        SELM(0.1, 0.01),
    ]
    oracles: list[Solver] = [
        Greedy(0.1),
        Optimistic(0.1),
        Enhancer(0.1),
        OMG(0.1),
        VMG(0.1),
        ExploreThenCommit(0.1),
    ]
    bandits: list[Solver] = [SparringEXP3(), RUCB(), DoubleThompson()]
    return [*mirror, *outer, *pairs, *learners, *oracles, *bandits]
