"""Dueling bandits: what is proved of them, leaps that equal steps bit for bit, and extreme games."""

import numpy as np
import pytest

import pgames as pg
from pgames.bandits.learners import RUCB, DoubleThompson, SparringEXP3
from pgames.regret.ledger import Ledger
from pgames.regret.simulate import simulate
from pgames.solvers.explore import ENPO
from pgames.solvers.oracle import Optimistic
from pgames.table.duels import DuelArena

LEARNERS = [SparringEXP3(), SparringEXP3(eta=0.05), RUCB(), DoubleThompson()]
MATRICES = ["arithmetic", "arxiv", "cyclic"]


def komiyama(shared_data, name):
    return pg.PreferenceGame(np.loadtxt(shared_data / f"komiyama_pref_{name}.txt"))


def two_prompts():
    """Two prompts of four and three responses, with wins that are certain."""
    P = np.full((2, 4, 4), 0.5)
    P[0] = [[0.5, 1, 0.2, 0.7], [0, 0.5, 0.9, 0.5], [0.8, 0.1, 0.5, 1], [0.3, 0.5, 0, 0.5]]
    P[1, :3, :3] = [[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]]
    reference = [[0.25] * 4, [0.5, 0.3, 0.2, 0.0]]
    return pg.PreferenceGame(P, reference, prompt_weights=[0.3, 0.7])


def fields(curve):
    return [getattr(curve, name) for name in ("rounds", "regret", "gap", "external", "average_gap", "bits")]


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("runs", [1, 7, 40])
@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_a_leap_is_as_many_steps_bit_for_bit(learner, runs, tau):
    game = two_prompts()
    arena, stepped, leapt = DuelArena(game, runs, seed=3), Ledger(game, tau, runs), Ledger(game, tau, runs)
    state = slow = learner.init(arena)
    for length in (1, 30, 9):
        for _ in range(length):
            stepped.charge(slow.policy, 1)
            slow = learner.step(arena.at(slow.t), slow)
        before = [part.copy() for part in state.memory]
        view = arena.at(state.t, length)
        new = learner.leap(view, state, length, leapt)
        assert view.bits == length * 2
        for part, copy in zip(state.memory, before, strict=True):
            np.testing.assert_array_equal(part, copy)  # the state leapt from is left alone
        state = new
    assert state.t == slow.t == leapt.rounds == 40
    np.testing.assert_array_equal(state.policy, slow.policy)
    for one, other in zip(state.memory, slow.memory, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("regret", "gap", "policies", "divergence"):
        np.testing.assert_array_equal(getattr(leapt, name), getattr(stepped, name))


@pytest.mark.parametrize("learner", LEARNERS)
def test_simulate_gives_the_same_with_leaps_and_without(learner):
    class Slow:
        init, step = staticmethod(learner.init), staticmethod(learner.step)

    game = two_prompts()
    fast, slow = (
        simulate(learner, game, 100, seeds=9, record=7),
        simulate(Slow(), game, 100, seeds=9, record=7),
    )
    for one, other in zip(fields(fast), fields(slow), strict=True):
        np.testing.assert_array_equal(one, other)
    dense = simulate(learner, game, 100, seeds=9, record=100)
    np.testing.assert_array_equal(dense.regret[:, -1], fast.regret[:, -1])


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_seed_is_the_same_whatever_runs_beside_it(learner):
    game = two_prompts()
    many, few = simulate(learner, game, 200, seeds=40), simulate(learner, game, 200, seeds=3)
    np.testing.assert_array_equal(many.regret[:3], few.regret)
    late = simulate(learner, game, 200, seeds=2, first_run=20)
    np.testing.assert_array_equal(many.regret[20:22], late.regret)
    assert len(np.unique(many.regret[:, -1])) > 30


@pytest.mark.parametrize("name", MATRICES)
def test_exp3_keeps_its_bound_against_the_von_neumann_winner(shared_data, name):
    game = komiyama(shared_data, name)
    curve = simulate(SparringEXP3(), game, 20_000, seeds=20)
    bound = 2 * np.sqrt(curve.rounds * game.responses * np.log(game.responses))
    external = curve.external.mean(axis=0)
    assert (external <= bound).all()
    late = curve.rounds >= 2000
    slope = np.polyfit(np.log(curve.rounds[late]), np.log(external[late]), 1)[0]
    assert slope < 0.85
    assert curve.bits[-1] == 20_000


@pytest.mark.parametrize(
    "game",
    [
        pg.games.cyclic(3, 0.9),
        pg.PreferenceGame([[0.5, 0.9, 0.3], [0.1, 0.5, 0.8], [0.7, 0.2, 0.5]]),
        pg.PreferenceGame(np.kron([[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]], np.ones((2, 2)))),
    ],
)
def test_the_average_of_exp3_approaches_the_nash_of_a_cycle(game):
    nash = pg.nash(game)
    assert nash.policy.max() < 0.9
    curve = simulate(SparringEXP3(), game, 30_000, seeds=32)
    assert curve.average_gap[:, -1].mean() < 0.25 * curve.average_gap[:, curve.rounds <= 300][:, -1].mean()
    assert curve.average_gap[:, -1].mean() < 0.02
    assert curve.regret[:, -1].mean() > 3 * curve.external[:, -1].mean()  # its last iterate circles around


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("learner", [RUCB(), DoubleThompson()])
def test_rucb_and_thompson_find_the_condorcet_winner(shared_data, name, learner):
    game = komiyama(shared_data, name)
    arena, ledger = DuelArena(game, 10, seed=1), Ledger(game, 0.0, 10)
    state = learner.leap(arena, learner.init(arena), 40_000, ledger)
    middle = ledger.regret.copy()
    state = learner.leap(arena.at(state.t), state, 40_000, ledger)
    wins, pair, best = state.memory
    won, compared = wins[:, 0], wins[:, 0] + np.swapaxes(wins[:, 0], 1, 2)
    with np.errstate(invalid="ignore"):
        share = np.where(compared > 0, won / compared, 0.5)
    assert ((share[:, 0] > 0.5).sum(axis=1) == game.responses - 1).mean() > 0.9
    if isinstance(learner, RUCB):
        assert (best == 0).mean() > 0.6
    assert (pair == 0).mean() > 0.5
    assert (ledger.regret - middle).mean() < 0.6 * middle.mean()  # log T, not T


def test_thompson_pays_less_than_rucb_on_the_six_rankers(shared_data):
    game = komiyama(shared_data, "arxiv")
    rucb, thompson = (simulate(learner, game, 20_000, seeds=10) for learner in (RUCB(), DoubleThompson()))
    assert thompson.regret[:, -1].mean() < 0.5 * rucb.regret[:, -1].mean()


@pytest.mark.parametrize("learner", [RUCB(), DoubleThompson()])
def test_without_a_condorcet_winner_the_sum_of_gaps_is_linear(learner):
    """The negative control: a rule that looks for one pure winner cannot stop on a cycle."""
    curve = simulate(learner, pg.games.cyclic(3, 0.9), 8000, seeds=10)
    regret = curve.regret.mean(axis=0)
    assert regret[-1] > 0.15 * 8000


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize(
    ("P", "reference"),
    [
        ([[0.5]], None),
        ([[0.5, 1.0], [0.0, 0.5]], None),
        ([[0.5, 0.5], [0.5, 0.5]], None),
        ([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]], None),
        ([[0.5, 0.0, 0.0], [1.0, 0.5, 1.0], [1.0, 0.0, 0.5]], [0.5, 0.0, 0.5]),
        ([[0.5, 0.0], [1.0, 0.5]], [1.0, 0.0]),
    ],
)
def test_extreme_games_and_masks(learner, P, reference):
    game = pg.PreferenceGame(P, reference)
    arena, ledger = DuelArena(game, 9), Ledger(game, 0.0, 9)
    state = learner.leap(arena, learner.init(arena), 3000, ledger)
    probs = np.exp(state.policy)
    np.testing.assert_allclose(probs.sum(axis=-1), 1, atol=1e-12)
    assert (probs[:, ~game.support] == 0).all()
    assert np.isfinite(ledger.regret).all() and (ledger.average_gap() < 0.2).all()
    if game.responses == 2 and game.P[0, 0, 1] == 1:
        assert (ledger.regret < 200).all()


