"""One pass over responses that share prompts: each prompt is read once, and nothing is padded.

A row holds the distinct prompts, then the responses; every response attends to the tokens of its prompt and
to its own. These are the states and the gradients of the plain pass, up to rounding. Whether the attention of
a model can be replaced is tried once, on its own weights: if the two passes differ, the plain one is used.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.models.by_row import ByRow, Record
from llm_backend.models.fused import fused, is_lora_of
from llm_backend.models.protocol import Passes
from llm_backend.weights.shards import Shards
from llm_backend.weights.slots import last_states

NAME = "shared_prefix"  # of the attention, in the registry of transformers
WORTH = 0.9  # share of the plain pass's tokens up to which the shared pass is used
FULL = ("full_attention", "attention", "sliding_attention", "chunked_attention")  # kinds of layers
WINDOWS = ("sliding_window", "attention_chunk_size", "window_size")  # limits of attention, in tokens
SPARSE = ("index_", "sparse_")  # settings of layers that choose what they attend to
STATIC_ROPE = ("default", "linear", "llama3", "yarn")
KNOWN = ("position_ids", "use_cache", "is_causal", "output_attentions", "cache_position", "sliding_window")


class Unsuited(Exception):
    """The attention of this model has a feature that the shared pass does not compute."""


class Ragged(NamedTuple):
    """A rows of at most L tokens, stored one after another: where each stands in a padded [A, L].

    padded int64[A * L] : the stored token at each place, 0 in the padding; None when nothing is padded.
    stored int64[T] : the place of each stored token.
    empty bool[A * L] : the padding.
    """

    rows: int
    width: int
    padded: Tensor | None
    stored: Tensor
    empty: Tensor

    @staticmethod
    def of(sizes: Sequence[int], device: torch.device) -> Ragged:
        width = max(sizes)
        filled = torch.arange(width)[None, :] < torch.tensor(sizes)[:, None]
        stored = filled.flatten().nonzero()[:, 0]
        padded = torch.zeros(len(sizes) * width, dtype=torch.long)
        padded[stored] = torch.arange(len(stored))
        none = len(stored) == len(padded)
        empty = ~filled.flatten()
        return Ragged(
            len(sizes), width, None if none else padded.to(device), stored.to(device), empty.to(device)
        )

    def pad(self, x: Tensor) -> Tensor:
        """float[H, T, D] to float[H, A, L, D]."""
        full = x if self.padded is None else _Moved.apply(x, self.padded, self.stored, None)
        return full.reshape(len(x), self.rows, self.width, x.shape[-1])  # type: ignore[union-attr]

    def unpad(self, x: Tensor) -> Tensor:
        """float[H, A, L, D] to float[H, T, D]."""
        full = x.reshape(len(x), self.rows * self.width, x.shape[-1])
        if self.padded is None:
            return full
        return _Moved.apply(full, self.stored, self.padded, self.empty)  # type: ignore[return-value]


class _Moved(torch.autograd.Function):
    """x[:, there], whose gradient is read at `back`, with zeros where `empty`: faster than an index_add."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor, empty: Tensor | None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(back, empty)
        return x.index_select(1, there)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        back, empty = ctx.saved_tensors
        slope = upstream[0].index_select(1, back)
        return slope if empty is None else slope.masked_fill_(empty[None, :, None], 0.0), None, None, None


class Layout(NamedTuple):
    """P prompts and R responses in one row of N tokens.

    ids, positions : int64[1, N].
    split : the number of tokens of the prompts.
    prompts, responses : the two parts; responses of one token have no inputs and are not in it.
    source : int64[R], the prompt of each response with inputs.
    mask : bool[R, 1, Lr, Lp + Lr], what each of its tokens attends to; one row if all prompts are as long.
    before : int64[T], the token of the row that predicts each of the T tokens of all responses.
    """

    ids: Tensor
    positions: Tensor
    split: int
    prompts: Ragged
    responses: Ragged | None
    source: Tensor
    mask: Tensor
    before: Tensor
    calls: list[int]  # attention layers computed so far, one entry each


