"""LanguageModel: one base on the device, and as many policies on it as handles are held."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from llm_backend.data import tokenize
from llm_backend.policies.handles import Adapter, Base, Leaf
from llm_backend.processes.shards import Shards, own, split_layers
from llm_backend.processes.workers import workers
from pgames.files import atomic

START = "start"  # the slot of the weights every new adapter begins with: A random, B = 0
NOBODY = "nobody"  # the slot that is on when weights in shares are gathered for no policy
FINGERPRINTED = 1 << 16  # numbers of each tensor that go into its fingerprint


@dataclass(frozen=True, eq=False)
class Trainee:
    """Weights that may still change, by name. They are the model's active ones while `train` lasts."""

    slot: str
    parameters: dict[str, torch.nn.Parameter]


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
        self.stops = _stop_tokens(model, self.eos)
        self.device = model.device
        self.context = getattr(model.config, "max_position_embeddings", None)
        self.causal = model  # the Hugging Face model; with LoRA its linear layers carry the adapters
        self.head = model.get_output_embeddings()
        self.vocabulary: int = model.get_input_embeddings().weight.shape[0]
        self.shards: Shards | None = None  # full fine-tuning in shares: then the weights of slots are shares
        self._layers: list[Any] = []  # those of a frozen base that lie in shares
        _check_kind(model)
        self._check_head()
        self._base_id = _fingerprint(sorted(model.named_parameters()))
        self.peft = None if lora is None else _with_lora(model, lora, seed)
        self._base = dict(model.named_parameters()) if lora is None else {}
        self._base_data = {name: p.data for name, p in self._base.items()}
        self._copies: dict[str, dict[str, Tensor]] = {}  # full fine-tuning: slot -> weights
        if checkpointing:
            enable = getattr(model, "activation_checkpointing_enable", None)  # its name since transformers 5
            (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
            model.disable_input_require_grads()
        self._recomputed = [
            layer for layer in model.modules() if getattr(layer, "gradient_checkpointing", False)
        ]
        self._slots = 0
        self._slot_of: weakref.WeakKeyDictionary[Adapter, str] = weakref.WeakKeyDictionary()
        self._on: str | None = START
        self._switch(None)

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
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device {device} is not there: torch {torch.__version__} sees no GPU; use 'cpu'."
            )
        if isinstance(dtype, str) and dtype != "auto" and not hasattr(torch, dtype):
            raise ValueError(f"dtype {dtype!r} is none of torch: use 'auto', 'float32' or 'bfloat16'.")
        if os.fspath(name).startswith((".", "/", "~")) and not os.path.isdir(name):
            raise ValueError(f"{name} is no folder: pass that of a saved model, or a name of the hub.")
        model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
        return cls(model.to(device), AutoTokenizer.from_pretrained(name), lora, seed, checkpointing)

    # -- several processes ------------------------------------------------------------------------------

    def shard(self) -> None:
        """Leave every process a share of the weights (FSDP2).

        With adapters of the frozen base's layers, else of everything: base, policies and moments. From then
        on all processes train, make a policy active, save and load together; `whole` is for what they do
        apart. The model must not have been trained before.
        """
        if self.lora is not None:
            adapters = [p for name, p in self.causal.named_parameters() if "lora_" in name]
            self._layers = split_layers(self.causal, adapters)
            return
        self.shards = Shards(self.causal)
        self._base_data, self._base = self.shards.shares(), {}
        self._switch(NOBODY)

    @contextmanager
    def whole(self, leaves: Iterable[Leaf]) -> Iterator[None]:
        """These leaves have all their weights in this process inside the block, with nothing to wait for."""
        for layer in self._layers:
            layer.set_reshard_after_forward(False)
            layer.unshard()
        held = {} if self.shards is None else self.shards.held
        if self.shards is not None:
            slots = {None if isinstance(leaf, Base) else self.slot(leaf): None for leaf in leaves}
            held.update({slot: self.shards.gather(self._shares(slot)) for slot in slots})
        try:
            yield
        finally:
            held.clear()
            for layer in self._layers:
                layer.set_reshard_after_forward(True)
                layer.reshard()

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

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of right-padded token ids int64[B, L], under the active leaf."""
        if self.shards is not None and self.causal is self.shards.trained:
            return self.causal.trunk(ids)
        return self.causal.base_model(input_ids=ids, use_cache=False).last_hidden_state

    @contextmanager
    def active(self, leaf: Leaf) -> Iterator[None]:
        """The model is this leaf inside the block; the base is the model with every adapter off."""
        before = self._on
        self._switch(None if isinstance(leaf, Base) else self.slot(leaf))
        try:
            yield
        finally:
            self._switch(before)

    # -- training ---------------------------------------------------------------------------------------

    @contextmanager
    def train(self, start: Leaf) -> Iterator[Trainee]:
        """A copy of `start` to be changed in place; the model is that copy inside the block.

        `freeze` makes a handle of it; without that it is forgotten when the block ends.
        """
        before, self._slots = self._on, self._slots + 1
        slot = f"p{self._slots}"
        source = None if isinstance(start, Base) else self.slot(start)
        self._create(slot, source)
        trainee = Trainee(slot, self._weights(slot))
        self._switch(slot)
        for parameter in trainee.parameters.values():
            parameter.requires_grad_(True)
        for layer in self._recomputed:
            layer.training = True  # of the layer alone: what is inside keeps its dropout off
        try:
            yield trainee
        finally:
            for layer in self._recomputed:
                layer.training = False
            for parameter in trainee.parameters.values():
                parameter.requires_grad_(False)
                parameter.grad = None
            if self.shards is not None:
                self.shards.training = ""
            self._switch(before)
            if trainee.parameters:
                self._delete(slot)

    def freeze(self, trainee: Trainee, moments: Mapping[str, Tensor] | None = None) -> Adapter:
        """The handle of what the trainee has become; it can be trained no further."""
        for parameter in trainee.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        if self.shards is not None:
            self._copies[trainee.slot] = self.shards.shares()
        named = _fingerprint(self._complete(trainee.parameters))
        adapter = Adapter(named, dict(moments or {}))
        self._slot_of[adapter] = trainee.slot
        trainee.parameters.clear()
        weakref.finalize(adapter, _forget, weakref.ref(self), trainee.slot)
        return adapter

    def slot(self, adapter: Adapter) -> str:
        """The name that PEFT knows the adapter by."""
        if adapter not in self._slot_of:
            raise ValueError(f"policy {adapter.id} belongs to another LanguageModel: load it into this one.")
        return self._slot_of[adapter]

    # -- files ------------------------------------------------------------------------------------------

    def weights(self, adapter: Adapter) -> dict[str, Tensor]:
        """The adapter's tensors by name (A of float[r, in] and B of float[out, r] per layer, with LoRA)."""
        slot = self.slot(adapter)
        return dict(self._complete(self._copies[slot] if self.lora is None else self._weights(slot)))

    def save(self, adapter: Adapter, path: str | os.PathLike[str]) -> None:
        """Write weights and optimiser moments as safetensors, whole or not at all; the first process does."""
        slot, tensors = self.slot(adapter), {}
        weights = self._copies[slot] if self.lora is None else self._weights(slot)
        for kind, named in (("weights", weights), ("moments", adapter.moments)):
            for name, tensor in self._complete(named):
                if workers().first:
                    tensors[f"{kind}.{name}"] = tensor.detach().cpu().contiguous()
        about = {"id": adapter.id, "base": self._base_id, "lora": json.dumps(self.lora)}
        if workers().first:
            with atomic(path) as file:
                file.write(safetensors_bytes(tensors, about))

    def load(self, path: str | os.PathLike[str]) -> Adapter:
        """Read what `save` wrote. Raises ValueError when it is damaged or belongs to another base."""
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                tensors = {name: self._read(file, name) for name in file.keys()}
        except (SafetensorError, OSError) as error:
            if not Path(path).exists():
                raise
            raise ValueError(f"{path} is no adapter, or cut short ({error}): train it again.") from None
        if about.get("base") != self._base_id or about.get("lora") != json.dumps(self.lora):
            trained = f"at lora={about.get('lora')} and not {json.dumps(self.lora)}"
            other = trained if about.get("base") == self._base_id else "on another base"
            raise ValueError(f"{path} was trained {other}: load the model it was made with.")
        split = {kind: {} for kind in ("weights", "moments")}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            split[kind][rest] = tensor.to(self.device)
        with self.train(Base()) as trainee, torch.no_grad():
            shapes = {name: own(parameter).shape for name, parameter in trainee.parameters.items()}
            if {name: tensor.shape for name, tensor in split["weights"].items()} != shapes:
                raise ValueError(f"{path} has other layers than this model: load the model it was made with.")
            for name, parameter in trainee.parameters.items():
                own(parameter).copy_(split["weights"][name])
            adapter = self.freeze(trainee, split["moments"])
        if adapter.id != about.get("id"):
            raise ValueError(f"{path} has changed since it was written: train it again.")
        return adapter

    # -- inside -----------------------------------------------------------------------------------------

    def _switch(self, slot: str | None) -> None:
        if slot == self._on:
            return
        if self.shards is not None:
            self._turn(self.shards, slot)
        elif self.peft is None:
            for name, data in self._shares(slot).items():
                self._base[name].data = data
        elif slot is None:
            self.peft.base_model.disable_adapter_layers()
        else:
            if self._on is None:
                self.peft.base_model.enable_adapter_layers()
            self.peft.set_adapter(slot, inference_mode=True)
        self._on = slot

    def _turn(self, shards: Shards, slot: str | None) -> None:
        """Weights in shares: the model of whoever trains, or the shell with a policy's gathered weights."""
        training = slot == shards.training
        self.causal = shards.trained if training else shards.shell
        self.head = self.causal.get_output_embeddings()
        shards.fill(None)
        if not training and slot != NOBODY:
            shards.fill(shards.held.get(slot) or shards.gather(self._shares(slot)))

    def _create(self, slot: str, source: str | None) -> None:
        if self.shards is not None:
            self.shards.start(slot, self._shares(source))
            return
        if self.peft is None:
            self._copies[slot] = {name: tensor.clone() for name, tensor in self._shares(source).items()}
            return
        with torch.random.fork_rng(devices=[]):  # PEFT draws weights, which are overwritten
            self.peft.add_adapter(slot, self.peft.peft_config[START])
        origin = self._weights(source or START)
        with torch.no_grad():
            for name, parameter in self._weights(slot).items():
                parameter.copy_(origin[name]).requires_grad_(False)

    def _delete(self, slot: str) -> None:
        if self.peft is None:
            self._copies.pop(slot, None)
        elif slot in self.peft.peft_config:
            if slot in self.peft.active_adapters:  # while the base is on, PEFT remembers the last one
                self.peft.set_adapter(START, inference_mode=True)
            self.peft.delete_adapter(slot)

    def _shares(self, slot: str | None) -> dict[str, Tensor]:
        """Full fine-tuning: the weights of a slot that this process holds, all of them or a share."""
        return self._base_data if slot is None else self._copies[slot]

    def _complete(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Tensors by name in a fixed order, gathered one by one where they lie in shares."""
        for name, tensor in sorted(tensors.items()):
            yield name, tensor if self.shards is None else self.shards.whole(name, tensor)

    def _read(self, file: Any, name: str) -> Tensor:
        """A tensor of a file, or the share of this process."""
        return file.get_tensor(name) if self.shards is None else self.shards.read(file, name)

    def _weights(self, slot: str) -> dict[str, torch.nn.Parameter]:
        if self.shards is not None:
            return dict(self.shards.parameters)
        if self.peft is None:
            return dict(self._base)
        return {
            f"{path}.{half}": getattr(layer, f"lora_{half}")[slot].weight
            for path, layer in self.causal.named_modules()
            if hasattr(layer, "lora_A") and slot in layer.lora_A
            for half in "AB"
        }

    def _check_head(self) -> None:
        """The head must be one linear map of the last hidden states, or log-probabilities would be wrong."""
        ids = torch.arange(2, device=self.device)[None] + 1
        with torch.no_grad():
            expected = self.causal(input_ids=ids, use_cache=False).logits.float()
            got = torch.nn.functional.linear(self.trunk(ids), self.head.weight, self.head.bias).float()
        if not torch.allclose(got, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max())):
            raise ValueError(
                f"the head of {type(self.causal).__name__} does more than a linear map (soft-capped or "
                "scaled logits?): such models are not supported."
            )


def _with_lora(model: Any, rank: int, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        warnings.filterwarnings(
            "ignore", message="fan_in_fan_out is set to False"
        )  # PEFT then sets it (GPT-2)
        torch.manual_seed(seed)
        peft = get_peft_model(model, config, adapter_name=START).eval().requires_grad_(False)
    if any(type(module).__name__ == "ParamWrapper" for module in peft.modules()):
        raise ValueError(
            f"PEFT cannot mix adapters on the experts of {type(model).__name__} in a batch: train all "
            "weights, lora=None."
        )
    return peft


def _check_kind(model: Any) -> None:
    """Refuse what log-probabilities or decoding would be wrong or impossible for."""
    name, config = type(model).__name__, model.config.get_text_config()
    if getattr(config, "final_logit_softcapping", None):
        raise ValueError(f"{name} caps its logits, which is not supported: use a model without soft-capping.")
    if getattr(model, "_is_stateful", False):
        raise ValueError(
            f"{name} has a recurrent state, which is not supported: use one with attention only."
        )


def _stop_tokens(model: Any, eos: int) -> tuple[int, ...]:
    config = getattr(model, "generation_config", None)
    more = getattr(config, "eos_token_id", None)
    more = [more] if isinstance(more, int) else list(more or [])
    return tuple(sorted({eos, *more}))


def _forget(lm: weakref.ref[LanguageModel], slot: str) -> None:
    model = lm()
    if model is not None:
        model._delete(slot)


def _fingerprint(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """A hash of names, shapes and evenly spaced numbers of tensors, which come sorted by name."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in tensors:
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, len(flat) // FINGERPRINTED)].float().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()


def whole(text: Any) -> str:
    """The text itself. Raises ValueError for what is no text, or holds half a character."""
    if not isinstance(text, str):
        raise ValueError(f"a prompt or response is a text, got {type(text).__name__} {text!r:.60}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text!r:.60} is no Unicode text ({error.reason}): remove half characters."
        ) from None
    return text
