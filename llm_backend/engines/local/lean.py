"""A decoder for the Llama family whose forward pass does only what a decode step needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.engines.local.graphs import Graphs, columns
from llm_backend.policies.handles import Base, Leaf

if TYPE_CHECKING:
    from llm_backend.models.language_model import LanguageModel

FAMILY = ("llama", "mistral", "qwen2", "qwen3")  # model types with these layers
STATIC_ROPE = ("default", "linear", "llama3", "yarn")  # angles that do not change with the length
PREFILL_TOKENS = 1 << 14  # tokens of prompts in one pass
PACKED_BYTES = 1 << 30  # up to this size, CPU weights are packed: small products then take 2/3 of the time


def is_lean(config: Any) -> bool:
    """Whether `Lean` supports models of this configuration."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type in FAMILY
        and config.hidden_act == "silu"
        and getattr(config, "sliding_window", None) is None
        and rope.get("rope_type", "default") in STATIC_ROPE
    )


class Product:
    """x @ weight.T + bias for several weights float[O, I] of one input x float[N, I], concatenated."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor | None], packed: bool):
        self.widths = [len(weight) for weight in weights]
        self.bias = None if biases[0] is None else torch.cat([b for b in biases if b is not None])
        self.weights, self.packed = list(weights), None
        if packed:
            joined = self.weights[0] if len(self.weights) == 1 else torch.cat(self.weights)
            self.packed = torch.ops.mkldnn._reorder_linear_weight(joined)

    def __call__(self, x: Tensor) -> Tensor:
        if self.packed is not None:
            return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")
        if len(self.weights) == 1:
            return F.linear(x, self.weights[0], self.bias)
        y = x.new_empty(len(x), sum(self.widths))
        for out, weight in zip(y.split(self.widths, dim=1), self.weights, strict=True):
            torch.mm(x, weight.T, out=out)
        return y if self.bias is None else y.add_(self.bias)


class Adapted(NamedTuple):
    """Linear maps float[O, I] of one input: those of the base, and each leaf's low-rank updates of rank R."""

    base: Product
    down: list[Tensor | None]  # per leaf: the A of all maps, stacked [maps * R, I]; None: base
    up: list[list[Tensor]]  # per leaf: the B of each map, transposed [R, O]; or all in one, see `_adapted`

    def __call__(self, x: Tensor, spans: list[slice]) -> Tensor:
        """Outputs of x [N, I], concatenated: [N, sum of O]. `spans` are the rows of the leaves."""
        y = self.base(x)
        for span, down, ups in zip(spans, self.down, self.up, strict=True):
            if down is not None and span.stop > span.start:
                low = F.linear(x[span], down)
                if len(ups) == 1:
                    y[span].addmm_(low, ups[0])
                    continue
                pieces = zip(
                    y[span].split(self.base.widths, dim=1), low.chunk(len(ups), dim=1), ups, strict=True
                )
                for out, part, up in pieces:
                    out.addmm_(part, up)
        return y


class Layer(NamedTuple):
    """The weights of one transformer layer; norms are of shape [D], those of q and k of a head's size."""

    before_attention: Tensor
    qkv: Adapted
    out: Adapted
    before_mlp: Tensor
    gate_up: Adapted
    down: Adapted
    q_norm: Tensor | None
    k_norm: Tensor | None


class Place(NamedTuple):
    """The tokens of one pass: their rotations float[T, 1, H], attention mask, cache columns and leaves."""

    cos: Tensor  # [tokens, 1, head size]
    sin: Tensor
    mask: Tensor | None  # None: attend to everything before
    at: slice | Tensor  # columns of the cache
    seen: int  # the columns attended to are the first ones
    spans: list[slice]


