"""Prompts: texts and conversations, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeGuard

from llm_backend.data.messages import messages_in

Message = dict[str, str]  # {"role": ..., "content": ...}
Prompt = str | list[Message]  # a text, or the messages of a conversation


class Conversation(str):
    """The messages of a conversation, as the text that a judge of texts reads.

    It is the content of a single message, or every message with its role. Two conversations are equal when
    their messages are; a single message of the user equals its text, and no other conversation equals a text.
    """

    messages: tuple[Message, ...]

    def __new__(cls, messages: Sequence[Message]) -> Self:
        """The conversation of messages, each with a role and a content."""
        kept = tuple({"role": one["role"], "content": one["content"]} for one in messages)
        several = "\n\n".join(f"{one['role']}: {one['content']}" for one in kept)
        self = super().__new__(cls, kept[0]["content"] if len(kept) == 1 else several)
        self.messages = kept
        return self

    def __getnewargs__(self) -> tuple[tuple[Message, ...]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (self.messages,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and identity(self) == identity(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        asked = identity(self)
        return hash(asked if isinstance(asked, str) else tuple(map(tuple, asked)))


def identity(prompt: str) -> str | list[list[str]]:
    """What a prompt asks, as JSON values: a text, or the (role, content) of every message."""
    if not isinstance(prompt, Conversation):
        return prompt
    if len(prompt.messages) == 1 and prompt.messages[0]["role"] == "user":
        return prompt.messages[0]["content"]
    return [[one["role"], one["content"]] for one in prompt.messages]


def messages_of(prompt: Prompt) -> list[Message]:
    """The messages of a prompt; a text is one message of the user."""
    if isinstance(prompt, Conversation):
        return list(prompt.messages)
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)


def as_asked(prompt: Prompt, place: str = "the prompt") -> str:
    """A text unchanged, messages as a `Conversation`.

    Raises ValueError naming the place for anything else, and for a conversation with nothing to answer.
    """
    if isinstance(prompt, str):
        return prompt
    return Conversation(_messages(prompt, place))


def checked(value: Any, place: str) -> Prompt:
    """The value as a prompt of a file. Raises ValueError naming its place when it is not one."""
    value = messages_in(value, place)
    if isinstance(value, str):
        if not value:
            raise ValueError(f"{place}: the prompt is empty; remove the row.")
        check_characters(value, place)
        return value
    return _messages(value, place)


def _messages(value: Any, place: str) -> list[Message]:
    value = messages_in(value, place) if isinstance(value, list | tuple) else value
    if not value or not is_conversation(value):
        raise ValueError(
            f"{place}: a prompt is a text or a list of {{'role', 'content'}}, got {value!r:.80}."
        )
    if value[-1]["role"] == "assistant":
        raise ValueError(
            f"{place}: the conversation ends with the assistant, so there is nothing left to answer; drop "
            "its last message, or read it with its answer: read_demonstrations(source, response='messages'), "
            "in a run's file answers = 'messages', with the name of this column."
        )
    for message in value:
        check_characters(message["content"], place)
    return [{"role": message["role"], "content": message["content"]} for message in value]


def check_characters(text: str, place: str) -> None:
    """Raises ValueError naming the place of a text with half a character, which no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place}: {text!r:.60} holds half a character (an unpaired surrogate).") from None


def is_conversation(value: Any) -> TypeGuard[list[Message]]:
    """Whether a value is a list of messages, each with a role and a content that are texts."""
    return isinstance(value, list | tuple) and all(
        isinstance(message, dict)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in value
    )
