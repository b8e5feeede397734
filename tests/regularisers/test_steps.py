"""Mirror steps, mixtures and equilibria of every regulariser, against cvxpy and against identities."""

import functools
import itertools

import numpy as np
import pytest

import pgames as pg
from pgames.regularisers import KL, L2, ChiSquare, ReverseKL, Tsallis
from pgames.regularisers.steps import tilted
from pgames.solver import target_of
from pgames.testing import ConformanceError, check_arena, check_solver
from tests.support.conformance_claims import few
from tests.support.regularisers import EVERY, NAMES, SPARSE, argmax

every = pytest.mark.parametrize("regulariser", EVERY, ids=NAMES)


def random_game(seed, n=6):
    rng = np.random.default_rng(seed)
    return pg.games.uniform_random(n, seed=seed).with_reference(rng.dirichlet(np.ones(n)))


@every
@pytest.mark.parametrize("step", [0.05, 1.0, 20.0])
def test_a_mirror_step_is_the_maximum_that_cvxpy_finds(regulariser, step):
    rng = np.random.default_rng(3)
    game = random_game(0)
    arena = pg.TableArena(game, regulariser=regulariser)
    prior, opponent = (arena.policy(rng.dirichlet(np.ones(6))) for _ in range(2))
    ours = arena.probs(arena.mirror_step(prior, opponent, step))[0, 0]
    rates = game.P[0] @ arena.probs(opponent)[0, 0]
    theirs = argmax(regulariser, rates, game.reference[0], arena.probs(prior)[0, 0], step)
    assert np.abs(ours - theirs).max() < 2e-5


@every
@pytest.mark.parametrize("tau", [0.02, 0.1, 1.0])
def test_the_nash_is_its_own_best_response_by_cvxpy(regulariser, tau):
    game = random_game(1)
    found = pg.nash(game, tau, regulariser=regulariser)
    x, reference = found.policy[0], game.reference[0]
    answer = argmax(regulariser, game.P[0] @ x, reference, reference, 1 / tau)
    assert np.abs(answer - x).max() < 2e-5
    assert found.exploitability < 1e-12
    assert found.residual < 1e-12


@every
def test_exploitability_is_the_gain_that_cvxpy_finds(regulariser):
    game, tau = random_game(2), 0.2
    arena = pg.TableArena(game, regulariser=regulariser)
    policy = np.random.default_rng(5).dirichlet(np.ones(6))
    reference, rates = game.reference[0], game.P[0] @ policy
    best = argmax(regulariser, rates, reference, reference, 1 / tau)
    base = reference

    def value(p):
        return rates @ p - tau * regulariser.divergence(p, reference, base)

    gain = value(best) - value(policy)
    assert arena.exploitability(arena.policy(policy), tau)[0] == pytest.approx(gain, rel=1e-6)
    assert pg.exploitability(game, policy, tau, regulariser=regulariser) == pytest.approx(gain, rel=1e-6)
    assert pg.best_response(game, policy, tau, regulariser=regulariser)[0] == pytest.approx(best, abs=2e-5)


def test_kl_through_the_general_code_is_kl():
    """The general machinery, given KL, against the closed forms and the Newton of KL."""
    from pgames.exact.bregman import bregman_nash

    game = random_game(4)
    prior, score = game.reference[0], np.random.default_rng(0).normal(size=6)
    closed = prior * np.exp(3.0 * score)
    assert tilted(KL(), prior, score, 3.0, prior) == pytest.approx(closed / closed.sum(), rel=1e-12)
    x, _ = bregman_nash(game.skew[0], game.reference[0], 0.03, KL())
    assert x == pytest.approx(pg.nash(game, 0.03).policy[0], rel=1e-11)


@pytest.mark.parametrize("regulariser", SPARSE, ids=repr)
def test_sparse_regularisers_leave_responses_out_and_kl_does_not(regulariser):
    game = pg.games.bradley_terry([0.0, 1.0, 3.0, 1.5])
    sparse = pg.nash(game, 0.05, regulariser=regulariser).policy[0]
    assert (sparse == 0).sum() >= 2
    assert (pg.nash(game, 0.05).policy[0] > 0).all()
    assert (pg.nash(game, 0.05, regulariser=ReverseKL()).policy[0] > 0).all()


