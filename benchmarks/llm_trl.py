"""Steps of TRL's Nash-MD trainer (trl == 1.13.0, the last that has it), in an environment of its own.

python -m benchmarks.llm_trl NEW_TOKENS {full,lora} {cache,no_cache} STEPS prints one line of JSON.
`no_cache` is its only correct mode: otherwise policy and reference append to one cache.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from benchmarks.llm_model import BATCH, Clock, model, prompts, tokenizer


def main() -> None:
    """Measure one configuration, in this process."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl.experimental.nash_md import NashMDConfig, NashMDTrainer

    new, mode, cache, steps = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])

    class Backbone(torch.nn.Module):
        def forward(self, input_ids: Any, **_: Any) -> Any:
            return type("Output", (), {"last_hidden_state": input_ids[..., None].float()})

    class Judge(torch.nn.Module):
        """Scores the last token, at no cost, so that only the trainer is measured."""

        base_model_prefix = "backbone"

        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.config = Backbone(), type("Config", (), {"_name_or_path": "judge"})

        def score(self, hidden: Any) -> Any:
            return hidden / 4096

    policy, tok = model(), tokenizer()
    reference = model() if mode == "full" else None
    clock = Clock()

    class Timer(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.stop()

    with tempfile.TemporaryDirectory() as folder:
        config = NashMDConfig(
            output_dir=folder,
            per_device_train_batch_size=BATCH,
            max_new_tokens=new,
            max_length=512,
            max_steps=steps + clock.warm_up,
            temperature=1.0,
            mixture_coef=0.125,
            missing_eos_penalty=None,
            generation_kwargs={"use_cache": cache == "cache"},
            learning_rate=1e-5,
            beta=0.1,
            report_to="none",
            save_strategy="no",
            logging_steps=1000,
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            fp16=False,
            gradient_checkpointing=False,
        )
        trainer = NashMDTrainer(
            model=policy,
            ref_model=reference,
            reward_funcs=Judge(),
            args=config,
            processing_class=tok,
            train_dataset=Dataset.from_dict({"prompt": prompts()}),
            peft_config=LoraConfig(r=16, lora_alpha=16, target_modules="all-linear")
            if mode == "lora"
            else None,
            callbacks=[Timer()],
        )
        trainer.train()
    clock.report(2 * BATCH * new)


if __name__ == "__main__":
    main()
