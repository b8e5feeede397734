"""Responses of a policy: batched decoding, geometric mixtures of leaves token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_backend.decode import Decoder, decoder
from llm_backend.logprobs import score
from llm_backend.models import LanguageModel
from llm_backend.policy import Answers, Blend, Leaf, Policy, blend_terms, members
from pgames.sampling import GOLDEN, mix64

BLOCK = 256  # tokens whose probabilities are summed before any one of them is looked at
SPARSE = 0.75  # finished rows are dropped when at most this share of the batch is alive


@dataclass(frozen=True, eq=False)
class Samples:
    """Responses in rows, all of prompt 0 first.

    `prompt` int64[B] indexes the prompts. `tokens` end with a stop token unless `truncated` bool[B], which
    marks responses cut at the length limit: they have not ended. `by_token` are the log-probabilities, in
    nats, that the tokens were drawn with, and `logprobs` float64[B] their sums: of the policy at the sampling
    temperature (for a blend: of its token-level mixture; for a league: of the member drawn).
    """

    prompt: NDArray[np.int64]
    tokens: list[list[int]]
    by_token: list[NDArray[np.float64]]
    truncated: NDArray[np.bool_]

    @property
    def logprobs(self) -> NDArray[np.float64]:
        return np.array([each.sum() for each in self.by_token])


class Limits(NamedTuple):
    """How long a response may be, and the temperature it is drawn at."""

    shortest: int
    longest: int
    temperature: float


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
) -> Samples:
    """`n` responses of a policy to each prompt.

    A geometric mixture is drawn token by token, prod_i pi_i(token | before) ** w_i normalised at every step,
    which is not the mixture of whole responses: total variation .03/.07/.11 at length 2/4/6 for two unrelated
    policies of weight 1/2, .001/.003/.004 for weight .01. `correct` = m > 1 draws m candidates for every
    response and keeps one by importance resampling; the answer tends to the mixture of whole responses as m
    grows, at m times the cost.

    Parameters
    ----------
    min_new_tokens : stop tokens are forbidden before it, in drawing and in `logprobs`.
    temperature : of every leaf: pi_i(token) ~ exp(logit / temperature). Score at the same one.
    key : the random numbers are a function of (key, which[x], row) alone, not of what shares the batch.
    which : the prompts' places in a larger list when these are a part of it; default 0, 1, ...
    rows : responses decoded at a time.
    """
    requests = [(policy, tuple(key))]
    limits = Limits(min_new_tokens, max_new_tokens, temperature)
    _check(limits, prompt_ids, n, correct, rows)
    if correct > 1 and any(isinstance(member, Blend) for _, member in members(policy)):
        many = _generate(lm, requests, prompt_ids, n * correct, limits, which, rows)[0]
        return _resampled(lm, policy, prompt_ids, many, correct, (*key, correct), which, temperature)
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
) -> list[Samples]:
    """`generate` for several (policy, key) in the same batches, which share what they have in common.

    Policies on one base share its matrix products; a mixture shares the prompt's pass with its leaves.
    """
    limits = Limits(min_new_tokens, max_new_tokens, temperature)
    _check(limits, prompt_ids, n, 1, rows)
    return _generate(
        lm, [(policy, tuple(key)) for policy, key in requests], prompt_ids, n, limits, which, rows
    )


def uniforms(key: Sequence[int], prompts: NDArray, rows: NDArray, count: int) -> NDArray[np.float64]:
    """float64[len(rows), count] in [0, 1): numbers 0..count-1 of the stream of (key, prompt, row)."""
    mixed: Callable[[NDArray[np.uint64]], NDArray[np.uint64]]
    mixed = getattr(mix64, "py_func", mix64)  # on arrays: the same bits without compiling
    state = np.zeros(len(rows), dtype=np.uint64)
    for word in (*(np.full(len(rows), k) for k in key), np.asarray(prompts), np.asarray(rows)):
        state = mixed(state ^ mixed(word.astype(np.int64).view(np.uint64) + GOLDEN)) + GOLDEN
    words = mixed(state[:, None] + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(logits: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens int64[R] of softmax(logits float32[R, V]) at quantiles u float64[R], their log-probabilities.

    One uniform number a row: the cumulative sums are taken over blocks of tokens, then inside the one hit.
    """
    rows, vocabulary = logits.shape
    p = torch.softmax(logits, dim=-1)
    if vocabulary % BLOCK:
        p = torch.nn.functional.pad(p, (0, BLOCK - vocabulary % BLOCK))
    p = p.view(rows, -1, BLOCK)
    sums = p.sum(dim=-1).double()
    at = torch.arange(rows, device=logits.device)
    total = sums.cumsum(dim=-1)
    block, before = _first_above(total, u * total[:, -1])
    inside = p[at, block].double().cumsum(dim=-1)
    place, _ = _first_above(inside, u * total[:, -1] - before)
    return block * BLOCK + place, p[at, block, place].double().log() - total[:, -1].log()


