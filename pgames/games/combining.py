"""Games made of other games: copies of a response, and several games as the prompts of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import real


def clones(game: PreferenceGame, copies: int | Sequence[int]) -> PreferenceGame:
    """Replace response y by `copies[y]` identical ones that share its reference probability.

    Raises ValueError when a response has less than one copy, or no whole number of them.
    """
    game = as_game(game)
    given = real("copies", copies)
    if given.shape not in ((), (game.responses,)) or not (given == np.round(given)).all():
        raise ValueError(
            f"copies must be a whole number, or {game.responses}, one for each response, got {copies!r:.60}."
        )
    if not (given >= 1).all():
        raise ValueError(f"copies must be at least 1 for every response, got {given.min():g}.")
    counts = np.broadcast_to(given.astype(np.int64), (game.responses,))
    source = np.repeat(np.arange(game.responses), counts)
    labels = [
        game.labels[y] if counts[y] == 1 else f"{game.labels[y]}.{copy}"
        for y in range(game.responses)
        for copy in range(counts[y])
    ]
    P = game.P[:, source][:, :, source]
    return PreferenceGame(P, (game.reference / counts)[:, source], game.prompt_weights, labels)


def stack(games: Sequence[PreferenceGame]) -> PreferenceGame:
    """One game with the prompts of all `games`, with equal weight for each game.

    Smaller games are padded with responses of reference probability 0, which are outside the game. A label
    is that of the games which name the response, joined where they differ: "yes / left".
    Raises ValueError when there are no games, and TypeError for anything but games.
    """
    if not isinstance(games, Sequence) or isinstance(games, str):
        raise TypeError(f"stack needs a list of games, got {type(games).__name__}: pass [game, ...].")
    games = [as_game(game) for game in games]
    if not games:
        raise ValueError("stack needs at least one game, got none.")
    Y = max(game.responses for game in games)
    X = sum(game.prompts for game in games)
    P, reference, weights = np.full((X, Y, Y), 0.5), np.zeros((X, Y)), np.zeros(X)
    at = 0
    for game in games:
        rows, n = slice(at, at + game.prompts), game.responses
        P[rows, :n, :n], reference[rows, :n] = game.P, game.reference
        weights[rows] = game.prompt_weights / len(games)
        at += game.prompts
    return PreferenceGame(P, reference, weights, [_joined(games, y) for y in range(Y)])


def _joined(games: Sequence[PreferenceGame], y: int) -> str:
    """The names of response y in the games that have one; a number alone is not a name."""
    given = dict.fromkeys(game.labels[y] for game in games if game.responses > y)
    return " / ".join([name for name in given if name != str(y)] or given)
