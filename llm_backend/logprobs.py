"""Log-probabilities of responses without ever holding the full logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from llm_backend.models import LanguageModel
    from llm_backend.policy import Leaf

CHUNK_BYTES = 3 << 24  # of float32 logits alive at a time; above 32 MB glibc gives them back at once


class LinearLogProbs(torch.autograd.Function):
    """log softmax(hidden @ weight' / temperature) at `targets`, a chunk of rows at a time.

    With a frozen head the slope with respect to `hidden` is taken while the logits are there; else the
    backward pass computes the logits of each chunk again. Memory: chunk * V instead of N * V floats.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, temperature: float
    ) -> Tensor:
        chunk = max(1, CHUNK_BYTES // (4 * weight.shape[0]))
        logprobs = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        norms = torch.empty_like(logprobs)
        frozen = ctx.needs_input_grad[0] and not any(ctx.needs_input_grad[1:])
        slope = torch.empty_like(hidden) if frozen else None
        for i in range(0, len(hidden), chunk):
            part = slice(i, i + chunk)
            logits = _logits(hidden[part], weight, bias, temperature)
            top, at = logits.amax(dim=-1), logits.gather(-1, targets[part, None])[:, 0]
            total = logits.sub_(top[:, None]).exp_().sum(dim=-1)
            norms[part] = top + total.log()
            logprobs[part] = at - norms[part]
            if slope is not None:
                mean = (logits.to(weight.dtype) @ weight).float() / total[:, None]
                slope[part] = ((weight[targets[part]].float() - mean) / temperature).to(hidden.dtype)
            del logits  # or two chunks are alive while the next is made
        if slope is not None:
            ctx.save_for_backward(slope)
        else:
            ctx.save_for_backward(hidden, weight, bias, targets, norms)
        ctx.temperature, ctx.chunk = temperature, chunk
        return logprobs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        if len(ctx.saved_tensors) == 1:
            slope = ctx.saved_tensors[0]
            return (upstream[0][:, None] * slope).to(slope.dtype), None, None, None, None
        hidden, weight, bias, targets, norms = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        d_hidden = torch.empty_like(hidden) if needs_hidden else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if needs_weight else None
        d_bias = torch.zeros_like(bias, dtype=torch.float32) if needs_bias else None
        for i in range(0, len(hidden), ctx.chunk):
            part = slice(i, i + ctx.chunk)
            slope = _logits(hidden[part], weight, bias, ctx.temperature)
            slope.sub_(norms[part, None]).exp_().neg_()
            rows = torch.arange(len(slope), device=slope.device)
            slope[rows, targets[part]] += 1
            slope.mul_((upstream[0][part].float() / ctx.temperature)[:, None])
            if d_hidden is not None:
                d_hidden[part] = (slope.to(weight.dtype) @ weight).to(hidden.dtype)
            if d_weight is not None:
                d_weight.addmm_(slope.T, hidden[part].float())
            if d_bias is not None:
                d_bias.add_(slope.sum(0))
        d_weight = None if d_weight is None else d_weight.to(weight.dtype)
        d_bias = None if d_bias is None else d_bias.to(bias.dtype)
        return d_hidden, d_weight, d_bias, None, None


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    logits = torch.nn.functional.linear(hidden.to(weight.dtype), weight, bias).float()
    return logits if temperature == 1 else logits.div_(temperature)


class TokenLogProbs(NamedTuple):
    """Log-probabilities of tokens float32[B, L], nats; `mask` bool[B, L] says where there is a token."""

    values: Tensor
    mask: Tensor


def token_logprobs(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
) -> TokenLogProbs:
    """log pi(token | prompt, tokens before) of every response token, under the leaf that is active.

    Rows are padded on the right, where a causal model does not look; nothing of the prompt is scored.
    """
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    starts = np.array([len(prompt) for prompt in prompts])
    sizes = np.array([len(response) for response in responses])
    if starts.min() < 1 or sizes.min() < 1:
        raise ValueError("a prompt and a response need at least one token each (a response ends with EOS).")
    width = max(map(len, rows))
    lm.check_length(width)
    ids = torch.tensor([row + [lm.pad] * (width - len(row)) for row in rows], device=lm.device)
    mask = torch.arange(sizes.max())[None, :] < torch.as_tensor(sizes)[:, None]
    where, step = mask.nonzero(as_tuple=True)
    at = step + torch.as_tensor(starts)[where]
    where, at, mask = where.to(lm.device), at.to(lm.device), mask.to(lm.device)
    hidden = lm.trunk(ids)[where, at - 1]
    flat = LinearLogProbs.apply(hidden, lm.head.weight, lm.head.bias, ids[where, at], temperature)
    values = torch.zeros(mask.shape, dtype=torch.float32, device=lm.device)
    return TokenLogProbs(values.masked_scatter(mask, flat), mask)  # type: ignore[arg-type]


def token_rows(
    lm: LanguageModel,
    leaf: Leaf,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    rows: int = 64,
) -> list[NDArray[np.float64]]:
    """log pi(token | before) of every token of every response, nats; `rows` responses at a time."""
    order = np.argsort([len(p) + len(r) for p, r in zip(prompts, responses, strict=True)], kind="stable")
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(order)
    with torch.no_grad(), lm.active(leaf):
        for i in range(0, len(order), rows):
            part = order[i : i + rows]
            values, _ = token_logprobs(
                lm, [prompts[j] for j in part], [responses[j] for j in part], temperature
            )
            for j, row in zip(part, values.double().cpu().numpy(), strict=True):
                found[j] = row[: len(responses[j])]
    return found


def score(
    lm: LanguageModel,
    leaf: Leaf,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    rows: int = 64,
) -> NDArray[np.float64]:
    """log pi(response | prompt), nats summed over tokens: float64[B]."""
    return np.array([row.sum() for row in token_rows(lm, leaf, prompts, responses, temperature, rows)])
