"""Passes over the responses of a fit: batches of prompts, and rows of whole prompts that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from llm_backend.spaces.draws import Ints


def batches(prompts: list[int], epochs: int, size: int, key: Sequence[int]) -> Iterator[list[int]]:
    """The prompts of every step, `size` at a time; each epoch has its own order if it has several steps."""
    for epoch in range(epochs):
        order = prompts
        if size < len(prompts):
            order = [prompts[i] for i in np.random.default_rng([*key, epoch]).permutation(len(prompts))]
        for i in range(0, len(order), size):
            yield order[i : i + size]


def passes(groups: list[Ints], rows: int) -> Iterator[Ints]:
    """Rows of whole prompts, int64[...], at most `rows` at a time unless one prompt has more."""
    part: list[Ints] = []
    for group in groups:
        if part and sum(map(len, part)) + len(group) > rows:
            yield np.concatenate(part)
            part = []
        part.append(group)
    if part:
        yield np.concatenate(part)
