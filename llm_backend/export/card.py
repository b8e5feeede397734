"""The model card: what a policy was trained from, by which solver and judge, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CARD = """\
---
base_model: {base}
library_name: {library}
tags: [preference-game, nash-learning]
---

# {title}

A policy of a preference game, trained by `pgames`.

| | |
|---|---|
| base and reference | {base} |
| solver | `{solver}` |
| judge | `{judge}` |
| tau | {tau} |
| rounds | {rounds} |
| format | {format} |

## Certificate

{certificate}

## Use

```python
{use}
```
"""
PLAIN = """from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(FOLDER)
tokenizer = AutoTokenizer.from_pretrained(FOLDER)"""
ADAPTER = """from peft import PeftModel

model = PeftModel.from_pretrained(base, FOLDER)  # base: the model above, in transformers"""


@dataclass(frozen=True)
class Card:
    """What a model card says.

    `certificate` maps the names of measurements to their values, as in the last row of a run's log.
    """

    base: str
    solver: str = "not recorded"
    judge: str = "not recorded"
    tau: float | None = None
    rounds: int | None = None
    certificate: Mapping[str, object] = field(default_factory=dict)

    def write(self, folder: Path, adapter: bool) -> None:
        """Write README.md into a folder that holds a merged model, or an adapter."""
        lines = [f"| {name} | {_shown(value)} |" for name, value in self.certificate.items()]
        table = "\n".join(["| measured after the last round | |", "|---|---|", *lines])
        text = CARD.format(
            base=self.base,
            library="peft" if adapter else "transformers",
            title=f"{self.base}, {self.solver.partition('(')[0]}",
            solver=self.solver,
            judge=self.judge.replace("|", "/"),
            tau="not recorded" if self.tau is None else f"{self.tau:g}",
            rounds="not recorded" if self.rounds is None else self.rounds,
            format="LoRA adapter of the base" if adapter else "merged weights",
            certificate=table if lines else "Nothing was measured.",
            use=ADAPTER if adapter else PLAIN,
        )
        (folder / "README.md").write_text(text, encoding="utf-8")


def _shown(value: object) -> str:
    """A number to four digits, a mean with its margin, or the text of anything else."""
    if isinstance(value, Mapping) and {"mean", "margin"} <= set(value):
        return f"{_shown(value['mean'])} ± {_shown(value['margin'])}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "/")