def layout(
    prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], device: torch.device
) -> Layout:
    """The row of these responses; equal prompts are one. The last token of a response predicts nothing."""
    index = {prompt: i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    starts, end = [], 0
    for prompt in index:
        starts.append(end)
        end += len(prompt)
    split, row, places = end, [t for prompt in index for t in prompt], []
    for prompt in index:
        places.extend(range(len(prompt)))
    before, sizes, source = [], [], []
    for prompt, response in zip(prompts, responses, strict=True):
        x, size = index[tuple(prompt)], len(response) - 1
        before.append(starts[x] + len(prompt) - 1)
        before.extend(range(end, end + size))
        row.extend(response[:-1])
        places.extend(range(len(prompt), len(prompt) + size))
        end += size
        if size:
            sizes.append(size)
            source.append(x)
    lengths = torch.tensor([len(prompt) for prompt in index])
    at = torch.tensor(source, dtype=torch.long)
    wide, long = int(lengths.max()), max(sizes, default=0)
    seen = torch.arange(wide)[None, :] < lengths[at][:, None]
    if bool((lengths == wide).all()):
        seen = seen[:1]
    own = torch.ones(long, long, dtype=torch.bool).tril()
    mask = torch.cat([seen[:, None].expand(-1, long, -1), own.expand(len(seen), -1, -1)], dim=2)[:, None]
    return Layout(
        torch.tensor([row], device=device),
        torch.tensor([places], device=device),
        split,
        Ragged.of(lengths.tolist(), device),
        Ragged.of(sizes, device) if sizes else None,
        at.to(device),
        mask.to(device),
        torch.tensor(before, device=device),
        [],
    )


def shared_states(
    lm: Passes, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> Tensor | None:
    """States float[T, D] that predict the T tokens of all responses, by row; None to use the plain pass."""
    distinct = set(map(tuple, prompts))
    tokens = sum(map(len, distinct)) + sum(map(len, responses)) - len(responses)
    longest = max(len(p) + len(r) for p, r in zip(prompts, responses, strict=True))
    if tokens > WORTH * longest * len(responses) or longest > _window(lm) or not quick_ways(lm).shared:
        return None
    return _states(lm.causal, layout(prompts, responses, lm.device), quick_ways(lm).fused)


def plain_states(lm: Passes, ids: Tensor) -> Tensor:
    """Last states float[B, L, D] of right-padded ids int64[B, L], with fused parts where they agree."""
    if not quick_ways(lm).fused:
        return lm.trunk(ids)
    with _computing(lm.causal, Way(None, True)):
        return lm.trunk(ids)


def records_rows(lm: Passes, parameters: Iterable[torch.nn.Parameter]) -> bool:
    """Whether `recorded_states` records the gradients of all these parameters."""
    return quick_ways(lm).fused and is_lora_of(lm.causal, parameters)


def recorded_states(lm: Passes, ids: Tensor, sizes: Sequence[int], record: Record) -> Tensor:
    """Last states float[B, L, D] of right-padded ids int64[B, L], whose backward pass records by row.

    sizes : the number of tokens of each row.
    record : called with each adapter matrix float[M, N] and its gradients by row float[B, M, N].
    """
    with _computing(lm.causal, Way(None, True, ByRow.of(ids, sizes, record))):
        return lm.trunk(ids)


class Ways(NamedTuple):
    """Which quick ways give the states of the plain pass, for one model."""

    shared: bool
    fused: bool


_WAYS: weakref.WeakKeyDictionary[Any, Ways] = weakref.WeakKeyDictionary()  # by the slots of a model


def quick_ways(lm: Passes) -> Ways:
    """The quick ways of this model; tried once, on its weights. Weights in shards have none.

    A trial is a pass, and processes that hold shards would have to make it together.
    """
    if isinstance(lm.slots, Shards) or getattr(lm.slots, "_layers", None):
        return Ways(False, False)
    if lm.slots not in _WAYS:
        together = _agree(lm, True)
        _WAYS[lm.slots] = Ways(together or _agree(lm, False), together)
    return _WAYS[lm.slots]


@torch.no_grad()
def _agree(lm: Passes, fuse: bool) -> bool:
    """Whether both passes agree on short rows of different lengths, and every layer used the shared one."""
    draw = torch.Generator().manual_seed(0)
    words = torch.randint(1, lm.vocabulary, (4, 6), generator=draw).tolist()
    prompts, responses = [words[0][:3], words[0][:3], words[1]], [words[2], words[3][:4], words[3]]
    packed, config = layout(prompts, responses, lm.device), lm.causal.config.get_text_config()
    try:
        got = _states(lm.causal, packed, fuse).float()
    except Exception:  # whatever an architecture does with a row like this one, the plain pass is right
        return False
    if len(packed.calls) != config.num_hidden_layers:
        return False
    plain = []
    for prompt, response in zip(prompts, responses, strict=True):
        ids = torch.tensor([[*prompt, *response]], device=lm.device)
        plain.append(last_states(lm.causal, ids)[0, len(prompt) - 1 : -1])
    want = torch.cat(plain).float()
    near = 1e-4 if lm.head.weight.dtype == torch.float32 else 0.05
    return bool((got - want).abs().max() <= near * want.abs().max())


def _window(lm: Passes) -> float:
    """The most tokens of a row that every layer attends to in full; 0 when the configuration does not say."""
    config = lm.causal.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - {*FULL}
    if kinds or any(name.startswith(SPARSE) for name in vars(config)) or not _static(config):
        return 0
    return min((limit for name in WINDOWS if (limit := getattr(config, name, None))), default=float("inf"))


def _static(config: Any) -> bool:
    """Whether the angles of positions do not depend on the length of the row."""
    rope = getattr(config, "rope_parameters", None) or {}
    each = [one for one in rope.values() if isinstance(one, dict)] or [rope]
    return all(one.get("rope_type", "default") in STATIC_ROPE for one in each)


# -- the attention of the pass ------------------------------------------------------------------------------


class Way(NamedTuple):
    """How a pass is computed: over a shared row or not, with fused parts or not, recorded by row or not."""

    packed: Layout | None
    fused: bool
    by_row: ByRow | None = None


_CONFIGS: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()  # of a model's layers
_WAY: ContextVar[Way | None] = ContextVar("way", default=None)


def _states(model: Any, packed: Layout, fuse: bool) -> Tensor:
    """States [T, D] of the tokens `before` in one pass over the row."""
    with _computing(model, Way(packed, fuse)):
        out = model.base_model(input_ids=packed.ids, position_ids=packed.positions, use_cache=False)
    return out.last_hidden_state[0].index_select(0, packed.before)


@contextmanager
def _computing(model: Any, way: Way) -> Iterator[None]:
    """Inside the block the layers of the model compute in this way."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    if model not in _CONFIGS:
        configs = {id(m.config): m.config for m in model.modules() if hasattr(m, "config")}
        _CONFIGS[model] = list(configs.values())
    before = [(config, config._attn_implementation) for config in _CONFIGS[model] if way.packed is not None]
    token = _WAY.set(way)
    try:
        for config, _ in before:
            config._attn_implementation = NAME
        with fused(model, way.by_row) if way.fused else nullcontext():
            yield
    finally:
        for config, name in before:
            config._attn_implementation = name
        _WAY.reset(token)


def recomputing(
    model: Callable[[], Any],
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """The contexts of a checkpoint's first pass and of its repetition, which must compute alike."""
    way = _WAY.get()
    return nullcontext(), nullcontext() if way is None else _computing(model(), way)


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention [1, N, H, D] of query [1, H, N, D] to key and value [1, G, N, D], as the layout says."""
    way = _WAY.get()
    packed = None if way is None else way.packed
    odd = [n for n, given in more.items() if given is not None and given is not False and n not in KNOWN]
    if packed is None or dropout or odd:
        raise Unsuited(f"{type(module).__name__} passes {odd} to its attention.")
    packed.calls.append(1)
    heads, split = query.shape[1], packed.split
    q, k, v = (each[0] for each in (query, key, value))
    prompts = packed.prompts
    pk, pv = prompts.pad(k[:, :split]), prompts.pad(v[:, :split])
    pq = prompts.pad(q[:, :split]).transpose(0, 1)
    first = _attended(pq, pk.transpose(0, 1), pv.transpose(0, 1), None, scaling)
    out = [prompts.unpad(first.transpose(0, 1))]
    if (rows := packed.responses) is not None:
        keys = torch.cat([pk.index_select(1, packed.source), rows.pad(k[:, split:])], dim=2).transpose(0, 1)
        values = torch.cat([pv.index_select(1, packed.source), rows.pad(v[:, split:])], dim=2).transpose(0, 1)
        queries = rows.pad(q[:, split:]).transpose(0, 1)
        out.append(rows.unpad(_attended(queries, keys, values, packed.mask, scaling).transpose(0, 1)))
    return torch.cat(out, dim=1).view(heads, -1, value.shape[-1]).transpose(0, 1)[None], None


def _attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Attention of q [B, H, L, D] to k and v [B, G, M, D]; causal without a mask."""
    grouped = q.shape[1] != k.shape[1]
    if grouped and q.is_cuda:  # no fused kernel takes groups and a mask
        k, v = (each.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for each in (k, v))
        grouped = False
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
    )
