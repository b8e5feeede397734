"""Models and tokenizers of folders or the hub: safetensors only, no code of their own, adapters merged."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from llm_backend.models.devices import usable_dtype
from llm_backend.models.gguf import find_gguf, load_gguf
from llm_backend.weights.merged import merged

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NUMBER = re.compile(r"\.\d+(?=\.)")  # of a layer, in the name of a weight
PICKLES = (".bin", ".pt", ".pth")


def load_model(auto: Any, name: str | os.PathLike[str], dtype: torch.dtype | str) -> tuple[Any, list[str]]:
    """A model of the class `auto` of transformers, and the names of its weights that are not in the files.

    The folder of an adapter gives its base with the adapter merged into the weights.

    Raises ValueError when there are no safetensors, a file is damaged, the dtype is none of weights, the
    model needs code of its own, or an adapter does not fit its base.
    """
    name, dtype = _there(name), usable_dtype(dtype)
    file = _file(name, ADAPTER)
    if file is not None:
        return _with_adapter(auto, name, file, dtype)
    try:
        model, about = auto.from_pretrained(
            name, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except Exception as error:  # transformers and safetensors raise many kinds on damaged files
        raise _explained(name, error) from None
    if not about["missing_keys"]:
        _check_places(name, model, about["unexpected_keys"])
    return model, sorted(about["missing_keys"])


def load_tokenizer(name: str | os.PathLike[str]) -> Any:
    """The tokenizer of a folder or of the hub; a folder of an adapter without one has that of its base.

    Raises ValueError when there is none, or when it needs code of its own.
    """
    from transformers import AutoTokenizer

    name = _there(name)
    adapter = _file(name, ADAPTER)
    if adapter is not None and _file(name, "tokenizer_config.json") is None:
        return load_tokenizer(_base_of(name, adapter))
    gguf = find_gguf(name, None)
    if gguf is not None:
        return load_gguf(gguf, "auto")[1]
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # tokenizers raises plain Exceptions
        raise _explained(name, error, "its tokenizer") from None


def _there(name: str | os.PathLike[str]) -> str:
    """The name of a model. Raises ValueError for a path that is no folder, and for an empty name."""
    name = os.path.expanduser(os.fspath(name))
    if not name.strip():
        raise ValueError("the name of the model is empty: pass the folder of a saved model, or a hub name.")
    if name.startswith((".", "/", "~")) and not os.path.isdir(name):
        raise ValueError(f"{name} is not a folder: pass the folder of a saved model, or a name on the hub.")
    return name


def _with_adapter(auto: Any, name: str, config: str, dtype: torch.dtype | str) -> tuple[Any, list[str]]:
    """The base of an adapter with the adapter merged into its weights."""
    from peft import PeftModel

    if any(Path(name).glob("model*.safetensors")):
        raise ValueError(f"{name} holds a model and an adapter: put each into a folder of its own.")
    weights = _file(name, ADAPTER_WEIGHTS)
    if weights is None:
        raise ValueError(f"{name} has no {ADAPTER_WEIGHTS}: save the adapter as safetensors.")
    try:
        with safe_open(weights, "pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{weights} is not whole ({_brief(error)}): save the adapter again.") from None
    under = _base_of(name, config)
    gguf = find_gguf(under, None)
    if gguf is not None:
        base, missing = load_gguf(gguf, dtype)[0], []
    else:
        base, missing = load_model(_labelled(auto, shapes), under, dtype)
    size = _embedded(base, shapes)
    if size is not None and size != len(base.get_input_embeddings().weight):
        base.resize_token_embeddings(size, mean_resizing=False)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(base.eval(), name)
    except Exception as error:  # PEFT raises many kinds for an adapter of another base or rank
        raise ValueError(
            f"the adapter {name} does not fit its base {under} ({_brief(error)}): load it with "
            "the base it was trained on."
        ) from None
    strangers = sorted(set(shapes) - set(_saved_names(adapted)))
    if strangers:
        raise ValueError(
            f"the adapter {name} has weights that its base {under} has no place for "
            f"({strangers[0]}): load it with the base it was trained on."
        )
    saved = [key.removeprefix("base_model.model.") for key in shapes]
    return merged(adapted.eval()), [key for key in missing if key not in saved]


def _saved_names(adapted: Any) -> list[str]:
    """The names under which PEFT saves the weights of an adapter."""
    from peft import get_peft_model_state_dict

    return list(get_peft_model_state_dict(adapted, save_embedding_layers=True))


def _labelled(auto: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """`auto`, with as many labels as the head of a classifier that is saved in an adapter's file."""
    if "SequenceClassification" not in auto.__name__:
        return auto
    heads = [shape for key, shape in shapes.items() if key.endswith(("score.weight", "classifier.weight"))]
    return _Labelled(auto, heads[-1][0]) if heads else auto


