"""What drawing knows of the leaves: log pi of every response under each leaf of its policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from llm_backend.engines.local.decode import Decoder
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Leaf, Policy, blend_terms


class Part(NamedTuple):
    """A decoder, and the rows of its states: those of each (group of responses, weight, leaf), in order."""

    decoder: Decoder
    terms: list[tuple[int, float, Leaf]]


class LeafScores:
    """Sums of the leaves' log-probabilities while responses grow.

    In float32 alone: in a lower precision they differ from those of a pass over whole responses by more than
    rounding, and a fit would take the difference for a part of its target.

    lm : the language model.
    groups : the policy and size of each contiguous group of responses.
    """

    def __init__(self, lm: LanguageModel, groups: Sequence[tuple[Policy, int]]):
        self.exact = lm.head.weight.dtype == torch.float32
        terms = [blend_terms(policy) for policy, _ in groups]
        self.blends = [g for g, found in enumerate(terms) if found != ((1.0, found[0][1]),)]
        self.owner = [g for g, (_, size) in enumerate(groups) for _ in range(size)]
        self.leaves = [[leaf for _, leaf in found] for found in terms]
        self.now: list[tuple[int, Leaf, Tensor]] = []  # logits of a blend's leaves at this token
        self.sums: dict[Leaf, Tensor] = {}

    @property
    def on(self) -> bool:
        """Whether the logits of single leaves are needed."""
        return self.exact and bool(self.blends)

    def mixed(self, parts: Sequence[Part], states: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
        """sum_i w_i logits_i of every response, float[R, V]; those of a blend's leaves are kept."""
        self.now = []
        found: list[Tensor | None] = [None] * len(sizes)
        for part, state in zip(parts, states, strict=True):
            pieces = part.decoder.head(state).split([sizes[g] for g, _, _ in part.terms])
            for (g, weight, leaf), piece in zip(part.terms, pieces, strict=True):
                if g in self.blends:
                    self.now.append((g, leaf, piece))
                weighted = piece if weight == 1 else piece * weight
                held = found[g]
                found[g] = weighted if held is None else held + weighted
        return torch.cat([piece for piece in found if piece is not None])

    def add(
        self,
        tokens: Tensor,
        growing: Tensor,
        where: Tensor,
        sizes: Sequence[int],
        temperature: float,
        banned: Tensor,
    ) -> None:
        """Add the log-probabilities of `tokens` int64[R], drawn for the responses `where` int64[R].

        growing : bool[R], False for responses that have ended.
        sizes : responses of each group.
        banned : tokens int64[S] that were forbidden.
        """
        chosen, alive, rows = (each.split(list(sizes)) for each in (tokens, growing, where))
        for g, leaf, raw in self.now:
            logits = tempered(raw, temperature, banned)
            logs = logits.gather(1, chosen[g][:, None])[:, 0].double() - logits.logsumexp(dim=1).double()
            if leaf not in self.sums:
                self.sums[leaf] = torch.zeros(len(self.owner), dtype=torch.float64, device=logits.device)
            self.sums[leaf][rows[g]] += torch.where(alive[g], logs, 0.0)
        self.now = []

    def totals(self, drawn: Tensor) -> list[dict[Leaf, float]]:
        """log pi of every response by leaf; `drawn` float64[B, L] are those of the policies' tokens."""
        if not self.exact:
            return [{} for _ in self.owner]
        own, sums = drawn.sum(dim=1).tolist(), {leaf: each.tolist() for leaf, each in self.sums.items()}
        return [
            {leaf: sums[leaf][i] if g in self.blends else own[i] for leaf in self.leaves[g]}
            for i, g in enumerate(self.owner)
        ]


def tempered(logits: Tensor, temperature: float, banned: Tensor) -> Tensor:
    """Logits float32[R, V] at a temperature, those of the `banned` tokens -inf."""
    if temperature != 1:
        logits = logits / temperature
    return logits.index_fill(1, banned, float("-inf")) if len(banned) else logits
