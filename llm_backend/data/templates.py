"""Conversations as text, by the chat template of a tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from llm_backend.data.prompts import Conversation, Message, Prompt, messages_of

Arguments = Mapping[str, object]  # what a template takes beside the messages, such as enable_thinking
TIMES = (  # replaces the clock of transformers, which always reads the time of the moment
    "{% macro strftime_now(form) %}{{ times_of_the_run[form] if form in times_of_the_run else "
    "raise_exception('strftime_now needs a form that is written in the template') }}{% endmacro %}\n"
)
OURS = ("messages", "add_generation_prompt", "chat_template", "tokenize")  # no argument of a user
QUESTION, ANSWER = "a marked question", "a marked answer"


class Clock:
    """The time that chat templates read (`strftime_now`). It stands still, so a prompt keeps its tokens."""

    def __init__(self) -> None:
        self.now = datetime.now()

    def strftime(self, form: str) -> str:
        """The time as a text."""
        return self.now.strftime(form)


class NoClock(Clock):
    """A clock that answers every question with itself, so that a text does not depend on the time."""

    def strftime(self, form: str) -> str:
        """The form of the time that is asked for."""
        return form


NO_CLOCK = NoClock()
CLOCK = Clock()  # from the start of the process; a run sets it to its own start, and again when it resumes


def render(
    tokenizer: Any,
    prompt: Prompt,
    chat: bool = True,
    system: str | None = None,
    arguments: Arguments | None = None,
    clock: Clock = CLOCK,
) -> str:
    """The text before a response, with BOS where the chat template writes it.

    Raises ValueError when messages or a system text lack a chat template, when there are two system messages,
    or when the template fails, ignores the system message or does not read one of `arguments`.
    """
    if not chat:
        if system is not None or arguments or not isinstance(prompt, str) or isinstance(prompt, Conversation):
            raise ValueError(
                "messages, a system text and template arguments need a chat template: pass chat=True, or one "
                "plain text."
            )
        return prompt
    messages = with_system(messages_of(prompt), system)
    return apply_template(tokenizer, messages, add_generation_prompt=True, arguments=arguments, clock=clock)


def with_system(messages: Sequence[Message], system: str | None) -> list[Message]:
    """The messages with a system text put first. Raises ValueError when they begin with one already."""
    if system is None:
        return list(messages)
    if messages[0]["role"] == "system":
        raise ValueError("the prompt begins with a system message already: pass system=None.")
    return [{"role": "system", "content": system}, *messages]


def apply_template(
    tokenizer: Any,
    messages: Sequence[Message],
    add_generation_prompt: bool,
    arguments: Arguments | None = None,
    clock: Clock = CLOCK,
) -> str:
    """The text of a conversation by the tokenizer's chat template.

    Raises ValueError when there is no template, when it fails on these messages or refuses their roles, when
    it ignores a message, or when it does not read one of `arguments`.
    """
    if not has_template(tokenizer):
        raise ValueError(
            "the tokenizer has no chat template: pass chat=False for plain text (to a judge: a template of "
            "your own), or set tokenizer.chat_template to the one the model was trained with."
        )
    written = template_of(tokenizer)
    for name in arguments or ():
        if name in OURS:
            raise ValueError(f"the template argument {name!r} is set by the reader of prompts: remove it.")
        if name not in written:
            raise ValueError(f"the chat template does not read the argument {name!r}: remove or correct it.")
    import jinja2

    roles, (template, times) = [one["role"] for one in messages], _timed(written, arguments, clock)
    try:
        text = tokenizer.apply_chat_template(
            list(messages),
            chat_template=template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **times,
            **(arguments or {}),
        )
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(
            f"the chat template is not valid ({_line(error)}): repair tokenizer.chat_template, or pass "
            "chat=False for plain text."
        ) from error
    except Exception as error:  # whatever a template calls can fail
        what = "refuses" if type(error) is jinja2.TemplateError else "fails on"
        raise ValueError(
            f"the chat template {what} the roles {roles} ({_line(error)}): put a system text into the user's "
            "message, let user and assistant alternate, or pass chat=False for plain text."
        ) from error
    for message in messages:
        _check_read(message, text)
    return text


def _check_read(message: Message, text: str) -> None:
    """Raises ValueError unless the content of a message stands in the text that a template made.

    Of the assistant's, what stands before the end of a thought may be left out, as templates do.
    """
    content = message["content"].strip()
    if message["role"] == "assistant":
        content = content.rpartition("</think>")[2].strip()
    if content in text or json.dumps(content)[1:-1] in text:
        return
    if message["role"] == "system":
        raise ValueError(
            f"the chat template ignores system messages, so {message['content']!r:.60} would not be "
            "read: put it into the user's message, or set a template that reads it."
        )
    raise ValueError(
        f"the chat template leaves out the message {content!r:.60} of the role {message['role']!r:.30}: use "
        "the roles that it knows (user and assistant), or set a template that reads this one."
    )


def _timed(template: str, arguments: Arguments | None, clock: Clock) -> tuple[str, dict[str, object]]:
    """The template with the clock's times in place of those of the moment, and what it needs for that.

    Templates take plain data alone, so the times are those of every text in the template that names one.
    """
    if "strftime_now" not in template:
        return template, {}
    forms = [text for pair in re.findall(r"'([^']*)'|\"([^\"]*)\"", template) for text in pair if "%" in text]
    forms += [value for value in (arguments or {}).values() if isinstance(value, str)]
    return TIMES + template, {"times_of_the_run": {form: clock.strftime(form) for form in forms}}


def template_of(tokenizer: Any) -> str:
    """The chat template of a tokenizer that has one; of several, the one named "default".

    Raises ValueError when none of several is named so.
    """
    try:
        return tokenizer.get_chat_template()
    except ValueError:
        named = ", ".join(tokenizer.chat_template)
        raise ValueError(
            f"the tokenizer has several chat templates ({named}) and none is the default: set "
            "tokenizer.chat_template to one of them."
        ) from None


def has_template(tokenizer: Any) -> bool:
    """Whether the tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