def test_the_players_of_exp3_use_the_unbiased_estimate():
    """One round: L(y) grows by loss / p(y) for the response that was drawn, and by nothing else."""
    game = pg.games.cyclic(3, 0.9)
    arena, learner = DuelArena(game, 2000, seed=5), SparringEXP3()
    after = learner.step(arena, learner.init(arena))
    left, right = after.memory
    assert set(np.unique(left)) == {0.0, 3.0} and set(np.unique(right)) == {0.0, 3.0}
    assert ((left > 0).sum(axis=(1, 2)) + (right > 0).sum(axis=(1, 2)) == 1).all()  # one of them lost
    for losses in (left, right):
        np.testing.assert_allclose(losses.mean(axis=(0, 1)), 0.5, atol=4 * 3 / np.sqrt(6 * 2000))


def test_bad_input():
    with pytest.raises(ValueError, match="eta must be finite and above 0, or None, got 0"):
        SparringEXP3(eta=0.0)
    for learner in (RUCB, DoubleThompson):
        with pytest.raises(ValueError, match=r"alpha must be finite and above 1/2, got 0\.5"):
            learner(alpha=0.5)
    with pytest.raises(ValueError, match="refresh=None"):
        simulate(SparringEXP3(), pg.games.cyclic(3), 1000, refresh=1.1)
    with pytest.raises(ValueError, match="learns tables"):
        simulate(RUCB(), pg.games.cyclic(3), 10, features=np.eye(3)[None])


@pytest.mark.parametrize(
    ("learner", "rounds", "refresh"),
    [
        (Optimistic(0.1), 20_000, 1.2),
        (ENPO(0.1), 100, None),
        (SparringEXP3(), 2000, None),
        (RUCB(), 200, None),
    ],
)
def test_the_human_votes_over_thirteen_prompts(shared_data, learner, rounds, refresh):
    votes = pg.Comparisons.read(shared_data / "evalica" / "llmfao.csv")
    game = votes.to_game(only_seen=True)
    assert (game.prompts, game.responses) == (13, 59)
    curve = simulate(learner, game, rounds, seeds=2, record=5, refresh=refresh)
    assert np.isfinite(curve.regret).all() and (curve.regret[:, -1] > 0).all()
    assert curve.bits[-1] == rounds * 13 * (16 if isinstance(learner, ENPO) else 1)
    if not isinstance(learner, ENPO):  # which is still in its burn-in
        assert (curve.average_gap[:, -1] < curve.average_gap[:, 0]).all()
