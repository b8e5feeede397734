"""Log-probabilities of responses, without all logits in memory at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_backend.models import products
from llm_backend.models.by_row import Record
from llm_backend.models.liger import LigerLogProbs, liger_serves
from llm_backend.models.prefix import plain_states, quick_ways, recorded_states, shared_states

if TYPE_CHECKING:
    from llm_backend.models.language_model import LanguageModel
    from llm_backend.policies.handles import Leaf

CHUNK_BYTES = 3 << 24  # of float32 logits at a time; glibc frees blocks above 32 MB at once

Banned = tuple[Tensor, Tensor]  # bool[N]: the rows in which the tokens int64[S] are forbidden


class LinearLogProbs(torch.autograd.Function):
    """log softmax(hidden @ weight.T / temperature) at `targets`, a chunk of rows at a time.

    The logits of `banned` tokens are -inf: log p(token | not banned) = log p(token) - log(1 - p(banned)).
    With a frozen head the gradient of `hidden` is computed while the logits are in memory; otherwise the
    backward pass recomputes them, for all chunks but the last. Memory: chunk * V instead of N * V floats.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        temperature: float,
        banned: Banned | None = None,
    ) -> Tensor:
        """Log-probabilities float32[N] of `hidden` [N, D], `weight` [V, D] and `targets` int64[N]."""
        chunk = max(1, CHUNK_BYTES // (4 * weight.shape[0]))
        logprobs = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        norms = torch.empty_like(logprobs)
        frozen = ctx.needs_input_grad[0] and not any(ctx.needs_input_grad[1:])
        slope = torch.empty_like(hidden) if frozen else None
        last = None
        for i in range(0, len(hidden), chunk):
            part = slice(i, i + chunk)
            logits = _logits(hidden, weight, bias, temperature, banned, part)
            top, at = logits.amax(dim=-1), logits.gather(-1, targets[part, None])[:, 0]
            total = logits.sub_(top[:, None]).exp_().sum(dim=-1)
            norms[part] = top + total.log()
            logprobs[part] = at - norms[part]
            if slope is not None:
                mean = products.backward(logits.to(weight.dtype), weight).float() / total[:, None]
                slope[part] = ((weight[targets[part]].float() - mean) / temperature).to(hidden.dtype)
            elif part.stop >= len(hidden):
                last = logits.div_(total[:, None])
            del logits  # otherwise two chunks are in memory at once
        if slope is not None:
            ctx.save_for_backward(slope)
        else:
            ctx.save_for_backward(hidden, weight, bias, targets, norms, last)
        ctx.temperature, ctx.chunk, ctx.banned = temperature, chunk, banned
        return logprobs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, each of its input's shape."""
        if len(ctx.saved_tensors) == 1:
            slope = ctx.saved_tensors[0]
            return (upstream[0][:, None] * slope).to(slope.dtype), None, None, None, None, None
        hidden, weight, bias, targets, norms, last = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        d_hidden = torch.empty_like(hidden) if needs_hidden else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if needs_weight else None
        d_bias = torch.zeros_like(bias, dtype=torch.float32) if needs_bias else None
        for i in range(0, len(hidden), ctx.chunk):
            part = slice(i, i + ctx.chunk)
            if part.stop >= len(hidden):
                slope = last.neg()
            else:
                slope = _logits(hidden, weight, bias, ctx.temperature, ctx.banned, part)
                slope.sub_(norms[part, None]).exp_().neg_()
            rows = torch.arange(len(slope), device=slope.device)
            slope[rows, targets[part]] += 1
            slope.mul_((upstream[0][part].float() / ctx.temperature)[:, None])
            if d_hidden is not None:
                d_hidden[part] = products.backward(slope.to(weight.dtype), weight).to(hidden.dtype)
            if d_weight is not None:
                d_weight.addmm_(slope.T, hidden[part].float())
            if d_bias is not None:
                d_bias.add_(slope.sum(0))
        d_weight = None if d_weight is None else d_weight.to(weight.dtype)
        d_bias = None if d_bias is None else d_bias.to(bias.dtype)
        return d_hidden, d_weight, d_bias, None, None, None


def _logits(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    temperature: float,
    banned: Banned | None,
    part: slice,
) -> Tensor:
    logits = products.forward(hidden[part].to(weight.dtype), weight, bias).float()
    if temperature != 1:
        logits.div_(temperature)
    if banned is not None:
        rows, tokens = banned
        logits[:, tokens] = logits[:, tokens].masked_fill(rows[part, None], -torch.inf)
    return logits


class TokenLogProbs(NamedTuple):
    """Log-probabilities of tokens float32[B, L] in nats; `mask` bool[B, L] is False in the padding."""

    values: Tensor
    mask: Tensor


def token_logprobs(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    shortest: int = 0,
    share: bool = False,
    record: Record | None = None,
) -> TokenLogProbs:
    """log pi(token | prompt, earlier tokens) of every token of B responses, under the active leaf.

    The first `shortest` tokens are conditioned on not being stop tokens, as in sampling. Rows are padded on
    the right, which a causal model does not attend to; tokens of the prompt are not scored. With `share`,
    responses to one prompt share its pass and parts of layers are fused, where the model allows it: equal up
    to rounding, but the layers then see one row of all tokens, and hooks on their parts may see nothing.
    With `record`, where `records_rows` holds, the backward pass calls it with each adapter matrix float[M, N]
    and its gradients by row float[B, M, N], and leaves no gradient in the matrices.

    Raises ValueError for an empty prompt or response and for one that stops before `shortest`.
    """
    starts = np.array([len(prompt) for prompt in prompts])
    sizes = np.array([len(response) for response in responses])
    if starts.min() < 1 or sizes.min() < 1:
        raise ValueError("a prompt and a response need at least one token each (a response ends with EOS).")
    if any(token in lm.stops for response in responses for token in response[:shortest]):
        raise ValueError(
            f"a response ends before its {shortest} first tokens: no policy draws it at this min_new_tokens, "
            "so lower it or leave the response out."
        )
    lm.check_length(int((starts + sizes).max()))
    mask = torch.arange(sizes.max())[None, :] < torch.as_tensor(sizes)[:, None]
    step = mask.nonzero(as_tuple=True)[1]
    mask = mask.to(lm.device)
    hidden = shared_states(lm, prompts, responses) if share and record is None else None
    if hidden is None:
        hidden = _plain_states(lm, prompts, responses, share, record)
    targets = torch.tensor([token for response in responses for token in response], device=lm.device)
    head = (lm.head.weight, lm.head_bias())
    if not shortest and liger_serves(hidden, temperature):
        flat = LigerLogProbs.apply(hidden, *head, targets)
    else:
        early = step < shortest
        banned = (early.to(lm.device), torch.tensor(lm.stops, device=lm.device)) if shortest else None
        flat = LinearLogProbs.apply(hidden, *head, targets, temperature, banned)
    values = torch.zeros(mask.shape, dtype=torch.float32, device=lm.device)
    return TokenLogProbs(values.masked_scatter(mask, flat), mask)  # type: ignore[arg-type]


def _plain_states(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    quick: bool,
    record: Record | None,
) -> Tensor:
    """States [T, D] that predict the T tokens of all responses, row by row: one right-padded row each."""
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    width = max(map(len, rows))
    ids = torch.tensor([row + [lm.pad] * (width - len(row)) for row in rows], device=lm.device)
    where = [i for i, response in enumerate(responses) for _ in response]
    at = [len(p) - 1 + j for p, r in zip(prompts, responses, strict=True) for j in range(len(r))]
    if record is not None:
        states = recorded_states(lm, ids, list(map(len, rows)), record)
    else:
        states = plain_states(lm, ids) if quick else lm.trunk(ids)
    return states[torch.tensor(where, device=lm.device), torch.tensor(at, device=lm.device)]


def token_rows(
    lm: LanguageModel,
    leaf: Leaf,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    rows: int = 64,
    shortest: int = 0,
) -> list[NDArray[np.float64]]:
    """log pi(token | earlier tokens) of every response, float64[L] each, in nats; `rows` at a time."""
    order = _order(lm, prompts, responses)
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(order)
    with torch.no_grad(), lm.active(leaf):
        for i in range(0, len(order), rows):
            part = order[i : i + rows]
            values, _ = token_logprobs(
                lm, [prompts[j] for j in part], [responses[j] for j in part], temperature, shortest, True
            )
            check_finite(values, lm.name)
            for j, row in zip(part, values.double().cpu().numpy(), strict=True):
                found[j] = row[: len(responses[j])]
    return found


def check_finite(logprobs: Tensor, name: str) -> None:
    """Raises FloatingPointError when a log-probability float[B, L] is NaN."""
    if bool(logprobs.isnan().any()):
        raise FloatingPointError(
            f"a log-probability of {name} is not a number: load the model with dtype='bfloat16' or 'float32' "
            "if float16 overflows, and lower the learning rate if its weights were trained."
        )


def _order(
    lm: LanguageModel, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> list[int]:
    """The order in which rows are scored: rows of one prompt together, or rows of a length together."""
    lengths = [len(p) + len(r) for p, r in zip(prompts, responses, strict=True)]
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    if len(set(map(tuple, prompts))) == len(prompts) or not quick_ways(lm).shared:
        return by_length
    return sorted(by_length, key=lambda i: (len(prompts[i]), tuple(prompts[i])))


def score(
    lm: LanguageModel,
    leaf: Leaf,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    rows: int = 64,
    shortest: int = 0,
) -> NDArray[np.float64]:
    """log pi(response | prompt), float64[B] in nats, summed over tokens; see `token_logprobs`."""
    by_token = token_rows(lm, leaf, prompts, responses, temperature, rows, shortest)
    return np.array([row.sum() for row in by_token])
