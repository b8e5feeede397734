"""What a growing tree asks of its space, as requests, so that many trees can be answered in one batch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tokens = tuple[int, ...]
Kind = Literal["expand", "complete", "judge"]


class Actions(NamedTuple):
    """The V ways on from a prefix.

    pieces : what each appends, at least one token.
    prior : float64[V], their probabilities.
    final : bool[V], whether the prefix with it is a complete response.
    """

    pieces: tuple[Tokens, ...]
    prior: Floats
    final: NDArray[np.bool_]


class Space(Protocol):
    """The responses to one prompt, as one policy gives them and one opponent meets them."""

    def expand(self, prefixes: Sequence[Tokens]) -> list[Actions]:
        """The actions of each prefix; none is a complete response."""
        ...

    def complete(self, prefixes: Sequence[Tokens], randoms: Sequence[np.random.Generator]) -> list[Tokens]:
        """A response that begins with each prefix, drawn from the policy: one rollout each."""
        ...

    def judge(self, responses: Sequence[Tokens]) -> Floats:
        """P(response > opponent), float64[B]: one verdict each."""
        ...


class Request(NamedTuple):
    """A call of a space: what is asked, of which prefixes or responses, with which random numbers."""

    kind: Kind
    rows: list[Tokens]
    randoms: list[np.random.Generator]


Growth = Generator[Request, Any, int]  # the replies are sent; the result is the number of verdicts asked for


def reply(space: Space, request: Request) -> Any:
    """What the space answers."""
    if request.kind == "expand":
        return space.expand(request.rows)
    if request.kind == "complete":
        return space.complete(request.rows, request.randoms)
    return space.judge(request.rows)


def alone(growth: Growth, space: Space) -> int:
    """Let one tree grow; returns the verdicts asked for."""
    try:
        request = next(growth)
        while True:
            request = growth.send(reply(space, request))
    except StopIteration as end:
        return end.value


def together(
    growths: Sequence[Growth], replies: Callable[[Kind, list[tuple[int, Request]]], list[Any]]
) -> list[int]:
    """Let several trees grow side by side; returns the verdicts that each asked for.

    replies : called with the requests of a kind that wait, each with the number of its tree.
    """
    asked, waiting = [0] * len(growths), dict[int, Request]()

    def go_on(i: int, answer: Any) -> None:
        try:
            waiting[i] = growths[i].send(answer)
        except StopIteration as end:
            asked[i] = end.value

    for i in range(len(growths)):
        go_on(i, None)
    while waiting:
        kind = next(iter(waiting.values())).kind  # of the tree that has waited longest
        group = [(i, request) for i, request in waiting.items() if request.kind == kind]
        for i, _ in group:
            del waiting[i]
        for (i, _), answer in zip(group, replies(kind, group), strict=True):
            go_on(i, answer)
    return asked
