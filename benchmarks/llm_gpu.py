"""Generation and training of a Llama of 8 billion weights in bf16 with LoRA, beside a plain loop.

python -m benchmarks.llm_gpu [--toy] prints a table with the targets and one line of JSON, and keeps both in
results/llm_gpu.json (results/toy with `--toy`) as each row is measured; no part starts after 7 minutes.
`--toy` runs the same code on a small model, on any device. Shares are relative to the rates of a large copy
and a large matrix product in the same run. Decoding must read every weight and the cache once per token.
Training with LoRA must do 4 operations per weight and token, 2 forward and 2 backward (the frozen weights
need no gradient).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.llm_model import tokenizer
from benchmarks.timing import Row, folder_of, report, toy_asked


class Size(NamedTuple):
    """The sizes of a model and of its work: `samples` responses to each of `prompts` prompts."""

    layers: int
    width: int
    inner: int
    heads: int
    groups: int
    vocabulary: int
    prompts: int
    samples: int
    prompt: int
    new: int
    rank: int
    plain: int  # prompts of the plain loops, whose time is scaled

    @property
    def rows(self) -> int:
        """Responses in all."""
        return self.prompts * self.samples


LARGE = Size(32, 4096, 14336, 32, 8, 128_256, prompts=32, samples=8, prompt=256, new=256, rank=16, plain=8)
TOY = Size(2, 64, 128, 4, 2, 4096, prompts=2, samples=2, prompt=12, new=8, rank=4, plain=1)
SECONDS = 420  # no part starts later
TARGETS = {
    "policy_tokens_per_second": 12_000,
    "mixture_tokens_per_second": 7_000,
    "one_row_share_of_bandwidth": 0.6,
    "mfu": 0.3,
    "ratio": 3.0,
}


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Measure on the GPU, or on the CPU if there is none; a time follows a warm-up."""
    size = TOY if toy else LARGE
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and size is LARGE:
        raise SystemExit(
            "no GPU here: python -m benchmarks.llm_gpu --toy runs the same code on a small model."
        )
    found: dict[str, Any] = {}

    def rows() -> Iterator[Row]:
        for part in parts(size, device):
            found.update(part)
            for name, value in part.items():
                yield {"what": name, "value": value, "target": TARGETS.get(name)}

    report("llm_gpu", [("Llama in bf16 with LoRA", rows())], folder_of(toy, folder))
    json.dump(found, sys.stdout)
    return found


def measure(size: Size, device: str) -> dict[str, Any]:
    """The measurements by name."""
    return {name: value for part in parts(size, device) for name, value in part.items()}