class Lean:
    """A `Decoder` for the Llama family.

    The rows of all leaves share the matrix products of the base, and low-rank updates touch only the rows of
    their leaf, so rows of the base equal the base exactly. The cache is allocated once.
    """

    def __init__(self, lm: LanguageModel, leaves: Sequence[Leaf], sizes: Sequence[int]):
        config, trunk = lm.causal.config, lm.causal.base_model
        self.heads, self.groups = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.eps: float = config.rms_norm_eps
        self.small = torch.tensor(self.eps)
        self.leaves = len(leaves)
        self.sizes = list(sizes)
        self.rotary = trunk.rotary_emb
        self.graphs = Graphs() if lm.device.type == "cuda" else None
        adapters = [{} if lm.lora is None or isinstance(leaf, Base) else lm.weights(leaf) for leaf in leaves]
        packed = _packs(lm)
        names = {id(module): name for name, module in lm.causal.named_modules()}
        with lm.active(leaves[0]):  # full weights: those of this leaf; with LoRA only the base is read

            def adapted(*modules: Any) -> Adapted:
                return _adapted([(names[id(module)], module) for module in modules], adapters, packed)

            self.embedding = trunk.embed_tokens.weight.data
            self.norm = trunk.norm.weight.data
            bias = None if lm.head.bias is None else lm.head.bias.data
            self.vocabulary = Product([lm.head.weight.data], [bias], packed)
            self.layers = [
                Layer(
                    layer.input_layernorm.weight.data,
                    adapted(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                    adapted(layer.self_attn.o_proj),
                    layer.post_attention_layernorm.weight.data,
                    adapted(layer.mlp.gate_proj, layer.mlp.up_proj),
                    adapted(layer.mlp.down_proj),
                    _norm(layer.self_attn, "q_norm"),
                    _norm(layer.self_attn, "k_norm"),
                )
                for layer in trunk.layers
            ]

    def prefill(self, ids: Tensor, valid: Tensor, copies: Tensor, room: int) -> Tensor:
        many, length = ids.shape
        dtype, device = self.embedding.dtype, ids.device
        self.used, width = length, length + room
        if self.graphs is not None:
            self.graphs.forget()
            width = columns(width)
        self.starts = (~valid).sum(dim=1).repeat(self.leaves)
        cos, sin = self.rotary(self.embedding[:1], torch.arange(width, device=device)[None])
        sin[..., : self.size // 2] *= -1  # the rotation is now x * cos + (x with halves swapped) * sin
        self.cos, self.sin = cos[0], sin[0]
        shape = (2, many * self.leaves, self.groups, length, self.size)  # keys, values
        caches = [torch.empty(shape, dtype=dtype, device=device) for _ in self.layers]
        states = []
        causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=device)  # without it padding gives 0 / 0
        positions = (torch.arange(length, device=device) - self.starts[:, None]).clamp(min=0)
        block = max(1, PREFILL_TOKENS // length)
        for leaf in range(self.leaves):
            for start in range(0, many, block):
                some = slice(start, min(many, start + block))
                here = slice(leaf * many + some.start, leaf * many + some.stop)
                self.caches = [cache[:, here] for cache in caches]
                mask = None
                if not bool(valid[some].all()):
                    mask = ((valid[some, None, :] & causal) | itself)[:, None]
                sizes = [(some.stop - start) * (i == leaf) for i in range(self.leaves)]
                spans = _spans(sizes, length)
                place = self._place(positions[here], mask, slice(0, length), length, spans)
                states.append(self._forward(ids[some], place)[:, -1])
        self.caches = caches
        for i, short in enumerate(caches):
            caches[i] = short.new_empty(2, len(copies), self.groups, width, self.size)
            caches[i][:, :, :, :length] = short[:, copies]
        self.starts = self.starts[copies]
        hidden = (~valid).repeat(self.leaves, 1)[copies]
        self.mask = None
        if self.graphs is not None or bool(hidden.any()):
            self.mask = torch.zeros(len(copies), 1, 1, width, dtype=dtype, device=device)
            self.mask[:, 0, 0, :length].masked_fill_(hidden, float("-inf"))
            if self.graphs is not None:  # a graph attends to columns that are not written yet
                self.mask[..., length:] = float("-inf")
                for cache in caches:
                    cache[:, :, :, length:] = 0  # 0 * NaN would spread
        self.spans = _spans(self.sizes, 1)
        return torch.cat(states)[copies]

    def step(self, tokens: Tensor) -> Tensor:
        if self.graphs is not None:
            states = self.graphs.step(self.still, tokens, self.used, self.caches[0].shape[3])
        else:
            at = slice(self.used, self.used + 1)
            mask = None if self.mask is None else self.mask[..., : at.stop]
            positions = (self.used - self.starts)[:, None]
            place = self._place(positions, mask, at, at.stop, self.spans)
            states = self._forward(tokens[:, None], place)[:, 0]
        self.used += 1
        return states

    def still(self, tokens: Tensor, column: Tensor, seen: int) -> Tensor:
        """A step whose shapes do not depend on the column int64[1] that it writes, for a graph.

        The mask hides the columns of the first `seen` that are not written yet.
        """
        assert self.mask is not None
        self.mask.index_fill_(3, column, 0.0)
        positions = (column - self.starts)[:, None]
        place = self._place(positions, self.mask[..., :seen], column, seen, self.spans)
        return self._forward(tokens[:, None], place)[:, 0]

    def head(self, states: Tensor) -> Tensor:
        return self.vocabulary(states)

    def keep(self, rows: Tensor) -> None:
        for i, full in enumerate(self.caches):
            full[:, : len(rows), :, : self.used] = full[:, rows, :, : self.used]
            self.caches[i] = full[:, : len(rows)]
        self.starts = self.starts[rows]
        self.mask = None if self.mask is None else self.mask[rows]
        self.sizes = sizes_after(self.sizes, rows)
        self.spans = _spans(self.sizes, 1)
        if self.graphs is not None:
            self.graphs.forget()

    def _place(
        self, positions: Tensor, mask: Tensor | None, at: slice | Tensor, seen: int, spans: list[slice]
    ) -> Place:
        cos, sin = (F.embedding(positions, table).view(-1, 1, self.size) for table in (self.cos, self.sin))
        return Place(cos, sin, mask, at, seen, spans)

    def _forward(self, ids: Tensor, place: Place) -> Tensor:
        x = F.embedding(ids, self.embedding).flatten(0, 1)
        for i, layer in enumerate(self.layers):
            y = self._attend(layer, i, self._normed(x, layer.before_attention), place)
            x = x + layer.out(y, place.spans)
            both = layer.gate_up(self._normed(x, layer.before_mlp), place.spans)
            gate, up = both.chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate).mul_(up), place.spans)
        return self._normed(x, self.norm).view(*ids.shape, -1)

    def _attend(self, layer: Layer, i: int, x: Tensor, place: Place) -> Tensor:
        cache = self.caches[i]
        rows = cache.shape[1]
        length = len(x) // rows
        qkv = layer.qkv(x, place.spans).view(rows * length, -1, self.size)
        if layer.q_norm is not None and layer.k_norm is not None:
            qkv[:, : self.heads] = self._normed(qkv[:, : self.heads], layer.q_norm)
            shared = slice(self.heads, self.heads + self.groups)
            qkv[:, shared] = self._normed(qkv[:, shared], layer.k_norm)
        qk = qkv[:, : self.heads + self.groups]
        swapped = qk.roll(self.size // 2, dims=-1)
        qk.mul_(place.cos).addcmul_(swapped, place.sin)
        qkv = qkv.view(rows, length, -1, self.size)
        kv = qkv[:, :, self.heads :].view(rows, length, 2, self.groups, self.size)
        kv = kv.permute(2, 0, 3, 1, 4)
        if isinstance(place.at, slice):
            cache[:, :, :, place.at] = kv
        else:
            cache.index_copy_(3, place.at, kv)
        keys, values = cache[:, :, :, : place.seen]
        q = qkv[:, :, : self.heads].transpose(1, 2)
        if length == 1:  # heads that share keys become queries of one row
            q = q.reshape(rows, self.groups, -1, self.size)
            y = F.scaled_dot_product_attention(q, keys, values, attn_mask=place.mask)
        else:
            y = F.scaled_dot_product_attention(
                q,
                keys,
                values,
                attn_mask=place.mask,
                is_causal=place.mask is None,
                enable_gqa=self.heads != self.groups,
            )
        return y.reshape(rows, self.heads, length, self.size).transpose(1, 2).reshape(rows * length, -1)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        if x.is_cuda or x.dtype != torch.float32:
            return F.rms_norm(x, weight.shape, weight, self.eps)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # half the calls of F.rms_norm on a CPU
        scale = torch.addcmul(self.small, norm, norm, value=1 / x.shape[-1]).rsqrt_()
        return (x * scale).mul_(weight)


def _adapted(
    modules: Sequence[tuple[str, Any]], adapters: Sequence[dict[str, Tensor]], packed: bool
) -> Adapted:
    bases = [getattr(module, "base_layer", module) for _, module in modules]
    down: list[Tensor | None] = []
    up: list[list[Tensor]] = []
    dtype = bases[0].weight.dtype  # adapters of a bfloat16 base may be float32
    for adapter in adapters:
        parts = [(adapter[f"{name}.A"].data, adapter[f"{name}.B"].data) for name, _ in modules if adapter]
        down.append(torch.cat([a for a, _ in parts]).to(dtype) if parts else None)
        ups = [b.T.to(dtype) for _, b in parts]
        up.append([torch.block_diag(*ups)] if parts and ups[0].is_cuda else ups)  # one launch for all maps
    biases = [None if base.bias is None else base.bias.data for base in bases]
    return Adapted(Product([base.weight.data for base in bases], biases, packed), down, up)


def _packs(lm: LanguageModel) -> bool:
    """Whether oneDNN can pack these weights for products with few rows."""
    weight = lm.head.weight
    size = sum(p.numel() * p.element_size() for p in lm.causal.parameters())
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and size <= PACKED_BYTES
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )


def _norm(attention: Any, name: str) -> Tensor | None:
    norm = getattr(attention, name, None)
    return None if norm is None else norm.weight.data


def _spans(sizes: Sequence[int], length: int) -> list[slice]:
    """The slice of each leaf's rows in a batch of `length` tokens a row."""
    ends = torch.tensor(sizes).cumsum(0).mul(length).tolist()
    return [slice(end - size * length, end) for size, end in zip(sizes, ends, strict=True)]


def sizes_after(sizes: Sequence[int], rows: Tensor) -> list[int]:
    """How many of the kept rows int64[R] belong to each leaf."""
    edges = torch.tensor(sizes).cumsum(0)
    return torch.bincount(torch.bucketize(rows.cpu(), edges, right=True), minlength=len(sizes)).tolist()