@every
def test_small_tau_degenerate_games_and_tiny_references_are_solved(regulariser):
    ties = pg.PreferenceGame(np.round(pg.games.uniform_random(9, seed=2).P[0] * 4) / 4, symmetrise=True)
    rare = random_game(6).with_reference([1 - 5e-9, *[1e-9] * 5])
    large = random_game(7, n=150)
    for game in (ties, rare, large, pg.games.cyclic(5, p=1.0)):
        for tau in (1e-4, 3e-3, 30.0):
            assert pg.nash(game, tau, regulariser=regulariser).exploitability < 1e-11


SOLVERS = (
    pg.EGPO(0.1, 0.3),
    pg.INPO(0.1, 0.1),
    pg.MMD(0.1, 0.1),
    pg.ONPO(0.1, 0.3),
    pg.MNPO(0.1, 0.3),
)


@every
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_every_mirror_solver_reaches_the_nash_with_its_sentence_unchanged(regulariser, solver):
    game = pg.games.comal3()
    arena = pg.TableArena(game, regulariser=regulariser)
    policy = arena.probs(pg.solve(solver, arena, 1500).policy)[0]
    assert policy == pytest.approx(pg.nash(game, 0.1, regulariser=regulariser).policy, abs=1e-5)


@every
def test_egpo_contracts_the_divergence_to_the_nash_every_round(regulariser):
    game, tau, eta = pg.games.comal3(), 0.1, 0.2
    arena = pg.TableArena(game, regulariser=regulariser)
    metric = pg.metrics.DivergenceToNash(tau)
    away = [metric(arena, s.policy)[0] for s in pg.iterate(pg.EGPO(tau, eta), arena, 150)]
    assert max(b / a for a, b in itertools.pairwise(away) if a > 1e-12) <= 1 - eta * tau + 1e-6


@pytest.mark.parametrize("regulariser", [ReverseKL(), ChiSquare(), L2()], ids=repr)
def test_proximal_point_reaches_the_unregularised_nash(regulariser):
    game = pg.games.comal3()
    arena = pg.TableArena(game, regulariser=regulariser)
    policy = arena.probs(pg.solve(pg.COMAL(0.3, 0.3, every=40), arena, 1200).policy)[0]
    assert pg.exploitability(game, policy[0]) < 2e-4


def test_a_solver_of_the_wrong_tau_does_not_pass():
    """Negative control: the Nash depends on the regulariser and on tau."""
    game = pg.games.biased_rps()
    kl, l2 = pg.nash(game, 0.1).policy, pg.nash(game, 0.1, regulariser=L2()).policy
    assert np.abs(kl - l2).max() > 0.01
    policy = pg.solve(pg.EGPO(0.2, 0.2), arena := pg.TableArena(game, regulariser=L2()), 2000).policy
    assert np.abs(arena.probs(policy)[0] - l2).max() > 0.01


def test_l2_steps_are_projected_gradient_steps():
    """SPPO on an L2 arena is projected gradient ascent, EGPO at tau = 0 Korpelevich's extragradient."""
    game = pg.games.uniform_random(5, seed=3)
    arena, A = pg.TableArena(game, regulariser=L2()), game.skew[0]

    def project(v):
        top = np.sort(v)[::-1]
        cut = (np.cumsum(top) - 1) / np.arange(1, len(v) + 1)
        return np.maximum(v - cut[np.flatnonzero(top > cut)[-1]], 0)

    x = y = game.reference[0]
    for _ in range(50):
        x = project(x + 0.2 * A @ x)
        ahead = project(y + 0.2 * A @ y)
        y = project(y + 0.2 * A @ ahead)
    assert arena.probs(pg.solve(pg.SPPO(0.2), arena, 50).policy)[0, 0] == pytest.approx(x, abs=1e-12)
    assert arena.probs(pg.solve(pg.EGPO(0.0, 0.2), arena, 50).policy)[0, 0] == pytest.approx(y, abs=1e-12)