class Turn(NamedTuple):
    """The texts that a template writes around a question and its answer.

    before : before the question. asked : after it, where a response is to follow. between : after it, before
    the answer of a whole conversation. after : after that answer. bare : `asked` without generation prompt.
    """

    before: str
    asked: str
    between: str
    after: str
    bare: str


def turn(tokenizer: Any, arguments: Arguments | None = None) -> Turn | None:
    """What the template writes around messages, or None when it fails on a plain conversation."""
    question = {"role": "user", "content": QUESTION}
    answer = {"role": "assistant", "content": ANSWER}
    try:
        asked, bare = (apply_template(tokenizer, [question], more, arguments) for more in (True, False))
        whole = apply_template(tokenizer, [question, answer], False, arguments)
    except ValueError:
        return None
    if QUESTION not in asked or QUESTION not in bare or QUESTION not in whole or ANSWER not in whole:
        return None
    before, _, rest = whole.partition(QUESTION)
    between, _, after = rest.partition(ANSWER)
    return Turn(before, asked.partition(QUESTION)[2], between, after, bare.partition(QUESTION)[2])


def lacks_header(found: Turn) -> bool:
    """Whether the template writes nothing between a question and a response, but something in a dialogue."""
    return found.asked == found.bare and found.between.strip() != found.asked.strip()


def marks(tokenizer: Any, found: Turn) -> list[str]:
    """What shows that a template wrote a text: its special tokens, and the lines of its headers."""
    written = found.before + found.asked + found.after
    lines = [*found.asked.splitlines(), *found.before.splitlines()[-1:]]
    special = [str(token) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()]
    headers = [line.strip() for line in lines if len(line.strip()) > 3 and not line.strip().isalnum()]
    return list(dict.fromkeys([token for token in special if len(token) > 2 and token in written] + headers))


def _line(error: Exception) -> str:
    import jinja2

    named = "" if type(error) is jinja2.TemplateError else f"{type(error).__name__}: "
    return " ".join(f"{named}{error}".split())[:200]
