"""The algebra on tables, against a slow reference in plain Python and against numeric optimisers."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

import pgames as pg
from pgames import losses

quick = settings(max_examples=40, deadline=None, derandomize=True)
STEPS = st.floats(-20, 20)
WEIGHTS = st.floats(-2, 2)


PROMPTS, RESPONSES = st.integers(1, 2), st.integers(1, 5)


@st.composite
def preference_games(draw, prompts=PROMPTS, responses=RESPONSES):
    """Any table, 0 and 1 included, with references that may leave responses out."""
    X, Y = draw(prompts), draw(responses)
    above = draw(arrays(np.float64, (X, Y, Y), elements=st.floats(0, 1)))
    upper = np.triu(np.ones((Y, Y)), 1)
    P = above * upper + (1 - np.swapaxes(above, 1, 2)) * upper.T + 0.5 * np.eye(Y)
    return pg.PreferenceGame(P, _distributions(draw, (X, Y)))


def _distributions(draw, shape, support=None):
    weights = draw(arrays(np.float64, shape, elements=st.floats(1e-3, 1)))
    inside = draw(arrays(np.bool_, shape)) if support is None else np.broadcast_to(support, shape)
    inside = inside | ~inside.any(axis=-1, keepdims=True)
    weights = np.where(inside, weights, 0.0)
    return weights / weights.sum(axis=-1, keepdims=True)


@st.composite
def tables(draw, runs=2, policies=3, **sizes):
    """(arena, policies as handles, the same as probabilities float64[S, X, Y])."""
    game = draw(preference_games(**sizes))
    shape = (runs, game.prompts, game.responses)
    probs = [_distributions(draw, shape, game.support) for _ in range(policies)]
    arena = pg.TableArena(game, runs=runs)
    return arena, [arena.policy(p) for p in probs], probs


# -- the slow reference: one run and one prompt at a time, sums by fsum ----------------------------------


def each(function, *tables):
    """float64[S, X, Y] from a function of rows."""
    S, X, _ = tables[0].shape
    return np.array([[function(s, x, *(t[s, x] for t in tables)) for x in range(X)] for s in range(S)])


def normalised(logs):
    top = max(logs)
    total = math.fsum(math.exp(v - top) for v in logs)
    return [math.exp(v - top) / total for v in logs]


def log(p):
    return math.log(p) if p > 0 else -math.inf


def slow_geometric(weights, *policies):
    def row(s, x, *rows):
        inside = [p > 0 for p in rows[0]]
        terms = [
            [w * log(p) if keep else -math.inf for p, keep in zip(row, inside, strict=True)]
            for w, row in zip(weights, rows, strict=True)
        ]
        return normalised(
            [math.fsum(column) if keep else -math.inf for *column, keep in zip(*terms, inside, strict=True)]
        )

    return each(row, *policies)


def slow_mixture(weights, *policies):
    return each(
        lambda s, x, *rows: [
            math.fsum(w * p for w, p in zip(weights, ps, strict=True)) for ps in zip(*rows, strict=True)
        ],
        *policies,
    )


def slow_rates(game, x, opponent):
    return [math.fsum(P * q for P, q in zip(row, opponent, strict=True)) for row in game.P[x]]


def slow_mirror_step(game, step, prior, opponent):
    def row(s, x, prior, opponent):
        rates = slow_rates(game, x, opponent)
        return normalised([log(p) + step * r for p, r in zip(prior, rates, strict=True)])

    return each(row, prior, opponent)


def slow_win_rate(game, first, second):
    def row(s, x, first, second):
        return [math.fsum(p * r for p, r in zip(first, slow_rates(game, x, second), strict=True))]

    return each(row, first, second)[..., 0] @ game.prompt_weights


def slow_duel(game, first, second):
    """Expected wins of y over z in one duel of a draw of `first` with a draw of `second`."""
    S, X, Y = first.shape
    wins = np.zeros((S, X, Y, Y))
    for s, x, y, z in np.ndindex(wins.shape):
        met = first[s, x, y] * second[s, x, z]
        wins[s, x, y, z] += met * game.P[x, y, z]
        wins[s, x, z, y] += met * game.P[x, z, y]
    return wins


def close(found, expected, tolerance=1e-11):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@quick
@given(tables(), st.tuples(WEIGHTS, WEIGHTS, WEIGHTS))
def test_geometric_mixture(table, weights):
    arena, handles, probs = table
    assume(weights[0] != 0)
    for k in (1, 2, 3):
        made = arena.geometric_mixture(*zip(weights[:k], handles[:k], strict=True))
        close(arena.probs(made), slow_geometric(weights[:k], *probs[:k]))


@quick
@given(tables(), arrays(np.float64, 3, elements=st.floats(0.01, 1)))
def test_mixture(table, weights):
    arena, handles, probs = table
    for k in (1, 2, 3):
        shares = [float(w) for w in weights[:k] / weights[:k].sum()]
        made = arena.mixture(*zip(shares, handles[:k], strict=True))
        close(arena.probs(made), slow_mixture(shares, *probs[:k]))


@quick
@given(tables(policies=2), STEPS)
def test_mirror_step(table, step):
    arena, (prior, opponent), (p, q) = table
    close(arena.probs(arena.mirror_step(prior, opponent, step)), slow_mirror_step(arena.game, step, p, q))


@quick
@given(tables(policies=2))
def test_win_rate(table):
    arena, (first, second), (p, q) = table
    close(arena.win_rate(first, second), slow_win_rate(arena.game, p, q))
    close(arena.win_rate(first, second) + arena.win_rate(second, first), 1.0)
    close(arena.win_rate(first, first), 0.5)


@quick
@given(tables(policies=2))
def test_duel(table):
    arena, (first, second), (p, q) = table
    wins = arena.duel(first, second).wins
    close(wins, slow_duel(arena.game, p, q))
    close(wins.sum(axis=(-1, -2)), 1.0)
    close((arena.duel(first, second) + arena.duel(first, second)).wins, 2 * wins)


@quick
@given(tables(policies=1), STEPS, st.data())
def test_tilt(table, step, data):
    arena, (prior,), (p,) = table
    score = data.draw(arrays(np.float64, p.shape, elements=st.floats(-5, 5)))
    slow = each(
        lambda s, x, row, f: normalised([log(a) + step * b for a, b in zip(row, f, strict=True)]), p, score
    )
    close(arena.probs(arena.tilt(prior, score, step)), slow)


# -- optimality ------------------------------------------------------------------------------------------


@settings(quick, max_examples=15)
@given(tables(runs=1, policies=2, prompts=st.just(1), responses=st.integers(2, 4)), st.floats(0.05, 10))
def test_mirror_step_beats_a_numeric_optimiser(table, step):
    arena, (prior, opponent), (p, q) = table
    inside = p[0, 0] > 0
    rates = (arena.game.P[0] @ q[0, 0])[inside]

    def loss(pi):
        ratio = np.log(np.maximum(pi, 1e-300) / p[0, 0, inside])
        return -(pi @ rates) + (pi @ ratio) / step

    ours = arena.probs(arena.mirror_step(prior, opponent, step))[0, 0, inside]
    found = minimize(
        loss,
        np.full(inside.sum(), 1 / inside.sum()),
        method="SLSQP",
        bounds=[(1e-12, 1)] * inside.sum(),
        constraints={"type": "eq", "fun": lambda pi: pi.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    theirs = found.x / found.x.sum()
    assert loss(ours) <= loss(theirs) + 1e-12
    close(ours, theirs, 1e-3)


LOSSES = [losses.logistic, losses.squared, losses.exponential, losses.truncated_square, losses.hinge(0.05)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("seed", range(3))
def test_fit_pairs_beats_a_numeric_optimiser(loss, seed):
    rng = np.random.default_rng(seed)
    game = pg.PreferenceGame(pg.games.uniform_random(4, seed).P * 0.8 + 0.1)
    arena = pg.TableArena(game)
    prior, first, second = (arena.policy(rng.dirichlet(np.full(4, 2.0))) for _ in range(3))
    beta = 0.7
    wins = (arena.duel(first, second) + arena.duel(second, prior)).wins[0, 0]

    def objective(log_ratio):
        margins = beta * (log_ratio[:, None] - log_ratio[None, :])
        return (wins * loss.value(margins))[~np.eye(4, dtype=bool)].sum()

    fitted = arena.fit_pairs(prior, pg.Tally(wins[None, None]), loss, beta)
    ours = (fitted - prior)[0, 0]
    found = minimize(
        lambda d: objective(np.append(d, 0.0)), np.zeros(3), method="BFGS", options={"gtol": 1e-9}
    )
    theirs = np.append(found.x, 0.0)
    assert objective(ours) <= objective(theirs) + 1e-9
    if loss.name in ("logistic", "squared", "exponential"):  # strictly convex: one minimiser
        close(ours - ours[-1], theirs, 1e-4)


def test_reward_of_a_bradley_terry_game_is_its_score():
    scores = np.array([0.3, -1.0, 2.0, 0.0])
    arena = pg.TableArena(pg.games.bradley_terry(scores))
    reward = arena.fit_reward(arena.duel(arena.reference, arena.policy([0.4, 0.3, 0.2, 0.1])))[0, 0]
    close(reward - reward.mean(), scores - scores.mean(), 1e-8)


@pytest.mark.parametrize("runs", [1, 3])
def test_fits_take_numbers_and_one_value_per_run(runs):
    arena = pg.TableArena(pg.games.comal3(), runs=runs)
    pairs = arena.duel(arena.reference, arena.reference)
    single = arena.fit_pairs(arena.reference, pairs, losses.logistic, 0.5)
    grid = arena.fit_pairs(arena.reference, pairs, losses.logistic, np.full(runs, 0.5))
    close(arena.probs(single), arena.probs(grid), 0)


def test_best_response_is_the_limit_and_breaks_ties_by_the_prior():
    P = [[0.5, 0.7, 0.7, 0.7], [0.3, 0.5, 0.9, 0.1], [0.3, 0.1, 0.5, 0.1], [0.3, 0.9, 0.9, 0.5]]
    arena = pg.TableArena(pg.PreferenceGame(P, [0.1, 0.2, 0.3, 0.4]))
    opponent = arena.policy([0.0, 0.0, 1.0, 0.0])  # 1 and 3 win 0.9 against it
    best = arena.probs(arena.mirror_step(arena.reference, opponent, np.inf))[0, 0]
    close(best, [0, 1 / 3, 0, 2 / 3], 1e-15)
    close(arena.probs(arena.mirror_step(arena.reference, opponent, 1e4))[0, 0], best, 1e-11)


@quick
@given(tables(policies=2))
def test_best_response_wins_at_least_as_much_as_anything(table):
    arena, (prior, opponent), (p, _) = table
    best = arena.mirror_step(prior, opponent, np.inf)
    rates = np.einsum("xyz,sxz->sxy", arena.game.P, arena.probs(opponent))
    top = np.where(p > 0, rates, -np.inf).max(axis=-1) @ arena.game.prompt_weights
    close(arena.win_rate(best, opponent), top)


# -- the label routes ------------------------------------------------------------------------------------


@settings(quick, max_examples=20)
@given(tables(policies=3, responses=st.integers(2, 5)), st.floats(0.1, 5))
def test_pair_labels_recover_the_win_rate_against_their_own_sampler(table, eta):
    """The squared loss on pairs from mu recovers eta P mu, so it is a mirror step iff mu is the opponent."""
    arena, (prior, opponent, mu), _ = table
    fitted = arena.fit_pairs(prior, arena.duel(mu, mu), losses.squared, 1 / eta)
    close(arena.probs(fitted), arena.probs(arena.mirror_step(prior, mu, eta)), 1e-6)
    fitted = arena.fit_pairs(prior, arena.duel(opponent, opponent), losses.squared, 1 / eta)
    close(arena.probs(fitted), arena.probs(arena.mirror_step(prior, opponent, eta)), 1e-6)


def test_pair_labels_of_another_sampler_miss_the_opponent():
    """Negative control: pairs drawn from anything but the opponent give a step against the wrong policy."""
    arena = pg.TableArena(pg.games.comal3())
    opponent, mu = arena.policy([0.7, 0.2, 0.1]), arena.policy([0.1, 0.3, 0.6])
    target = arena.probs(arena.mirror_step(arena.reference, opponent, 1.0))
    pairs = {
        "sampler = opponent": arena.duel(opponent, opponent),
        "sampler = mu": arena.duel(mu, mu),
        "mu against opponent": arena.duel(mu, opponent),
    }
    off = {
        name: np.abs(arena.probs(arena.fit_pairs(arena.reference, seen, losses.squared, 1.0)) - target).max()
        for name, seen in pairs.items()
    }
    assert off["sampler = opponent"] < 1e-9
    assert off["sampler = mu"] > 0.05
    assert off["mu against opponent"] > 0.01


def test_third_sample_labels_recover_the_opponent_from_any_sampler():
    """Labels z(y, y'') - z(y', y''), y'' from the opponent: eta P opponent, whatever the pairs' sampler."""
    arena = pg.TableArena(pg.games.biased_rps())
    opponent, mu = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    rates = arena.game.P[0] @ opponent
    label = rates[:, None] - rates[None, :]  # in [-1, 1]: as a win probability, (1 + label) / 2
    wins = np.outer(mu, mu) * (1 + label) / 2
    fitted = arena.fit_pairs(arena.reference, pg.Tally(wins[None, None]), losses.squared, 1.0)
    half = arena.mirror_step(arena.reference, arena.policy(opponent), 0.5)  # the label is half a logit
    close(arena.probs(fitted), arena.probs(half), 1e-9)


# -- symmetry, identities, runs --------------------------------------------------------------------------


@quick
@given(tables(policies=2), STEPS, st.data())
def test_verbs_do_not_see_the_order_of_responses_or_prompts(table, step, data):
    arena, (a, b), (p, q) = table
    game = arena.game
    order = np.array(data.draw(st.permutations(range(game.responses))))
    prompts = np.array(data.draw(st.permutations(range(game.prompts))))

    def moved(policy):
        return policy[:, prompts][:, :, order]

    other = pg.TableArena(
        pg.PreferenceGame(
            game.P[prompts][:, order][:, :, order],
            game.reference[prompts][:, order],
            game.prompt_weights[prompts],
        ),
        runs=arena.runs,
    )
    c, d = other.policy(moved(p)), other.policy(moved(q))
    close(other.probs(other.mirror_step(c, d, step)), moved(arena.probs(arena.mirror_step(a, b, step))))
    close(
        other.probs(other.geometric_mixture((0.3, c), (0.9, d))),
        moved(arena.probs(arena.geometric_mixture((0.3, a), (0.9, b)))),
    )
    close(
        other.probs(other.mixture((0.3, c), (0.7, d))), moved(arena.probs(arena.mixture((0.3, a), (0.7, b))))
    )
    close(other.win_rate(c, d), arena.win_rate(a, b))
    fitted, seen = (
        view.probs(view.fit_pairs(u, view.duel(u, v), losses.squared, np.full(2, 1.0)))
        for view, u, v in ((other, c, d), (arena, a, b))
    )
    close(fitted, moved(seen), 1e-7)


@quick
@given(tables(), WEIGHTS, st.floats(-1, 1), STEPS, STEPS)
def test_mixture_identities(table, u, v, first, second):
    arena, (a, b, c), _ = table
    mix, step = arena.geometric_mixture, arena.mirror_step

    def same(left, right):
        close(arena.probs(left), arena.probs(right), 1e-10)

    same(mix((1.0, a)), a)
    same(mix((u, a), (1 - u, a)), a)
    same(mix((u, a), (v, b)), mix((v, b), (u, a)))
    same(mix((u, mix((v, a), (1 - v, b))), (0.4, c)), mix((u * v, a), (u * (1 - v), b), (0.4, c)))
    same(mix((2.0, mix((0.5, a), (0.5, b))), (-1.0, b)), a)
    same(mix((0.0, b), (1.0, a)), a)
    same(step(step(a, b, first), b, second), step(a, b, first + second))
    same(step(a, b, 0.0), a)
    same(
        mix((1.0, step(a, c, first)), (1.0, step(b, c, second))),
        step(mix((1.0, a), (1.0, b)), c, first + second),
    )
    same(
        arena.mixture((0.25, a), (0.75, arena.mixture((0.5, b), (0.5, c)))),
        arena.mixture((0.25, a), (0.375, b), (0.375, c)),
    )


def answers(arena, probs, weight):
    """What every verb says, as arrays with the runs first."""
    a, b = (arena.policy(p) for p in probs)
    said = [
        arena.geometric_mixture((weight, a), (1 - weight, b)),
        arena.mixture((weight, a), (1 - weight, b)),
        arena.mirror_step(a, b, weight),
        arena.win_rate(a, b),
    ]
    if arena.game.responses > 64:  # too slow to fit
        return said
    pairs = arena.duel(a, b)
    return [
        *said,
        pairs.wins,
        arena.fit_pairs(a, pairs, losses.logistic, weight),
        arena.tilt(a, arena.fit_reward(pairs), weight),
    ]


@pytest.mark.parametrize("samples", [None, 6])
@pytest.mark.parametrize("responses", [2, 5, 16, 17, 64, 301])
def test_first_20_of_40_runs_are_20_runs(samples, responses):
    game = pg.games.uniform_random(responses, seed=responses)
    game = pg.games.stack([game, pg.games.comal3()]) if responses > 3 else game
    rng = np.random.default_rng(0)
    probs = [
        p / p.sum(axis=-1, keepdims=True)
        for p in rng.random((2, 40, game.prompts, responses)) * np.where(game.support, 1.0, 0.0)
    ]
    weights = rng.uniform(0.1, 0.9, 40)

    def said(runs):
        arena = pg.TableArena(
            game, runs=runs.stop - runs.start, seed=11, samples=samples, first_run=runs.start
        )
        return answers(arena.at(5), [p[runs] for p in probs], weights[runs])

    both, first, second = said(slice(0, 40)), said(slice(0, 20)), said(slice(20, 40))
    for whole, left, right in zip(both, first, second, strict=True):
        assert np.array_equal(whole, np.concatenate([left, right]), equal_nan=True)


@pytest.mark.parametrize("samples", [None, 4])
@pytest.mark.parametrize("solver", [pg.EGPO(0.1, 0.5), pg.ONPO(0.0, 1.0), pg.FictitiousPlay()], ids=repr)
def test_a_solver_on_20_of_40_runs_is_bit_identical(solver, samples):
    """Nothing differs between runs but their random streams; exact runs are all the same."""

    def policies(runs, first_run=0):
        arena = pg.TableArena(
            pg.games.cyclic(5, 0.8).with_reference([0.3, 0.1, 0.2, 0.3, 0.1]),
            runs=runs,
            seed=3,
            samples=samples,
            first_run=first_run,
        )
        return pg.solve(solver, arena, rounds=50).policy

    whole = policies(40)
    assert np.array_equal(whole[:20], policies(20))
    assert np.array_equal(whole[20:], policies(20, first_run=20))
    if samples:
        assert len(np.unique(whole, axis=0)) == 40


@quick
@given(tables(runs=3, policies=3), arrays(np.float64, 3, elements=st.floats(0.05, 0.95)))
def test_a_weight_per_run_is_that_weight_alone(table, weights):
    arena, (a, b, c), _ = table
    grid = (
        arena.mirror_step(a, b, weights),
        arena.geometric_mixture((weights, a), (1 - weights, c)),
        arena.mixture((weights, a), (1 - weights, c)),
        arena.tilt(a, b - c if np.isfinite(b).all() else np.zeros_like(b), weights),
    )
    for s, w in enumerate(map(float, weights)):
        alone = (
            arena.mirror_step(a, b, w),
            arena.geometric_mixture((w, a), (1 - w, c)),
            arena.mixture((w, a), (1 - w, c)),
            arena.tilt(a, b - c if np.isfinite(b).all() else np.zeros_like(b), w),
        )
        for many, one in zip(grid, alone, strict=True):
            assert np.array_equal(many[s], one[s])


@pytest.mark.parametrize("weight", [np.ones(2), np.ones((3, 1)), [0.1, 0.2]])
def test_a_weight_of_the_wrong_shape_is_refused(weight):
    arena = pg.TableArena(pg.games.comal3(), runs=3)
    for verb in (
        lambda: arena.mirror_step(arena.reference, arena.reference, weight),
        lambda: arena.geometric_mixture((weight, arena.reference), (1.0, arena.reference)),
        lambda: arena.mixture((weight, arena.reference), (1.0, arena.reference)),
    ):
        with pytest.raises(ValueError, match="one per run"):
            verb()


# -- sampled feedback ------------------------------------------------------------------------------------


def test_sampled_duels_count_what_was_asked_and_average_to_the_expectation():
    game = pg.games.stack([pg.games.comal3(), pg.games.biased_rps()])
    arena = pg.TableArena(game, runs=400, seed=1, samples=25)
    a, b = arena.policy([0.5, 0.2, 0.3]), arena.policy([0.1, 0.1, 0.8])
    wins = arena.duel(a, b).wins
    assert (wins.sum(axis=(-1, -2)) == 25).all()
    exact = slow_duel(game, arena.probs(a), arena.probs(b))
    close(wins.mean(axis=0) / 25, exact[0], 6 * 0.5 / math.sqrt(400 * 25))
    close(arena.win_rate(a, b).mean(), slow_win_rate(game, arena.probs(a), arena.probs(b))[0], 0.03)


# -- P + P' = 1 ------------------------------------------------------------------------------------------

MADE = {
    "cyclic": lambda: pg.games.cyclic(7, 0.83),
    "even cycle": lambda: pg.games.cyclic(6, 0.3),
    "rock_paper_scissors": pg.games.rock_paper_scissors,
    "comal3": pg.games.comal3,
    "biased_rps": pg.games.biased_rps,
    "perturbed_rps": pg.games.perturbed_rps,
    "dice": pg.games.dice,
    "raters": lambda: pg.games.raters(0.07),
    "six_rankers": pg.games.six_rankers,
    "bradley_terry": lambda: pg.games.bradley_terry([0.1, 40.0, -3.0]),
    "random_skew": lambda: pg.games.random_skew(30, 0),
    "uniform_random": lambda: pg.games.uniform_random(30, 0),
    "blotto": lambda: pg.games.blotto(5, 3),
    "disc": lambda: pg.games.disc(9),
    "skill_and_cycles": lambda: pg.games.skill_and_cycles(9, 0.6),
    "low_rank": lambda: pg.games.low_rank(np.random.default_rng(0).normal(size=(2, 8, 4))),
    "hidden_rps": lambda: pg.games.hidden_rps(tau=0.1),
    "needle": lambda: pg.games.needle(tau=0.1),
    "duel": lambda: pg.games.duel(0.9),
    "clones": lambda: pg.games.clones(pg.games.comal3(), [1, 3, 2]),
    "stack": lambda: pg.games.stack([pg.games.comal3(), pg.games.six_rankers()]),
    "with_reference": lambda: pg.games.comal3().with_reference([0.2, 0.2, 0.6]),
    "prompt": lambda: pg.games.stack([pg.games.comal3(), pg.games.duel(0.1)]).prompt(1),
    "symmetrise": lambda: pg.PreferenceGame(np.random.default_rng(0).random((5, 5)), symmetrise=True),
    "rounding": lambda: pg.PreferenceGame(pg.games.comal3().P[0] + 4e-10),
}


def assert_preference(game):
    assert np.array_equal(game.skew, -np.swapaxes(game.skew, 1, 2))
    assert np.abs(game.P + np.swapaxes(game.P, 1, 2) - 1).max() <= 2.3e-16
    assert game.P.min() >= 0 and game.P.max() <= 1
    assert (np.diagonal(game.P, axis1=1, axis2=2) == 0.5).all()
    close(game.reference.sum(axis=-1), 1.0, 1e-15 * game.responses)
    close(game.prompt_weights.sum(), 1.0, 1e-14)


@pytest.mark.parametrize("name", MADE)
def test_constructors_make_preferences(name):
    assert_preference(MADE[name]())


@quick
@given(preference_games(), preference_games(), st.integers(1, 3))
def test_operations_keep_preferences(first, second, copies):
    assert_preference(first)
    stacked = pg.games.stack([first, second])
    assert_preference(stacked)
    assert_preference(pg.games.clones(first, copies))
    assert_preference(
        first.with_reference(second.reference[0]) if second.responses == first.responses else first
    )
    for x in range(stacked.prompts):
        assert_preference(stacked.prompt(x))
    assert stacked.support.sum() == first.support.sum() + second.support.sum()