def test_dpo_on_mixed_chi_square_is_chi_po():
    """arXiv:2407.13399: beta (phi(pi / ref)_y - phi(pi / ref)_z), phi(t) = t + log t, fits the log-odds."""
    scores = np.array([0.0, 0.7, 1.5, -0.4])
    game = pg.games.bradley_terry(scores).with_reference([0.4, 0.3, 0.2, 0.1])
    arena = pg.TableArena(game, regulariser=ChiSquare(kl=1.0))
    pi = arena.probs(pg.solve(pg.DPO(0.5), arena, 1).policy)[0, 0]
    t = pi / game.reference[0]
    link = 0.5 * (t + np.log(t))
    assert link - link[0] == pytest.approx(scores - scores[0], abs=1e-6)


# -- the conformance kit ---------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("samples", [None, 4000])
def test_the_kit_passes_the_arena(regulariser, samples):
    game = pg.games.stack([pg.games.comal3(), pg.games.cyclic(5, p=0.9)])
    make = functools.partial(pg.TableArena, game, samples=samples, regulariser=regulariser)
    assert check_arena(make(runs=3), narrow=make(runs=2))


FAMILY = {  # the mirror solvers, and what is claimed of each on every regulariser
    "EGPO": (pg.EGPO(0.3, 0.3), {"contracts": 1 - 0.3 * 0.3, "rounds": 200}),
    "INPO": (pg.INPO(0.3, 0.1), {"rounds": 500}),
    "MMD": (pg.MMD(0.3, 0.1), {"rounds": 500}),
    "ONPO": (pg.ONPO(0.3, 0.3), {"rounds": 200}),
    "MNPO": (pg.MNPO(0.3, 0.2), {"rounds": 300}),
    "Nash-MD": (pg.NashMD(0.3), {"rounds": 500, "within": 0.01}),
    "Nash-MD, constant step": (pg.NashMD(0.3, 0.2), {"fixed_point": None}),
    "Nash-EMA": (pg.NashEMA(1.0, 0.3, 0.8), {"rounds": 100}),
    "IPO-MD": (pg.IPOMD(0.3, 0.2), {"fixed_point": None}),
    "SPPO": (pg.SPPO(0.2), {"fixed_point": "nash", "within": None}),
    "COMAL": (pg.COMAL(0.3, 0.3, every=40), {"fixed_point": "nash", "within": None}),  # its end: above
}
QUICK = [(one, name) for one, name in zip(EVERY, FAMILY, strict=False)]  # every regulariser and solver once
REST = [(one, name) for one in EVERY for name in FAMILY if (one, name) not in QUICK]


@pytest.mark.parametrize(
    ("regulariser", "name"),
    [*QUICK, *(pytest.param(*both, marks=pytest.mark.slow) for both in REST)],
    ids=str,
)
def test_the_kit_passes_every_mirror_solver_on_every_regulariser(regulariser, name):
    solver, claims = FAMILY[name]
    games = few(0.0 if claims.get("fixed_point") == "nash" else target_of(solver))
    arena = functools.partial(pg.TableArena, regulariser=regulariser)
    assert check_solver(solver, arena=arena, games=games, **claims)


def test_the_kit_claims_the_equilibrium_of_the_arenas_regulariser():
    """Negative control: the Nash of KL is not that of L2, where the solver converges."""
    arena = functools.partial(pg.TableArena, regulariser=L2())

    def of_kl(game):
        return pg.nash(game, 0.1).policy

    with pytest.raises(ConformanceError, match="convergence"):
        check_solver(pg.EGPO(0.1, 0.2), arena=arena, games=few(0.1), rounds=800, fixed_point=of_kl)
    with pytest.raises(ConformanceError, match=r"the factor on L2\(equilibrium"):
        check_solver(pg.EGPO(0.1, 0.2), arena=arena, games=few(0.1), rounds=800, contracts=0.9)


