"""Trained weights on disk (safetensors), and the fingerprints that identify them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from llm_backend.processes.workers import workers
from pgames.files import atomic

FINGERPRINTED = 1 << 16  # approximate number of entries of each tensor in its fingerprint
Named = Iterable[tuple[str, Tensor]]


def fingerprint(tensors: Named) -> str:
    """A hash of the names, shapes and evenly spaced entries of tensors. They must be sorted by name."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in tensors:
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, len(flat) // FINGERPRINTED)].float().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()


def write_adapter(
    path: str | os.PathLike[str], weights: Named, moments: Named, id: str, base: str, lora: int | None
) -> None:
    """Write weights and optimiser moments with their metadata, atomically. Only the first process writes."""
    tensors, about = {}, {"id": id, "base": base, "lora": json.dumps(lora)}
    for kind, named in (("weights", weights), ("moments", moments)):
        for name, tensor in named:
            if workers().first:
                tensors[f"{kind}.{name}"] = tensor.detach().cpu().contiguous()
    if workers().first:
        with atomic(path) as file:
            file.write(safetensors_bytes(tensors, about))


def read_adapter(
    path: str | os.PathLike[str], base: str, lora: int | None, read: Callable[[safe_open, str], Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor], str]:
    """The weights and the moments of an adapter, float[N, ...] by name, and its id.

    `read(file, name)` reads a tensor, or this process's shard of it.

    Raises ValueError when the file is damaged or belongs to another base or rank, FileNotFoundError when it
    does not exist.
    """
    split: dict[str, dict[str, Tensor]] = {"weights": {}, "moments": {}}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if about.get("base") != base:
                raise ValueError(f"{path} was trained on another base: load the model it was trained with.")
            if about.get("lora") != json.dumps(lora):
                raise ValueError(
                    f"{path} was trained at lora={about.get('lora')} and not {json.dumps(lora)}: load the "
                    "model it was trained with."
                )
            for name in file.keys():
                kind, _, rest = name.partition(".")
                split[kind][rest] = read(file, name)
    except (SafetensorError, OSError) as error:
        if not Path(path).exists():
            raise
        raise ValueError(f"{path} is not an adapter or is cut short ({error}): train it again.") from None
    return split["weights"], split["moments"], about.get("id", "")
