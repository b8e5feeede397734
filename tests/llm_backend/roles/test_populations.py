"""Populations of pairs on a language model are those of the table; sampled meetings are pure and batched."""

import numpy as np
import pytest

import pgames as pg
from llm_backend.policies.handles import BASE, Answers, digest_of
from llm_backend.roles import Seed
from llm_backend.roles.play import reading
from llm_backend.spaces.free import Free
from pgames.arena import Pair
from pgames.population import Everybody, Uniform, mixed
from tests.support.llm_oracles import trained
from tests.support.llm_roles import RATES, free_roles, listed_roles, says_d

BEST = pg.BestResponse(0.2)
WITHIN = 0.01


@pytest.fixture(scope="module")
def arena():
    return listed_roles()


def beside(arena, rates=RATES):
    """The table whose references are those of the language model."""
    p, q = arena.probs(arena.reference)
    return pg.RoleArena(pg.PromptRoles(rates, p[0], q[0]))


def far(arena, policy, table, other):
    """The largest total variation of the two roles."""
    pairs = zip(arena.probs(policy), table.halves(other), strict=True)
    return max(0.5 * np.abs(mine - theirs).sum(axis=-1).max() for mine, theirs in pairs)


def members_of(state):
    """The members, which a league keeps in their states."""
    first = state.memory[0]
    return [one.policy if isinstance(one, pg.State) else one for one in first]


