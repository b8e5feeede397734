"""The regret engine: exact sums, independent seeds, lazy updates, and its bad input."""

import numpy as np
import pytest

import pgames as pg
from pgames.regret.ledger import Ledger
from pgames.regret.simulate import simulate
from pgames.solver import State
from pgames.solvers.explore import ENPO
from pgames.solvers.oracle import Greedy, Optimistic


def J(game, p, q, tau):
    kl = lambda a: (a * np.log(a / game.reference[0])).sum()  # noqa: E731
    return p @ game.P[0] @ q - tau * kl(p) + tau * kl(q)


@pytest.mark.parametrize("tau", [0.0, 0.05, 1.0])
def test_the_ledger_adds_up_gaps_and_external_regret(tau):
    rng = np.random.default_rng(0)
    game = pg.PreferenceGame(rng.random((4, 4)), rng.dirichlet(np.ones(4)), symmetrise=True)
    arena, ledger = pg.TableArena(game, runs=3), Ledger(game, tau, 3)
    played = [arena.policy(rng.dirichlet(np.ones(4), size=(3, 1))) for _ in range(6)]
    lengths = [1, 5, 2, 1, 1, 10]
    for policy, length in zip(played, lengths, strict=True):
        gap = ledger.charge(policy, length)
        np.testing.assert_allclose(gap, pg.exploitability(game, np.exp(policy), tau), atol=1e-14)
    total = sum(n * pg.exploitability(game, np.exp(pi), tau) for pi, n in zip(played, lengths, strict=True))
    np.testing.assert_allclose(ledger.regret, total, rtol=1e-13)
    mean = sum(n * np.exp(pi) for pi, n in zip(played, lengths, strict=True)) / 20
    np.testing.assert_allclose(ledger.average_gap(), pg.exploitability(game, mean, tau), atol=1e-13)
    for s in range(3):
        best = pg.best_response(game, mean[s], tau)[0]
        if tau == 0:
            sums = sum(
                n * (best @ game.P[0] @ np.exp(pi[s, 0]) - 0.5) for pi, n in zip(played, lengths, strict=True)
            )
        else:
            sums = sum(
                n * (J(game, best, np.exp(pi[s, 0]), tau) - 0.5)
                for pi, n in zip(played, lengths, strict=True)
            )
        assert ledger.external_regret()[s] == pytest.approx(sums, rel=1e-12)
    assert (ledger.external_regret() <= ledger.regret + 1e-12).all()
    assert (ledger.average_gap() <= ledger.external_regret() / 20 + 1e-12).all()


def test_the_game_is_symmetric_about_one_half():
    rng = np.random.default_rng(1)
    game = pg.PreferenceGame(rng.random((5, 5)), rng.dirichlet(np.ones(5)), symmetrise=True)
    for _ in range(20):
        p, q = rng.dirichlet(np.ones(5), size=2)
        assert J(game, p, q, 0.3) + J(game, q, p, 0.3) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("learner", [ENPO(0.1), Optimistic(0.1)])
def test_a_seed_is_the_same_whatever_runs_beside_it(learner):
    game = pg.games.hidden_rps(0.1)
    many = simulate(learner, game, 60, seeds=8)
    few = simulate(learner, game, 60, seeds=3)
    rest = simulate(learner, game, 60, seeds=5, first_run=3)
    np.testing.assert_array_equal(many.regret[:3], few.regret)
    np.testing.assert_array_equal(many.regret[3:], rest.regret)
    assert not np.array_equal(many.regret, simulate(learner, game, 60, seeds=8, seed=1).regret)


def test_the_curve_does_not_depend_on_where_it_is_recorded():
    game = pg.games.hidden_rps(0.1)
    coarse = simulate(Greedy(0.1), game, 5000, seeds=4, refresh=1.05, record=5)
    fine = simulate(Greedy(0.1), game, 5000, seeds=4, refresh=1.05, record=400)
    _, at_coarse, at_fine = np.intersect1d(coarse.rounds, fine.rounds, return_indices=True)
    assert len(at_coarse) >= 3
    np.testing.assert_allclose(fine.regret[:, at_fine], coarse.regret[:, at_coarse], rtol=1e-12)
    np.testing.assert_array_equal(fine.bits, fine.rounds)
    assert (np.diff(fine.regret, axis=1) >= 0).all()


