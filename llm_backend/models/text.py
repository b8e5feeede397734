"""Texts that a tokenizer can be given."""

from __future__ import annotations

from typing import Any


def whole(text: Any) -> str:
    """The text itself. Raises ValueError for what is no text, or holds half a character."""
    if not isinstance(text, str):
        raise ValueError(f"a prompt or response is a text, got {type(text).__name__} {text!r:.60}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text!r:.60} is no Unicode text ({error.reason}): remove half characters."
        ) from None
    return text