def _first_above(cumulative: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The first place whose cumulative sum exceeds the target, and the sum before it."""
    last = cumulative[:, -1]
    target = torch.minimum(target, torch.nextafter(last, torch.zeros_like(last)))  # rounding ends inside
    place = torch.searchsorted(cumulative, target[:, None], right=True)
    before = cumulative.gather(1, (place - 1).clamp(min=0))[:, 0]
    return place[:, 0], torch.where(place[:, 0] > 0, before, 0.0)


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
) -> list[Samples]:
    many = len(prompt_ids)
    prompt, row = np.repeat(np.arange(many), n), np.tile(np.arange(n), many)
    place = prompt if which is None else np.repeat(np.asarray(which, dtype=np.int64), n)
    lengths = np.array([len(ids) for ids in prompt_ids], dtype=np.int64)
    if many:
        lm.check_length(int(lengths.max()) + limits.longest)
    answers = [
        Samples(prompt, [[]] * len(prompt), [np.zeros(0)] * len(prompt), np.zeros(len(prompt), dtype=bool))
        for _ in requests
    ]
    todo: list[tuple[int, int]] = []  # (request, row of its answer)
    chosen: list[list[Policy]] = []
    for r, (policy, key) in enumerate(requests):
        parts = members(policy)
        which_member = _choose(uniforms((*key, 1), place, row, 1)[:, 0], [w for w, _ in parts])
        chosen.append([parts[m][1] for m in which_member])
        for i, member in enumerate(chosen[r]):
            if isinstance(member, Answers):
                u = uniforms((*key, 2), place[i : i + 1], row[i : i + 1], 1)[0]
                text = int(_choose(u, member.weights[prompt[i]])[0])
                answers[r].tokens[i] = lm.encode_response(member.texts[prompt[i]][text])
                answers[r].by_token[i] = np.log(member.weights[prompt[i]][text : text + 1])
            else:
                todo.append((r, i))
    todo.sort(key=lambda item: lengths[prompt[item[1]]], reverse=True)  # the hungriest batch first
    for start in range(0, len(todo), rows):
        batch = todo[start : start + rows]
        groups: dict[Policy, list[tuple[int, int]]] = {}
        for r, i in batch:
            groups.setdefault(chosen[r][i], []).append((r, i))
        batch = [item for group in groups.values() for item in group]
        u = np.concatenate(
            [
                uniforms((*requests[r][1], 0), place[i : i + 1], row[i : i + 1], limits.longest)
                for r, i in batch
            ]
        )
        sizes = [(member, len(group)) for member, group in groups.items()]
        asked = [prompt_ids[prompt[i]] for _, i in batch]
        for (r, i), (tokens, by_token, ended) in zip(
            batch, _decode(lm, sizes, asked, u, limits), strict=True
        ):
            answers[r].tokens[i], answers[r].by_token[i] = tokens, by_token
            answers[r].truncated[i] = not ended
    return answers


class _Part(NamedTuple):
    """The leaves that one decoder serves: which rows of it make up the states of each group."""

    decoder: Decoder
    terms: list[tuple[int, float, int]]  # (group, weight, leaf of this decoder)
    leaves: int


@torch.inference_mode()
def _decode(
    lm: LanguageModel,
    groups: Sequence[tuple[Policy, int]],
    prompts: Sequence[Sequence[int]],
    u: NDArray[np.float64],
    limits: Limits,
) -> list[tuple[list[int], NDArray[np.float64], bool]]:
    """Tokens, their log-probabilities and whether it ended, of one response to each prompt.

    `groups` are neighbouring rows of one policy; a row's leaves are fed the same tokens, each with its cache.
    """
    distinct = {tuple(ids): i for i, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    width, device = max(map(len, distinct)), lm.device
    ids = torch.tensor([[lm.pad] * (width - len(p)) + list(p) for p in distinct], device=device)
    valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in distinct], device=device)
    source = torch.tensor([distinct[tuple(p)] for p in prompts])

    sizes = [size for _, size in groups]
    alive = torch.arange(len(prompts))  # the responses still growing, in the order of `prompts`
    parts, states = [], []
    for part, copies in _parts(lm, groups, source, len(distinct)):
        parts.append(part)
        states.append(part.decoder.prefill(ids, valid, copies.to(device), limits.longest))
    stops = torch.tensor(lm.stops, device=device)
    quantiles = torch.as_tensor(u, device=device)
    chosen = torch.zeros(len(prompts), limits.longest, dtype=torch.long, device=device)
    logprobs = torch.zeros(len(prompts), limits.longest, dtype=torch.float64, device=device)
    growing = torch.ones(len(prompts), dtype=torch.bool, device=device)  # of the rows alive
    where = alive.to(device)
    for t in range(limits.longest):
        logits = _logits(parts, states, sizes).float()
        if limits.temperature != 1:
            logits = logits / limits.temperature
        if t < limits.shortest:
            logits[:, stops] = float("-inf")
        tokens, logprob = draw(logits, quantiles[where, t])
        chosen[where, t] = torch.where(growing, tokens, -1)
        logprobs[where, t] = torch.where(growing, logprob, 0.0)
        growing = growing & ~torch.isin(tokens, stops)
        left = int(growing.sum())
        if left == 0 or t + 1 == limits.longest:
            break
        if left <= SPARSE * len(alive):
            kept = growing.cpu()
            for part in parts:
                part.decoder.keep(_rows_of(part, sizes, kept).to(device))
            sizes = [int(piece.sum()) for piece in kept.split(sizes)]
            alive, tokens = alive[kept], tokens[growing]
            growing, where = growing[growing], alive.to(device)
        states = [part.decoder.step(_fed(part, sizes, tokens)) for part in parts]
    found = []
    for row, by_token in zip(chosen.tolist(), logprobs.cpu().numpy(), strict=True):
        end = next((t + 1 for t, token in enumerate(row) if token in lm.stops), 0)
        size = end or len(row)
        found.append((row[:size], by_token[:size].copy(), end > 0))
    return found


def _parts(
    lm: LanguageModel, groups: Sequence[tuple[Policy, int]], source: Tensor, prompts: int
) -> list[tuple[_Part, Tensor]]:
    """One decoder for all leaves of a base (LoRA) or one for each (full weights), and what its rows copy."""
    terms = [blend_terms(policy) for policy, _ in groups]
    leaves = list(dict.fromkeys(leaf for group in terms for _, leaf in group))
    shared = [leaves] if lm.lora is not None else [[leaf] for leaf in leaves]
    by_group = source.split([size for _, size in groups])
    found = []
    for own in shared:
        index: dict[Leaf, int] = {leaf: i for i, leaf in enumerate(own)}
        mine = [(g, w, index[leaf]) for g, group in enumerate(terms) for w, leaf in group if leaf in index]
        mine.sort(key=lambda term: term[2])  # rows of one leaf are neighbours
        rows = [sum(groups[g][1] for g, _, leaf in mine if leaf == i) for i in range(len(own))]
        copies = torch.cat([by_group[g] + leaf * prompts for g, _, leaf in mine])
        found.append((_Part(decoder(lm, own, rows, prompts), mine, len(own)), copies))
    return found


def _logits(parts: Sequence[_Part], states: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """sum_i w_i logits_i of every response, float[R, V]; the weighted sum is taken before the head."""
    logits: Tensor | None = None
    parts_states = sorted(
        zip(parts, states, strict=True), key=lambda ps: -len({g for g, _, _ in ps[0].terms})
    )
    for part, state in parts_states:
        mixed: list[Tensor | None] = [None] * len(sizes)
        pieces = state.split([sizes[g] for g, _, _ in part.terms])
        for (g, weight, _), piece in zip(part.terms, pieces, strict=True):
            weighted = piece if weight == 1 else piece * weight
            held = mixed[g]
            mixed[g] = weighted if held is None else held + weighted
        present = [piece for piece in mixed if piece is not None]
        own = part.decoder.head(present[0] if len(present) == 1 else torch.cat(present))
        if logits is None and len(present) == len(sizes):
            logits = own
            continue
        if logits is None:
            logits = own.new_zeros(sum(sizes), own.shape[1])
        used = [piece for g, piece in enumerate(logits.split(list(sizes))) if mixed[g] is not None]
        for total, piece in zip(used, own.split([len(piece) for piece in present]), strict=True):
            total += piece
    assert logits is not None
    return logits


def _fed(part: _Part, sizes: Sequence[int], tokens: Tensor) -> Tensor:
    """The tokens of the responses, once for every row of the decoder."""
    by_group = tokens.split(list(sizes))
    return torch.cat([by_group[g] for g, _, _ in part.terms])


def _rows_of(part: _Part, sizes: Sequence[int], kept: Tensor) -> Tensor:
    """The decoder's rows whose response is kept."""
    by_group = kept.split(list(sizes))
    return torch.cat([by_group[g] for g, _, _ in part.terms]).nonzero()[:, 0]


def _choose(u: NDArray[np.float64], weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices drawn with these weights, at quantiles u."""
    total = np.cumsum(weights)
    return np.minimum(np.searchsorted(total, u * total[-1], side="right"), len(total) - 1)


def _resampled(
    lm: LanguageModel,
    policy: Policy,
    prompt_ids: Sequence[Sequence[int]],
    many: Samples,
    correct: int,
    key: Sequence[int],
    which: Sequence[int] | None,
    temperature: float,
) -> Samples:
    """One of every `correct` candidates, drawn in proportion to prod_i pi_i(y) ** w_i / q(y)."""
    if not isinstance(policy, Blend):
        raise ValueError("correct > 1 needs a geometric mixture: draw the members of a mixture one by one.")
    prompts = [prompt_ids[x] for x in many.prompt]
    target = sum(weight * score(lm, leaf, prompts, many.tokens, temperature) for weight, leaf in policy.terms)
    ratio = (target - many.logprobs).reshape(-1, correct)
    ratio = np.exp(ratio - ratio.max(axis=1, keepdims=True)).cumsum(axis=1)
    per_prompt = len(ratio) // max(1, len(prompt_ids))
    prompt = many.prompt[::correct]
    place = prompt if which is None else np.asarray(which, dtype=np.int64)[prompt]
    u = uniforms(key, place, np.arange(len(ratio)) % max(1, per_prompt), 1)
    picked = np.arange(len(ratio)) * correct + (ratio <= u * ratio[:, -1:]).sum(axis=1)
    tokens, by_token = [many.tokens[i] for i in picked], [many.by_token[i] for i in picked]
    return Samples(prompt, tokens, by_token, many.truncated[picked])
