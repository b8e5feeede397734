"""What generation is held against: the model's own full forward pass, without cache or padding."""

from __future__ import annotations

import torch
from torch import Tensor

from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Adapter, Leaf

PROMPTS = [[1, 4, 5], [1, 6], [1, 7, 8, 9, 4]]  # of three lengths: two of them are padded


def trained(lm: LanguageModel, seed: int = 0, size: float = 0.15) -> Adapter:
    """A policy some way from the base."""
    generator = torch.Generator().manual_seed(seed)
    with lm.train(BASE) as trainee:
        with torch.no_grad():
            for weights in trainee.parameters.values():
                noise = torch.randn(weights.shape, generator=generator)
                weights.add_(size * noise.to(weights))
        return lm.freeze(trainee)


def full_logits(lm: LanguageModel, leaf: Leaf, prompt: list[int], tokens: list[int]) -> Tensor:
    """Next-token logits [L + 1, V] after the prompt and each token: one unpadded pass, no cache."""
    with torch.no_grad(), lm.active(leaf):
        logits = lm.causal(input_ids=torch.tensor([prompt + tokens]), use_cache=False).logits[0]
    return logits[len(prompt) - 1 :].double()


def rows(lm: LanguageModel, texts=("c", "d e", "f g h")) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of one prompt repeated and of the responses `texts`."""
    return [lm.encode("a b")] * len(texts), [lm.encode_response(text) for text in texts]
