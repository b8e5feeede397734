"""The exact tokens that a model reads: one BOS, no EOS before a response, padding with a mask."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import torch

from llm_backend.data.prompts import Prompt, as_asked
from llm_backend.data.templates import Arguments, render

TAIL = 8  # tokens of a prompt that can change how the text after them is split


def encode_prompts(
    tokenizer: Any,
    prompts: Sequence[Prompt],
    chat: bool = True,
    system: str | None = None,
    context: int | None = None,
    truncate: Literal["left"] | None = None,
    arguments: Arguments | None = None,
) -> list[list[int]]:
    """The tokens before a response, one list per prompt.

    Parameters
    ----------
    chat : render with the tokenizer's chat template, ending in the header of the assistant's turn; False is
        plain text, with the tokenizer's own BOS and without its EOS. There is never a second BOS.
    system : text of a system message put first.
    context : most tokens of a prompt (the model's context minus max_new_tokens); None sets no limit.
    truncate : "left" keeps BOS and the last tokens of a prompt that is too long; None refuses it.
    arguments : what the chat template takes beside the messages, such as {"enable_thinking": False}.

    Raises ValueError for a value that is not a prompt, a prompt without tokens or too long, and an unknown
    `truncate`; TypeError when `prompts` is one text.
    """
    if isinstance(prompts, str):
        raise TypeError("prompts must be a sequence of prompts, got one text: pass [prompt].")
    rows = []
    for i, prompt in enumerate(prompts):
        text = _rendered(tokenizer, prompt, i if len(prompts) > 1 else None, chat, system, arguments)
        row = tokenize(tokenizer, text, special=not chat)
        if not row:
            raise ValueError(
                f"prompts[{i}] has no tokens: use a prompt that is not empty, or a tokenizer with BOS."
            )
        rows.append(_fitted(row, i, context, truncate, tokenizer.bos_token_id))
    return rows


def _rendered(
    tokenizer: Any, prompt: Prompt, i: int | None, chat: bool, system: str | None, arguments: Arguments | None
) -> str:
    """The text of a prompt; an error names the number of one among several."""
    asked = as_asked(prompt, f"prompts[{i or 0}]")
    try:
        return render(tokenizer, asked, chat, system, arguments)
    except ValueError as error:
        if i is None:
            raise
        raise ValueError(f"prompts[{i}]: {error}") from error


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


def encode_responses(
    tokenizer: Any,
    responses: Sequence[str],
    prompts: Sequence[Sequence[int]] | None = None,
    end: int | None = None,
    stops: Collection[int] = (),
) -> list[list[int]]:
    """The tokens of responses as a model writes them after `prompts` (tokens): no BOS, and `end` at the end.

    `end` is EOS by default. A text that spells one of the `stops` is encoded without that token, as a model
    writes it that did not stop there. Raises ValueError when the tokenizer has no EOS.
    """
    end = tokenizer.eos_token_id if end is None else end
    if end is None:
        raise ValueError(
            "the tokenizer has no EOS token, so responses could not end: set tokenizer.eos_token."
        )
    before = [()] * len(responses) if prompts is None else prompts
    return [
        [*spelled(tokenizer, prompt, text, {end, *stops}), end]
        for prompt, text in zip(before, responses, strict=True)
    ]


def spelled(tokenizer: Any, prompt: Sequence[int], text: str, stops: Collection[int]) -> list[int]:
    """`encode_after`, with the text of a stop token split into the tokens that spell it."""
    row = encode_after(tokenizer, prompt, text)
    if any(token in stops for token in row):
        row = list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    return row


def encode_after(tokenizer: Any, prompt: Sequence[int], text: str) -> list[int]:
    """The tokens of a text after a prompt: those of prompt and text together, cut at the boundary.

    If a token of the whole crosses the boundary, they are those of the text alone, unless a tokenizer puts a
    blank in front of it: then those of the text after a line break.
    """
    tail = list(prompt[-TAIL:])
    whole = bool(text and tail and tail != [tokenizer.bos_token_id])
    before = decode(tokenizer, tail) if whole else ""
    if whole and (cut := _cut(tokenizer, before, text)) is not None:
        return cut
    alone = tokenize(tokenizer, text, special=False)
    if whole and decode(tokenizer, [*tail, *alone]) != before + text:
        for other in ("\n", ":"):
            cut = _cut(tokenizer, other, text)
            if cut is not None and decode(tokenizer, [*tail, *cut]) == before + text:
                return cut
    return alone


def _cut(tokenizer: Any, before: str, text: str) -> list[int] | None:
    """The tokens of before + text that follow those of `before`, or None when one belongs to both."""
    head, whole = (tokenize(tokenizer, one, special=False) for one in (before, before + text))
    return whole[len(head) :] if whole[: len(head)] == head else None


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of tokens as they are: special tokens are shown, and no blank is removed."""
    return tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)


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
            f"prompts[{i}] has {len(row)} tokens but {context} fit, those of the chat template included: "
            "shorten it, lower max_new_tokens, or pass truncate='left' to keep its end."
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
