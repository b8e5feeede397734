"""Which pairs a league judges next: by hand, and fewer verdicts for the same precision on a known league."""

import numpy as np
import pytest

pytest.importorskip("torch")

import pgames as pg
from llm_backend.league import matches
from llm_backend.league.players import Member, Pool
from llm_backend.league.settings import LeagueSettings
from pgames.meetings import Meetings, no_meetings
from pgames.population import Even, Hard, Latest, Nash
from pgames.solver import State

K, GAMES, MATCHES = 12, 6, 6  # members, verdicts of a match, matches of a round


def pool_of(met, learners=2, outside=0):
    """Members of which the first learn and the last play from outside."""
    kinds = ["learner" if i < learners else "frozen" for i in range(met.members - outside)]
    own = [Member(f"m{i}", kind, 0, State(0, None)) for i, kind in enumerate(kinds)]
    far = [Member(f"far{i}", "outside", -1, None) for i in range(outside)]
    return Pool(0, (*own, *far), met)


def settings(count):
    return LeagueSettings(members=[], matches=count)


def evenly(met, rng):
    """As many pairs, all alike."""
    pairs = np.argwhere(np.triu(np.ones((K, K)), 1))
    out = np.zeros((K, K), np.int64)
    out[tuple(pairs[rng.choice(len(pairs), MATCHES, replace=False)].T)] = 1
    return out


def gaps_after(game, checks, seed, chosen):
    """The gap, in the true game, of the Nash of the estimates after so many verdicts."""
    P, met = game.P[0], no_meetings(K)
    rng, truth, found, told = np.random.default_rng([seed, 7]), pg.TableArena(game), [], 0
    for t in range(10**6):
        if t and chosen:
            times = matches.times(pool_of(met), settings(MATCHES), Hard(), Nash(), (seed, t))
        else:
            times = evenly(met, rng) if t else np.triu(np.ones((K, K), np.int64), 1)
        rates, games = np.full((K, K), np.nan), np.zeros((K, K))
        for i, j in np.argwhere(times):
            rates[i, j] = rng.binomial(GAMES, P[i, j]) / GAMES
            rates[j, i], games[i, j], games[j, i] = 1 - rates[i, j], GAMES, GAMES
        np.fill_diagonal(rates, 0.5)
        np.fill_diagonal(games, np.inf)
        met = met + Meetings(rates[None], games[None])
        told += int(times.sum()) * GAMES
        if told >= checks[len(found)]:
            weights = Nash()(met.known())[0]
            found.append(2 * float(truth.exploitability(truth.policy(weights))[0]))
            if len(found) == len(checks):
                return found
    raise AssertionError


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: pg.games.skill_and_cycles(K, 0.5, seed),
        pytest.param(lambda seed: pg.games.random_skew(K, seed), marks=pytest.mark.slow),
    ],
    ids=["skill_and_cycles", "random_skew"],
)
def test_half_the_verdicts_of_an_even_schedule(make):
    """Mean gaps of 24 leagues after 1500 and 3000 verdicts: chosen .069 and .046, even .093 and .083.

    On random games .087 and .071, even .116 and .092. Shares of `match` alone gave .124 and .126, and
    .160 and .166.
    """
    checks = (1500, 3000)
    chosen, even = (
        np.mean([gaps_after(make(seed), checks, seed, how) for seed in range(24)], axis=0)
        for how in (True, False)
    )
    assert chosen[0] < 1.1 * even[1], "half the verdicts"
    assert chosen[0] < 0.85 * even[0] and chosen[1] < 0.85 * even[1]


def known(games):
    """Meetings of four members, all even, with so many games float64[4, 4]."""
    games = np.array(games, dtype=float)
    np.fill_diagonal(games, np.inf)
    return Meetings(np.where(games > 0, 0.5, np.nan)[None], games[None])


def drawn(pool, count, match, meta, seeds=400):
    """How often each pair is drawn, float64[K, K]."""
    return np.mean([matches.times(pool, settings(count), match, meta, (1, s)) for s in range(seeds)], axis=0)


def test_pairs_that_never_met_come_first_and_few_games_before_many():
    games = np.full((4, 4), 50.0)
    games[0, 3] = games[3, 0] = 0
    times = matches.times(pool_of(known(games)), settings(2), Even(), Nash(), (1, 2))
    assert times[0, 3] == 1 and times.sum() == 2
    games[0, 3] = games[3, 0] = 2
    often = drawn(pool_of(known(games), learners=4), 1, Even(), Nash())
    assert often[0, 3] > 2 * np.delete(often[np.triu_indices(4, 1)], 2).max()


def test_those_whom_match_puts_together_come_before_others():
    """Member 0 alone learns, and the answer is the last member: pairs without either are hardly judged."""
    often = drawn(pool_of(known(np.full((4, 4), 20.0)), learners=1), 1, Even(), Latest())
    assert often[0, 3] > often[0, 1] > 3 * often[1, 2] and often[1, 3] > 3 * often[1, 2]


def test_outside_players_answer_nothing_and_exact_pairs_are_not_judged():
    games = np.full((4, 4), 20.0)
    games[0, 1] = games[1, 0] = np.inf
    often = drawn(pool_of(known(games), learners=1, outside=1), 4, Even(), Latest())
    assert often[0, 1] == 0 and often[2, 3] > 0  # whom the answer, m2, may lose to
    all_exact = known(np.full((4, 4), np.inf))
    assert matches.times(pool_of(all_exact), settings(3), Even(), Nash(), (1, 2)).sum() == 0


def test_all_pairs_meet_where_there_is_room():
    assert matches.times(pool_of(no_meetings(4)), settings(0), Hard(), Nash(), (1, 2)).sum() == 6
    assert matches.times(pool_of(no_meetings(4)), settings(6), Hard(), Nash(), (1, 2)).sum() == 6
