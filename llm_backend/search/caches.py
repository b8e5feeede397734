"""Keys and values of prefixes, kept by leaf: a prefix read once is not read again by the same weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.models.closeness import alike
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Leaf

Tokens = tuple[int, ...]
ROWS = 32  # prefixes in one pass


class Past(NamedTuple):
    """What a leaf computed of a prefix of L tokens.

    layers : keys and values of each layer, float[G, L, H] each.
    logits : float[V], of the next token.
    """

    layers: list[tuple[Tensor, Tensor]]
    logits: Tensor

    @property
    def length(self) -> int:
        """L."""
        return self.layers[0][0].shape[1]

    @property
    def bytes(self) -> int:
        """The memory of the tensors."""
        each = [self.logits, *(tensor for layer in self.layers for tensor in layer)]
        return sum(tensor.numel() * tensor.element_size() for tensor in each)


class Rows:
    """B prefixes of one leaf that grow by a token at a time; shorter ones are padded on the left."""

    def __init__(self, lm: LanguageModel, leaf: Leaf, pasts: Sequence[Past]):
        self.lm, self.leaf = lm, leaf
        self.cache, self.valid = stacked(lm, pasts)
        self.logits = torch.stack([past.logits for past in pasts])

    def step(self, tokens: Tensor) -> None:
        """Append a token int64[B] to every row; `logits` float[B, V] are then those of the next one."""
        self.valid = F.pad(self.valid, (0, 1), value=True)
        self.logits = passed(self.lm, self.leaf, self.cache, tokens[:, None], self.valid)

    def keep(self, rows: Tensor) -> None:
        """Keep only the rows int64[K]."""
        self.cache.batch_select_indices(rows)
        self.valid, self.logits = self.valid[rows], self.logits[rows]


class Caches:
    """The pasts of prefixes of some leaves, at most `room` bytes of them; the longest unused goes first.

    Entries are named by the fingerprint of the leaf's weights, so no adapter reads what another one computed.
    `hits` and `misses` count the prefixes that were found and that had to be read.

    Raises ValueError when `room` is below 1. `read` refuses a model whose cache cannot be cut by prefix.
    """

    def __init__(self, lm: LanguageModel, room: int = 1 << 28):
        if room < 1:
            raise ValueError(f"room must be at least 1 byte, got {room}.")
        self.lm, self.room = lm, room
        self.hits = self.misses = self.held = 0
        self._kept: OrderedDict[tuple[str, Tokens], Past] = OrderedDict()
        self._checked = False

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, leaf: Leaf, prefixes: Sequence[Tokens]) -> list[Past]:
        """The pasts of prefixes of at least one token; what is not kept is computed from the longest kept.

        Raises ValueError when the model's cache does not hold keys and values token by token.
        """
        if not self._checked:
            self._check(leaf)
        wanted = list(dict.fromkeys(prefixes))
        found = {prefix: past for prefix in wanted if (past := self._get(leaf, prefix)) is not None}
        missing = [prefix for prefix in wanted if prefix not in found]
        self.hits, self.misses = self.hits + len(found), self.misses + len(missing)
        for i in range(0, len(missing), ROWS):
            part = missing[i : i + ROWS]
            for prefix, past in zip(part, self._computed(leaf, part), strict=True):
                found[prefix] = past
                self._put(leaf, prefix, past)
        return [found[prefix] for prefix in prefixes]

    def _get(self, leaf: Leaf, prefix: Tokens) -> Past | None:
        past = self._kept.get((leaf.id, prefix))
        if past is not None:
            self._kept.move_to_end((leaf.id, prefix))
        return past

    def _put(self, leaf: Leaf, prefix: Tokens, past: Past) -> None:
        self._kept[leaf.id, prefix] = past
        self.held += past.bytes
        while self.held > self.room and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self.held -= gone.bytes

    def _computed(self, leaf: Leaf, prefixes: Sequence[Tokens]) -> list[Past]:
        before = [self._longest(leaf, prefix) for prefix in prefixes]
        lengths = [0 if past is None else past.length for past in before]
        cache, valid = stacked(self.lm, before)
        new = [prefix[n:] for prefix, n in zip(prefixes, lengths, strict=True)]
        width = max(map(len, new))
        ids = torch.tensor([[self.lm.pad] * (width - len(row)) + list(row) for row in new])
        real = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in new])
        start = valid.shape[1]
        valid = torch.cat([valid, real.to(valid.device)], dim=1)
        logits = passed(self.lm, leaf, cache, ids.to(self.lm.device), valid)
        found = []
        for b, row in enumerate(new):
            columns = [*range(start - lengths[b], start), *range(start + width - len(row), start + width)]
            at = torch.tensor(columns, device=self.lm.device)
            layers = [
                (layer.keys[b].index_select(1, at), layer.values[b].index_select(1, at))
                for layer in cache.layers
            ]
            found.append(Past(layers, logits[b].clone()))
        return found

    def _longest(self, leaf: Leaf, prefix: Tokens) -> Past | None:
        for n in range(len(prefix) - 1, 0, -1):
            if (past := self._get(leaf, prefix[:n])) is not None:
                return past
        return None

    def _check(self, leaf: Leaf) -> None:
        """Compare logits by pieces of a prefix, in a batch with another one, with those of a plain pass."""
        row = tuple((self.lm.known[:: max(1, len(self.lm.known) // 6)] * 6)[:6])
        with torch.inference_mode(), self.lm.active(leaf):
            ids = torch.tensor([row], device=self.lm.device)
            plain = self.lm.causal(input_ids=ids, use_cache=False).logits[0, -1].double()
        try:
            parts = Caches(self.lm)
            parts._checked = True
            parts.read(leaf, [row[:2], row[:3]])
            past = parts.read(leaf, [row[1:], row[:5]])[1]
            rows = Rows(self.lm, leaf, [past, parts.read(leaf, [row[:2]])[0]])
            rows.step(torch.tensor([row[5], row[0]], device=self.lm.device))
            same = past.length == 5 and alike([rows.logits[:1].double()], [plain[None]], rows.logits.dtype)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            same = False
        if not same:
            raise ValueError(
                f"{self.lm.name} does not keep keys and values token by token, so that a search cannot go on "
                "from a prefix: search with a model of full attention, such as one of the Llama family."
            )
        self._checked = True


def stacked(lm: LanguageModel, pasts: Sequence[Past | None]) -> tuple[Any, Tensor]:
    """A cache of B rows, padded on the left, and bool[B, L], which of its places hold a token."""
    from transformers import DynamicCache

    cache: Any = DynamicCache(config=lm.causal.config)
    width = max(0 if past is None else past.length for past in pasts)
    valid = torch.zeros(len(pasts), width, dtype=torch.bool, device=lm.device)
    for b, past in enumerate(pasts):
        if past is not None:
            valid[b, width - past.length :] = True
    some = next((past for past in pasts if past is not None), None)
    for i in range(0 if some is None else len(some.layers)):
        sides = []
        for side in range(2):
            assert some is not None
            shape = some.layers[i][side].shape
            full = some.layers[i][side].new_zeros(len(pasts), shape[0], width, shape[2])
            for b, past in enumerate(pasts):
                if past is not None:
                    full[b, :, width - past.length :] = past.layers[i][side]
            sides.append(full)
        cache.update(sides[0], sides[1], i)
    return cache, valid


def passed(lm: LanguageModel, leaf: Leaf, cache: Any, ids: Tensor, valid: Tensor) -> Tensor:
    """Logits float[B, V] after the tokens ids int64[B, N], which the cache then holds too.

    valid : bool[B, L + N], which places of the cache and of `ids` hold a token.
    """
    positions = (valid.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    with torch.inference_mode(), lm.active(leaf):
        return lm.causal(
            input_ids=ids,
            attention_mask=valid.long(),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
