"""Games of two roles on a toy: a list of attacks and answers, and free text."""

from __future__ import annotations

import numpy as np
import torch

from llm_backend import Fit, LanguageModel
from llm_backend.roles import Seed, TextRoleArena
from llm_backend.tiny import random_llama, word_tokenizer

ATTACKS, ANSWERS = [f"a{i}" for i in range(5)], [f"b{i}" for i in range(4)]
RATES = np.random.default_rng(0).random((5, 4))


def looked_up(prompts, answers):
    """The success of attack aI at answer bJ."""
    return np.array([RATES[int(x[1:]), int(y[1:])] for x, y in zip(prompts, answers, strict=True)])


def listed_roles(samples=None, seeds=("s",), fit=None, spread=0.1, lm=None, **options) -> TextRoleArena:
    """Five attacks and four answers on a tiny Llama, all of whose weights are trained."""
    tokenizer = word_tokenizer(["s", "t", *ATTACKS, *ANSWERS])
    model = random_llama(len(tokenizer), width=64, inner=64, layers=1, room=16, spread=spread)
    lm = lm or LanguageModel(model, tokenizer, lora=None)
    lists = {"attacks": ATTACKS, "answers": ANSWERS, "samples": samples, "fit": fit or Fit()}
    return TextRoleArena(lm, [Seed(seed) for seed in seeds], looked_up, **lists, **options)


def says_d(prompts, answers):
    """An attack succeeds as far as the answer is made of the word d."""
    return np.array([text.split().count("d") / max(1, len(text.split())) for text in answers])


def writer(words="abcde") -> LanguageModel:
    """A toy that writes its words, ends often, and hardly ever writes another special token."""
    tokenizer = word_tokenizer(words)
    model = random_llama(len(tokenizer), width=32, inner=64, layers=1, room=64, spread=0.2)
    head = torch.nn.Linear(32, len(tokenizer))
    head.weight.data, head.bias.data = model.lm_head.weight.data, torch.zeros(len(tokenizer))
    head.bias.data[:4] = torch.tensor([-20.0, -20.0, 1.0, -20.0])  # pad, BOS, EOS, unknown
    model.lm_head = head
    return LanguageModel(model, tokenizer, lora=8)


def free_roles(seeds=("a", "b c"), lm=None, success=says_d, **options) -> TextRoleArena:
    """Attacks and answers of up to four words of a toy."""
    asked = [seed if isinstance(seed, Seed) else Seed(seed) for seed in seeds]
    how = {"samples": 4, "replies": 3, "attack_tokens": 5, "answer_tokens": 3, "fit": Fit(epochs=2)}
    return TextRoleArena(lm or writer(), asked, success, **{**how, **options})
