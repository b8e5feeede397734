"""Responses of a policy: batched decoding, with geometric mixtures sampled token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from llm_backend.engines.local.randomness import choose, uniforms
from llm_backend.engines.local.rollout import Limits, decode
from llm_backend.engines.protocol import Responses
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Answers, Blend, Leaf, Policy, members


def generate(
    lm: LanguageModel,
    policy: Policy,
    prompt_ids: Sequence[Sequence[int]],
    n: int = 1,
    *,
    max_new_tokens: int,
    min_new_tokens: int = 0,
    temperature: float = 1.0,
    key: Sequence[int] = (0,),
    which: Sequence[int] | None = None,
    correct: int = 1,
    rows: int = 256,
) -> Responses:
    """`n` responses of a policy to each prompt.

    A geometric mixture is drawn token by token, prod_i pi_i(token | before) ** w_i normalised at every step.
    This is not the mixture of whole responses: their total variation is .03/.07/.11 at length 2/4/6 for two
    unrelated policies of weight 1/2, and .001/.003/.004 for weight .01. `correct` = m > 1 draws m candidates
    per response and keeps one by importance resampling; the result tends to the mixture of whole responses as
    m grows, at m times the cost. In a mixture this applies to the members that are geometric mixtures.

    Parameters
    ----------
    prompt_ids : token ids of X prompts.
    min_new_tokens : stop tokens are forbidden below this length, in drawing and in `logprobs`.
    temperature : pi_i(token) ~ exp(logit / temperature) for every leaf. Score at the same temperature.
    key : the random numbers are a function of (key, which[x], row) alone, whatever else is in the batch.
    which : positions of the prompts in a larger list, by default 0, 1, ...
    rows : responses decoded, and candidates scored, at a time.

    Raises ValueError for an empty prompt, a prompt and response beyond the context, and parameters out of
    range.
    """
    requests = [(policy, tuple(key))]
    limits = Limits(min_new_tokens, max_new_tokens, temperature)
    _check(limits, prompt_ids, n, correct, rows)
    if correct > 1 and any(isinstance(member, Blend) for _, member in members(policy)):
        many = _generate(lm, requests, prompt_ids, n, limits, which, rows, correct)[0]
        return _resampled(lm, policy, prompt_ids, many, correct, tuple(key), which, limits, rows)
    return _generate(lm, requests, prompt_ids, n, limits, which, rows)[0]


def generate_together(
    lm: LanguageModel,
    requests: Sequence[tuple[Policy, Sequence[int]]],
    prompt_ids: Sequence[Sequence[int]],
    n: int = 1,
    *,
    max_new_tokens: int,
    min_new_tokens: int = 0,
    temperature: float = 1.0,
    which: Sequence[int] | None = None,
    rows: int = 256,
) -> list[Responses]:
    """`generate` for several requests (policy, key) in the same batches, one result per request.

    Policies on one base share its matrix products, and a mixture shares the pass over the prompt with its
    leaves. Raises ValueError as `generate` does.
    """
    limits = Limits(min_new_tokens, max_new_tokens, temperature)
    _check(limits, prompt_ids, n, 1, rows)
    return _generate(
        lm, [(policy, tuple(key)) for policy, key in requests], prompt_ids, n, limits, which, rows
    )


def _check(limits: Limits, prompt_ids: Sequence[Sequence[int]], n: int, correct: int, rows: int) -> None:
    if not 0 < limits.temperature < float("inf"):
        raise ValueError(f"temperature must be positive and finite, got {limits.temperature}.")
    if not 0 <= limits.shortest <= limits.longest or limits.longest < 1:
        raise ValueError(
            "a response has between min_new_tokens >= 0 and max_new_tokens >= 1 tokens, got "
            f"{limits.shortest} and {limits.longest}."
        )
    for name, value in (("n", n), ("correct", correct), ("rows", rows)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    for x, ids in enumerate(prompt_ids):
        if len(ids) == 0:
            raise ValueError(f"prompt {x} is empty: a model needs one token to start from, such as a BOS.")


def _generate(
    lm: LanguageModel,
    requests: Sequence[tuple[Policy, tuple[int, ...]]],
    prompt_ids: Sequence[Sequence[int]],
    n: int,
    limits: Limits,
    which: Sequence[int] | None,
    rows: int,
    candidates: int = 1,
) -> list[Responses]:
    """Draw `candidates` rows per response from one member; only a blend fills more than the first."""
    many, each = len(prompt_ids), n * candidates
    prompt, row = np.repeat(np.arange(many), each), np.tile(np.arange(each), many)
    place = prompt if which is None else np.repeat(np.asarray(which, dtype=np.int64), each)
    lengths = np.array([len(ids) for ids in prompt_ids], dtype=np.int64)
    if many:
        lm.check_length(int(lengths.max()) + limits.longest)
    answers = [
        Responses(prompt, [[]] * len(prompt), [np.zeros(0)] * len(prompt), np.zeros(len(prompt), dtype=bool))
        for _ in requests
    ]
    known: list[dict[Leaf, NDArray[np.float64]]] = [{} for _ in requests]
    todo: list[tuple[int, int]] = []  # (request, row of its responses)
    chosen: list[list[Leaf | Blend | Answers]] = []
    for r, (policy, key) in enumerate(requests):
        chosen.append(_chosen(policy, key, place, row // candidates))
        for i, member in enumerate(chosen[r]):
            if row[i] % candidates and not isinstance(member, Blend):
                continue
            if isinstance(member, Answers):
                u = uniforms((*key, 2), place[i : i + 1], row[i : i + 1], 1)[0]
                text = int(choose(u, member.weights[place[i]])[0])
                answers[r].tokens[i] = lm.encode_drawn(member.texts[place[i]][text], prompt_ids[prompt[i]])
                answers[r].by_token[i] = np.log(member.weights[place[i]][text : text + 1])
            else:
                todo.append((r, i))
    todo.sort(key=lambda item: lengths[prompt[item[1]]], reverse=True)  # the largest batch first
    for start in range(0, len(todo), rows):
        batch = todo[start : start + rows]
        groups: dict[Leaf | Blend | Answers, list[tuple[int, int]]] = {}
        for r, i in batch:
            groups.setdefault(chosen[r][i], []).append((r, i))
        batch = [item for group in groups.values() for item in group]
        u = np.empty((len(batch), limits.longest))
        for r, (_, key) in enumerate(requests):
            at = [k for k, (request, _) in enumerate(batch) if request == r]
            row_of = [batch[k][1] for k in at]
            u[at] = uniforms((*key, 0), place[row_of], row[row_of], limits.longest)
        sizes = [(member, len(group)) for member, group in groups.items()]
        asked = [prompt_ids[prompt[i]] for _, i in batch]
        for (r, i), one in zip(batch, decode(lm, sizes, asked, u, limits), strict=True):
            answers[r].tokens[i], answers[r].by_token[i] = one.tokens, one.by_token
            answers[r].truncated[i] = not one.ended
            for leaf, total in one.by_leaf.items():
                known[r].setdefault(leaf, np.full(len(prompt), np.nan))[i] = total
    return [replace(answer, by_leaf=logs) for answer, logs in zip(answers, known, strict=True)]


def _chosen(
    policy: Policy, key: tuple[int, ...], place: NDArray[np.int64], response: NDArray[np.int64]
) -> list[Leaf | Blend | Answers]:
    """The member that each response is drawn from."""
    parts = members(policy)
    drawn = choose(uniforms((*key, 1), place, response, 1)[:, 0], [w for w, _ in parts])
    return [parts[m][1] for m in drawn]


def _resampled(
    lm: LanguageModel,
    policy: Policy,
    prompt_ids: Sequence[Sequence[int]],
    many: Responses,
    correct: int,
    key: tuple[int, ...],
    which: Sequence[int] | None,
    limits: Limits,
    rows: int,
) -> Responses:
    """Keep one of every `correct` candidates y of a blend, with weights prod_i pi_i(y) ** w_i / q(y)."""
    prompt = many.prompt[::correct]
    place = prompt if which is None else np.asarray(which, dtype=np.int64)[prompt]
    response = np.arange(len(prompt)) % max(1, len(prompt) // max(1, len(prompt_ids)))
    chosen = _chosen(policy, key, place, response)
    ratio = np.full((len(prompt), correct), -np.inf)
    ratio[:, 0] = 0.0  # members other than blends have one candidate
    for member in dict.fromkeys(chosen):
        if isinstance(member, Blend):
            from_member = np.array([one is member for one in chosen])
            at = np.flatnonzero(np.repeat(from_member, correct))
            asked, tokens = [prompt_ids[x] for x in many.prompt[at]], [many.tokens[i] for i in at]
            how = (limits.temperature, rows, limits.shortest)
            target = sum(w * score(lm, leaf, asked, tokens, *how) for w, leaf in member.terms)
            ratio[from_member] = (target - many.logprobs[at]).reshape(-1, correct)
    ratio = np.exp(ratio - ratio.max(axis=1, keepdims=True)).cumsum(axis=1)
    u = uniforms((*key, correct), place, response, 1)
    picked = np.arange(len(ratio)) * correct + (ratio <= u * ratio[:, -1:]).sum(axis=1)
    tokens, by_token = [many.tokens[i] for i in picked], [many.by_token[i] for i in picked]
    by_leaf = {leaf: logs[picked] for leaf, logs in many.by_leaf.items()}
    return Responses(prompt, tokens, by_token, many.truncated[picked], by_leaf)
