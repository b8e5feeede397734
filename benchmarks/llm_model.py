"""The model, tokenizer and prompts of this project and of its peer; imports neither."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from typing import Any

VOCABULARY = 4096
BATCH = 8
WORDS_PER_PROMPT = 17


def tokenizer() -> Any:
    """A tokenizer of words w0, w1, ... that puts a BOS in front."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    words = [*special, *(f"w{i}" for i in range(VOCABULARY - len(special)))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"
    )


def model() -> Any:
    """A random Llama of 4 layers, width 256, 5.26 million weights, float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def prompts(count: int = 64) -> list[str]:
    """Prompts of words, all of one length."""
    texts = []
    for x in range(count):
        texts.append(" ".join(f"w{(x * 131 + i * 17) % 4000}" for i in range(WORDS_PER_PROMPT)))
    return texts


class Clock:
    """CPU seconds of every step after the first `warm_up`, and peak memory, printed as one line of JSON."""

    def __init__(self, warm_up: int = 1):
        self.warm_up, self.seconds, self.loaded = warm_up, [], peak_mb()

    def start(self) -> None:
        self.began = time.process_time()

    def stop(self) -> None:
        self.seconds.append(time.process_time() - self.began)

    def report(self, tokens: int) -> None:
        kept = self.seconds[self.warm_up :]
        json.dump(
            {
                "cpu_seconds": statistics.median(kept),
                "fastest": min(kept),
                "steps": len(kept),
                "tokens_per_second": tokens / statistics.median(kept),
                "peak_mb": peak_mb(),
                "loaded_mb": self.loaded,
            },
            sys.stdout,
        )


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