def parts(size: Size, device: str) -> Iterator[dict[str, Any]]:
    """The measurements, part by part; parts that would start after `SECONDS` are left out, and named."""
    from llm_backend.engines.local.generate import generate
    from llm_backend.fits.fit import Fit, fit
    from llm_backend.fits.policy_gradient import PolicyGradient
    from llm_backend.models.language_model import LanguageModel
    from llm_backend.policies.handles import BASE, geometric_mixture
    from llm_backend.spaces.draws import Draws

    began = time.perf_counter()
    lm = LanguageModel(_model(size, device), tokenizer(), lora=size.rank)
    with lm.train(BASE) as trainee:
        with torch.no_grad():
            for weight in trainee.parameters.values():
                weight.add_(0.01 * torch.randn_like(weight))
        policy = lm.freeze(trainee)
    ids = [[1, *((x * 131 + i * 17) % 4000 + 4 for i in range(size.prompt - 1))] for x in range(size.prompts)]
    how: dict[str, Any] = {"max_new_tokens": size.new, "min_new_tokens": size.new, "rows": size.rows}
    bandwidth, peak = _limits(device, small=size is TOY)
    weights = sum(p.numel() for name, p in lm.causal.named_parameters() if "lora_" not in name)
    used = weights - size.vocabulary * size.width  # the embedding is looked up
    cache = 2 * size.layers * size.groups * (size.width // size.heads) * 2  # bytes of a token in the cache
    tokens, mean = size.rows * size.new, size.prompt + size.new / 2
    yield {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "weights": weights,
        "bandwidth_gb_per_second": bandwidth / 1e9,
        "matmul_tflops": peak / 1e12,
    }

    _reset(device)
    ours = _seconds(lambda: generate(lm, policy, ids, size.samples, **how), device)
    moved = size.new * (2 * used + cache * size.rows * mean)
    yield {
        "policy_tokens_per_second": tokens / ours,
        "policy_share_of_bandwidth": moved / ours / bandwidth,
        "generation_gb": _peak_gb(device),
    }

    mixed = geometric_mixture((0.875, policy), (0.125, BASE))
    together = _seconds(lambda: generate(lm, mixed, ids, size.samples, **how), device)
    yield {"mixture_tokens_per_second": tokens / together}

    one = _seconds(lambda: generate(lm, policy, ids[:1], 1, **how), device)
    moved = size.new * (2 * used + cache * mean)
    yield {"one_row_tokens_per_second": size.new / one, "one_row_share_of_bandwidth": moved / one / bandwidth}

    samples = generate(lm, policy, ids, size.samples, key=(0,), **how)
    rows = tuple(map(tuple, samples.tokens))
    draws = Draws(samples.prompt, rows, ("",) * len(rows), np.full(len(rows), -1), samples.truncated)
    win, share = np.linspace(0, 1, len(rows)), np.full(len(rows), 1 / size.samples)
    objective = PolicyGradient(
        draws, samples.logprobs, win, share, samples.by_token, step=10.0, estimator="reinforce"
    )
    step = Fit(rule="reinforce", epochs=1, batch=size.prompts, warmup=0.0)
    _reset(device)
    trained = _seconds(lambda: fit(lm, policy, objective, ids, step), device)
    seen = size.prompts * size.prompt + size.rows * (size.new - 1)  # a prompt is read once
    yield {
        "training_tokens_per_second": seen / trained,
        "mfu": 4 * used * seen / trained / peak,
        "training_gb": _peak_gb(device),
    }
    if time.perf_counter() - began > SECONDS:
        yield {"left_out": "the plain loops and the head: the time is up"}
        return

    scale, few = size.prompts / size.plain, [ids[x] for x in range(size.plain) for _ in range(size.samples)]
    _reset(device)
    plain = scale * _seconds(lambda: _plain_generate(lm, policy, few, size), device)
    yield {"plain_generation_tokens_per_second": tokens / plain, "plain_generation_gb": _peak_gb(device)}
    answers = samples.tokens[: len(few)]
    _reset(device)
    naive = scale * _seconds(lambda: _naive_step(lm, policy, few, answers, win[: len(few)]), device)
    yield {
        "naive_training_tokens_per_second": size.rows * (size.prompt + size.new) / naive,
        "naive_training_gb": _peak_gb(device),
        "generation_ratio": plain / ours,
        "training_ratio": naive / trained,
        "ratio": (plain + naive) / (ours + trained),
    }
    yield _head_seconds(size, device)


def _head_seconds(size: Size, device: str) -> dict[str, float | None]:
    """Seconds for log-probabilities and slopes under a frozen head, also with Liger if it is installed."""
    from llm_backend.models.liger import LigerLogProbs, liger_serves
    from llm_backend.models.logprobs import LinearLogProbs

    count, kind = size.rows * size.new, {"device": device, "dtype": torch.bfloat16}
    hidden = torch.randn(count, size.width, requires_grad=True, **kind)
    weight = torch.randn(size.vocabulary, size.width, **kind) / size.width**0.5
    targets = torch.randint(size.vocabulary, (count,), device=device)
    ways: dict[str, Callable[[], Any]] = {
        "head_seconds": lambda: LinearLogProbs.apply(hidden, weight, None, targets, 1.0),
        "liger_head_seconds": lambda: LigerLogProbs.apply(hidden, weight, None, targets),
    }
    here = {"head_seconds"} | ({"liger_head_seconds"} if liger_serves(hidden, 1.0) else set())
    return {
        name: _seconds(lambda way=way: way().sum().backward(), device) if name in here else None
        for name, way in ways.items()
    }


def _model(size: Size, device: str) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.groups,
        max_position_embeddings=8192,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        with torch.device(device):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def _plain_generate(lm: Any, policy: Any, ids: list[list[int]], size: Size) -> None:
    prompts = torch.tensor(ids, device=lm.device)
    with torch.no_grad(), lm.active(policy):
        lm.causal.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=True,
            top_k=0,
            max_new_tokens=size.new,
            min_new_tokens=size.new,
        )


def _naive_step(lm: Any, policy: Any, ids: list[list[int]], tokens: list[list[int]], win: Any) -> None:
    """One AdamW step of REINFORCE through the full log-softmax, 8 rows at a time."""
    with lm.train(policy) as trainee:
        optimiser = torch.optim.AdamW(trainee.parameters.values(), lr=1e-4)
        for i in range(0, len(ids), 8):
            rows = torch.tensor([p + t for p, t in zip(ids[i : i + 8], tokens[i : i + 8], strict=True)])
            rows = rows.to(lm.device)
            logs = torch.log_softmax(lm.causal(input_ids=rows, use_cache=False).logits.float(), dim=-1)
            at = logs[:, :-1].gather(-1, rows[:, 1:, None])[:, len(ids[0]) - 1 :, 0].sum(1)
            (-(torch.as_tensor(win[i : i + 8], device=lm.device) - 0.5) * at).mean().backward()
        optimiser.step()


def _limits(device: str, small: bool) -> tuple[float, float]:
    """Bytes per second of a copy (read and written) and operations per second of a bf16 matrix product."""
    numbers, side = (1 << 20, 256) if small else (1 << 30, 8192)
    source = torch.randn(numbers, device=device, dtype=torch.bfloat16)
    target = torch.empty_like(source)
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in "ab")
    copy = _seconds(lambda: [target.copy_(source) for _ in range(10)], device) / 10
    product = _seconds(lambda: [a @ b for _ in range(10)], device) / 10
    return 4 * numbers / copy, 2 * side**3 / product


def _seconds(call: Callable[[], Any], device: str) -> float:
    """Wall seconds of a call after a warm-up, the device's work included."""
    seconds = []
    for _ in range(2):
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return seconds[-1]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _reset(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_gb(device: str) -> float | None:
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None


if __name__ == "__main__":
    main(toy_asked())
