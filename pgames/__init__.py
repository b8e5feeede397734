"""Preference games: exact equilibria, Nash learning from human feedback, one solver for table and model.

>>> import pgames as pg
>>> game = pg.games.cyclic(3, p=0.9)
>>> state = pg.solve(pg.EGPO(tau=0.1, eta=0.5), pg.TableArena(game), rounds=100)
>>> float(pg.exploitability(game, pg.TableArena(game).probs(state.policy))[0]) < 1e-12
True
"""

from pgames.terminal import starting

starting()  # before the imports that take a second

from pgames import bounds, games, losses, metrics, peers, plot, population, ratings, regularisers
from pgames.audits import Audit, audit
from pgames.bandits.learners import RUCB, DoubleThompson, SparringEXP3
from pgames.counts import PairCounts
from pgames.curves import Curve
from pgames.dynamics.stability import Stability, stability
from pgames.exact import (
    Equilibrium,
    TauPath,
    ZeroSumEquilibrium,
    ZeroSumPath,
    extreme_equilibria,
    nash,
    nash_zero_sum,
)
from pgames.exact.certificates import best_response, duality_gap, exploitability
from pgames.games.preference import PreferenceGame
from pgames.loop import iterate, run, solve
from pgames.losses import PairLoss
from pgames.meetings import Meetings
from pgames.plot import compare, use_style
from pgames.population.facing import Facing
from pgames.ratings.estimate import estimate
from pgames.regret.growth import growth
from pgames.regret.simulate import simulate
from pgames.roles.arena import RoleArena
from pgames.roles.equilibrium import RoleEquilibrium, nash_roles
from pgames.roles.matrix import MatrixRoles
from pgames.roles.meetings import RoleMeetings
from pgames.roles.prompts import PromptRoles
from pgames.search.arena import Searched
from pgames.search.regularised import regularised_policy
from pgames.search.rules import PUCT, Halving, Tempered
from pgames.solver import Solver, State
from pgames.solvers.adversary import Rivals, Turns
from pgames.solvers.direct import SELM, VPO, XPO
from pgames.solvers.exploiters import MainAndExploiters
from pgames.solvers.explore import DENPO, ENPO, Passive, Schedule
from pgames.solvers.league import FictitiousPlay, League
from pgames.solvers.mirror import EGPO, INPO, IPOMD, MMD, MNPO, ONPO, SPPO, NashEMA, NashMD
from pgames.solvers.oracle import (
    OMG,
    VMG,
    Enhancer,
    ExploreThenCommit,
    Greedy,
    OnPolicyGreedy,
    Optimistic,
    UniformAdversary,
)
from pgames.solvers.outer import COMAL, MPO, Average, Best, ProximalPoint
from pgames.solvers.pairs import DPO, GPO, IPO, RLHF, SPIN, OnlineDPO, OnlineGPO, OnlineIPO, SLiC
from pgames.solvers.psro import PSRO, AnytimePSRO, BestResponse
from pgames.solvers.regret_matching import PRMPlus, RegretMatching, RMPlus
from pgames.solvers.search import ExpertIteration
from pgames.sweeps.sweep import Sweep, sweep
from pgames.table.arena import TableArena
from pgames.table.disturbed import Corrupted, Delayed, Drifting
from pgames.table.duels import DuelArena
from pgames.tracing.tableau import tableau
from pgames.version import __version__ as __version__
from pgames.votes.comparisons import Comparisons

__all__ = [
    "COMAL",
    "DENPO",
    "DPO",
    "EGPO",
    "ENPO",
    "GPO",
    "INPO",
    "IPO",
    "IPOMD",
    "MMD",
    "MNPO",
    "MPO",
    "OMG",
    "ONPO",
    "PSRO",
    "PUCT",
    "RLHF",
    "RUCB",
    "SELM",
    "SPIN",
    "SPPO",
    "VMG",
    "VPO",
    "XPO",
    "AnytimePSRO",
    "Audit",
    "Average",
    "Best",
    "BestResponse",
    "Comparisons",
    "Corrupted",
    "Curve",
    "Delayed",
    "DoubleThompson",
    "Drifting",
    "DuelArena",
    "Enhancer",
    "Equilibrium",
    "ExpertIteration",
    "ExploreThenCommit",
    "Facing",
    "FictitiousPlay",
    "Greedy",
    "Halving",
    "League",
    "MainAndExploiters",
    "MatrixRoles",
    "Meetings",
    "NashEMA",
    "NashMD",
    "OnPolicyGreedy",
    "OnlineDPO",
    "OnlineGPO",
    "OnlineIPO",
    "Optimistic",
    "PRMPlus",
    "PairCounts",
    "PairLoss",
    "Passive",
    "PreferenceGame",
    "PromptRoles",
    "ProximalPoint",
    "RMPlus",
    "RegretMatching",
    "Rivals",
    "RoleArena",
    "RoleEquilibrium",
    "RoleMeetings",
    "SLiC",
    "Schedule",
    "Searched",
    "Solver",
    "SparringEXP3",
    "Stability",
    "State",
    "Sweep",
    "TableArena",
    "TauPath",
    "Tempered",
    "Turns",
    "UniformAdversary",
    "ZeroSumEquilibrium",
    "ZeroSumPath",
    "audit",
    "best_response",
    "bounds",
    "compare",
    "duality_gap",
    "estimate",
    "exploitability",
    "extreme_equilibria",
    "games",
    "growth",
    "iterate",
    "losses",
    "metrics",
    "nash",
    "nash_roles",
    "nash_zero_sum",
    "peers",
    "plot",
    "population",
    "ratings",
    "regularised_policy",
    "regularisers",
    "run",
    "simulate",
    "solve",
    "stability",
    "sweep",
    "tableau",
    "use_style",
]


def __dir__() -> list[str]:
    """The public names; submodules such as `pgames.loop` can be imported but are not listed."""
    return sorted([*__all__, "__version__"])
