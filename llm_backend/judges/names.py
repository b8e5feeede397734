"""Digests of texts and weights, for the names of judges."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def digest(text: str) -> str:
    """Twelve hexadecimal digits of a text, such as a template filled with an example."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def fingerprint(model: Any) -> str:
    """The name of a model and a digest of the first and last 8 entries of every weight: cheap at any size."""
    import torch

    ends = hashlib.sha256()
    for name, weight in model.state_dict().items():
        flat = weight.detach().reshape(-1)
        some = torch.cat([flat[:8], flat[-8:]]).double().cpu().numpy()
        ends.update(f"{name} {tuple(weight.shape)}".encode() + some.tobytes())
    return f"{Path(model.config.name_or_path).name or type(model).__name__} {ends.hexdigest()[:12]}"
