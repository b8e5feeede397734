"""Random numbers that are a function of (key, prompt, row), and the tokens drawn with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgames.kernels.streams import GOLDEN, mix64

BLOCK = 256  # tokens whose probabilities are summed first; only one block is then searched


def uniforms(key: Sequence[int], prompts: NDArray, rows: NDArray, count: int) -> NDArray[np.float64]:
    """float64[R, count] in [0, 1): the first `count` numbers of the streams (key, prompts[i], rows[i])."""
    mixed: Callable[[NDArray[np.uint64]], NDArray[np.uint64]]
    mixed = getattr(mix64, "py_func", mix64)  # on arrays: the same bits without compiling
    state = np.zeros(len(rows), dtype=np.uint64)
    for word in (*(np.full(len(rows), k) for k in key), np.asarray(prompts), np.asarray(rows)):
        state = mixed(state ^ mixed(word.astype(np.int64).view(np.uint64) + GOLDEN)) + GOLDEN
    words = mixed(state[:, None] + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose(u: NDArray[np.float64], weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices int64[R] drawn with `weights` float64[N] at quantiles u float64[R]."""
    total = np.cumsum(weights)
    return np.minimum(np.searchsorted(total, u * total[-1], side="right"), len(total) - 1)


def draw(logits: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens int64[R] of softmax(logits float32[R, V]) at quantiles u float64[R]; their log-probabilities.

    Cumulative sums are taken over blocks of tokens, then inside the block that contains the quantile.
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
    tokens = (block * BLOCK + place).clamp(max=vocabulary - 1)
    return tokens, p[at, block, place].double().log() - total[:, -1].log()


def _first_above(cumulative: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The first position whose cumulative sum exceeds the target, and the sum before it."""
    last = cumulative[:, -1]
    target = torch.minimum(target, torch.nextafter(last, torch.zeros_like(last)))  # against rounding
    place = torch.searchsorted(cumulative, target[:, None], right=True)
    place = place.clamp(max=cumulative.shape[1] - 1)  # of NaN too: the caller refuses its log-probability
    before = cumulative.gather(1, (place - 1).clamp(min=0))[:, 0]
    return place[:, 0], torch.where(place[:, 0] > 0, before, 0.0)
