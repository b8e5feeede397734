"""Tiny language models built on the spot: what all tests of llm_backend share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import pgames as pg
from llm_backend.models.language_model import LanguageModel
from llm_backend.tiny import random_llama, word_tokenizer

torch.set_num_threads(1)

WORDS = tuple("abcdefghij")


def tiny_tokenizer(words: Sequence[str] = WORDS):
    """A tokenizer of words, which puts a BOS in front of a text."""
    return word_tokenizer(words)


def tiny_model(vocabulary: int, layers: int = 1, width: int = 32, seed: int = 0, spread: float = 0.3):
    """A random Llama; `spread` is the standard deviation of its weights, so how uneven its policy is."""
    return random_llama(vocabulary, width, 2 * width, layers, room=64, spread=spread, seed=seed)


def tiny_lm(
    words: Sequence[str] = WORDS,
    lora: int | None = 8,
    layers: int = 1,
    width: int = 32,
    seed: int = 0,
    spread: float = 0.2,
) -> LanguageModel:
    """A random Llama with a tokenizer of words, as a LanguageModel."""
    tokenizer = tiny_tokenizer(words)
    return LanguageModel(tiny_model(len(tokenizer), layers, width, seed, spread), tokenizer, lora, seed)


class TableJudge:
    """prefer(prompts, firsts, seconds) looks up P[prompt, first, second]; counts what it is asked."""

    as_is = True

    def __init__(self, P: NDArray[np.float64], prompts: Sequence[str], responses: Sequence[str]):
        self.P = np.asarray(P, dtype=np.float64)
        self.prompts = {text: x for x, text in enumerate(prompts)}
        self.responses = {text: y for y, text in enumerate(responses)}
        self.asked = 0

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        self.asked += len(prompts)
        x = [self.prompts[text] for text in prompts]
        y = [self.responses[text] for text in firsts]
        z = [self.responses[text] for text in seconds]
        return self.P[x, y, z]


class CoinJudge(TableJudge):
    """The same judge saying 0 or 1, at random; a pair asked twice in one call may differ."""

    def __init__(self, P, prompts, responses, seed: int = 0):
        super().__init__(P, prompts, responses)
        self.coin = np.random.default_rng(seed)

    def prefer(self, prompts, firsts, seconds) -> NDArray[np.float64]:
        rates = super().prefer(prompts, firsts, seconds)
        return (self.coin.random(len(rates)) < rates).astype(np.float64)


def cyclic_game(prompts: int = 3, responses: int = 5) -> pg.PreferenceGame:
    """A cycle of its own for every prompt: the same cycle, the responses in another order and strength."""
    tables = []
    for x in range(prompts):
        order = np.random.default_rng(x).permutation(responses)
        tables.append(pg.games.cyclic(responses, p=0.9 - 0.1 * x).P[0][order][:, order])
    return pg.PreferenceGame(np.array(tables))
