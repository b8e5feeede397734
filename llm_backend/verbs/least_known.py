"""Which responses a buffer of pairs says least about, by elliptic widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llm_backend.judges.learned import LastLayer
from llm_backend.policies.handles import Answers, Policy
from llm_backend.spaces.draws import Draws, Floats, by_prompt
from llm_backend.verbs.evidence import Buffer, Duels

if TYPE_CHECKING:
    from llm_backend.arena import TextArena

DIRECTIONS = 64  # that last hidden states are projected to


def least_known(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """`TextArena.least_known`."""
    return _of_list(arena, buffer, policy) if arena.listed else _by_features(arena, buffer, policy)


def _of_list(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """argmax_y |e_y - policy| in the inverse of I + sum (e_y - e_y')(e_y - e_y')', per prompt."""
    met = Duels(buffer.draws, buffer.pairs, np.ones((len(buffer.pairs), 2)))
    support = arena.space.support
    counts = met.table(support.shape) if len(buffer.pairs) else np.zeros((*support.shape, support.shape[1]))
    answers = {}
    for x, p in enumerate(arena.space.probs(policy)):
        both = counts[x] * (1 - np.eye(len(p)))  # symmetric: a pair counts for both of its orders
        inverse = np.linalg.inv(np.eye(len(p)) + np.diag(both.sum(axis=1)) - both)
        offset = np.eye(len(p)) - p
        width = np.einsum("yi,ij,yj->y", offset, inverse, offset)
        best = int(np.argmax(np.where(support[x], width, -np.inf)))
        answers[x] = arena.space.texts[x][best]
    return answering(arena, answers)


def _by_features(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """The same with projected last hidden states, one matrix for all prompts, and drawn candidates."""
    own = arena.draw(policy, "own", ahead=1)
    candidates = Draws.join([own, arena.draw(arena.reference, "candidates", ahead=1)])
    phi = _projected(arena, candidates)
    metric = np.eye(phi.shape[1])
    if len(buffer.pairs):
        seen = _projected(arena, buffer.draws)
        gap = seen[buffer.pairs[:, 0]] - seen[buffer.pairs[:, 1]]
        metric = np.linalg.inv(metric + gap.T @ gap)
    theirs, rows = by_prompt(own, len(arena.prompts)), by_prompt(candidates, len(arena.prompts))
    answers = {}
    for x in arena.turn(ahead=1):
        offset = phi[rows[x]] - phi[theirs[x]].mean(axis=0)
        width = np.einsum("yi,ij,yj->y", offset, metric, offset)
        answers[x] = candidates.texts[rows[x][int(width.argmax())]]
    return answering(arena, answers)


def _projected(arena: TextArena, draws: Draws) -> Floats:
    """Last hidden states float64[B, d] in fixed random directions, of about unit length."""
    raw = features(arena)([arena.prompts[x] for x in draws.prompt], list(draws.texts))
    raw = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    size = raw.shape[1]
    if size <= DIRECTIONS:
        return raw
    directions = np.random.default_rng(arena.seed).normal(size=(size, DIRECTIONS)) / np.sqrt(DIRECTIONS)
    return raw @ directions


def features(arena: TextArena) -> LastLayer:
    """The base's last hidden states of responses, remembered."""
    if "features" not in arena._known:
        arena._known["features"] = LastLayer(arena.lm)
    return arena._known["features"]


def answering(arena: TextArena, texts: dict[int, str]) -> Answers:
    """The policy that gives these answers to these prompts, and none to others."""
    known = [[texts[x]] if x in texts else [] for x in range(len(arena.prompts))]
    return Answers(tuple(map(tuple, known)), tuple(np.ones(len(each)) for each in known))
