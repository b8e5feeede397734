"""Steps of Nash-MD in this package, with the work of one step of TRL's trainer.

A step draws responses of the policy and of its geometric mixture with the reference to the same prompts,
judges each pair, scores the policy's responses under the reference and takes one optimiser step.

python -m benchmarks.llm_step NEW_TOKENS {full,lora} STEPS prints one line of JSON.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.llm_model import BATCH, Clock, model, prompts, tokenizer


def main() -> None:
    """Measure one configuration, in this process."""
    from llm_backend.engines.local.generate import generate_together
    from llm_backend.engines.protocol import Responses
    from llm_backend.fits.fit import Fit, fit
    from llm_backend.fits.policy_gradient import PolicyGradient
    from llm_backend.models.language_model import LanguageModel
    from llm_backend.models.logprobs import score
    from llm_backend.policies.handles import BASE, Leaf, geometric_mixture
    from llm_backend.spaces.draws import Draws

    new, mode, steps = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    lm = LanguageModel(model(), tokenizer(), lora=16 if mode == "lora" else None)
    how = Fit(rule="reinforce", epochs=1, batch=BATCH, lr=1e-5, warmup=0.0)
    texts = prompts()
    clock = Clock()

    def as_draws(samples: Responses) -> Draws:
        tokens = tuple(map(tuple, samples.tokens))
        return Draws(
            samples.prompt,
            tokens,
            tuple(map(lm.decode, samples.tokens)),
            np.full(len(tokens), -1),
            samples.truncated,
        )

    policy: Leaf = BASE
    for step in range(steps + clock.warm_up):
        clock.start()
        ids = [lm.encode(text) for text in texts[step * BATCH % len(texts) :][:BATCH]]
        mixture = geometric_mixture((0.875, policy), (0.125, BASE))
        requests = [(policy, (0, step, 0)), (mixture, (0, step, 1))]
        ours, theirs = generate_together(lm, requests, ids, max_new_tokens=new)
        last = [np.array([tokens[-1] for tokens in samples.tokens]) / 4096 for samples in (ours, theirs)]
        wins = 1 / (1 + np.exp(last[1] - last[0]))
        prior = score(lm, BASE, ids, ours.tokens)
        objective = PolicyGradient(
            as_draws(ours), prior, wins, np.ones(BATCH), ours.by_token, step=10.0, estimator="reinforce"
        )
        policy = fit(lm, policy, objective, ids, how, key=(0, step)).policy
        clock.stop()
    clock.report(2 * BATCH * new)


if __name__ == "__main__":
    main()
