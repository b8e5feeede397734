"""The Python blocks of the pages run: those that are no doctests too, with a toy in place of a real model."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pgames as pg
from llm_backend import LanguageModel, TextArena, judges, password
from llm_backend.tiny import PROMPTS, random_llama, tiny_tokenizer
from tests.support import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPECIAL = 4  # pad, BOS, EOS, unknown
VLLM = "docs/how-to/vllm.md"
TRAINING = ("docs/how-to/adversary.md", "docs/how-to/training-runs.md")  # one round is enough to run
SLOW = ("docs/how-to/solver.md",)  # the conformance kit on text
OFTEN, NEVER = 3.0, -20.0  # bias of the logits of EOS, and of the other special tokens

TEXTS = PROMPTS + [message["content"] for seed in password.seeds() for message in seed.prompt]


def plain_blocks(page: Path) -> list[str]:
    """The Python blocks without a prompt `>>>`, which no doctest runs."""
    return [code for code in BLOCK.findall(page.read_text(encoding="utf-8")) if ">>>" not in code]


PAGES = {
    page.relative_to(ROOT).as_posix(): blocks
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if (blocks := plain_blocks(page))
}


def toy(cls: type, name: str, lora: int | None = 8, **options: Any) -> LanguageModel:
    """What `LanguageModel.from_pretrained` returns here: a random Llama that ends its texts often."""
    import torch

    tokenizer = tiny_tokenizer(TEXTS, vocabulary=300)
    model = random_llama(len(tokenizer), width=32, inner=64, layers=1, room=2048, spread=0.2)
    head = torch.nn.Linear(32, len(tokenizer))
    bias = torch.zeros(len(tokenizer))
    bias[:SPECIAL] = torch.tensor([NEVER, NEVER, OFTEN, NEVER])
    head.weight.data, head.bias.data = model.lm_head.weight.data, bias
    model.lm_head = head
    return LanguageModel(model, tokenizer, lora, **options)


def text_arena(samples: int | None = 4) -> TextArena:
    lm = toy(LanguageModel, "")
    return TextArena(lm, PROMPTS[:2], judges.Rule(judges.rules.shorter), samples, max_new_tokens=6)


@contextmanager
def served() -> Iterator[str]:
    """The address of a vLLM server that serves the toy."""
    from tests.support.vllm_server import Server

    server = Server(toy(LanguageModel, ""), {}, context=2048, rank=64)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    thread.join()
    server.server_close()


def battles(path: Path) -> int:
    """Write votes of which one item is gpt-4; returns their number."""
    names, rng = ["gpt-4", "llama", "qwen"], np.random.default_rng(0)
    rows = [(*rng.choice(names, 2, replace=False), rng.choice(["left", "right", "tie"])) for _ in range(120)]
    path.write_text("left,right,winner\n" + "".join(",".join(row) + "\n" for row in rows))
    return len(rows)


def given(page: str, folder: Path) -> dict[str, Any]:
    """The names that a page takes as known: prompts, a judge, votes of the reader's own, ..."""
    if page == "README.md":
        arena = pg.TableArena(pg.games.comal3())
        return {"arena": arena, "pi": arena.reference, "eta": 0.5, "tau": 0.1}
    if page == "docs/how-to/people.md":
        lines = [
            f'{{"prompt": "p{i}", "left": "a", "right": "b", "winner": "left", "left_text": "one", '
            f'"right_text": "two"}}\n'
            for i in range(3)
        ]
        (folder / "pairs.votes.jsonl").write_text("".join(lines))
        return {}
    if page == "docs/how-to/report.md":
        count = battles(folder / "votes.csv")
        who = np.arange(count) % 4
        names = {"who": [f"annotator {i}" for i in who], "who_number": who, "when": np.arange(count)}
        return {**names, "w": np.ones(count)}
    if page == "docs/how-to/search.md":
        text = text_arena()
        return {"text": text, "opponent": text.reference}
    if page == "docs/how-to/solver.md":
        from pgames.testing import check_solver

        return {"pg": pg, "check_solver": check_solver}
    if page == "docs/how-to/training-runs.md":
        row = '{{"prompt": "{}", "chosen": "1", "rejected": "2"}}\n'
        (folder / "preferences.jsonl").write_text("".join(row.format(prompt) for prompt in PROMPTS[:2]))
        return {"lm": toy(LanguageModel, "")}
    if page == VLLM:
        return {"lm": toy(LanguageModel, ""), "prompts": PROMPTS[:2], "judge": judges.Rule(len_of)} | {
            "TextArena": TextArena
        }
    if page == "docs/tutorial/language-models.md":
        arena = text_arena()
        state = pg.solve(pg.EGPO(tau=0.1, eta=1.0), arena, rounds=1)
        names = {"LanguageModel": LanguageModel, "TextArena": TextArena, "prompts": PROMPTS[:2]}
        names["base"] = arena.lm
        return {**names, "arena": arena, "state": state, "judge": judges.Rule(judges.rules.shorter)}
    return {}


def len_of(prompt: str, response: str) -> float:
    return float(len(response))


@pytest.mark.filterwarnings("ignore:the judge preferred nothing")  # the game of ties of the conformance kit
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in PAGES]
)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LanguageModel, "from_pretrained", classmethod(toy))
    seeds, new_seeds = password.seeds()[:2], password.new_seeds()[:2]
    names = given(page, tmp_path)
    monkeypatch.setattr(password, "seeds", lambda: seeds)
    monkeypatch.setattr(password, "new_seeds", lambda: new_seeds)
    with served() if page == VLLM else nullcontext("") as address:
        for block in PAGES[page]:
            code = re.sub(r"rounds=\d+", "rounds=1", block) if page in TRAINING else block
            exec(compile(code.replace("http://127.0.0.1:8000/v1", address), page, "exec"), names)
