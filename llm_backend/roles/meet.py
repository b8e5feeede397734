"""Many pairs in one question: every attacker writes once, and every defender answers all whom it meets.

Draws follow from (seed, round, policy), so a rate depends on its two policies alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from llm_backend.context import Context
from llm_backend.policies.handles import Policy, digest_of
from llm_backend.roles.exact import Fixed
from llm_backend.roles.play import Attacks, Rules, Table, defending, read, reading
from llm_backend.spaces.draws import Draws, Floats, Ints
from pgames.arena import Pair
from pgames.roles.meetings import RoleMeetings, role_matches


class Played(NamedTuple):
    """What the attacker of each pair (row) won of the defender of each (column).

    success : float64[K, K] in [0, 1], NaN where the two did not meet. games : float64[K, K], the verdicts,
    infinite in exact play. A refused attack counts as the verdicts on its answers, all of them 0.
    """

    success: Floats
    games: Floats


class Meeting:
    """The meetings of pairs in one round; context : that of the attacker."""

    def __init__(self, rules: Rules, table: Table, fixed: Fixed, context: Context):
        self.rules, self.table, self.fixed, self.context = rules, table, fixed, context

    def win_rates(self, firsts: Sequence[Pair[Policy]], seconds: Sequence[Pair[Policy]]) -> Floats:
        """P(first > second) of every two pairs, float64[1, K, L] in [0, 1]: the mean over both roles.

        Raises ValueError when there is no pair, and when all attacks on a seed are refused.
        """
        _check_pairs(firsts)
        _check_pairs(seconds)
        K, times = len(firsts), np.zeros((len(firsts) + len(seconds),) * 2, np.int64)
        times[:K, K:] = times[K:, :K] = 1
        success = self._played([*firsts, *seconds], times).success
        return np.clip(0.5 * (success[:K, K:] + (1 - success[K:, :K].T)), 0.0, 1.0)[None]

    def meet(self, members: Sequence[Pair[Policy]], pairs: Ints) -> RoleMeetings:
        """What pairs won in the matches int64[B, 2]; a further match draws further answers to each attack.

        Raises ValueError when `pairs` does not name members by their numbers, and as `win_rates` does.
        """
        _check_pairs(members)
        found = self._played(members, role_matches(len(members), pairs))
        return RoleMeetings.of_success(found.success[None], found.games[None])

    def _played(self, members: Sequence[Pair[Policy]], times: Ints) -> Played:
        return self._exact(members, times) if self.rules.exact else self._sampled(members, times)

    def _exact(self, members: Sequence[Pair[Policy]], times: Ints) -> Played:
        success, games = np.full(times.shape, np.nan), np.zeros(times.shape)
        asked = [self.fixed.asked(one.attacker) for one in members]
        worth = [self.fixed.worth(one.defender) for one in members]
        for i, j in np.argwhere(times):  # one by one: the bits of a rate depend on its two policies alone
            success[i, j] = np.clip((asked[i] * worth[j]).sum(axis=-1).mean(), 0.0, 1.0)
            games[i, j] = np.inf
        return Played(success, games)

    def _sampled(self, members: Sequence[Pair[Policy]], times: Ints) -> Played:
        """Every attacker is drawn once, every defender for all whom it meets; all verdicts are one batch."""
        attackers = [digest_of(one.attacker) for one in members]
        defenders = [digest_of(one.defender) for one in members]
        writing = np.flatnonzero(times.any(axis=1)).tolist()
        written = self._written({attackers[i]: members[i].attacker for i in writing})
        wanted: dict[tuple[int, int], dict[int, Policy]] = {}  # (attacker, matches) -> defenders
        for i, j in np.argwhere(times).tolist():
            who = wanted.setdefault((attackers[i], int(times[i, j])), {})
            who[defenders[j]] = members[j].defender
        rows: dict[tuple[int, int, int], slice] = {}
        prompts, answers = list[str](), list[str]()
        for (attacker, matches), who in wanted.items():
            attacks = written[attacker]
            for defender, draws in self._answered(attacks, who, matches).items():
                rows[attacker, defender, matches] = slice(len(answers), len(answers) + len(draws))
                prompts += [attacks.prompts[x] for x in draws.prompt]
                answers += draws.texts
        won = self.table.judged(self.rules.success, prompts, answers)
        success, games = np.full(times.shape, np.nan), np.zeros(times.shape)
        for i, j in np.argwhere(times):
            attacks = written[attackers[i]]
            mine = won[rows[attackers[i], defenders[j], int(times[i, j])]]
            games[i, j] = len(mine) // len(attacks.rows) * len(attacks.draws)
            success[i, j] = mine.sum() / games[i, j]
        return Played(success, games)

    def _written(self, attackers: Mapping[int, Policy]) -> dict[int, Attacks]:
        """The attacks of every attacker, drawn in shared batches."""
        self.table.turn(self.context.round)
        each = self.context.draw_members(list(attackers.values()))
        ordered = [draws.take(np.argsort(draws.prompt, kind="stable")) for draws in each]
        return {
            name: read(self.rules, self.table, self.context, draws)
            for name, draws in zip(attackers, ordered, strict=True)
        }

    def _answered(self, attacks: Attacks, defenders: Mapping[int, Policy], matches: int) -> dict[int, Draws]:
        """The answers of defenders to the attacks that they read, drawn in shared batches."""
        where = defending(self.rules, self.table, self.context, attacks.prompts)
        requests = [
            (reading(self.rules, where, one), (*where.key("meet"), name)) for name, one in defenders.items()
        ]
        each = where.space.draw_each(requests, matches * where.drawn)
        return dict(zip(defenders, each, strict=True))


def _check_pairs(members: Sequence[Pair[Policy]]) -> None:
    """Raises ValueError without members, TypeError for one that is no pair."""
    if len(members) == 0:
        raise ValueError("a population needs at least one member.")
    for i, one in enumerate(members):
        if not isinstance(one, Pair):
            raise TypeError(f"member {i} must be a Pair(attacker, defender), got {one!r:.60}.")
