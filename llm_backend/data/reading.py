"""Reading: how a language model reads prompts."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from llm_backend.data.prompts import Conversation, Prompt
from llm_backend.data.templates import Arguments, has_template, lacks_header, marks, turn
from llm_backend.data.tokens import encode_prompts, tokenize
from pgames.numerics import whole


class DataWarning(UserWarning):
    """Prompts are read in a way that is rarely meant."""


@dataclass(frozen=True)
class Reading:
    """How prompts become tokens.

    chat : render prompts with the tokenizer's chat template; False is plain text; None is True where the
        tokenizer has a template.
    system : text of a system message put first.
    template_arguments : what the template takes beside the messages, such as {"enable_thinking": False}.
    truncate : "left" keeps BOS and the last tokens of a prompt that is too long; None refuses it.
    longest : most tokens of a prompt, at least 1; None sets no limit.

    Raises ValueError for another `truncate` or `longest`.
    """

    chat: bool | None = None
    system: str | None = None
    template_arguments: Arguments | None = None
    truncate: Literal["left"] | None = None
    longest: int | None = None

    def __post_init__(self) -> None:
        if self.longest is not None and (not whole(self.longest) or self.longest < 1):
            raise ValueError(f"longest must be at least 1 token, or unset, got {self.longest!r}.")
        if self.truncate not in (None, "left"):
            raise ValueError(f"truncate must be 'left' or None, got {self.truncate!r}.")

    def by_template(self, tokenizer: Any) -> bool:
        """Whether prompts are rendered with the tokenizer's chat template."""
        return has_template(tokenizer) if self.chat is None else self.chat

    def changed(self, chat: bool | None, system: str | None, arguments: Arguments | None) -> Reading:
        """The same reading but for the settings that are not None."""
        given = {"chat": chat, "system": system, "template_arguments": arguments}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def encode(self, tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[int]]:
        """The tokens before a response, one list per prompt.

        Warns when prompts hold the marks of the template already, or the template has no generation prompt.
        Raises ValueError for a prompt that cannot be rendered, is too long or has no tokens.
        """
        chat = self.by_template(tokenizer)
        rows = encode_prompts(
            tokenizer, prompts, chat, self.system, self.longest, self.truncate, self.template_arguments
        )
        if chat:
            self._warn(tokenizer, prompts)
        return rows

    def _warn(self, tokenizer: Any, prompts: Sequence[Prompt]) -> None:
        if (found := turn(tokenizer, self.template_arguments)) is None:
            return
        if lacks_header(found):
            warnings.warn(
                "the chat template has no generation prompt, so a response begins without the header of the "
                f"assistant's turn ({found.between.strip()!r:.60} between messages): set "
                "tokenizer.chat_template to one that reads add_generation_prompt.",
                DataWarning,
                stacklevel=4,
            )
        plain = [prompt for prompt in prompts if isinstance(prompt, str)]
        plain = [prompt for prompt in plain if not isinstance(prompt, Conversation)]
        known = marks(tokenizer, found)
        held = [mark for prompt in plain if (mark := next((m for m in known if m in prompt), None))]
        if held:
            warnings.warn(
                f"{len(held)} of {len(prompts)} prompts hold {held[0]!r}, which the chat template writes: "
                "they look rendered already, and are now rendered twice. Pass chat=False to play them as "
                "they are, or the messages without their template.",
                DataWarning,
                stacklevel=4,
            )


def end_token(tokenizer: Any, reading: Reading, stops: Collection[int]) -> int:
    """The token that ends a response: the one that ends the assistant's turn in the template, else EOS.

    In the template it is the first of `stops` after an answer, or else the first token that was added to the
    vocabulary, such as <end_of_turn>.
    """
    if reading.by_template(tokenizer) and (found := turn(tokenizer, reading.template_arguments)):
        after = tokenize(tokenizer, found.after, special=False)
        added = set(getattr(tokenizer, "added_tokens_decoder", {})) - {tokenizer.unk_token_id}
        for known in (set(stops), added - {tokenizer.bos_token_id, tokenizer.pad_token_id}):
            if (token := next((one for one in after if one in known), None)) is not None:
                return token
    return int(tokenizer.eos_token_id)
