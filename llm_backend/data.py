"""Prompts: from files and data sets to the exact tokens a model sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

Prompt = str | list[dict[str, str]]  # a text, or messages {"role": ..., "content": ...}


class Demonstration(NamedTuple):
    """An expert's answer to a prompt."""

    prompt: Prompt
    response: str


# -- reading --------------------------------------------------------------------------------------------


def read_prompts(
    source: str | Path, column: str = "prompt", split: str = "train", limit: int | None = None
) -> list[Prompt]:
    """The prompts in `column` of a .jsonl or .parquet file, a folder saved by `datasets`, or a hub data set.

    A prompt is a text or a list of messages. `split` selects among the splits of a data set; `limit` takes
    the first so many rows. Raises ValueError naming the row for anything that is no prompt.
    """
    rows = _rows(source, [column], split, limit)
    return [_prompt(row[column], f"{source}, row {i}, column {column!r}") for i, row in enumerate(rows)]


def read_demonstrations(
    source: str | Path,
    prompt: str = "prompt",
    response: str = "response",
    split: str = "train",
    limit: int | None = None,
) -> list[Demonstration]:
    """The (prompt, response) pairs of an expert; sources as for `read_prompts`.

    A response that is a conversation stands for its last message, which must be the assistant's.
    """
    out = []
    for i, row in enumerate(_rows(source, [prompt, response], split, limit)):
        place = f"{source}, row {i}"
        answer = row[response]
        if isinstance(answer, list) and answer and answer[-1].get("role") == "assistant":
            answer = answer[-1].get("content")
        if not isinstance(answer, str) or not answer:
            raise ValueError(
                f"{place}, column {response!r}: a response is a text of length > 0, got {answer!r}."
            )
        out.append(Demonstration(_prompt(row[prompt], f"{place}, column {prompt!r}"), answer))
    return out


def _rows(source: str | Path, columns: list[str], split: str, limit: int | None) -> list[dict[str, Any]]:
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for all rows, got {limit}.")
    path = Path(source)
    if path.suffix == ".jsonl":
        rows = _read_jsonl(path, limit)
    elif path.suffix == ".parquet":
        rows = _read_parquet(path, columns, limit)
    elif path.suffix in (".json", ".csv", ".txt"):
        raise ValueError(
            f"{source}: cannot read {path.suffix}; write one JSON object per line to a .jsonl file."
        )
    else:
        rows = _read_dataset(source, columns, split, limit)
    if not rows:
        raise ValueError(f"{source} has no rows: need at least one prompt.")
    for i, row in enumerate(rows):
        for column in columns:
            if column not in row:
                raise _no_column(source, column, row, f"row {i} ")
    return rows


def _no_column(source: object, column: str, columns: Iterable[str], where: str = "") -> ValueError:
    return ValueError(
        f"{source}: {where}has no column {column!r}, it has {', '.join(columns)}: pass one of these."
    )


def _read_jsonl(path: Path, limit: int | None) -> list[dict[str, Any]]:
    rows = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if limit is not None and len(rows) >= limit:
                break
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number} is not JSON ({error}): repair or remove it."
                ) from None
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path}, line {number} is {type(row).__name__}, not an object: write {{...}}."
                )
            rows.append(row)
    return rows


def _read_parquet(path: Path, columns: list[str], limit: int | None) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        for column in columns:
            if column not in names:
                raise _no_column(path, column, names)
        rows: list[dict[str, Any]] = []
        for batch in file.iter_batches(columns=columns):
            rows += batch.to_pylist()
            if limit is not None and len(rows) >= limit:
                break
    return rows[:limit]


def _read_dataset(
    source: str | Path, columns: list[str], split: str, limit: int | None
) -> list[dict[str, Any]]:
    import datasets

    path = Path(source)
    if path.is_dir() and ((path / "state.json").exists() or (path / "dataset_dict.json").exists()):
        data = datasets.load_from_disk(str(path))
        if isinstance(data, datasets.DatasetDict):
            if split not in data:
                raise ValueError(
                    f"{source} has no split {split!r}, it has {', '.join(map(str, data))}: pass one."
                )
            data = data[split]
    else:
        data = datasets.load_dataset(str(source), split=split)
    for column in columns:
        if column not in data.column_names:
            raise _no_column(source, column, data.column_names)
    data = data.select_columns(columns)
    if limit is not None:
        data = data.select(range(min(limit, len(data))))
    return list(data)  # pyright: ignore[reportReturnType]


