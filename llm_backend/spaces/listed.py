"""Listed: responses come from a list, so a policy is a table and every expectation a sum."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Answers, Leaf, Policy, blend_terms, members
from llm_backend.spaces.draws import Draws, Floats


class Listed:
    """The responses of an enumerable game: Y texts for all prompts, or a list for each.

    Policies are normalised over the list of a prompt; `support` bool[X, Y] says where there is a response.
    """

    shortest = 0  # a text of the list may have any length

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[list[int]],
        responses: Sequence[str] | Sequence[Sequence[str]],
        temperature: float,
        rows: int,
    ):
        lists = _lists(responses, len(prompts))
        if len(lists) != len(prompts):
            raise ValueError(
                f"responses must be one list of texts, or one per prompt: got {len(lists)} lists for "
                f"{len(prompts)} prompts."
            )
        for x, texts in enumerate(lists):
            if not texts or len(set(texts)) < len(texts):
                raise ValueError(f"the responses to prompt {x} must be different texts, got {texts[:8]}.")
        self.lm, self.ids, self.temperature, self.rows = lm, list(prompts), temperature, rows
        self.texts = lists
        self.places = [{text: y for y, text in enumerate(texts)} for texts in lists]
        sizes = np.array([len(texts) for texts in lists])
        self.support: NDArray[np.bool_] = np.arange(sizes.max()) < sizes[:, None]
        x, y = np.nonzero(self.support)
        texts = tuple(lists[i][j] for i, j in zip(x, y, strict=True))
        tokens = tuple(tuple(lm.encode_response(text)) for text in texts)
        seen: dict[tuple[int, tuple[int, ...]], str] = {}
        for prompt, row, text in zip(x, tokens, texts, strict=True):
            twin = seen.setdefault((int(prompt), row), text)
            if twin != text:
                raise ValueError(
                    f"responses {twin!r} and {text!r} are the same tokens to this tokenizer: "
                    "no policy of the model can tell them apart; use other texts or another tokenizer."
                )
        self.all = Draws(x, tokens, texts, y, np.zeros(len(x), np.bool_))
        self._tables: weakref.WeakKeyDictionary[Leaf, Floats] = weakref.WeakKeyDictionary()

    def table(self, leaf: Leaf) -> Floats:
        """log pi(response | prompt) of the model itself, float64[X, Y], -inf where there is none."""
        if leaf not in self._tables:
            table = np.full(self.support.shape, -np.inf)
            prompts = [self.ids[x] for x in self.all.prompt]
            table[self.support] = score(self.lm, leaf, prompts, self.all.tokens, self.temperature, self.rows)
            self._tables[leaf] = table
        return self._tables[leaf]

    def logs(self, policy: Policy) -> Floats:
        """log pi normalised over the list, float64[X, Y]."""
        parts = [(w, self._member(member)) for w, member in members(policy)]
        if len(parts) == 1:
            return parts[0][1]
        with np.errstate(divide="ignore"):
            return np.log(sum(w * np.exp(logs) for w, logs in parts))

    def _member(self, policy: Policy) -> Floats:
        if isinstance(policy, Answers):
            table = np.zeros(self.support.shape)
            for x, (texts, weights) in enumerate(zip(policy.texts, policy.weights, strict=True)):
                np.add.at(table[x], [self.place(x, text) for text in texts], weights)
            with np.errstate(divide="ignore"):
                return np.log(table)
        logs = np.where(self.support, 0.0, -np.inf)
        for w, leaf in blend_terms(policy):
            logs[self.support] += w * self.table(leaf)[self.support]
        logs = logs - logs.max(axis=1, keepdims=True)
        return logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))

    def probs(self, policy: Policy) -> Floats:
        """Probabilities float64[X, Y]."""
        return np.exp(self.logs(policy))

    def place(self, prompt: int, text: str) -> int:
        """Where a response stands in the list of its prompt. Raises ValueError when it does not."""
        if text not in self.places[prompt]:
            raise ValueError(f"{text!r} is no response to prompt {prompt} in this game: add it to responses.")
        return self.places[prompt][text]

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to every prompt, or to the prompts `which`."""
        p, picked = self.probs(policy), []
        asked = np.arange(len(self.ids)) if which is None else np.asarray(which, dtype=np.int64)
        for x in asked:
            cumulative = np.cumsum(p[x])
            u = np.random.default_rng([*key, int(x)]).random(n) * cumulative[-1]
            picked.append(np.searchsorted(cumulative, u, side="right"))
        return self.at(np.repeat(asked, n), np.concatenate(picked))

    def of(self, prompts: Sequence[int] | NDArray[np.int64]) -> tuple[Draws, NDArray[np.int64]]:
        """All responses to some prompts, and the rows of `all` that they are."""
        rows = np.flatnonzero(np.isin(self.all.prompt, prompts))
        return (self.all if len(rows) == len(self.all) else self.all.take(rows)), rows

    def at(self, prompt: NDArray[np.int64], column: NDArray[np.int64]) -> Draws:
        """The responses in these places."""
        return self.all.take(self.row(prompt, column))

    def row(self, prompt: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of `all` that these are."""
        return np.concatenate([[0], np.cumsum(self.support.sum(axis=1))])[prompt] + column

    def score(self, leaf: Leaf, draws: Draws) -> Floats:
        """log pi(response | prompt) of the model itself, float64[B]: read from its table."""
        return self.table(leaf)[draws.prompt, draws.column]


def _lists(responses: Sequence[str] | Sequence[Sequence[str]], prompts: int) -> list[list[str]]:
    """The texts for each prompt; ValueError for what is neither texts nor lists of them."""
    if isinstance(responses, str):
        raise ValueError(f"responses must be a list of texts, got one text: pass [{responses!r:.60}].")
    if all(isinstance(one, str) for one in responses):
        return [[str(one) for one in responses]] * prompts
    lists = [[] if isinstance(one, str) or not isinstance(one, Iterable) else [*one] for one in responses]
    if not all(texts and all(isinstance(text, str) for text in texts) for texts in lists):
        raise ValueError(
            "responses must be a list of texts, or a list of such lists, one per prompt; got "
            f"{responses!r:.80}."
        )
    return lists
