"""The decoding loop: one response to each prompt, several policies in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_backend.engines.local.decode import decoder
from llm_backend.engines.local.leaf_scores import LeafScores, Part, tempered
from llm_backend.engines.local.randomness import draw
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import check_finite
from llm_backend.policies.handles import Leaf, Policy, blend_terms

SPARSE = 0.75  # finished rows are dropped when at most this fraction of the batch is alive
SPARSE_ON_GPU = 0.5  # ... where a row costs less, and dropping rows loses a recorded step


class Limits(NamedTuple):
    """Least and most tokens of a response, and the sampling temperature."""

    shortest: int
    longest: int
    temperature: float


class Decoded(NamedTuple):
    """One response.

    by_token : log-probabilities float64[L] of its tokens under the policy it was drawn from.
    ended : whether it ends with a stop token.
    by_leaf : log pi of the whole response for the leaves of that policy, in nats; see `decode`.
    """

    tokens: list[int]
    by_token: NDArray[np.float64]
    ended: bool
    by_leaf: dict[Leaf, float]


@torch.inference_mode()
def decode(
    lm: LanguageModel,
    groups: Sequence[tuple[Policy, int]],
    prompts: Sequence[Sequence[int]],
    u: NDArray[np.float64],
    limits: Limits,
) -> list[Decoded]:
    """One response to each of B prompts.

    `groups` gives the policy and size of each contiguous group of rows, `u` float64[B, L] the quantiles of up
    to L tokens. All leaves of a row read the same tokens, each with its own cache. In float32 the responses'
    log-probabilities under these leaves are kept; in a lower precision they would differ from those of a pass
    over the whole response by more than rounding.
    """
    distinct = {tuple(ids): i for i, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    width, device = max(map(len, distinct)), lm.device
    ids = torch.tensor([[lm.pad] * (width - len(p)) + list(p) for p in distinct], device=device)
    valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in distinct], device=device)
    source = torch.tensor([distinct[tuple(p)] for p in prompts])

    sizes = [size for _, size in groups]
    alive = torch.arange(len(prompts))  # rows that still grow, in the order of `prompts`
    parts, states = [], []
    for part, copies in _parts(lm, groups, source, len(distinct)):
        parts.append(part)
        states.append(part.decoder.prefill(ids, valid, copies.to(device), limits.longest))
    stops, missing = torch.tensor(lm.stops, device=device), torch.tensor(lm.missing, device=device).long()
    quantiles = torch.as_tensor(u, device=device)
    chosen = torch.zeros(len(prompts), limits.longest, dtype=torch.long, device=device)
    logprobs = torch.zeros(len(prompts), limits.longest, dtype=torch.float64, device=device)
    scores = LeafScores(lm, groups)
    growing = torch.ones(len(prompts), dtype=torch.bool, device=device)  # of the rows in `alive`
    where = alive.to(device)
    sparse = SPARSE_ON_GPU if device.type == "cuda" else SPARSE
    for t in range(limits.longest):
        logits = (scores.mixed if scores.on else _logits)(parts, states, sizes).float()
        banned = torch.cat([stops, missing]) if t < limits.shortest else missing
        tokens, logprob = draw(tempered(logits, limits.temperature, banned), quantiles[where, t])
        chosen[where, t] = torch.where(growing, tokens, -1)
        logprobs[where, t] = torch.where(growing, logprob, 0.0)
        scores.add(tokens, growing, where, sizes, limits.temperature, banned)
        growing = growing & ~torch.isin(tokens, stops)
        left = int(growing.sum())
        if left == 0 or t + 1 == limits.longest:
            break
        if left <= sparse * len(alive):
            kept = growing.cpu()
            for part in parts:
                part.decoder.keep(_rows_of(part, sizes, kept).to(device))
            sizes = [int(piece.sum()) for piece in kept.split(sizes)]
            alive, tokens = alive[kept], tokens[growing]
            growing, where = growing[growing], alive.to(device)
        states = [part.decoder.step(_fed(part, sizes, tokens)) for part in parts]
    check_finite(logprobs, lm.name)
    found = []
    by_leaf = scores.totals(logprobs)
    for i, (row, by_token) in enumerate(zip(chosen.tolist(), logprobs.cpu().numpy(), strict=True)):
        end = next((t + 1 for t, token in enumerate(row) if token in lm.stops), 0)
        size = end or len(row)
        found.append(Decoded(row[:size], by_token[:size].copy(), end > 0, by_leaf[i]))
    return found


def _parts(
    lm: LanguageModel, groups: Sequence[tuple[Policy, int]], source: Tensor, prompts: int
) -> list[tuple[Part, Tensor]]:
    """One decoder for all leaves, or one for each when they do not mix, and the prompts its rows continue."""
    terms = [blend_terms(policy) for policy, _ in groups]
    leaves = list(dict.fromkeys(leaf for group in terms for _, leaf in group))
    shared = [leaves] if lm.mixes else [[leaf] for leaf in leaves]
    by_group = source.split([size for _, size in groups])
    found = []
    for served in shared:
        index: dict[Leaf, int] = {leaf: i for i, leaf in enumerate(served)}
        mine = [(g, w, leaf) for g, group in enumerate(terms) for w, leaf in group if leaf in index]
        mine.sort(key=lambda term: index[term[2]])  # rows of one leaf are contiguous
        rows = [sum(groups[g][1] for g, _, leaf in mine if leaf is one) for one in served]
        copies = torch.cat([by_group[g] + index[leaf] * prompts for g, _, leaf in mine])
        found.append((Part(decoder(lm, served, rows), mine), copies))
    return found


def _logits(parts: Sequence[Part], states: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """sum_i w_i logits_i of every response, float[R, V]; the sum is taken over states, before the head."""
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
        partial = part.decoder.head(present[0] if len(present) == 1 else torch.cat(present))
        if logits is None and len(present) == len(sizes):
            logits = partial
            continue
        if logits is None:
            logits = partial.new_zeros(sum(sizes), partial.shape[1])
        used = [piece for g, piece in enumerate(logits.split(list(sizes))) if mixed[g] is not None]
        for total, piece in zip(used, partial.split([len(piece) for piece in present]), strict=True):
            total += piece
    assert logits is not None
    return logits


def _fed(part: Part, sizes: Sequence[int], tokens: Tensor) -> Tensor:
    """The tokens of the responses, repeated for every row of the decoder."""
    by_group = tokens.split(list(sizes))
    return torch.cat([by_group[g] for g, _, _ in part.terms])


def _rows_of(part: Part, sizes: Sequence[int], kept: Tensor) -> Tensor:
    """The decoder's rows whose response is kept."""
    by_group = kept.split(list(sizes))
    return torch.cat([by_group[g] for g, _, _ in part.terms]).nonzero()[:, 0]
