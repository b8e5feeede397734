"""Conversations as text, by the chat template of a tokenizer."""

from __future__ import annotations

from typing import Any

from llm_backend.data.prompts import Prompt


def render(tokenizer: Any, prompt: Prompt, chat: bool = True, system: str | None = None) -> str:
    """The text before a response, with BOS where the chat template writes it.

    Raises ValueError when messages or a system text lack a chat template, or there are two system messages.
    """
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
    """The text of a conversation by the tokenizer's chat template.

    Raises ValueError when there is no template, or it refuses these roles.
    """
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
