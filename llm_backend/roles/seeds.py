"""Seeds: what an attacker writes about, and the defender that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_backend.data import Conversation, Prompt, as_asked
from llm_backend.models.language_model import LanguageModel


class Seed(NamedTuple):
    """A topic for the attacker, and the defender that reads its prompts.

    prompt : what the attacker reads: a text, or messages with a system text and examples of their own.
    system : the system text under which the defender reads an attack; "" is none.
    secret : a text that the attacker does not know, so that an attack that holds it counts as none; "" is
        none.
    """

    prompt: Prompt
    system: str = ""
    secret: str = ""

    def asked(self, attack: str) -> str:
        """The prompt that the defender reads: the attack, after the system text where there is one."""
        return under(self.system, attack)


class Refused(NamedTuple):
    """An attack that never reached a defender: its round, the number of its seed, its text, and why."""

    round: int
    seed: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"round {self.round}, seed {self.seed}: the attack {self.text!r:.60} is refused, {self.why}"


def under(system: str, text: str) -> str:
    """A text of the user under a system text; the text itself where the system text is empty."""
    if not system:
        return text
    return Conversation([{"role": "system", "content": system}, {"role": "user", "content": text}])


def check_seeds(seeds: Sequence[Seed]) -> list[Seed]:
    """The seeds as a list, their prompts as texts.

    Raises ValueError naming the seed: for none, for a prompt that is empty or no prompt, for a system or
    secret that is no text, for several seeds that are equal, and for one whose prompt tells the attacker its
    secret.
    """
    if not len(seeds):
        raise ValueError("seeds must be a list of at least one Seed, got none.")
    found: list[Seed] = []
    for i, seed in enumerate(seeds):
        if not isinstance(seed, Seed):
            raise ValueError(f"seeds[{i}] must be a Seed(prompt, system, secret), got {seed!r:.60}.")
        for name, text in (("system", seed.system), ("secret", seed.secret)):
            if not isinstance(text, str):
                raise ValueError(f"seeds[{i}].{name} must be a text, got {text!r:.60}.")
        prompt = as_asked(seed.prompt, f"seeds[{i}].prompt")
        if not prompt.strip():
            raise ValueError(f"seeds[{i}].prompt is empty: say what the attacker is to write about.")
        if seed.secret and not seed.secret.strip():
            raise ValueError(f"seeds[{i}].secret is blank, and every attack would hold it: leave it empty.")
        if seed.secret and says(prompt, seed.secret):
            raise ValueError(
                f"seeds[{i}].prompt tells the attacker the secret {seed.secret!r}: put the secret into the "
                "system text of the defender alone."
            )
        one = seed._replace(prompt=prompt)
        if one in found:
            raise ValueError(f"seeds[{i}] is the same as seeds[{found.index(one)}]: remove one of them.")
        found.append(one)
    return found


def says(text: str, secret: str) -> bool:
    """Whether a text holds a secret, in upper or lower case."""
    return secret.casefold() in text.casefold()


def refusal(
    lm: LanguageModel, seed: Seed, text: str, cut: bool, longest: int | None, room: int
) -> str | None:
    """Why an attack is not put to the defender, or None when it is.

    cut : whether it has no end within `longest` tokens. room : tokens that the defender's answer needs.
    """
    if not text.strip():
        return "it is empty"
    if cut:
        return f"it has no end within {longest} tokens"
    if seed.secret and says(text, seed.secret):
        return "it holds the secret itself"
    special = [str(token) for token in lm.tokenizer.get_added_vocab() if str(token) in text]
    if special:
        return f"it spells the control token {special[0]!r}"
    try:
        lm.check_length(len(lm.encode(seed.asked(text))) + room)
    except ValueError as error:
        return f"it cannot be read ({error})"
    return None
