"""How much the texts of a set differ: self-BLEU, and the distance of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float64]]  # texts -> float64[B, D]


def self_bleu(texts: Sequence[str], order: int = 4) -> float:
    """The mean BLEU of each text against the others, in [0, 1] (arXiv:1802.01886): 1 where all are repeats.

    Sentence BLEU of sacrebleu up to `order` words, with exponential smoothing; a shorter text counts up to
    its own length. Raises ValueError for fewer than two texts, and for an order below 1.
    """
    from sacrebleu.metrics.bleu import BLEU

    _check(texts)
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}.")
    bleu = BLEU(effective_order=True, max_ngram_order=order, lowercase=True)
    rows = list(texts)
    scores = [bleu.sentence_score(one, rows[:i] + rows[i + 1 :]).score for i, one in enumerate(rows)]
    return float(np.clip(np.mean(scores) / 100, 0.0, 1.0))


def distance(texts: Sequence[str], embed: Embed) -> float:
    """The mean cosine distance of the embeddings of two of the texts, in [0, 2]; 0 where all are equal.

    embed : texts -> float64[B, D]. Raises ValueError for fewer than two texts, and for an embedding of
    another shape, of zeros, or that is not finite.
    """
    _check(texts)
    rows = np.asarray(embed(list(texts)), dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
        raise ValueError(f"embed must return finite float64[{len(texts)}, D], got shape {list(rows.shape)}.")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if (norms == 0).any():
        raise ValueError(
            f"embed returned zeros for {texts[int(np.argmin(norms))]!r:.60}: it has no direction."
        )
    cosines = (rows / norms) @ (rows / norms).T
    return float(np.mean(1 - cosines[np.triu_indices(len(rows), 1)]))


def _check(texts: Sequence[str]) -> None:
    if isinstance(texts, str) or len(texts) < 2:
        raise ValueError(f"diversity needs at least two texts, got {texts!r:.60}.")
