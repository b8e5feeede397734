"""LoRA layers that record the gradients of their matrices row by row, in one backward pass.

Rows with one beginning have equal activations there, so each is computed once. The backward pass differs
from row to row and is computed for every token; padding is left out of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from llm_backend.models import products

Record = Callable[[Tensor, Tensor], None]


class ByRow(NamedTuple):
    """B right-padded rows of L tokens whose gradients are recorded one by one.

    shape : (B, L).
    first : int64[U], of each distinct beginning of a row, the place in [B * L] where it ends first.
    place : int64[B * L], the position in `first` of the beginning that ends at each place.
    tokens : int64[T], the places that are not padding; None where all are.
    record : called in the backward pass with a matrix float[M, N] and its gradients by row float[B, M, N].
    """

    shape: torch.Size
    first: Tensor
    place: Tensor
    tokens: Tensor | None
    record: Record

    @staticmethod
    def of(ids: Tensor, sizes: Sequence[int], record: Record) -> ByRow:
        """The layout of ids int64[B, L], whose rows have these numbers of tokens."""
        rows = ids.cpu().numpy()
        here = np.arange(rows.shape[1])[None, :] < np.asarray(sizes)[:, None]
        beginning, known = np.zeros(len(rows), np.int64), 0
        place, first = np.zeros(rows.shape, np.int64), []
        for t in range(rows.shape[1]):
            alive = np.flatnonzero(here[:, t])
            pairs = np.stack([beginning[alive], rows[alive, t]], axis=1)
            _, at, inverse = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
            beginning[alive] = place[alive, t] = known + inverse.ravel()
            first.append(alive[at] * rows.shape[1] + t)
            known += len(at)
        full = bool(here.all())
        return ByRow(
            ids.shape,
            torch.from_numpy(np.concatenate(first)).to(ids.device),
            torch.from_numpy(place.ravel()).to(ids.device),
            None if full else torch.from_numpy(np.flatnonzero(here)).to(ids.device),
            record,
        )


class LoraByRow(torch.autograd.Function):
    """x @ W.T + bias + scale * x @ A.T @ B.T of x float[B, L, I], for frozen W float[O, I].

    The gradients of A and B are recorded and not returned.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
        by_row: ByRow,
    ) -> Tensor:
        """Outputs float[B, L, O]; `down` is A float[R, I] and `up` is B float[O, R], rounded as x is."""
        distinct = x.reshape(-1, x.shape[-1]).index_select(0, by_row.first)
        low = distinct @ down.to(x.dtype).T
        ctx.save_for_backward(x, low, weight)
        ctx.matrices, ctx.scale, ctx.by_row = (down, up), scale, by_row
        y = products.forward(distinct, weight, bias).addmm_(low, up.to(x.dtype).T, alpha=scale)
        return y.index_select(0, by_row.place).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of x float[B, L, I]; those of A and B are passed to `record`, in that order."""
        x, low, weight = ctx.saved_tensors
        (down, up), by_row, tokens = ctx.matrices, ctx.by_row, ctx.by_row.tokens
        every = upstream[0].reshape(-1, upstream[0].shape[-1])
        slope = every if tokens is None else every.index_select(0, tokens)
        d_low = (slope @ up.to(slope.dtype)).mul_(ctx.scale)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = products.backward(slope, weight).addmm_(d_low, down.to(slope.dtype))
            d_x = _at(d_x, tokens, len(every)).view(x.shape)
        d_low = _at(d_low, tokens, len(every)).view(*x.shape[:-1], -1)
        low = low.index_select(0, by_row.place).view(d_low.shape)
        by_row.record(down, torch.bmm(d_low.transpose(1, 2), x))
        by_row.record(up, torch.bmm(upstream[0].transpose(1, 2), low).mul_(ctx.scale))
        return d_x, None, None, None, None, None, None


def _at(values: Tensor, tokens: Tensor | None, size: int) -> Tensor:
    """`values` float[T, N] at these places of a float[size, N] that is 0 elsewhere."""
    if tokens is None:
        return values
    return values.new_zeros(size, values.shape[1]).index_copy_(0, tokens, values)
