"""LanguageModel: one base on the device, and as many policies on it as handles are held."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from llm_backend.data import tokenize
from llm_backend.models.huggingface import check_model, enable_checkpointing, load_pretrained, stop_tokens
from llm_backend.models.text import whole
from llm_backend.policies.handles import Adapter, Base, Leaf
from llm_backend.processes.shards import own
from llm_backend.weights.adapter_files import fingerprint, read_adapter, write_adapter
from llm_backend.weights.adapters import Adapters
from llm_backend.weights.copies import Copies
from llm_backend.weights.slots import Slots, Trainee


class LanguageModel:
    """A causal language model whose policies are LoRA adapters, or full copies of its weights.

    Parameters
    ----------
    model : a Hugging Face causal LM whose head is one linear map. It is taken over.
    tokenizer : its tokenizer, which must have an EOS token.
    lora : rank of the adapters on every linear layer but the head (scale 1), or None to train all weights, at
        the price of a copy of the model per policy held.
    seed : of the random half of the adapters.
    checkpointing : training keeps the activations of layer boundaries only and computes the others again, a
        third more work for a fraction of the memory.
    """

    def __init__(
        self, model: Any, tokenizer: Any, lora: int | None = 64, seed: int = 0, checkpointing: bool = False
    ):
        if lora is not None and (type(lora) is not int or lora < 1):
            raise ValueError(
                f"lora must be a rank of at least 1, or None to train all weights, got {lora!r}."
            )
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no EOS token: set tokenizer.eos_token to one of its tokens.")
        model.eval().requires_grad_(False)
        self.tokenizer, self.lora = tokenizer, lora
        self.eos: int = tokenizer.eos_token_id
        self.pad: int = self.eos if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.stops = stop_tokens(model, self.eos)
        self.device = model.device
        self.context = getattr(model.config, "max_position_embeddings", None)
        self.vocabulary: int = model.get_input_embeddings().weight.shape[0]
        check_model(model)
        self._base_id = fingerprint(sorted(model.named_parameters()))
        self.slots: Slots = Copies(model) if lora is None else Adapters(model, lora, seed)
        if checkpointing:
            enable_checkpointing(model)
        self._recomputed = [
            layer for layer in model.modules() if getattr(layer, "gradient_checkpointing", False)
        ]
        self._trained = 0
        self._slot_of: weakref.WeakKeyDictionary[Adapter, str] = weakref.WeakKeyDictionary()
        self._unheld: list[str] = []  # slots that no handle holds any more

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        lora: int | None = 64,
        dtype: torch.dtype | str = "auto",
        device: str | torch.device | None = None,
        seed: int = 0,
        checkpointing: bool = False,
    ) -> LanguageModel:
        """The model and tokenizer of a folder or of the Hugging Face hub."""
        model, tokenizer = load_pretrained(name, dtype, device)
        return cls(model, tokenizer, lora, seed, checkpointing)

    # -- several processes ------------------------------------------------------------------------------

    def shard(self) -> None:
        """Leave every process a share of the weights (FSDP2).

        With adapters of the frozen base's layers, else of everything: base, policies and moments. From then
        on all processes train, make a policy active, save and load together; `whole` is for what they do
        apart. The model must not have been trained before.
        """
        self.slots = self.slots.split()

    def whole(self, leaves: Iterable[Leaf]) -> AbstractContextManager[None]:
        """These leaves have all their weights in this process inside the block, with nothing to wait for."""
        return self.slots.whole([self._place(leaf) for leaf in leaves])

    # -- text -------------------------------------------------------------------------------------------

    def encode(self, prompt: str) -> list[int]:
        """Tokens of a prompt, with what the tokenizer puts in front (a BOS, once) and no EOS behind."""
        return self.checked(tokenize(self.tokenizer, whole(prompt), special=True), prompt)

    def encode_response(self, text: str) -> list[int]:
        """Tokens of a whole response: those of the text, then EOS."""
        return self.checked([*tokenize(self.tokenizer, whole(text), special=False), self.eos], text)

    def checked(self, row: list[int], text: str) -> list[int]:
        """A row of tokens of `text`. Raises ValueError for a token that the model has no embedding of."""
        if row and max(row) >= self.vocabulary:
            raise ValueError(
                f"token {max(row)} of {text!r:.60} is unknown to the model, which has {self.vocabulary}: use "
                "the tokenizer that it was trained with."
            )
        return row

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a response, without the token that ended it."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True)

    def check_length(self, tokens: int) -> None:
        """Raise ValueError when a prompt and its response do not fit the context."""
        if self.context is not None and tokens > self.context:
            raise ValueError(
                f"a prompt with its response has {tokens} tokens, the model's context is {self.context}: "
                "shorten the prompts or lower max_new_tokens."
            )

    # -- forward ----------------------------------------------------------------------------------------

    @property
    def causal(self) -> Any:
        """The Hugging Face model; with LoRA its linear layers carry the adapters."""
        return self.slots.model

    @property
    def head(self) -> Any:
        """The linear map from last hidden states to logits."""
        return self.causal.get_output_embeddings()

    @property
    def peft(self) -> Any:
        """PEFT's view of the model, or None when all weights are trained."""
        return self.slots.peft if isinstance(self.slots, Adapters) else None

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of right-padded token ids int64[B, L], under the active leaf."""
        return self.slots.trunk(ids)

    @contextmanager
    def active(self, leaf: Leaf) -> Iterator[None]:
        """The model is this leaf inside the block; the base is the model with every adapter off."""
        self._sweep()
        before = self.slots.on
        self.slots.switch(self._place(leaf))
        try:
            yield
        finally:
            self.slots.switch(before)

    # -- training ---------------------------------------------------------------------------------------

    @contextmanager
    def train(self, start: Leaf) -> Iterator[Trainee]:
        """A copy of `start` to be changed in place; the model is that copy inside the block.

        `freeze` makes a handle of it; without that it is forgotten when the block ends.
        """
        self._sweep()
        before, self._trained = self.slots.on, self._trained + 1
        slot = f"p{self._trained}"
        trainee = Trainee(slot, self.slots.create(slot, self._place(start)))
        self.slots.switch(slot)
        trainee.begin()
        for layer in self._recomputed:
            layer.training = True  # of the layer alone: what is inside keeps its dropout off
        try:
            yield trainee
        finally:
            for layer in self._recomputed:
                layer.training = False
            trainee.end()
            self.slots.switch(before)
            if slot not in self._slot_of.values():
                self.slots.delete(slot)

    def freeze(self, trainee: Trainee, moments: Mapping[str, Tensor] | None = None) -> Adapter:
        """The handle of what the trainee has become; it can be trained no further."""
        trainee.end()
        self.slots.keep(trainee.slot)
        named = fingerprint(self._gathered(self.slots.weights(trainee.slot)))
        adapter = Adapter(named, dict(moments or {}))
        self._slot_of[adapter] = trainee.slot
        weakref.finalize(adapter, self._unheld.append, trainee.slot)
        return adapter

    def slot(self, adapter: Adapter) -> str:
        """The slot of an adapter, with LoRA the name that PEFT knows it by."""
        if adapter not in self._slot_of:
            raise ValueError(f"policy {adapter.id} belongs to another LanguageModel: load it into this one.")
        return self._slot_of[adapter]

    def _place(self, leaf: Leaf) -> str | None:
        """The slot of a leaf; None is the base."""
        return None if isinstance(leaf, Base) else self.slot(leaf)

    def _sweep(self) -> None:
        """Forget what no handle holds. Not when the handle goes: modules may be being walked through then."""
        while self._unheld:
            self.slots.delete(self._unheld.pop())

    # -- files ------------------------------------------------------------------------------------------

    def weights(self, adapter: Adapter) -> dict[str, Tensor]:
        """The adapter's tensors by name (A of float[r, in] and B of float[out, r] per layer, with LoRA)."""
        return dict(self._gathered(self.slots.weights(self.slot(adapter))))

    def save(self, adapter: Adapter, path: str | os.PathLike[str]) -> None:
        """Write weights and optimiser moments as safetensors, whole or not at all; the first process does."""
        weights = self._gathered(self.slots.weights(self.slot(adapter)))
        moments = self._gathered(adapter.moments)
        write_adapter(path, weights, moments, adapter.id, self._base_id, self.lora)

    def load(self, path: str | os.PathLike[str]) -> Adapter:
        """Read what `save` wrote. Raises ValueError when it is damaged or belongs to another base."""
        weights, moments, named = read_adapter(path, self._base_id, self.lora, self.slots.read)
        with self.train(Base()) as trainee, torch.no_grad():
            shapes = {name: own(parameter).shape for name, parameter in trainee.parameters.items()}
            if {name: tensor.shape for name, tensor in weights.items()} != shapes:
                raise ValueError(f"{path} has other layers than this model: load the model it was made with.")
            for name, parameter in trainee.parameters.items():
                own(parameter).copy_(weights[name])
            moments = {name: tensor.to(self.device) for name, tensor in moments.items()}
            adapter = self.freeze(trainee, moments)
        if adapter.id != named:
            raise ValueError(f"{path} has changed since it was written: train it again.")
        return adapter

    def _gathered(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Whole tensors by name in a fixed order, one by one: all processes ask together."""
        for name, tensor in sorted(tensors.items()):
            yield name, self.slots.gathered(name, tensor)
