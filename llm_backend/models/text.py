"""Texts that a tokenizer accepts."""

from __future__ import annotations


def check_text(text: object) -> str:
    """Return the text if a tokenizer accepts it.

    Raises ValueError when it is not a str, or contains an unpaired surrogate.
    """
    if not isinstance(text, str):
        raise ValueError(f"a prompt or response is a text, got {type(text).__name__} {text!r:.60}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text!r:.60} is not Unicode text ({error.reason}): remove unpaired surrogates."
        ) from None
    return text
