"""What a model computes on a few tokens, compared with one plain pass a row: batches, decoding, training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.models.closeness import CLOSE, ROUGH, alike, distance
from llm_backend.models.huggingface import one_line
from llm_backend.models.protocol import Passes
from llm_backend.weights.adapters import START, Adapters

WINDOWS = 32  # sliding windows up to this length are exceeded by the test's rows


def self_test(lm: Passes) -> bool:
    """Whether adapters and the base can be decoded in one batch; without it each leaf has its own batch.

    A few tokens are scored and decoded, in batches of rows of unequal length, with a random adapter and with
    the base, and compared with plain passes: one row, no padding, no cache.

    Raises ValueError, with the name of the architecture, when the weights are not finite or when a
    log-probability depends on the rows beside it, on the length of the pass, on the cache or on training.
    """
    test = _Test(lm)
    with torch.no_grad():
        _check_finite(lm)
        plain: dict[str | None, list[Tensor]] = {None: test.plain(None)}
        if not all(bool(row.isfinite().all()) for row in plain[None]):
            raise ValueError(
                f"{test.name} returns logits that are not finite at {lm.causal.dtype}: load it with "
                "dtype='bfloat16' or 'float32' if float16 overflows."
            )
        test.check_scores(None, plain[None])
        test.check_length(plain[None])
        with test.adapter(plain[None]) as slot:
            slots = [None] if slot is None else [slot, None]
            if slot is not None:
                plain[slot] = test.plain(slot)
                test.check_scores(slot, plain[slot])
            wanted = [plain[each] for each in slots]
            reason = ""
            if slot is not None:
                reason = test.why_not_decoded(lambda: test.decoded(slots, True), wanted)
            mixes = slot is not None and not reason
            if not mixes:
                reason = test.why_not_decoded(
                    lambda: [test.decoded([each], False)[0] for each in slots], wanted
                )
        if reason:
            raise ValueError(
                f"{test.name} cannot be decoded in batches ({reason}): use an architecture with a key-value "
                "cache, attention masks and positions, such as Llama or Qwen."
            )
        test.check_training(plain[None])
    return mixes


def _check_finite(lm: Passes) -> None:
    """Raises ValueError naming a weight that holds NaN or an infinity."""
    for name, weight in lm.causal.named_parameters():
        if weight.is_floating_point() and not bool(weight.sum(dtype=torch.float32).isfinite()):
            if not bool(weight.isfinite().all()):
                raise ValueError(
                    f"the weights of {type(lm.causal).__name__} are not finite: "
                    f"{name.replace('.base_layer', '')} holds NaN or an infinity: save the model again, or "
                    "load it in bfloat16 or float32."
                )


class _Rows(NamedTuple):
    """Two rows of unequal length, each a prompt and one more token."""

    long: list[int]
    short: list[int]


class _Test:
    """The rows of the test, and what a model makes of them."""

    def __init__(self, lm: Passes):
        self.lm, self.name = lm, type(lm.causal).__name__
        self.close = CLOSE.get(lm.causal.dtype, ROUGH)
        config = lm.causal.config.get_text_config()
        windows = [getattr(config, key, None) for key in ("sliding_window", "attention_chunk_size")]
        length = max([5, *(w + 3 for w in windows if type(w) is int and 0 < w <= WINDOWS)])
        length = max(2, min(length, (lm.context or length + 1) - 1))
        ordinary = [i for i in lm.known if i not in (*lm.stops, lm.pad)] or list(lm.known)
        ids = [ordinary[i * len(ordinary) // (length + 1)] for i in range(length + 1)]
        self.rows = _Rows(ids, ids[: -1 - (length + 1) // 2 : -1])

    def plain(self, slot: str | None) -> list[Tensor]:
        """Logits float64[L, V] of each row in a pass of its own, without padding and cache."""
        with self._active(slot), self._usable(slot):
            return [self._logits(torch.tensor([row], device=self.lm.device))[0] for row in self.rows]

    def check_scores(self, slot: str | None, plain: list[Tensor]) -> None:
        """Raises ValueError unless the head is linear and a row is scored alike beside a longer one."""
        lm, rows = self.lm, self.rows
        with self._active(slot), self._usable(slot):
            alone = lm.trunk(torch.tensor([rows.long], device=lm.device)) if slot is None else None
            if alone is not None and not self._alike([self._head(alone)[0]], [plain[0]]):
                raise ValueError(
                    f"the head of {self.name} does more than a linear map (soft-capped or scaled "
                    "logits?): such models are not supported."
                )
            padded = rows.short + [lm.pad] * (len(rows.long) - len(rows.short))
            both = self._head(lm.trunk(torch.tensor([rows.long, padded], device=lm.device)))
        if not self._alike([both[0], both[1, : len(rows.short)]], plain):
            raise ValueError(
                f"the log-probabilities of {self.name} depend on the rows beside or on later tokens: use a "
                "causal architecture with attention only, such as Llama or Qwen."
            )

    def check_length(self, plain: list[Tensor]) -> None:
        """Raises ValueError when a token far away changes the positions of those before it."""
        lm = self.lm
        if lm.context is None or len(self.rows.long) < 3:
            return
        ids = torch.tensor([self.rows.long[:3]], device=lm.device)
        near = torch.arange(3, device=lm.device)[None]
        far = torch.where(near == 2, lm.context - 1, near)
        try:
            moved, stayed = (self._logits(ids, position_ids=places)[0, :2] for places in (far, near))
        except (TypeError, ValueError, RuntimeError, IndexError):
            return  # it takes no positions
        starts_at_zero = self._alike([stayed], [plain[0][:2]])
        if starts_at_zero and not self._alike([moved], [plain[0][:2]]):
            raise ValueError(
                f"the positions of {self.name} depend on the length of the pass within its context of "
                f"{lm.context} tokens, so a log-probability would depend on its batch: lower "
                "max_position_embeddings in its configuration to the length where they change."
            )

    @contextmanager
    def adapter(self, base: list[Tensor]) -> Iterator[str | None]:
        """A random adapter that changes the logits, inside the block; None without adapters.

        Raises ValueError when none does.
        """
        slots = self.lm.slots
        if not isinstance(slots, Adapters):
            yield None
            return
        matrices = [weight for name, weight in slots.weights(START).items() if name.endswith(".B")]
        try:
            for size in (0.4, 2.0, 10.0):
                for matrix in matrices:
                    noise = torch.Generator(matrix.device).manual_seed(0)
                    matrix.normal_(std=size / matrix.shape[1] ** 0.5, generator=noise)
                with self._active(START), self._usable(START):
                    moved = self._logits(torch.tensor([self.rows.long], device=self.lm.device))[0]
                if distance([moved], base[:1], False) > 10 * self.close:
                    break
            else:
                raise ValueError(
                    f"adapters do not change the logits of {self.name}: train all weights, lora=None."
                )
            yield START
        finally:
            for matrix in matrices:
                matrix.zero_()

    def why_not_decoded(self, decode: Any, wanted: list[list[Tensor]]) -> str:
        """Why decoding fails, in one line; empty when it returns the logits of the plain passes."""
        hooks = [(module, set(module._forward_pre_hooks)) for module in self.lm.causal.modules()]
        try:
            got = decode()
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever an architecture raises is a reason not to use it
            for module, before in hooks:  # PEFT leaves those of the pass that failed
                for key in set(module._forward_pre_hooks) - before:
                    del module._forward_pre_hooks[key]
                    module._forward_pre_hooks_with_kwargs.pop(key, None)
            return f"{type(error).__name__}: {one_line(error)}"
        want = [row[-2:] for leaf in wanted for row in leaf]
        off = distance([row for leaf in got for row in leaf], want, self.close < ROUGH)
        return "" if off <= self.close else f"its logits are off by {100 * off:.2g} % of their range"

    def decoded(self, slots: Sequence[str | None], mixed: bool) -> list[list[Tensor]]:
        """Logits float64[2, V] of every slot and row: after the prompt, and after one step with the cache."""
        from transformers import DynamicCache

        lm, many = self.lm, len(slots)
        prompts = [row[:-1] for row in self.rows]
        width = max(map(len, prompts))
        ids = torch.tensor([[lm.pad] * (width - len(p)) + p for p in prompts] * many, device=lm.device)
        sizes = torch.tensor([len(p) for p in prompts] * many, device=lm.device)
        valid = torch.arange(width, device=lm.device) >= width - sizes[:, None]
        swapped = torch.arange(2 * many, device=lm.device).view(many, 2).flip(1).flatten()
        names = ["__base__" if slot is None else slot for slot in slots for _ in prompts]
        how: dict[str, Any] = {"past_key_values": DynamicCache(config=lm.causal.config), "use_cache": True}
        if mixed:
            how["adapter_names"] = names
        model: Any = lm.peft if mixed else lm.causal
        with self._active(slots[0]):
            positions = (valid.cumsum(dim=1) - 1).clamp(min=0)
            first = model(
                input_ids=ids, attention_mask=valid.long(), position_ids=positions, logits_to_keep=1, **how
            ).logits[swapped, -1]
            how["past_key_values"].batch_select_indices(swapped)
            valid = F.pad(valid[swapped], (0, 1), value=True)
            fed = torch.tensor([row[-1] for row in self.rows] * many, device=lm.device)[swapped]
            second = model(
                input_ids=fed[:, None],
                attention_mask=valid.long(),
                position_ids=valid.sum(dim=1, keepdim=True) - 1,
                logits_to_keep=1,
                **how,
            ).logits[:, -1]
        both = torch.stack([first, second], dim=1)[swapped].double()
        return [list(both[2 * i : 2 * i + 2]) for i in range(many)]

    def check_training(self, plain: list[Tensor]) -> None:
        """Raises ValueError when layers that are recomputed in training compute something else."""
        ids = torch.tensor([self.rows.long], device=self.lm.device)
        with self.lm.recomputing() as layers, torch.enable_grad():
            trained = self._head(self.lm.trunk(ids))[0].detach() if layers else plain[0]
        if not self._alike([trained], [plain[0]]):
            raise ValueError(
                f"checkpointing changes what {self.name} computes (dropout in training?): use "
                "checkpointing=False."
            )

    @contextmanager
    def _active(self, slot: str | None) -> Iterator[None]:
        before = self.lm.slots.on
        self.lm.slots.switch(slot)
        try:
            yield
        finally:
            self.lm.slots.switch(before)

    @contextmanager
    def _usable(self, slot: str | None) -> Iterator[None]:
        """Turn what an architecture raises in a plain pass into a ValueError of one line."""
        try:
            yield
        except (ValueError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            what = "a causal language model of one trunk and one head" if slot is None else "lora=None"
            adapters = "" if slot is None else " with adapters"
            raise ValueError(
                f"{self.name}{adapters} fails in a plain pass ({type(error).__name__}: {one_line(error)}): "
                f"use {what}."
            ) from None

    def _logits(self, ids: Tensor, **more: Tensor) -> Tensor:
        return self.lm.causal(input_ids=ids, use_cache=False, **more).logits.double()

    def _head(self, states: Tensor) -> Tensor:
        head = self.lm.head
        return F.linear(states.to(head.weight.dtype), head.weight, head.bias).double()

    def _alike(self, got: Sequence[Tensor], want: Sequence[Tensor]) -> bool:
        return alike(got, want, self.lm.causal.dtype)
