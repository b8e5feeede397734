"""The responses that a buffer of pairs determines least, by elliptic widths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llm_backend.context import Context
from llm_backend.policies.handles import Answers, Policy
from llm_backend.spaces.draws import Draws, Floats, by_prompt
from llm_backend.spaces.protocol import ListedSpace
from llm_backend.verbs.evidence import Buffer, Duels

DIRECTIONS = 64  # dimensions that last hidden states are projected to


def least_known(context: Context, buffer: Buffer, policy: Policy) -> Answers:
    """Per prompt the response y of largest width |phi(y) - phi(policy)| in the inverse of I + sum gap gap'.

    gap = phi(y) - phi(y') of the pairs in the buffer. In an enumerable game phi are unit vectors and y is any
    response. In free text phi are projected last hidden states, and y is one of `samples` draws each of the
    policy and the reference, for the prompts of the next round.
    """
    listed = context.space.listed
    return _by_features(context, buffer, policy) if listed is None else _of_list(listed, buffer, policy)


def _of_list(listed: ListedSpace, buffer: Buffer, policy: Policy) -> Answers:
    """argmax_y over all responses to each prompt, with one matrix per prompt."""
    met = Duels(buffer.draws, buffer.pairs, np.ones((len(buffer.pairs), 2)))
    support = listed.support
    counts = met.table(support.shape) if len(buffer.pairs) else np.zeros((*support.shape, support.shape[1]))
    chosen = []
    for x, p in enumerate(listed.probs(policy)):
        both = counts[x] * (1 - np.eye(len(p)))  # symmetric: a pair counts in both of its orders
        inverse = np.linalg.inv(np.eye(len(p)) + np.diag(both.sum(axis=1)) - both)
        width = elliptic(np.eye(len(p)) - p, inverse)
        chosen.append(int(np.argmax(np.where(support[x], width, -np.inf))))
    return listed_answers(listed, chosen)


def _by_features(context: Context, buffer: Buffer, policy: Policy) -> Answers:
    """argmax_y over drawn candidates, with one matrix for all prompts."""
    ours = context.draw(policy, "own", ahead=1)
    candidates = Draws.join([ours, context.draw(context.reference, "candidates", ahead=1)])
    phi = _projected(context, candidates)
    metric = np.eye(phi.shape[1])
    if len(buffer.pairs):
        seen = _projected(context, buffer.draws)
        gap = seen[buffer.pairs[:, 0]] - seen[buffer.pairs[:, 1]]
        metric = np.linalg.inv(metric + gap.T @ gap)
    of_policy, rows = by_prompt(ours, len(context.prompts)), by_prompt(candidates, len(context.prompts))
    answers = {}
    for x in context.round_prompts(ahead=1):
        width = elliptic(phi[rows[x]] - phi[of_policy[x]].mean(axis=0), metric)
        answers[x] = candidates.texts[rows[x][int(width.argmax())]]
    return answering(answers, len(context.prompts))


def elliptic(offset: Floats, metric: NDArray[np.floating]) -> Floats:
    """The widths o' M o, float64[B], of offsets float64[B, D] in a metric float64[D, D]."""
    return np.einsum("yi,ij,yj->y", offset, metric, offset)


def _projected(context: Context, draws: Draws) -> Floats:
    """Last hidden states float64[B, d] in fixed random directions, of about unit length."""
    raw = context.features([context.prompts[x] for x in draws.prompt], list(draws.texts))
    raw = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    size = raw.shape[1]
    if size <= DIRECTIONS:
        return raw
    directions = np.random.default_rng(context.seed).normal(size=(size, DIRECTIONS)) / np.sqrt(DIRECTIONS)
    return raw @ directions


def listed_answers(listed: ListedSpace, columns: list[int]) -> Answers:
    """The policy that answers prompt x by the response in column `columns[x]`, X columns in all."""
    return answering({x: listed.texts[x][y] for x, y in enumerate(columns)}, len(columns))


def answering(texts: Mapping[int, str], prompts: int) -> Answers:
    """The policy that answers prompt x of X = `prompts` by `texts[x]`; it has no answer if x is missing."""
    known = [[texts[x]] if x in texts else [] for x in range(prompts)]
    return Answers(tuple(map(tuple, known)), tuple(np.ones(len(each)) for each in known))