def _prompt(value: Any, place: str) -> Prompt:
    if isinstance(value, str):
        if not value:
            raise ValueError(f"{place}: the prompt is empty; remove the row.")
        return value
    good = isinstance(value, list) and all(
        isinstance(message, dict)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in value
    )
    if not good or not value:
        raise ValueError(
            f"{place}: a prompt is a text or a list of {{'role', 'content'}}, got {value!r:.80}."
        )
    if value[-1]["role"] == "assistant":
        raise ValueError(
            f"{place}: the conversation ends with the assistant, so there is nothing left to answer; "
            "drop its last message, or read it with read_demonstrations."
        )
    return [{"role": message["role"], "content": message["content"]} for message in value]


# -- tokens ---------------------------------------------------------------------------------------------


def encode_prompts(
    tokenizer: Any,
    prompts: Sequence[Prompt],
    chat: bool = True,
    system: str | None = None,
    context: int | None = None,
    truncate: Literal["left"] | None = None,
) -> list[list[int]]:
    """The tokens after which a response begins, one list per prompt.

    Parameters
    ----------
    chat : render with the tokenizer's chat template, ending in the header of the assistant's turn; False is
        plain text, with the tokenizer's own BOS and without its EOS. Never two BOS.
    system : text of a system message to begin with.
    context : most tokens a prompt may have (what the model holds minus max_new_tokens), None for any.
    truncate : "left" keeps BOS and the last tokens of a prompt that is too long, None raises ValueError.
    """
    if isinstance(prompts, str):
        raise TypeError("prompts must be a sequence of prompts, got one text: pass [prompt].")
    rows = []
    for i, prompt in enumerate(prompts):
        prompt = _prompt(prompt, f"prompts[{i}]")
        row = tokenize(tokenizer, render(tokenizer, prompt, chat, system), special=not chat)
        if not row:
            raise ValueError(
                f"prompts[{i}] has no tokens; use a prompt that is not empty, or a tokenizer with BOS."
            )
        rows.append(_fitted(row, i, context, truncate, tokenizer.bos_token_id))
    return rows


def render(tokenizer: Any, prompt: Prompt, chat: bool = True, system: str | None = None) -> str:
    """The text after which a response begins, BOS included where the chat template writes it."""
    if not chat:
        if system is not None or not isinstance(prompt, str):
            raise ValueError(
                "messages and a system text need a chat template: pass chat=True, or one plain text."
            )
        return prompt
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    if system is not None:
        if messages[0]["role"] == "system":
            raise ValueError("the prompt begins with a system message already: pass system=None.")
        messages = [{"role": "system", "content": system}, *messages]
    return apply_template(tokenizer, messages, add_generation_prompt=True)


def apply_template(tokenizer: Any, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
    """The text of a conversation by the tokenizer's chat template; errors say what to pass."""
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            "the tokenizer has no chat template: pass chat=False for plain text (to a judge: a template of "
            "your own), or set tokenizer.chat_template to the one the model was trained with."
        )
    import jinja2

    try:
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except jinja2.TemplateError as error:
        roles = [message["role"] for message in messages]
        raise ValueError(
            f"the chat template refuses the roles {roles} ({error}): put a system text into the user's "
            "message, and let user and assistant alternate."
        ) from error


def tokenize(tokenizer: Any, text: str, special: bool, eos: bool = False) -> list[int]:
    """Tokens of a text; `special` adds the tokenizer's BOS, once, and its EOS only if `eos` is true."""
    row = list(tokenizer(text, add_special_tokens=special)["input_ids"])
    bos, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if special and bos is not None and row[:2] == [bos, bos]:
        row = row[1:]  # the text wrote it and the tokenizer added it
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
    """The tokens of responses as a model would write them: no BOS, and EOS at the end."""
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
    """The id to fill with: the pad token, else EOS. Masks come from lengths, never from comparing with it."""
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
