"""Trained weights on disk (safetensors), and the fingerprints that identify them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from llm_backend.processes.workers import workers
from pgames.files import atomic

FORMAT = "2"  # format 1 had fingerprints of some entries only, and none of the moments
PIECE = 1 << 24  # entries hashed at once
Named = Iterable[tuple[str, Tensor]]


def fingerprint(tensors: Named) -> str:
    """A hash of the names, shapes and all entries, as float32, of tensors. They must be sorted by name."""
    digest = hashlib.sha256()  # in hardware on most processors: .3 s for 135 million entries
    for name, tensor in tensors:
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        for piece in tensor.detach().reshape(-1).split(PIECE):
            digest.update(piece.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def write_adapter(
    path: str | os.PathLike[str], weights: Named, moments: Named, id: str, base: str, lora: int | None
) -> None:
    """Write weights and optimiser moments with their metadata, atomically. Only the first process writes.

    Equal weights and moments give equal bytes.
    """
    kept: dict[str, dict[str, Tensor]] = {"weights": {}, "moments": {}}
    for kind, named in (("weights", weights), ("moments", moments)):
        for name, tensor in named:
            if workers().first:
                kept[kind][name] = tensor.detach().cpu().contiguous()
    if workers().first:
        about = {"format": FORMAT, "id": id, "base": base, "lora": json.dumps(lora)}
        about["moments"] = fingerprint(sorted(kept["moments"].items()))
        tensors = {f"{kind}.{name}": tensor for kind, some in kept.items() for name, tensor in some.items()}
        with atomic(path) as file:
            _write_sorted(file, safetensors_bytes(tensors, about))


def _write_sorted(file: IO[bytes], content: bytes) -> None:
    """Write the bytes of a safetensors file with its metadata in order, which the library shuffles."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    ordered = ordered.ljust(len(ordered) + -len(ordered) % 8)
    file.write(len(ordered).to_bytes(8, "little") + ordered)
    file.write(memoryview(content)[8 + size :])


def read_adapter(
    path: str | os.PathLike[str], base: str, lora: int | None, read: Callable[[safe_open, str], Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor], str, str]:
    """The weights and moments of an adapter, float[N, ...] by name, its id and the moments' fingerprint.

    `read(file, name)` reads a tensor, or this process's shard of it.

    Raises ValueError when the file is damaged, of an earlier version, or belongs to another base or rank, and
    FileNotFoundError when it does not exist.
    """
    split: dict[str, dict[str, Tensor]] = {"weights": {}, "moments": {}}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if "id" in about and about.get("format") != FORMAT:
                raise ValueError(
                    f"{path} was written by another version of this program, whose fingerprints differ: "
                    "train it again, or load it with that version."
                )
            if about.get("base") != base:
                raise ValueError(f"{path} was trained on another base: load the model it was trained with.")
            if about.get("lora") != json.dumps(lora):
                raise ValueError(
                    f"{path} was trained at lora={about.get('lora')} and not {json.dumps(lora)}: load the "
                    "model it was trained with."
                )
            for name in file.keys():
                kind, _, rest = name.partition(".")
                if kind not in split:
                    raise ValueError(
                        f"{path} holds {name!r:.60}, which is not a weight or moment: train it again."
                    )
                split[kind][rest] = read(file, name)
    except (SafetensorError, OSError) as error:
        if not Path(path).exists():
            raise
        raise ValueError(f"{path} is not an adapter or is cut short ({error}): train it again.") from None
    return split["weights"], split["moments"], about.get("id", ""), about.get("moments", "")