def test_lazy_updates_cost_little_and_save_much():
    game = pg.games.hidden_rps(0.2)
    lazy = simulate(Optimistic(0.2), game, 3000, seeds=60, refresh=1.02)
    eager = simulate(Optimistic(0.2), game, 3000, seeds=60)
    spread = np.hypot(lazy.regret[:, -1].std(), eager.regret[:, -1].std()) / np.sqrt(60)
    excess = lazy.regret[:, -1].mean() - eager.regret[:, -1].mean()
    assert abs(excess) < 4 * spread + 0.1 * eager.regret[:, -1].mean()


def test_regret_without_regularisation_is_measured_when_asked():
    game = pg.games.cyclic(3, 0.9)
    curve = simulate(Optimistic(0.05), game, 200, seeds=3, tau=0.0)
    assert curve.tau == 0.0
    assert curve.regret[0, 0] == pytest.approx(0, abs=1e-15)  # the first policy is the uniform reference


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"record": 0}, "record must be at least 1, got 0"),
        ({"refresh": 1.0}, "refresh must be above 1"),
        ({"tau": -0.1}, "tau must be finite and at least 0, got -0.1"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(ENPO(0.1), pg.games.duel(), **{"rounds": 10, **arguments})


def test_a_learner_that_counts_rounds_wrongly_is_told():
    class Stuck:
        def init(self, arena):
            return State(0, arena.reference)

        def step(self, arena, state):
            return state

    with pytest.raises(ValueError, match=r"Stuck went from round 0 to 0 in a step of 1 round\(s\)"):
        simulate(Stuck(), pg.games.duel(), 5)
    with pytest.raises(ValueError, match="without lazy updates use refresh=None"):
        simulate(ENPO(0.1), pg.games.duel(), 500, refresh=1.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ENPO(0.0), "tau must be finite and above 0"),
        (lambda: ENPO(0.1, pairs=0), "at least 1, got 0, 8 and 1"),
        (lambda: ENPO(0.5, schedule=pg.Schedule("constant", 0.5)), "eta must be above tau, got eta = 0.5"),
        (lambda: ENPO(0.1, ridge=0.0), "ridge above 0"),
        (lambda: pg.Schedule("cubic"), "sqrt, linear or constant"),
        (lambda: pg.DENPO(0.1, sign=2), "sign 1 or -1"),
        (lambda: pg.Passive(0.1, loss="both"), "'triple' or 'pair'"),
        (lambda: Optimistic(0.1, optimism=0), "optimism must be finite and above 0"),
        (lambda: pg.VMG(0.1, alpha=0), "alpha must be above 0"),
        (lambda: pg.ExploreThenCommit(0.1, explore=0), "explore must be at least 1"),
    ],
)
def test_hyper_parameters_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_arena_without_duels_is_refused():
    with pytest.raises(TypeError, match=r"ENPO needs the verb\(s\) collect, label"):
        pg.solve(ENPO(0.1), pg.TableArena(pg.games.duel()), 1)


@pytest.mark.parametrize("solver", [pg.EGPO(0.1, 0.5), pg.NashMD(0.1), pg.FictitiousPlay()])
def test_a_solver_that_needs_the_preference_itself_is_refused(solver):
    with pytest.raises(TypeError, match=r"needs the verb\(s\) mirror_step.*learner from duels"):
        simulate(solver, pg.games.duel(), 10)


def test_curves_survive_the_disk(tmp_path):
    curve = simulate(Greedy(0.1), pg.games.duel(), 50, seeds=2)
    curve.save(tmp_path / "curve.npz")
    back = pg.Curve.load(tmp_path / "curve.npz")
    np.testing.assert_array_equal(back.regret, curve.regret)
    assert back.solver == "Greedy(tau=0.1)" and back.tau == 0.1
    (tmp_path / "cut.npz").write_bytes((tmp_path / "curve.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match="cut short"):
        pg.Curve.load(tmp_path / "cut.npz")
    pg.run(pg.SPPO(0.5), pg.TableArena(pg.games.duel()), 5).save(tmp_path / "run.npz")
    run = pg.Curve.load(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"'SPPO\(eta=0.5\)' did not record 'regret', only 'exploitability"):
        run.regret  # noqa: B018
    with pytest.raises(ValueError, match="did not record 'exploitability', only 'regret', 'gap'"):
        back.only("exploitability")