class _Labelled:
    """A class of transformers whose models are loaded with a number of labels."""

    def __init__(self, auto: Any, labels: int):
        self.__name__, self._auto, self._labels = auto.__name__, auto, labels

    def from_pretrained(
        self,
        name: str,
        dtype: Any,
        use_safetensors: bool,
        trust_remote_code: bool,
        output_loading_info: bool,
    ) -> Any:
        """The model and what is said of its weights, as transformers returns them."""
        return self._auto.from_pretrained(
            name,
            dtype=dtype,
            num_labels=self._labels,
            use_safetensors=use_safetensors,
            trust_remote_code=trust_remote_code,
            output_loading_info=output_loading_info,
        )


def _embedded(base: Any, shapes: dict[str, tuple[int, ...]]) -> int | None:
    """The number of tokens in embeddings that were saved with an adapter, or None."""
    embedding = base.get_input_embeddings()
    (name,) = [name for name, module in base.named_modules() if module is embedding]
    return next((shape[0] for key, shape in shapes.items() if key.endswith(f"{name}.weight")), None)


def _base_of(name: str, config: str) -> str:
    """The base of an adapter, by its configuration file."""
    try:
        base = json.loads(Path(config).read_text()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{config} is not the configuration of an adapter ({_brief(error)}).") from None
    if not base or not isinstance(base, str):
        raise ValueError(
            f"the adapter {name} does not name its base: set base_model_name_or_path in {ADAPTER}."
        )
    if os.path.isabs(base) and not os.path.isdir(base):
        raise ValueError(
            f"the base {base} of the adapter {name} is not there: set base_model_name_or_path in {ADAPTER}."
        )
    return base


def _file(name: str, file: str) -> str | None:
    """The path of a file in a folder or in a repository of the hub; None where there is none."""
    if os.path.isdir(name):
        path = os.path.join(name, file)
        return path if os.path.isfile(path) else None
    from transformers.utils.hub import cached_file

    try:
        return cached_file(name, file, _raise_exceptions_for_missing_entries=False)
    except OSError:
        return None  # no such repository, or no connection: loading says so


def _check_places(name: str, model: Any, others: Collection[str]) -> None:
    """Warn of weights that the model has no place for.

    Raises ValueError for those of further layers, which config.json leaves out.
    """
    if not others:
        return
    first, known = sorted(others), {NUMBER.sub("", key) for key, _ in model.named_parameters()}
    if (layer := next((key for key in first if NUMBER.sub("", key) in known), None)) is not None:
        raise ValueError(
            f"{name} has weights of more layers than its config.json says ({layer}): correct the number of "
            "layers there, or save the model again."
        )
    warnings.warn(
        f"{name} has {len(first)} weights that {type(model).__name__} has no place for; they are left out "
        f"({', '.join(first[:3])}): check that it is a model of this kind.",
        stacklevel=3,
    )


def _explained(name: str, error: Exception, part: str = "it") -> Exception:
    """The error as one line; memory that ran out and a missing package are explained elsewhere."""
    full = isinstance(error, RuntimeError) and "memory" in str(error).lower()
    return (
        error
        if full or isinstance(error, MemoryError | ModuleNotFoundError)
        else ValueError(_why(name, error, part))
    )


def _why(name: str, error: Exception, part: str) -> str:
    """Why nothing was loaded, in one line, and what to do."""
    text = str(error)
    if "trust_remote_code" in text:
        return f"{name} needs code of its own, which is not run: use an architecture that transformers has."
    pickled = [one.name for one in Path(name).glob("*") if one.suffix in PICKLES and "train" not in one.name]
    if pickled and not any(Path(name).glob("*.safetensors")):
        return (
            f"{name} has pickled weights ({sorted(pickled)[0]}), which are not read: save the model as "
            "safetensors with save_pretrained."
        )
    kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
    what = "" if part == "it" else f" ({part})"
    return f"{name} cannot be loaded{what}: {kind}{_brief(error)}"


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines)[:300]
