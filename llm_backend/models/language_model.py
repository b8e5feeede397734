"""LanguageModel: one base on the device, and the policies whose handles are alive."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from llm_backend.data import Prompt, Reading, as_asked, decode, encode_after, end_token, spelled
from llm_backend.models.huggingface import (
    check_kind,
    enable_checkpointing,
    load_pretrained,
    steady_context,
    stop_tokens,
)
from llm_backend.models.live import LivePolicies
from llm_backend.models.owner import own
from llm_backend.models.self_test import self_test
from llm_backend.models.text import check_text
from llm_backend.models.vocabulary import checked_stops, closed_bias, known_ids
from llm_backend.policies.handles import Adapter, Base, Leaf
from llm_backend.processes.fsdp import local_shard
from llm_backend.weights.adapter_files import fingerprint, read_adapter, write_adapter
from llm_backend.weights.adapters import Adapters
from llm_backend.weights.copies import Copies
from llm_backend.weights.merged import merged
from llm_backend.weights.shards import Shards
from llm_backend.weights.slots import Slots, Trainee
from pgames.numerics import whole


class LanguageModel:
    """A causal language model whose policies are LoRA adapters, or full copies of its weights.

    Parameters
    ----------
    model : a Hugging Face causal LM whose head is one linear map. It is modified: do not use it elsewhere.
        Adapters that it has, also as a PeftModel, are merged into its weights.
    tokenizer : its tokenizer, which must have an EOS token.
    lora : rank of the adapters on every linear layer but the head (scale 1), or None to train all weights,
        which costs the memory of a model per policy.
    seed : seed of the adapters' random initial matrices A.
    checkpointing : keep only the activations at layer boundaries in training and recompute the others: about
        a third more work for a fraction of the memory.
    chat : render prompts with the tokenizer's chat template; None does so where it has one, False never.
    system : text of a system message put before every prompt.
    template_arguments : what the chat template takes beside the messages, as {"enable_thinking": False}.

    A few tokens are scored and decoded when it is made. Ids without a token are never drawn.

    Raises ValueError when `lora` is not a rank, `seed` has more than 64 bits, the tokenizer has no EOS token,
    a stop token or a weight is not usable, the head is more than one linear map, the model has a recurrent
    state or is the base of another LanguageModel, or batches, decoding or training disagree with plain
    passes.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        lora: int | None = 64,
        seed: int = 0,
        checkpointing: bool = False,
        chat: bool | None = None,
        system: str | None = None,
        template_arguments: Mapping[str, object] | None = None,
    ):
        if lora is not None and (type(lora) is not int or lora < 1):
            raise ValueError(
                f"lora must be a rank of at least 1, or None to train all weights, got {lora!r}."
            )
        if not whole(seed) or not -(2**63) <= seed < 2**63:
            raise ValueError(f"seed must be a whole number of 64 bits, got {seed!r:.60}.")
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no EOS token: set tokenizer.eos_token to one of its tokens.")
        own(model, self)
        model = merged(model.eval().requires_grad_(False))
        self.tokenizer, self.lora = tokenizer, lora
        self.device = model.device
        self.context = steady_context(model)
        embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
        self.vocabulary: int = min(len(embeddings.weight), len(head.weight))
        self.known, self.missing = known_ids(tokenizer, self.vocabulary, len(head.weight))
        self.eos: int = tokenizer.eos_token_id
        self.reading = Reading(chat, system, template_arguments)
        self._stops = checked_stops(model, stop_tokens(model, self.eos), self.vocabulary)
        self.end = end_token(tokenizer, self.reading, self._stops)
        self.stops = checked_stops(model, {*self._stops, self.end}, self.vocabulary)
        pad = tokenizer.pad_token_id
        self.pad: int = pad if pad is not None and 0 <= pad < self.vocabulary else self.eos  # a filler
        check_kind(model)
        self._base_id = fingerprint(sorted(model.named_parameters()))
        self._recomputed = enable_checkpointing(model) if checkpointing else []
        self.slots: Slots = Copies(model) if lora is None else Adapters(model, lora, seed)
        try:
            self.mixes = self_test(self)
        except BaseException:
            if isinstance(self.slots, Adapters):
                self.slots.peft.unload()  # the model may be used again, with other settings
            raise
        self._live = LivePolicies()

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        lora: int | None = 64,
        dtype: torch.dtype | str = "auto",
        device: str | torch.device | None = None,
        seed: int = 0,
        checkpointing: bool = False,
        gguf_file: str | None = None,
        chat: bool | None = None,
        system: str | None = None,
        template_arguments: Mapping[str, object] | None = None,
    ) -> LanguageModel:
        """Load the model and tokenizer of a folder, of a GGUF file or of the Hugging Face hub.

        `name` is a folder, a repository or a .gguf file; `gguf_file` is the name of a GGUF file in that
        folder or repository. "smollm2" is SmolLM2-135M-Instruct, which the extra `smollm2` installs. Weights
        of GGUF files are dequantised, to float32 unless `dtype` says otherwise. Raises ValueError when the
        folder, the file, the device or the dtype does not exist, or the model is refused.
        """
        model, tokenizer = load_pretrained(name, dtype, device, gguf_file)
        return cls(model, tokenizer, lora, seed, checkpointing, chat, system, template_arguments)

    @property
    def base_id(self) -> str:
        """A fingerprint of the base's weights."""
        return self._base_id

    # -- several processes ------------------------------------------------------------------------------

    def shard(self) -> None:
        """Split the weights over the processes (FSDP2), so that each holds a shard.

        With adapters, only the layers of the frozen base are sharded; otherwise base, policies and moments
        are. From then on all processes train, activate, save and load policies together; `unsharded` is for
        work that each process does on its own. Call this before any training.
        """
        self.slots = self.slots.shard()

    def unsharded(self, leaves: Iterable[Leaf]) -> AbstractContextManager[None]:
        """Gather the full weights of these leaves, so that inside the block no process waits for another."""
        return self.slots.unsharded([self._live.slot(leaf) for leaf in leaves])

    # -- text -------------------------------------------------------------------------------------------

    def reads(self, reading: Reading) -> LanguageModel:
        """The same model and policies, with prompts read in another way."""
        if reading == self.reading:
            return self
        other = copy.copy(self)
        other.reading = reading
        other.end = end_token(self.tokenizer, reading, self._stops)
        of_the_template = {self.end} - {*self._stops}
        other.stops = tuple(sorted({*self.stops, other.end} - of_the_template | {other.end}))
        return other

    def encode(self, prompt: Prompt) -> list[int]:
        """Tokens of a prompt: by the chat template, or as plain text with BOS and without EOS.

        Raises ValueError for a prompt that is neither a text nor messages, that cannot be rendered or is too
        long, or whose tokens the model does not know.
        """
        return self.encode_prompts([prompt])[0]

    def encode_prompts(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """`encode` of several prompts, with one warning for all that look rendered already.

        Raises ValueError naming the first prompt that `encode` refuses.
        """
        asked = [as_asked(prompt, f"prompts[{i}]") for i, prompt in enumerate(prompts)]
        for prompt in asked:
            check_text(prompt)
        rows = self.reading.encode(self.tokenizer, asked)
        return [self.check_tokens(row, prompt) for row, prompt in zip(rows, asked, strict=True)]

    def encode_response(self, text: str, prompt: Sequence[int] = ()) -> list[int]:
        """Tokens of a complete response to a prompt (its tokens): as the model would write it, then `end`.

        They are those of prompt and response together, cut at the boundary. Raises ValueError for a response
        that is not a text, holds a stop token, or has tokens that the model does not know.
        """
        row = encode_after(self.tokenizer, prompt, check_text(text))
        if (stop := next((token for token in row if token in self.stops), None)) is not None:
            raise ValueError(
                f"the response {text!r:.60} holds the stop token {decode(self.tokenizer, [stop])!r}: remove "
                "it, the token that ends a response is put there."
            )
        return self.check_tokens([*row, self.end], text)

    def encode_drawn(self, text: str, prompt: Sequence[int] = ()) -> list[int]:
        """`encode_response` of a text that a model wrote, in which a stop token can only be spelled out.

        Raises ValueError for tokens that the model does not know.
        """
        row = spelled(self.tokenizer, prompt, check_text(text), self.stops)
        return self.check_tokens([*row, self.end], text)

    def check_tokens(self, row: list[int], text: str) -> list[int]:
        """Return `row`, the tokens of `text`. Raises ValueError for a token without an embedding."""
        if row and max(row) >= self.vocabulary:
            raise ValueError(
                f"token {max(row)} of {text!r:.60} is unknown to the model, which has {self.vocabulary}: use "
                "the tokenizer it was trained with."
            )
        return row

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a response: all that was drawn but the stop token at its end.

        Other special tokens are shown, so that a judge reads <think> where the model wrote it.
        """
        return decode(self.tokenizer, tokens[:-1] if tokens and tokens[-1] in self.stops else tokens)

    def check_length(self, tokens: int) -> None:
        """Raises ValueError when a prompt with its response, of so many tokens, exceeds the context."""
        if self.context is not None and tokens > self.context:
            raise ValueError(
                f"a prompt with its response has {tokens} tokens, the model's context is {self.context}: "
                "shorten the prompts or lower max_new_tokens."
            )

    # -- forward ----------------------------------------------------------------------------------------

    @property
    def causal(self) -> Any:
        """The Hugging Face model; with LoRA its linear layers contain the adapters."""
        return self.slots.model

    @property
    def name(self) -> str:
        """The class of the Hugging Face model."""
        return type(self.causal).__name__

    @property
    def head(self) -> Any:
        """The linear map from last hidden states to logits."""
        return self.causal.get_output_embeddings()

    def head_bias(self) -> Tensor | None:
        """The bias of the head, float[V] or None, with -inf at ids that have no token."""
        return closed_bias(self.head, self.missing)

    @property
    def peft(self) -> Any:
        """The PEFT wrapper of the model, or None when all weights are trained."""
        return self.slots.peft if isinstance(self.slots, Adapters) else None

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of right-padded token ids int64[B, L], under the active leaf."""
        return self.slots.trunk(ids)

    @contextmanager
    def active(self, leaf: Leaf) -> Iterator[None]:
        """Activate a leaf inside the block. The base is the model with every adapter off."""
        self._sweep()
        before = self.slots.on
        self.slots.switch(self._live.slot(leaf))
        try:
            yield
        finally:
            self.slots.switch(before)

    # -- training ---------------------------------------------------------------------------------------

    @contextmanager
    def train(self, start: Leaf) -> Iterator[Trainee]:
        """Activate a trainable copy of `start` inside the block.

        Call `freeze` in the block to turn it into a policy; otherwise it is deleted when the block ends.
        """
        self._sweep()
        before, slot = self.slots.on, self._live.new_slot()
        trainee = Trainee(slot, self.slots.create(slot, self._live.slot(start)))
        self.slots.switch(slot)
        trainee.begin()
        try:
            with self.recomputing():
                yield trainee
        finally:
            trainee.end()
            self.slots.switch(before)
            if not self._live.holds(slot):
                self.slots.delete(slot)

    @contextmanager
    def recomputing(self) -> Iterator[list[Any]]:
        """The layers that recompute their activations, and do so inside the block; none by default."""
        for layer in self._recomputed:
            layer.training = True  # of the layer only: its submodules keep dropout off
        try:
            yield self._recomputed
        finally:
            for layer in self._recomputed:
                layer.training = False

    def freeze(self, trainee: Trainee, moments: Mapping[str, Tensor] | None = None) -> Adapter:
        """End training; returns the handle, with the optimiser's `moments`, each of its parameter's shape.

        Raises FloatingPointError when a weight or moment, or a logit of the policy, is not finite.
        """
        trainee.end()
        if not isinstance(self.slots, Shards):  # a pass without a backward pass leaves old shards gathered
            with torch.no_grad():
                logits = self.head(self.trunk(torch.tensor([[self.eos, self.eos]], device=self.device)))
            self._check_finite("logits", [("of the trained policy", logits)])
        self.slots.keep(trainee.slot)
        self._check_finite("weights", self._gathered(self.slots.weights(trainee.slot)))
        self._check_finite("moments", self._gathered(moments or {}))
        id = fingerprint(self._gathered(self.slots.weights(trainee.slot)))
        adapter = Adapter(id, dict(moments or {}))
        self._live.add(adapter, trainee.slot)
        return adapter

    @staticmethod
    def _check_finite(what: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
        bad = [name for name, tensor in tensors if not torch.isfinite(tensor).all()]
        if bad:
            raise FloatingPointError(
                f"training ended with {what} that are not finite ({bad[0]}): lower Fit.lr or the solver's "
                "step."
            )

    def slot(self, adapter: Adapter) -> str:
        """The slot of an adapter; with LoRA, also its name in PEFT.

        Raises ValueError for an adapter of another LanguageModel.
        """
        return self._live.adapter_slot(adapter)

    def _sweep(self) -> None:
        """Delete the slots whose handles have been collected.

        Deferred until here, because a module may be being iterated when a handle is collected.
        """
        for slot in self._live.unheld():
            self.slots.delete(slot)

    # -- files ------------------------------------------------------------------------------------------

    def weights(self, adapter: Adapter) -> dict[str, Tensor]:
        """The full tensors of a policy by name; with LoRA, A float[R, I] and B float[O, R] of every layer.

        R is the rank, I and O are the layer's inputs and outputs.
        """
        return dict(self._gathered(self.slots.weights(self.slot(adapter))))

    def save(self, adapter: Adapter, path: str | os.PathLike[str]) -> None:
        """Write weights and optimiser moments to one safetensors file, atomically.

        All processes must call it; the first one writes.
        """
        weights = self._gathered(self.slots.weights(self.slot(adapter)))
        moments = self._gathered(adapter.moments)
        write_adapter(path, weights, moments, adapter.id, self._base_id, self.lora)

    def load(self, path: str | os.PathLike[str]) -> Adapter:
        """The policy that `save` wrote.

        Raises ValueError when the file is damaged or belongs to another base, FileNotFoundError when it does
        not exist.
        """
        weights, moments, id, digest = read_adapter(path, self._base_id, self.lora, self.slots.read)
        with self.train(Base()) as trainee, torch.no_grad():
            shapes = {name: local_shard(parameter).shape for name, parameter in trainee.parameters.items()}
            if {name: tensor.shape for name, tensor in weights.items()} != shapes:
                raise ValueError(
                    f"{path} has other layers than this model: load the model it was trained with."
                )
            for name, parameter in trainee.parameters.items():
                local_shard(parameter).copy_(weights[name])
            moments = {name: tensor.to(self.device) for name, tensor in moments.items()}
            try:
                adapter = self.freeze(trainee, moments)
            except FloatingPointError:
                adapter = None
        if adapter is None or adapter.id != id or fingerprint(self._gathered(moments)) != digest:
            raise ValueError(f"{path} has changed since it was written: train it again.")
        return adapter

    def _gathered(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Full tensors in the order of their names, one at a time; all processes iterate together."""
        for name, tensor in sorted(tensors.items()):
            yield name, self.slots.gather(name, tensor)
