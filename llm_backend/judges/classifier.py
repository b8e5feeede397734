"""Sequence classifiers: logits of texts in batches, and loading of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.data.tokens import padded, tokenize
from llm_backend.judges.base import JudgeError, excerpt
from llm_backend.models.devices import usable_device
from llm_backend.models.huggingface import steady_context
from llm_backend.models.loading import load_model, load_tokenizer


class Classifier:
    """A sequence classifier that reads texts in batches; its logits equal those of one text at a time.

    `labels` are the allowed numbers of labels. Raises ValueError for another number, and for batch < 1.
    """

    def __init__(
        self, name: str, model: Any, tokenizer: Any, special: bool, batch: int, labels: tuple[int, ...]
    ):
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if model.config.num_labels not in labels:
            raise ValueError(
                f"the classifier has {model.config.num_labels} labels, need {' or '.join(map(str, labels))}: "
                "load it with num_labels=..., or wrap it in a judge of your own."
            )
        self.name, self.model, self.tokenizer = name, model.eval(), tokenizer
        self.special, self.batch = special, batch  # special: whether the tokenizer adds its special tokens
        self.longest = steady_context(model)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Logits float64[B, labels]. Raises JudgeError when one is not finite or a text is too long."""
        rows = {text: self._tokens(text) for text in dict.fromkeys(texts)}
        order = sorted(rows, key=lambda text: len(rows[text]))
        known: dict[str, NDArray[np.float64]] = {}
        for start in range(0, len(order), self.batch):
            some = order[start : start + self.batch]
            for text, value in zip(some, self._forward([rows[text] for text in some]), strict=True):
                if not np.isfinite(value).all():
                    raise JudgeError(
                        f"{self.name} returned {value.tolist()} for {excerpt(text, 120)}: check its weights, "
                        "and load it in bfloat16 or float32 if it overflows float16."
                    )
                known[text] = value
        return np.array([known[text] for text in texts]).reshape(len(texts), self.model.config.num_labels)

    def _tokens(self, text: str) -> list[int]:
        row = tokenize(self.tokenizer, text, self.special, eos=True)
        if not row or (self.longest is not None and len(row) > self.longest):
            raise JudgeError(
                f"{self.name} cannot read {len(row)} tokens, only 1 to {self.longest}: {excerpt(text)}. "
                "Lower max_new_tokens, shorten the prompt, or use a judge with a longer context."
            )
        return row

    @torch.no_grad()
    def _forward(self, rows: list[list[int]]) -> NDArray[np.float64]:
        config = self.model.config
        declared = config.pad_token_id
        # A decoder reads its score at the last token that is not pad. If no pad token is declared, use one
        # that ends no row: with pad = EOS the score would be read one token early.
        ends = {row[-1] for row in rows}
        size = len(self.model.get_input_embeddings().weight)
        pad = (
            declared
            if declared is not None and 0 <= declared < size
            else min(set(range(len(rows) + 1)) - ends)
        )
        ids, mask = padded(rows, pad, side="right")
        try:
            config.pad_token_id = pad
            device = next(self.model.parameters()).device
            out = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        finally:
            config.pad_token_id = declared
        return out.double().cpu().numpy()


def load_classifier(
    path: str, dtype: str | torch.dtype, device: str | torch.device | None
) -> tuple[Any, Any]:
    """(model, tokenizer) of a checkpoint. Raises ValueError when its head would be random."""
    from transformers import AutoModelForSequenceClassification

    place = usable_device(device)
    model, missing = load_model(AutoModelForSequenceClassification, path, dtype)
    if missing:
        raise ValueError(
            f"{path} has no weights for {', '.join(missing[:3])}, which would stay "
            "random: it is not a sequence classifier; pass a trained reward model."
        )
    return model.to(place), load_tokenizer(path)
