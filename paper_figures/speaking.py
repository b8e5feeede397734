"""A small Llama with random weights and a tokenizer of its own, trained on pairs of prompt and response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from llm_backend import LanguageModel
from llm_backend.tiny import random_llama, tiny_tokenizer


def speaking_llama(
    pairs: Sequence[tuple[str, str]],
    steps: int,
    vocabulary: int,
    width: int = 64,
    lora: int = 16,
    rate: float = 2e-3,
    batch: int = 64,
    seed: int = 0,
) -> LanguageModel:
    """A Llama of two layers, trained for `steps` batches on pairs of a prompt and its response."""
    tokenizer = tiny_tokenizer([text for pair in pairs for text in pair], vocabulary)
    model = random_llama(len(tokenizer), width, 4 * width, layers=2, room=64, heads=4, seed=seed)
    rows = [_row(tokenizer, *pair) for pair in pairs]
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98))
    for _ in range(steps):
        chosen = [rows[i] for i in rng.integers(len(rows), size=batch)]
        longest = max(len(ids) for ids, _ in chosen)
        ids = torch.zeros(batch, longest, dtype=torch.long)
        targets = torch.full((batch, longest), -100)
        for i, (tokens, start) in enumerate(chosen):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            targets[i, start : len(tokens)] = torch.tensor(tokens[start:])
        logits = model(input_ids=ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return LanguageModel(model, tokenizer, lora, seed, chat=False)  # it was trained on plain text


def _row(tokenizer: Any, prompt: str, response: str) -> tuple[list[int], int]:
    """Tokens of prompt, response and EOS, and the index of the response's first token."""
    head = tokenizer(prompt)["input_ids"]
    tail = tokenizer(response, add_special_tokens=False)["input_ids"]
    return [*head, *tail, tokenizer.eos_token_id], len(head)
