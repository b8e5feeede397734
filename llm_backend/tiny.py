"""Language models of a few thousand random weights, for --tiny, the demo and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from llm_backend.models.language_model import LanguageModel

LM = TypeVar("LM", bound=LanguageModel)
PROMPTS = [
    f"What is {a} plus {b}?" for a, b in ((1, 2), (2, 2), (3, 1), (4, 3), (5, 2), (2, 6), (7, 1), (4, 4))
]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }}\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def tiny_tokenizer(texts: list[str], vocabulary: int = 120) -> Any:
    """A byte-level BPE tokenizer trained on texts, with BOS, EOS and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted({character for text in texts for character in text} | set("<>\n"))
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=[
            pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(c)[0][0] for c in alphabet
        ],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", special.index("<bos>"))]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def word_tokenizer(words: Sequence[str]) -> Any:
    """A tokenizer of these words, separated by blanks, with a BOS before every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    vocabulary = {word: i for i, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


def tiny_language_model(
    lora: int | None = 4, seed: int = 0, texts: list[str] | None = None, kind: type[LM] = LanguageModel
) -> LM:
    """A random Llama of two layers with a tokenizer trained on `texts` (PROMPTS by default).

    Raises ValueError for a seed of more than 64 bits.
    """
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must be a whole number of 64 bits, got {seed}.")
    tokenizer = tiny_tokenizer((texts or PROMPTS) + ["user assistant"])
    model = random_llama(len(tokenizer), width=32, inner=64, layers=2, room=256, spread=0.2, seed=seed)
    return kind(model, tokenizer, lora, seed)


def random_llama(
    vocabulary: int,
    width: int,
    inner: int,
    layers: int,
    room: int,
    heads: int = 2,
    spread: float = 0.02,
    seed: int = 0,
) -> Any:
    """A random Llama of Hugging Face with a context of `room` tokens; tokens 0, 1, 2 are pad, BOS, EOS.

    `spread` is the standard deviation of its weights: the larger, the less uniform its policy.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=room,
        initializer_range=spread,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
