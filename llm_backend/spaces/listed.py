"""Listed: responses come from a list, so a policy is a table and every expectation is a sum."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Answers, Blend, Leaf, Policy, blend_terms, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Request, Sampling
from pgames.numerics import normalise


class Listed:
    """The responses of an enumerable game: Y texts for all prompts, or a list for each prompt.

    Policies are normalised over the list of a prompt. `texts` are the lists, `support` bool[X, Y] marks
    the responses, and `all` holds every response once, prompt by prompt.

    Parameters
    ----------
    sampling : how the model scores; its `longest` stays None, because a listed text may have any length.
    responses : texts for all prompts, or one list of texts per prompt.

    Raises ValueError for responses that are not texts, repeat, hold a stop token, are equal in tokens, or do
    not match the number of prompts, and for one that exceeds the model's context with its prompt.
    """

    def __init__(self, sampling: Sampling, responses: Sequence[str] | Sequence[Sequence[str]]):
        lm, prompts = sampling.lm, sampling.prompts
        lists = _lists(responses, len(prompts))
        if len(lists) != len(prompts):
            raise ValueError(
                f"responses must be one list of texts, or one per prompt: got {len(lists)} lists for "
                f"{len(prompts)} prompts."
            )
        for x, texts in enumerate(lists):
            if not texts or len(set(texts)) < len(texts):
                raise ValueError(f"the responses to prompt {x} must be different texts, got {texts[:8]}.")
        self.sampling, self.texts = sampling, lists
        self.places = [{text: y for y, text in enumerate(texts)} for texts in lists]
        sizes = np.array([len(texts) for texts in lists])
        self.support: NDArray[np.bool_] = np.arange(sizes.max()) < sizes[:, None]
        x, y = np.nonzero(self.support)
        texts = tuple(lists[i][j] for i, j in zip(x, y, strict=True))
        asked = [prompts[int(i)] for i in x]
        tokens = tuple(
            tuple(lm.encode_response(text, prompt)) for text, prompt in zip(texts, asked, strict=True)
        )
        lm.check_length(max(len(prompt) + len(row) for prompt, row in zip(asked, tokens, strict=True)))
        seen: dict[tuple[int, tuple[int, ...]], str] = {}
        for prompt, row, text in zip(x, tokens, texts, strict=True):
            twin = seen.setdefault((int(prompt), row), text)
            if twin != text:
                raise ValueError(
                    f"responses {twin!r} and {text!r} are the same tokens to this tokenizer: "
                    "no policy of the model can distinguish them. Use other texts or another tokenizer."
                )
        self.all = Draws(x, tokens, texts, y, np.zeros(len(x), np.bool_))
        self.sizes = np.array([len(row) for row in tokens], np.float64)
        self._tables: weakref.WeakKeyDictionary[Leaf, Floats] = weakref.WeakKeyDictionary()

    @property
    def listed(self) -> Listed:
        """This list."""
        return self

    def table(self, leaf: Leaf) -> Floats:
        """log pi(response | prompt) of the model itself, float64[X, Y], -inf outside the support."""
        if leaf not in self._tables:
            how, table = self.sampling, np.full(self.support.shape, -np.inf)
            prompts = [how.prompts[x] for x in self.all.prompt]
            total = score(how.lm, leaf, prompts, self.all.tokens, how.temperature, how.rows)
            table[self.support] = total / self.sizes if how.per_token else total
            self._tables[leaf] = table
        return self._tables[leaf]

    def logs(self, policy: Policy) -> Floats:
        """log pi normalised over the list of each prompt, float64[X, Y]."""
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
        return normalise(logs)

    def probs(self, policy: Policy) -> Floats:
        """Probabilities float64[X, Y]; rows sum to 1."""
        return np.exp(self.logs(policy))

    def place(self, prompt: int, text: str) -> int:
        """The column of a response in the list of its prompt. Raises ValueError when it is not there."""
        if text not in self.places[prompt]:
            raise ValueError(
                f"{text!r} is not a response to prompt {prompt} in this game: add it to responses."
            )
        return self.places[prompt][text]

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`: B = n * prompts rows."""
        p, picked = self.probs(policy), []
        asked = np.arange(len(self.sampling.prompts)) if which is None else np.asarray(which, dtype=np.int64)
        for x in asked:
            cumulative = np.cumsum(p[x])
            u = np.random.default_rng([*key, int(x)]).random(n) * cumulative[-1]
            picked.append(np.searchsorted(cumulative, u, side="right"))
        return self.at(np.repeat(asked, n), np.concatenate(picked))

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), one by one: a list is drawn from at no cost."""
        return [self.draw(policy, n, key, which) for policy, key in requests]

    def of(self, prompts: Sequence[int] | NDArray[np.int64]) -> tuple[Draws, NDArray[np.int64]]:
        """All responses to some prompts, and their rows int64[B] in `all`."""
        rows = np.flatnonzero(np.isin(self.all.prompt, prompts))
        return (self.all if len(rows) == len(self.all) else self.all.take(rows)), rows

    def at(self, prompt: NDArray[np.int64], column: NDArray[np.int64]) -> Draws:
        """The responses at (prompt, column), int64[B] each."""
        return self.all.take(self.row(prompt, column))

    def row(self, prompt: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows int64[B] in `all` of the responses at (prompt, column), int64[B] each."""
        return np.concatenate([[0], np.cumsum(self.support.sum(axis=1))])[prompt] + column

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B]. A leaf is read from its table, as the model scores it.

        A geometric mixture is normalised over the list, as it is sampled.
        """
        table = self.logs(policy) if isinstance(policy, Blend) else self.table(policy)
        return table[draws.prompt, draws.column]


def _lists(responses: Sequence[str] | Sequence[Sequence[str]], prompts: int) -> list[list[str]]:
    """The texts of each prompt. Raises ValueError unless these are texts or lists of texts."""
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
