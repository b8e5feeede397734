"""A league on a language model: `python -m benchmarks.llm_league [--toy]`.

Members are adapters on one base. All are drawn in shared batches, against a loop that draws one after the
other; both give the same tokens. The memory of a league is the base and an adapter per member.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import Row, folder_of, report, toy_asked
from llm_backend import LanguageModel, TextArena, judges
from llm_backend.policies.handles import BASE, Policy
from llm_backend.spaces.draws import Draws
from llm_backend.tiny import PROMPTS, random_llama, tiny_tokenizer

MEMBERS, TOKENS, RANK = 8, 24, 8
WIDTHS = (64, 256)
DRAWS = (2, 8)
REPEATS = 5


def main(toy: bool = False, folder: Path | None = None, device: str = "cpu") -> dict[str, Any]:
    """Measure, save the rows and return the document."""
    torch.set_num_threads(1)
    return report(
        "llm_league", [("A league on a language model", _rows(toy, device))], folder_of(toy, folder)
    )


def league(width: int, members: int, longest: int, device: str = "cpu") -> tuple[TextArena, list[Policy]]:
    """An arena on a random Llama of some width, and members: adapters of random weights on it."""
    tokenizer = tiny_tokenizer([*PROMPTS, "user assistant"])
    model = random_llama(len(tokenizer), width, 2 * width, layers=4, room=256, spread=0.1)
    lm = LanguageModel(model.to(device), tokenizer, lora=RANK)
    torch.manual_seed(0)
    found: list[Policy] = []
    for _ in range(members):
        with lm.train(BASE) as trainee, torch.no_grad():
            for weight in trainee.parameters.values():
                weight.add_(0.02 * torch.randn(weight.shape).to(device))
            found.append(lm.freeze(trainee))
    judge = judges.Rule(lambda prompt, reply: len(reply))
    return TextArena(lm, PROMPTS, judge, max_new_tokens=longest, min_new_tokens=longest), found


def _rows(toy: bool, device: str) -> Iterator[Row]:
    members, longest, repeats = (3, 4, 1) if toy else (MEMBERS, TOKENS, REPEATS)
    for width in WIDTHS[:1] if toy else WIDTHS:
        arena, policies = league(width, members, longest, device)
        for n in DRAWS[:1] if toy else DRAWS:
            requests = [(policy, (0, i)) for i, policy in enumerate(policies)]

            def together(requests=requests, n=n, space=arena.space) -> list[Draws]:
                return space.draw_each(requests, n)

            def one_by_one(requests=requests, n=n, space=arena.space) -> list[Draws]:
                return [space.draw(policy, n, key) for policy, key in requests]

            shared, loop = _seconds(together, repeats, device), _seconds(one_by_one, repeats, device)
            same = all(a.tokens == b.tokens for a, b in zip(together(), one_by_one(), strict=True))
            yield {
                "row": "draws of a league",
                "device": device,
                "width": width,
                "members": members,
                "responses a prompt": n,
                "shared batches, s": shared,
                "a loop over members, s": loop,
                "ratio": loop / shared,
                "same tokens": same,
            }
        base = _bytes(_base(arena.lm))
        adapter = _bytes(arena.lm.weights(policies[0]).values())  # type: ignore[arg-type]
        yield {
            "row": "memory of a league",
            "width": width,
            "base, kB": base / 1000,
            "a member, kB": adapter / 1000,
            "league, kB": (base + members * adapter) / 1000,
            "models of their own, kB": members * base / 1000,
        }


def _seconds(call: Callable[[], object], repeats: int, device: str) -> float:
    """The median: CPU seconds on a CPU, and those of the clock on a GPU."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    call()
    found = []
    for _ in range(repeats):
        began = clock()
        call()
        if device != "cpu":
            torch.cuda.synchronize()
        found.append(clock() - began)
    return float(np.median(found))


def _base(lm: LanguageModel) -> list[torch.Tensor]:
    return [weight for name, weight in lm.causal.named_parameters() if "lora_" not in name]


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)


if __name__ == "__main__":
    main(toy_asked())
