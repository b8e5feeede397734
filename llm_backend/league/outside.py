"""Outside: a player behind an OpenAI-compatible address, which is met and rated but never trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from llm_backend.data import messages_of
from llm_backend.engines.local.randomness import uniforms
from llm_backend.http import Client, RequestError, Transient
from llm_backend.judges.base import excerpt
from llm_backend.policies.handles import Policy
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.protocol import Request
from pgames.files import parse_json

LONGEST = 1 << 22  # most bytes of an answer
CUT = ("length", "max_tokens")  # finish reasons of a reply that reached its limit
OWN = {"model", "messages", "n", "stream", "seed", "max_tokens", "temperature"}  # set by the league


class PlayerError(ValueError):
    """An outside player does not answer; the message names it and its address."""


@dataclass(frozen=True)
class Outside:
    """A chat model on a server.

    Parameters
    ----------
    url : base address up to the version, such as http://127.0.0.1:8000/v1. model : its name on the server.
    key_variable : the environment variable that holds the API key; "" sends no key.
    system : a system message before every prompt; "" sends none.
    settings : further fields of the request, such as {"top_p": 0.9}.
    max_tokens : most tokens of a reply; 0 is the limit of the arena.
    timeout, retries, backoff, workers : as for a judge on a server.

    Raises ValueError for a url that is not a plain address, a variable without a key, a number out of range,
    and a setting that the league makes itself.
    """

    url: str
    model: str
    key_variable: str = ""
    system: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    max_tokens: int = 0
    timeout: float = 60.0
    retries: int = 5
    backoff: float = 1.0
    workers: int = 8

    def __post_init__(self) -> None:
        self.client()
        if wrong := sorted(OWN & self.settings.keys()):
            raise ValueError(
                f"Outside: settings must not hold {wrong[0]!r}, which the league sets: it takes "
                "temperature and max_new_tokens from [arena]."
            )
        if self.max_tokens < 0:
            raise ValueError(f"Outside: max_tokens must be at least 0, got {self.max_tokens}.")

    def client(self) -> Client:
        """The client of the server. Raises ValueError for an address or a key that cannot be used."""
        key = self.key_variable or None
        return Client(
            "Outside", self.url, key, self.timeout, self.retries, self.backoff, self.workers, LONGEST
        )


class _Asked(NamedTuple):
    place: int
    seed: int


class _Said(NamedTuple):
    text: str
    cut: bool


@dataclass(frozen=True, eq=False)
class Abroad(Around):
    """The space of an outside player: its replies to the prompts of the space of a model here.

    The prompts are sent as messages, `asked` being their texts; the player has one policy. Its draws have no
    tokens, for no model here wrote them.
    """

    asked: Sequence[str]
    player: Outside
    name: str

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` replies to each prompt, or to each of the prompts `which`.

        Every request has a seed that follows from (key, prompt, row): a server that honours it says the same
        again. Raises PlayerError naming the player and its address when one fails for good.
        """
        at = np.repeat(np.arange(len(self.asked)) if which is None else np.asarray(which, np.int64), n)
        row = np.tile(np.arange(n), len(at) // n)
        seeds = (uniforms(key, at, row, 1)[:, 0] * 2**31).astype(np.int64)
        wanted = [_Asked(int(x), int(seed)) for x, seed in zip(at, seeds, strict=True)]
        batch = self.player.client().answers("/chat/completions", wanted, self._body, self._read)
        if batch.failure is not None:
            raise self._failed(batch.failure[1]) from None
        said = [batch.answers[i] for i in range(len(wanted))]
        return Draws(
            at,
            ((),) * len(at),
            tuple(one.text for one in said),
            np.full(len(at), -1),
            np.array([one.cut for one in said], np.bool_),
        )

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), one by one."""
        return [self.draw(policy, n, key, which) for policy, key in requests]

    def _body(self, one: _Asked) -> dict[str, object]:
        how = self.sampling
        system = [{"role": "system", "content": self.player.system}] if self.player.system else []
        return {
            "model": self.player.model,
            "messages": [*system, *messages_of(self.asked[one.place])],
            "temperature": how.temperature,
            "max_tokens": self.player.max_tokens or how.longest,
            "seed": one.seed,
            **self.player.settings,
        }

    def _read(self, data: bytes) -> _Said:
        try:
            choice: Any = parse_json(data)["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
            if not isinstance(text, str):
                raise TypeError("no text")
            text.encode()
        except (ValueError, LookupError, TypeError, AttributeError):
            shown = excerpt(self.player.client().masked(data[:4096].decode("utf-8", "replace")), 160)
            raise Transient(f"not a chat completion: {shown}") from None
        return _Said(text, str(reason).lower() in CUT)

    def _failed(self, error: BaseException) -> PlayerError:
        tried = f" after {error.attempts} attempts" if isinstance(error, RequestError) else ""
        told = self.player.client().masked(str(error))
        return PlayerError(
            f"the outside player {self.name} at {self.player.url} does not answer{tried} ({told}): start "
            "its server and pass --resume, or take it out of [[league.members]] in a new folder."
        )
