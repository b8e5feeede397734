"""Random classifiers and a tokenizer with a chat template."""

import torch

from tests.support.judged import WORDS
from tests.support.llm_tiny import tiny_tokenizer

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %} {{ m.role }} {{ m.content }} {{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %} assistant {% endif %}"
)


def tokenizer_of(words=(*WORDS, "a", "b", "user", "assistant", "system")):
    tokenizer = tiny_tokenizer(words)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def classifier(tokenizer, labels=1, pad=0, seed=0):
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, num_labels=labels, pad_token_id=pad,
        initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForSequenceClassification(config)
