"""Messages in the forms in which data sets write them, as lists of roles and texts."""

from __future__ import annotations

from typing import Any

from pgames.files import parse_json

SHAREGPT = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant"}  # its roles


def messages_in(value: Any, place: str) -> Any:
    """The messages that a cell holds, each with a role and a content; any other value as it is.

    Read are a single message, the keys `from` and `value` of ShareGPT, contents that are lists of texts, and
    a list of messages written as JSON in a text.

    Raises ValueError naming the message that holds more than text: an image, a tool call.
    """
    found = _parsed(value) if isinstance(value, str) else value
    if isinstance(found, dict) and _is_message(found):
        found = [found]
    if isinstance(found, list | tuple) and found and all(isinstance(one, dict) for one in found):
        return [_message(one, f"{place}, message {i}") for i, one in enumerate(found)]
    return value


def _parsed(text: str) -> Any:
    """The messages that are written as JSON in a text, or the text."""
    if not (text.lstrip()[:1] == "[" and text.rstrip()[-1:] == "]"):
        return text
    try:
        found = parse_json(text)
    except ValueError:
        return text
    wanted = isinstance(found, list) and found and all(isinstance(m, dict) and _is_message(m) for m in found)
    return found if wanted else text


def _is_message(value: dict[str, Any]) -> bool:
    return {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()


def _message(one: dict[str, Any], place: str) -> dict[str, Any]:
    """A message with its role and content; one that has none of these as it is."""
    if one.get("tool_calls"):
        raise ValueError(f"{place} holds tool calls, which are not read: write them as text, or remove it.")
    if not _is_message(one):
        return one
    content = one["content"] if "content" in one else one["value"]
    role = one["role"] if "role" in one else one["from"]
    if "role" not in one and isinstance(role, str):
        role = SHAREGPT.get(role.lower(), role)
    if isinstance(content, list | tuple):
        content = "\n".join(_text(part, place) for part in content)
    return {"role": role, "content": content}


def _text(part: Any, place: str) -> str:
    """The text of a part of a content."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, dict) else type(part).__name__
    if kind != "text" or not isinstance(part.get("text"), str):
        raise ValueError(f"{place} holds a part of type {kind!r:.30}: only text is read; remove the row.")
    return part["text"]
