"""Decoders: forward passes with a key-value cache, several leaves of one base in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.engines.local.lean import Lean, is_lean, sizes_after
from llm_backend.models.closeness import alike
from llm_backend.policies.handles import Base, Leaf

if TYPE_CHECKING:
    from llm_backend.models.language_model import LanguageModel


_LEAN: WeakKeyDictionary[LanguageModel, bool] = WeakKeyDictionary()  # whether `Lean` returns its logits


class Decoder(Protocol):
    """R rows that grow one token at a time. Rows of a leaf are contiguous; leaves keep the given order."""

    def prefill(self, ids: Tensor, valid: Tensor, copies: Tensor, room: int) -> Tensor:
        """Read left-padded prompts int64[P, L], mask `valid` bool[P, L]; row i continues prompt copies[i].

        Returns the states [R, D] that predict the next token, and reserves a cache for `room` more tokens.
        """
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token int64[R] to every row; returns the states [R, D] that predict the next one."""
        ...

    def head(self, states: Tensor) -> Tensor:
        """Logits float[R, V], linear in the states float[R, D]: geometric mixtures may be formed before."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Keep only the rows int64[K], in that order."""
        ...


def decoder(lm: LanguageModel, leaves: Sequence[Leaf], sizes: Sequence[int]) -> Decoder:
    """A decoder of leaves on one base, with `sizes[i]` rows of leaf i."""
    kind = Lean if _lean_agrees(lm, leaves[0]) else General
    return kind(lm, leaves, sizes)


def _lean_agrees(lm: LanguageModel, leaf: Leaf) -> bool:
    """Whether `Lean` serves this model and returns its logits, tried once on a few tokens of a leaf."""
    if not is_lean(lm.causal.config):
        return False
    if lm not in _LEAN:
        row = torch.tensor([lm.known[:: max(1, len(lm.known) // 4)][:4]], device=lm.device)
        prompt, valid = row[:, :-1], torch.ones_like(row[:, :-1], dtype=torch.bool)
        try:
            with torch.no_grad(), lm.active(leaf):
                plain = lm.causal(input_ids=row, use_cache=False).logits[0, -2:]
            with torch.no_grad():
                lean = Lean(lm, [leaf], [1])
                states = [lean.prefill(prompt, valid, row.new_zeros(1), 1), lean.step(row[:, -1])]
                logits = torch.cat([lean.head(each) for each in states])
            _LEAN[lm] = alike([logits.double()], [plain.double()], plain.dtype)
        except (AttributeError, RuntimeError, TypeError, IndexError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            _LEAN[lm] = False  # layers of another form than the family's
    return _LEAN[lm]


class General:
    """A decoder for any Hugging Face causal LM, by its own forward pass and PEFT's mixed-adapter batches."""

    def __init__(self, lm: LanguageModel, leaves: Sequence[Leaf], sizes: Sequence[int]):
        self.lm, self.leaves, self.sizes = lm, list(leaves), list(sizes)
        adapters = [leaf for leaf in leaves if not isinstance(leaf, Base)]
        self.on: Leaf = adapters[0] if adapters else leaves[0]
        self.mixed = lm.mixes and len(adapters) > 0  # otherwise there is one leaf

    def prefill(self, ids: Tensor, valid: Tensor, copies: Tensor, room: int) -> Tensor:
        from transformers import DynamicCache

        many = len(self.leaves)
        self.cache: Any = DynamicCache(config=self.lm.causal.config)
        self.valid = valid.repeat(many, 1)
        positions = (self.valid.cumsum(dim=1) - 1).clamp(min=0)
        states = self._forward(ids.repeat(many, 1), positions, [len(ids)] * many)
        self.cache.batch_select_indices(copies)
        self.valid = self.valid[copies]
        return states[copies]

    def step(self, tokens: Tensor) -> Tensor:
        self.valid = F.pad(self.valid, (0, 1), value=True)
        return self._forward(tokens[:, None], self.valid.sum(dim=1, keepdim=True) - 1, self.sizes)

    def head(self, states: Tensor) -> Tensor:
        return states

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.valid = self.valid[rows]
        self.sizes = sizes_after(self.sizes, rows)

    def _forward(self, ids: Tensor, positions: Tensor, sizes: Sequence[int]) -> Tensor:
        more: dict[str, Any] = {}
        if self.mixed:
            slots = ["__base__" if isinstance(leaf, Base) else self.lm.slot(leaf) for leaf in self.leaves]
            more["adapter_names"] = [s for s, n in zip(slots, sizes, strict=True) for _ in range(n)]
        model: Any = self.lm.peft if self.mixed else self.lm.causal
        with self.lm.active(self.on):
            return model(
                input_ids=ids,
                attention_mask=self.valid.long(),
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
                **more,
            ).logits[:, -1]
