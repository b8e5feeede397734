"""Speed of populations: many pairings at once, and double oracle against OpenSpiel and the direct solver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

import pgames as pg
from benchmarks.timing import NOT_INSTALLED, Row, cpu_seconds, folder_of, report, timed, toy_asked

POLICIES, RESPONSES = 1000, 200
BLOTTO = (10, 4)  # coins, fields: 286 responses
PATIENCE = 100.0  # CPU seconds given to OpenSpiel
CLOSE = 1e-12  # gap at which double oracle stops


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the tables and write league.json."""
    policies, coins = (20, (4, 3)) if toy else (POLICIES, BLOTTO)
    tables = [
        (f"Pairings of {policies} policies on {RESPONSES} responses, CPU seconds", pairings(policies)),
        (f"Double oracle on Blotto{coins}, CPU seconds", double_oracle(coins, 10.0 if toy else PATIENCE)),
    ]
    return report("league", tables, folder_of(toy, folder))


def pairings(policies: int) -> Iterator[Row]:
    """All pairs in one question, the same as exact meetings, and one by one (a thousandth of them)."""
    arena = pg.TableArena(pg.games.random_skew(RESPONSES, 0))
    rng = np.random.default_rng(0)
    members = [arena.policy(row) for row in rng.dirichlet(np.ones(RESPONSES), size=policies)]
    pairs = np.argwhere(np.tri(policies, k=-1))
    together = cpu_seconds(lambda: arena.win_rates(members, members))
    meetings = cpu_seconds(lambda: arena.meet(members, pairs))
    few = max(policies // 1000, 1)
    alone = cpu_seconds(lambda: [arena.win_rate(a, b) for a in members[:few] for b in members])
    yield {
        "pairs": policies**2,
        "one question": together,
        "as meetings": meetings,
        "one by one, us a pair": 1e6 * alone / (few * policies),
        "ratio": alone / few * policies / together,
    }


def double_oracle(blotto: tuple[int, int], patience: float) -> Iterator[Row]:
    """PSRO with mixed and with pure best responses, the exact Nash at once, and OpenSpiel's psro_v2."""
    game = pg.games.blotto(*blotto)
    arena = pg.TableArena(game)
    ours = None
    solvers = {"PSRO, tied best responses mixed": pg.PSRO(), "PSRO, pure": pg.PSRO(oracle=First())}
    for name, solver in solvers.items():
        seconds, state = timed(lambda solver=solver: _until_close(solver, arena))
        ours = ours or seconds
        gap = 2 * float(arena.exploitability(state.policy)[0])
        yield {"method": name, "calls": state.t, "seconds": seconds, "gap": gap}
    yield {
        "method": "pgames.nash, all responses listed",
        "seconds": cpu_seconds(lambda: pg.nash(game)),
        "gap": 2 * pg.nash(game).exploitability,
    }
    try:
        yield _open_spiel(blotto, game, patience, ours or 1.0)
    except ImportError:
        yield {"method": "OpenSpiel psro_v2", "note": NOT_INSTALLED}


class First:
    """The first of the best responses: a pure one, as OpenSpiel's oracle adds."""

    target = 0.0

    def init(self, arena: Any) -> pg.State:
        return pg.State(0, arena.reference)

    def step(self, arena: Any, state: pg.State) -> pg.State:
        best = np.exp(arena.mirror_step(arena.reference, state.policy, np.inf))
        return pg.State(state.t + 1, arena.policy(np.eye(best.shape[-1])[best.argmax(axis=-1)]))


def _until_close(solver: pg.PSRO, arena: pg.TableArena) -> pg.State:
    """From the first response until the gap vanishes; from there on, calls add nothing."""
    state = solver.starting(arena, [arena.policy(np.eye(arena.game.responses)[0])])
    while 2 * arena.exploitability(state.policy)[0] > CLOSE:
        state = solver.step(arena, state)
    return state


def _open_spiel(blotto: tuple[int, int], game: pg.PreferenceGame, patience: float, ours: float) -> Row:
    """psro_v2 with exact best responses, for at most `patience` CPU seconds.

    Its own meta-solver "nash" needs ECOS, which it does not install; it gets our exact solver in its place.
    """
    import pyspiel
    from open_spiel.python import policy
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    rules = pyspiel.load_game_as_turn_based(f"blotto(coins={blotto[0]},fields={blotto[1]},players=2)")
    first = {}
    for player in (0, 1):
        table = policy.TabularPolicy(rules)
        table.action_probability_array[:] = 0.0
        table.action_probability_array[:, 0] = 1.0
        first[player] = table
    start = time.process_time()
    solver = psro_v2.PSROSolver(
        rules,
        best_response_oracle.BestResponseOracle(game=rules, policy=None),
        initial_policies=[first[0], first[1]],
        training_strategy_selector="probabilistic",
        number_policies_selected=1,
        meta_strategy_method=cast(Any, _nash_of_pools),  # annotated as text alone
        sims_per_entry=1,
        sample_from_marginals=True,
    )
    calls, gap = 0, np.inf
    while gap > CLOSE and time.process_time() - start < patience:
        solver.iteration()
        calls += 1
        gap = _gap(solver, rules, game)
    seconds = time.process_time() - start
    done = "" if gap <= CLOSE else f", stopped after {patience:g} s"
    name = f"OpenSpiel psro_v2, our meta-solver{done}"
    return {"method": name, "calls": calls, "seconds": seconds, "gap": float(gap), "ratio": seconds / ours}


def _nash_of_pools(solver: Any, return_joint: bool = False) -> Any:
    """The equilibrium of the two pools, and the joint distribution, as psro_v2 asks for them."""
    found = pg.nash_zero_sum(np.asarray(solver.get_meta_game()[0]))
    both = [found.row, found.column]
    return (both, np.outer(found.row, found.column).ravel()) if return_joint else both


def _gap(solver: Any, rules: Any, game: pg.PreferenceGame) -> float:
    """The sum of both players' gains from a best response to the other's mixture, in win rates."""
    played = []
    for player, (weights, pool) in enumerate(
        zip(solver.get_meta_strategies(), solver.get_policies(), strict=True)
    ):
        mixture = np.zeros(game.responses)
        for weight, one in zip(weights, pool, strict=True):
            mixture += weight * _row(one, player, rules, game.responses)
        played.append(mixture)
    first, second = played
    return float((game.skew[0] @ second).max() - (first @ game.skew[0]).min())


def _row(one: Any, player: int, rules: Any, responses: int) -> np.ndarray:
    """The probabilities of one of OpenSpiel's policies where the player decides."""
    state = rules.new_initial_state()
    if player == 1:
        state.apply_action(0)  # hidden from the second player
    row = np.zeros(responses)
    for action, probability in one.action_probabilities(state, player).items():
        row[action] = probability
    return row


if __name__ == "__main__":
    main(toy_asked())