@pytest.mark.parametrize("regulariser", [L2(), ChiSquare(), Tsallis(0.5), L2, 3], ids=repr)
def test_arenas_of_roles_and_of_duels_say_that_they_play_kl(regulariser):
    name = getattr(regulariser, "name", regulariser)
    name = repr(regulariser) if not isinstance(name, str) else name
    roles = pg.MatrixRoles([[0.2, 0.7], [0.6, 0.1]])
    for made, game in ((pg.RoleArena, roles), (pg.DuelArena, pg.games.comal3())):
        made(game, regulariser=KL())
        with pytest.raises(ValueError, match=f"the regulariser of {made.__name__} is KL, got ") as caught:
            made(game, regulariser=regulariser)
        assert name in str(caught.value) and "\n" not in str(caught.value)


class Wrong(pg.TableArena):
    """A mirror step of KL where the arena says L2."""

    def mirror_step(self, prior, opponent, step):
        return pg.TableArena(self.game, self.runs).mirror_step(prior, opponent, step)


def test_the_kit_catches_a_step_of_another_regulariser():
    with pytest.raises(ConformanceError, match="mirror_formula"):
        check_arena(Wrong(pg.games.comal3(), regulariser=L2()))


# -- bad input -------------------------------------------------------------------------------------------


class OnlyAValue:
    name = "total variation"

    def divergence(self, p, q, base):
        return np.abs(p - q).sum(axis=-1) / 2


class BadInverse(L2):
    def inverse(self, dual, base):
        return np.exp(dual)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (
            lambda g: pg.TableArena(g, regulariser=OnlyAValue()),
            TypeError,
            "no exact mirror step",
        ),
        (lambda g: pg.nash(g, 0.1, regulariser=OnlyAValue()), TypeError, "no exact Nash"),
        (lambda g: pg.TableArena(g, regulariser=BadInverse()), ValueError, "without the inverse"),
        (lambda g: pg.TableArena(g, regulariser=L2), TypeError, "got the class L2"),
        (lambda g: pg.nash(g, 0.1, regulariser="L2"), TypeError, "lacks gradient"),
        (lambda g: Tsallis(3.0), ValueError, r"q must be in \(0, 2\]"),
        (lambda g: Tsallis(1.0), ValueError, "pass KL"),
        (lambda g: Tsallis(0.0), ValueError, r"q must be in \(0, 2\]"),
        (lambda g: Tsallis(float("nan")), ValueError, r"q must be in \(0, 2\]"),
        (lambda g: ChiSquare(kl=-1.0), ValueError, "at least 0"),
        (lambda g: ReverseKL(kl=float("inf")), ValueError, "finite"),
        (lambda g: pg.nash(g, 0.1, method="cvxpy", regulariser=L2()), ValueError, "regularised by KL"),
        (lambda g: pg.nash(g, -0.1, regulariser=L2()), ValueError, "at least 0"),
        (
            lambda g: pg.run(pg.EGPO(0.1, 0.1), pg.TableArena(g, regulariser=L2()), 5, compiled=True),
            TypeError,
            "KL",
        ),
    ],
)
def test_bad_input_gets_one_line(make, error, said):
    with pytest.raises(error, match=said) as caught:
        make(pg.games.comal3())
    assert "\n" not in str(caught.value)


def test_numbers_beyond_doubles_give_one_line():
    """References of 1e-300 and tau = 1e-300: solved, or a RuntimeError of one line that says what to do."""
    rare = pg.games.rock_paper_scissors().with_reference([1 - 2e-300, 1e-300, 1e-300])
    clones = pg.games.clones(pg.games.biased_rps(), [3, 2, 1])
    refused = 0
    for regulariser in EVERY[1:]:
        for game, tau in ((rare, 1e-6), (rare, 1e12), (clones, 1e-300)):
            try:
                found = pg.nash(game, tau, regulariser=regulariser)
            except RuntimeError as error:
                assert "\n" not in str(error)
                refused += 1
            else:
                assert found.exploitability < 1e-9
    assert refused <= 8  # of 21
