"""Adapters that a model already has, merged into its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-3}  # of the range of the logits
COARSE = 6e-2  # the same in half precision


def merged(model: Any) -> Any:
    """The model with its active adapters merged into its weights; a model without adapters as it is.

    `model` is a Hugging Face model or the PEFT wrapper of one, in evaluation mode.

    Raises ValueError when the merged model computes something else: adapters that are switched off, or of a
    kind that has no weights to merge into, such as prompt tuning.
    """
    if not any(type(module).__module__.startswith("peft.") for module in model.modules()):
        return model
    from peft import PeftModel

    wrapped = isinstance(model, PeftModel)
    inner: Any = model.get_base_model() if wrapped else model
    name = type(inner).__name__
    try:
        before = _some_logits(model)
        _untie(inner)
        plain = model.merge_and_unload(safe_merge=True) if wrapped else unload(inner, merge=True)
        after = _some_logits(plain)
    except Exception as error:  # PEFT has many kinds of adapters, each with errors of its own
        told = (str(error).strip().splitlines() or [""])[0][:160]
        raise ValueError(
            f"the adapters of {name} cannot be merged into its weights ({type(error).__name__}: {told}): "
            "merge them yourself, or pass a model without adapters."
        ) from None
    if any(type(module).__module__.startswith("peft.") for module in plain.modules()):
        raise ValueError(f"{name} keeps adapters after merging: pass a model without adapters.")
    middle = before.mean(dim=-1, keepdim=True) if before.shape[-1] > 1 else 0.0
    scale = float((before - middle).abs().max())
    off = float((after - before).abs().max()) / max(scale, 1e-9)
    if not off <= ROUNDING.get(plain.dtype, COARSE):
        raise ValueError(
            f"merging the adapters of {name} changes what it computes, by {100 * off:.2g} % of the range of "
            "its logits: switch the adapters on that you want, or pass a model without adapters."
        )
    return plain


def _some_logits(model: Any) -> Tensor:
    """Logits float64[1, L, C] of a few tokens."""
    size = len(model.get_input_embeddings().weight)
    ids = torch.tensor([[i * size // 5 for i in range(5)]], device=model.device)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.double()
    return logits if logits.dim() == 3 else logits[:, None]


def _untie(model: Any) -> None:
    """Give adapted weights that other layers share a tensor of their own, so that merging moves one layer."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for weight in module._parameters.values():
            if weight is not None:
                owners[id(weight)] = owners.get(id(weight), 0) + 1
    for module in model.modules():
        base = getattr(module, "base_layer", None)
        weight = getattr(base, "weight", None)
        if base is not None and weight is not None and owners.get(id(weight), 0) > 1:
            base.weight = torch.nn.Parameter(weight.detach().clone(), requires_grad=False)
            model.config.tie_word_embeddings = False


def unload(model: Any, merge: bool) -> Any:
    """Remove the adapters inside a Hugging Face model, after merging the active ones with `merge`."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    done: list[str] = []
    for name, module in list(model.named_modules()):
        inside = any(name.startswith(f"{above}.") for above in done)
        if inside or not isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
            continue
        layer: Any = module
        if hasattr(layer, "unload_and_optionally_merge_module"):
            plain = layer.unload_and_optionally_merge_module(merge=merge, safe_merge=True, adapter_names=None)
        else:
            if merge:
                layer.merge(safe_merge=True)
            plain = layer.get_base_layer()
        path, _, last = name.rpartition(".")
        setattr(model.get_submodule(path), last, plain)
        done.append(name)
    model._hf_peft_config_loaded = False
    if hasattr(model, "peft_config"):
        del model.peft_config
    return model
