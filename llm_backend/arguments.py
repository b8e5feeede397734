"""Checks of the arguments of a TextArena: prompts, lengths, counts, an expert."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from llm_backend.data import Prompt, as_asked
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Answers
from llm_backend.spaces.protocol import ListedSpace
from pgames.regularisers import KL

MOST = 2**62  # a seed is part of 64-bit words, and roles double it


def check_prompts(prompts: Sequence[Prompt]) -> list[str]:
    """The prompts as texts; messages as a `Conversation`.

    Raises ValueError unless prompts are a list of at least one text or conversation.
    """
    if isinstance(prompts, str) or not len(prompts):
        raise ValueError(f"prompts must be a list of at least one text, got {prompts!r:.60}.")
    for x, prompt in enumerate(prompts):
        if not isinstance(prompt, str | list):
            raise ValueError(
                f"prompts[{x}] must be a text, got {prompt!r:.60}: pass texts, or lists of messages."
            )
    return [as_asked(prompt, f"prompts[{x}]") for x, prompt in enumerate(prompts)]


def check_lengths(max_new_tokens: int, min_new_tokens: int, temperature: float, correct: int) -> None:
    """Raises ValueError naming the setting of length or sampling that is out of range."""
    _check_integer("max_new_tokens", max_new_tokens)
    _check_integer("min_new_tokens", min_new_tokens)
    _check_integer("correct", correct)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite, got {temperature}.")
    if not 0 <= min_new_tokens <= max_new_tokens or max_new_tokens < 1:
        raise ValueError(
            "max_new_tokens must be at least 1, and min_new_tokens from 0 to max_new_tokens, got "
            f"{max_new_tokens} and {min_new_tokens}."
        )
    if correct < 1:
        raise ValueError(f"correct must be at least 1 (1 is off), got {correct}.")


def check_counts(samples: int | None, seed: int, per_round: int | None, prompts: int, listed: bool) -> None:
    """Raises ValueError naming the setting that is out of range; `prompts` is the number of prompts."""
    _check_integer("seed", seed)
    if samples is not None:
        _check_integer("samples", samples)
    if per_round is not None:
        _check_integer("per_round", per_round)
    if not 0 <= seed < MOST:
        raise ValueError(f"seed must be at least 0 and below 2**62, got {seed}.")
    if samples is None and not listed:
        raise ValueError("samples=None needs responses=[...]: only an enumerable game is played exactly.")
    if samples is not None and samples < 2:
        raise ValueError(f"samples must be at least 2 (a fit needs differences), got {samples}.")
    if per_round is not None and not (samples and 1 <= per_round <= prompts):
        raise ValueError(
            f"per_round must be from 1 to the number of prompts, {prompts}, and needs samples: got "
            f"{per_round} and samples={samples}."
        )


def _check_integer(name: str, value: object) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}.")


def answers_of(
    expert: ArrayLike | Sequence[Sequence[str]], prompts: int, listed: ListedSpace | None
) -> Answers:
    """An expert as a policy: a list of texts per prompt, or float64[X, Y] over listed responses.

    Raises ValueError for an expert of another form or shape, or for one that lacks an answer to a prompt.
    """
    if isinstance(expert, Sequence):
        if any(isinstance(texts, str) for texts in expert):
            raise ValueError(f"expert must be a list of texts per prompt, got a text: {expert!r:.60}.")
        if any(isinstance(one, str) for texts in expert for one in texts):  # type: ignore[attr-defined]
            return _demonstrated(cast(Sequence[Sequence[str]], expert), prompts)
    if listed is None:
        raise ValueError(
            "a distribution as expert needs responses=[...]: pass them, or a list of texts per prompt."
        )
    table, shape = np.asarray(expert, dtype=np.float64), listed.support.shape
    if table.shape != shape or not (table >= 0).all() or (table.sum(axis=1) <= 0).any():
        raise ValueError(
            f"expert must be at least 0 with no row of zeros, of shape {shape}, got {table.tolist()!r:.60}."
        )
    weights = [row[: len(texts)] / row.sum() for row, texts in zip(table, listed.texts, strict=True)]
    return Answers(tuple(map(tuple, listed.texts)), tuple(weights))


def check_answers(lm: LanguageModel, expert: Answers, prompts: Sequence[list[int]]) -> None:
    """Raises ValueError for an answer that is not a response of the model to its prompt, given in tokens."""
    for prompt, texts in zip(prompts, expert.texts, strict=True):
        for text in texts:
            lm.encode_response(text, prompt)


def _demonstrated(expert: Sequence[Sequence[str]], prompts: int) -> Answers:
    lists = [tuple(texts) for texts in expert]
    if len(lists) != prompts or not all(lists):
        raise ValueError(
            f"expert must give each of the {prompts} prompts at least one text, or be float64[X, Y] over "
            f"responses; got {len(lists)} lists."
        )
    if wrong := [one for texts in lists for one in texts if not isinstance(one, str)]:
        raise ValueError(f"expert must be a list of texts per prompt, got {wrong[0]!r:.60} in one.")
    return Answers(tuple(lists), tuple(np.full(len(texts), 1 / len(texts)) for texts in lists))


def check_text_regulariser(regulariser: object) -> None:
    """Raises ValueError for a regulariser other than KL: on text a step is a regression of log-ratios."""
    if regulariser != KL():
        name = getattr(regulariser, "name", repr(regulariser))
        raise ValueError(
            f"on text the regulariser is KL, got {name}: a mirror step on text regresses log(pi / prior) on "
            "win rates, whose minimiser is the step of KL alone. Pass KL(), or play a pgames.TableArena."
        )
