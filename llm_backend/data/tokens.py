"""The exact tokens that a model reads: one BOS, no EOS before a response, padding with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from llm_backend.data.prompts import Prompt, checked
from llm_backend.data.templates import render


def encode_prompts(
    tokenizer: Any,
    prompts: Sequence[Prompt],
    chat: bool = True,
    system: str | None = None,
    context: int | None = None,
    truncate: Literal["left"] | None = None,
) -> list[list[int]]:
    """The tokens before a response, one list per prompt.

    Parameters
    ----------
    chat : render with the tokenizer's chat template, ending in the header of the assistant's turn; False is
        plain text, with the tokenizer's own BOS and without its EOS. There is never a second BOS.
    system : text of a system message put first.
    context : most tokens of a prompt (the model's context minus max_new_tokens); None sets no limit.
    truncate : "left" keeps BOS and the last tokens of a prompt that is too long; None refuses it.

    Raises ValueError for a value that is not a prompt, a prompt without tokens or too long, and an unknown
    `truncate`; TypeError when `prompts` is one text.
    """
    if isinstance(prompts, str):
        raise TypeError("prompts must be a sequence of prompts, got one text: pass [prompt].")
    rows = []
    for i, prompt in enumerate(prompts):
        prompt = checked(prompt, f"prompts[{i}]")
        row = tokenize(tokenizer, render(tokenizer, prompt, chat, system), special=not chat)
        if not row:
            raise ValueError(
                f"prompts[{i}] has no tokens: use a prompt that is not empty, or a tokenizer with BOS."
            )
        rows.append(_fitted(row, i, context, truncate, tokenizer.bos_token_id))
    return rows


def tokenize(tokenizer: Any, text: str, special: bool, eos: bool = False) -> list[int]:
    """Tokens of a text. `special` adds the tokenizer's BOS, once, and its EOS only if `eos` is true."""
    row = list(tokenizer(text, add_special_tokens=special)["input_ids"])
    bos, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if special and bos is not None and row[:2] == [bos, bos]:
        row = row[1:]  # the text holds one and the tokenizer added another
    if (
        special
        and not eos
        and end is not None
        and row[-1:] == [end]
        and not text.endswith(tokenizer.eos_token)
    ):
        row = row[:-1]
    return row


def encode_responses(tokenizer: Any, responses: Sequence[str]) -> list[list[int]]:
    """The tokens of responses as a model writes them: no BOS, and EOS at the end.

    Raises ValueError when the tokenizer has no EOS.
    """
    eos = tokenizer.eos_token_id
    if eos is None:
        raise ValueError(
            "the tokenizer has no EOS token, so responses could not end: set tokenizer.eos_token."
        )
    return [[*tokenizer(text, add_special_tokens=False)["input_ids"], eos] for text in responses]


def _fitted(row: list[int], i: int, context: int | None, truncate: str | None, bos: int | None) -> list[int]:
    if truncate not in (None, "left"):
        raise ValueError(f"truncate must be 'left' or None, got {truncate!r}.")
    if context is None or len(row) <= context:
        return row
    head = row[:1] if bos is not None and row[0] == bos else []
    if context <= len(head):
        raise ValueError(f"context must hold at least {len(head) + 1} tokens, got {context}.")
    if truncate is None:
        raise ValueError(
            f"prompts[{i}] has {len(row)} tokens but {context} fit: shorten it, lower max_new_tokens, or "
            "pass truncate='left' to keep its end."
        )
    return head + row[len(row) - context + len(head) :]


def pad_token(tokenizer: Any) -> int:
    """The id used for padding: the pad token, else EOS. Masks come from lengths, never from this id.

    Raises ValueError when the tokenizer has neither.
    """
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise ValueError("the tokenizer has neither a pad nor an EOS token: set tokenizer.pad_token.")


def padded(
    rows: Sequence[Sequence[int]], pad: int, side: Literal["left", "right"]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, int64[B, L] each; the mask is 1 on all tokens of a row, EOS included."""
    width = max((len(row) for row in rows), default=0)
    ids = torch.full((len(rows), width), pad, dtype=torch.int64)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for b, row in enumerate(rows):
        place = slice(width - len(row), width) if side == "left" else slice(0, len(row))
        ids[b, place] = torch.tensor(list(row), dtype=torch.int64)
        mask[b, place] = 1
    return ids, mask
