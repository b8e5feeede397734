"""Random models of several families, and their logits through the decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from llm_backend.models.language_model import LanguageModel
from tests.support.llm_tiny import tiny_tokenizer

FORCED = [[6, 5, 9, 4, 11, 7], [8, 8, 4, 10, 5, 6], [9, 4, 12, 6, 7, 13]]
SHAPES = {
    "llama": {"num_key_value_heads": 1},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 24},
    "gpt2": {},
}


def model_of(kind: str, lora: int | None) -> LanguageModel:
    """A random model of a family, its weights large enough for an uneven policy."""
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny_tokenizer()
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if kind != "gpt2":
        sizes |= {"intermediate_size": 64, **SHAPES[kind]}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # initialised to constants, which hide mistakes
                weights.add_(0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)))
    return LanguageModel(model, tokenizer, lora)


def total_variation(p: Tensor, q: Tensor) -> float:
    return float(0.5 * (p - q).abs().sum(-1).max())