@pytest.mark.parametrize(
    ("solver", "rounds"),
    [
        (pg.PSRO(oracle=BEST), 2),
        (pg.PSRO(Uniform(), BEST), 2),
        (pg.AnytimePSRO(oracle=BEST), 2),
        (pg.League(pg.INPO(0.2, 1.0), 2, match=Everybody(self_play=0.5)), 2),
        (pg.MainAndExploiters(pg.INPO(0.2, 1.0), every=1, limit=2), 2),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else "",
)
def test_populations_of_pairs_are_those_of_the_table(arena, solver, rounds):
    table = beside(arena)
    ours, theirs = pg.solve(solver, arena, rounds), pg.solve(solver, table, rounds)
    assert far(arena, ours.policy, table, theirs.policy) < WITHIN
    assert len(members_of(ours)) == len(members_of(theirs))
    for one, other in zip(members_of(ours), members_of(theirs), strict=True):
        assert far(arena, one, table, other) < WITHIN
    if isinstance(solver, pg.PSRO | pg.League):
        ours, theirs = ours.memory[1], theirs.memory[1]
        np.testing.assert_allclose(ours.success, theirs.success, atol=WITHIN)
        np.testing.assert_array_equal(ours.games, theirs.games)


def test_another_game_or_meta_solver_is_further_off(arena):
    """Negative control of the bound above."""
    ours = pg.solve(pg.PSRO(oracle=BEST), arena, 2).policy
    even = pg.solve(pg.PSRO(Uniform(), BEST), beside(arena), 2).policy
    other = beside(arena, 1 - RATES)
    assert far(arena, ours, beside(arena), even) > 5 * WITHIN
    assert far(arena, ours, other, pg.solve(pg.PSRO(oracle=BEST), other, 2).policy) > 5 * WITHIN


def test_the_mixture_against_all_is_the_least_exploitable():
    """Of two seeds, whose attacks share the weights of the members."""
    arena = listed_roles(seeds=("s", "t"), spread=1.0)
    members = [arena.reference, *(trained_pair(arena.lm, n) for n in range(3))]
    best = arena.against_all(members)
    gap = arena.exploitability(mixed(arena, best.weights, members))
    assert best.weights.shape == (1, 2, 4)
    assert gap == pytest.approx(float(best.exploitability[0]), abs=1e-9)
    assert gap <= min(arena.exploitability(one) for one in members) + 1e-9
    for weights in np.random.default_rng(0).dirichlet(np.ones(4), size=(20, 2)):
        assert arena.exploitability(mixed(arena, weights[None], members)) >= gap - 1e-9
    joined = [arena.join(one, other) for one in members for other in members]
    held = arena.win_rates(joined, [best.opponent])[0, :, 0] - 0.5
    assert held.max() == pytest.approx(-gap, abs=1e-9)


def trained_pair(lm, n):
    return Pair(trained(lm, 2 * n), trained(lm, 2 * n + 1))


def test_answers_to_all_listed_attacks_are_read_in_a_sampled_round():
    exact = listed_roles()
    sampled = listed_roles(samples=64, replies=8, seed=3, lm=exact.lm)
    best = np.eye(4)[RATES.argmin(axis=1)]
    guard = Pair(BASE, Answers((tuple(f"b{j}" for j in range(4)),) * 5, tuple(best)))
    found, truth = (one.win_rates([one.reference], [guard])[0, 0, 0] for one in (sampled, exact))
    assert found == pytest.approx(truth, abs=0.05)
    assert sampled.success(BASE, guard.defender) < exact.success(BASE, BASE) - 0.05
    where = sampled.rules.context(1, ["c"], sampled._attacking.judge, 0, 1)
    with pytest.raises(ValueError, match="a set of answers to the listed attacks has none to 'c'"):
        reading(sampled.rules, where, guard.defender)


def test_sampled_meetings_keep_to_the_truth_and_anytime_psro_plays_them():
    exact = listed_roles()
    sampled = listed_roles(samples=200, replies=4, seed=1, lm=exact.lm)
    members = [
        exact.reference,
        Pair(trained(sampled.lm, 0, 1.0), BASE),
        Pair(BASE, trained(sampled.lm, 1, 1.0)),
    ]
    met = sampled.meet(members, [[0, 1], [1, 2], [0, 2]])
    for i, j in np.ndindex(3, 3):
        truth = exact.success(members[i].attacker, members[j].defender)
        assert met.success[0, i, j] == pytest.approx(truth, abs=0.12)
    assert (met.halves.games[0, ::2, 1::2] == 800).all()
    few = listed_roles(samples=6, replies=3)
    state = pg.solve(pg.AnytimePSRO(oracle=BEST), few, 1)
    assert len(state.memory[0]) == 2 and isinstance(state.memory[1].defender, Answers)


@pytest.fixture(scope="module")
def free():
    asked = []

    def success(prompts, answers):
        asked.append(len(answers))
        return says_d(prompts, answers)

    arena = free_roles(success=success, samples=6)
    members = [arena.reference, *(trained_pair(arena.lm, n) for n in range(2))]
    return arena, members, asked


def test_a_population_is_drawn_in_shared_batches_and_judged_at_once(free, monkeypatch):
    arena, members, asked = free
    requests, each = [], Free.draw_each

    def counted(self, some, n, which=None):
        requests.append(len(some))
        return each(self, some, n, which)

    monkeypatch.setattr(Free, "draw_each", counted)
    asked.clear()
    met = arena.at(7).meet(members, [[0, 1], [0, 2], [1, 2]])
    assert requests == [3, 3, 3, 3]  # the attackers, and for each of them all defenders
    assert len(asked) == 1 and np.isfinite(met.known()).all()
    assert (met.halves.games[0, ::2, 1::2] == 2 * 6 * 3).all()  # seeds, attacks, answers
    requests.clear()
    arena.at(7).meet(members, [[2, 0], [2, 1]])  # as PSRO asks of a new member
    assert sum(requests) == 3 + (3 + 2 + 2)  # each meets the new one and itself


def test_a_rate_depends_on_its_two_pairs_alone(free):
    arena, members, _ = free
    every = arena.at(3).meet(members, [[0, 1], [0, 2], [1, 2]])
    some = arena.at(3).meet(members[1:], [[0, 1]])
    np.testing.assert_array_equal(every.success[:, 1:, 1:], some.success)
    rates = arena.at(3).win_rates(members, members)[0]
    np.testing.assert_allclose(every.rates[0], rates, atol=1e-15)
    again = free_roles(samples=6, lm=arena.lm).at(3).meet(members, [[0, 1], [0, 2], [1, 2]])
    np.testing.assert_array_equal(again.rates, every.rates)
    assert (arena.at(4).meet(members, [[0, 1], [0, 2], [1, 2]]).rates != every.rates).any()
    twice = arena.at(3).meet(members[:2], [[0, 1], [1, 0]])
    assert twice.games[0, 0, 1] == 2 * every.games[0, 0, 1]


def test_a_refused_attack_is_a_lost_game(free):
    arena, members, _ = free
    view = arena.at(11)
    met = view.meet(members[:1], [])
    assert view.refused and met.halves.games[0, 0, 1] == 36
    always = free_roles(success=lambda prompts, answers: np.ones(len(answers)), samples=6, lm=arena.lm).at(11)
    won = always.meet(members[:1], []).success[0, 0, 0]
    assert won == pytest.approx(1 - len(always.refused) / 12)


def test_a_view_of_one_role_holds_the_other_in_every_member(arena):
    members = [trained_pair(arena.lm, n) for n in range(2)]
    view = arena.only("attacker", arena.reference)
    met = view.meet(members, [[0, 1]])
    for i in range(2):
        wanted = arena.success(members[i].attacker, BASE)
        np.testing.assert_allclose(met.success[0, i], wanted, atol=1e-12)


def test_a_population_of_pairs_goes_on_from_the_disk(arena, tmp_path):
    solver, state = pg.PSRO(oracle=BEST), pg.solve(pg.PSRO(oracle=BEST), arena, 1)
    arena.save(state, tmp_path / "psro")
    other = listed_roles()
    back = other.load(tmp_path / "psro")
    here, there = solver.step(arena.at(1), state), solver.step(other.at(1), back)
    assert [digest_of(half) for half in here.policy] == [digest_of(half) for half in there.policy]
    np.testing.assert_array_equal(back.memory[1].success, state.memory[1].success)
    anytime = pg.AnytimePSRO(oracle=BEST).init(arena)
    arena.save(anytime, tmp_path / "anytime")
    opponent = arena.load(tmp_path / "anytime").memory[1]
    assert [digest_of(half) for half in opponent] == [digest_of(half) for half in anytime.memory[1]]


def test_refusals(arena, free):
    open_ended, members, _ = free
    with pytest.raises(AttributeError, match=r"list of texts for each role.*pass attacks=\[...\]"):
        pg.AnytimePSRO().init(open_ended)
    for ask in (lambda: arena.against_all([]), lambda: arena.win_rates([], members)):
        with pytest.raises(ValueError, match="at least one member"):
            ask()
    with pytest.raises(ValueError, match="members 0 to 2, got numbers 0 to 3"):
        open_ended.meet(members, [[0, 3]])
    with pytest.raises(TypeError, match=r"member 1 must be a Pair\(attacker, defender\)"):
        open_ended.meet([members[0], BASE], [[0, 1]])
    with pytest.raises(ValueError, match="against_all needs both roles"):
        arena.only("attacker", arena.reference).against_all([arena.reference])
    secret = free_roles([Seed("a", secret="c"), Seed("b")], samples=4, lm=open_ended.lm)
    texts = Answers((("c",), ("c",)), (np.ones(1),) * 2)
    with pytest.raises(ValueError, match="all 4 attacks on seed 0 are refused"):
        secret.meet([secret.reference, Pair(texts, BASE)], [[0, 1]])
