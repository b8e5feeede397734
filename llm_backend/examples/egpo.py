"""EGPO on a language model, from prompts to an adapter, in one file that reads from top to bottom.

    python -m llm_backend.examples.egpo

One round of EGPO (arXiv:2503.08942) is two mirror steps from one prior, policy^(1 - eta tau) base^(eta tau):
the opponent of the first is the policy itself, that of the second is the result of the first. On text a
mirror step has four parts: sample, judge, score, fit. `llm_backend.runs` plays the same round with several
processes, checkpoints and logs; a test holds both to the same losses and the same weights, bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch

from llm_backend import LanguageModel, judges
from llm_backend.engines.local.generate import generate
from llm_backend.models.logprobs import score, token_logprobs
from llm_backend.policies.handles import BASE, Adapter, Leaf

TAU, ETA = 0.1, 1.0  # weight of the KL to the base; step size
SAMPLES, LONGEST = 4, 12  # responses to a prompt; tokens of a response
EPOCHS, RATE, BETA2, EPS = 8, 5e-3, 0.95, 1e-8  # of Adam without a first moment
WARMUP, FINAL = 0.1, 0.01  # fraction of the steps in which the rate rises; fraction of it left at the end


def egpo_round(
    lm: LanguageModel, prompts: Sequence[str], judge: judges.Judge, policy: Leaf, key: Sequence[int]
) -> tuple[Adapter, list[float]]:
    """The next policy, and the loss of every optimiser step of the round."""
    prior: dict[Leaf, float] = {policy: 1 - ETA * TAU}
    prior[BASE] = prior.get(BASE, 0.0) + ETA * TAU
    ahead, first = mirror_step(lm, prompts, judge, prior, opponent=policy, key=key)
    after, second = mirror_step(lm, prompts, judge, prior, opponent=ahead, key=key)
    return after, first + second


def mirror_step(
    lm: LanguageModel,
    prompts: Sequence[str],
    judge: judges.Judge,
    prior: dict[Leaf, float],
    opponent: Leaf,
    key: Sequence[int],
) -> tuple[Adapter, list[float]]:
    """argmax_pi P(pi > opponent) - KL(pi || prior) / ETA, fitted to SAMPLES responses of the opponent."""
    X, K = len(prompts), SAMPLES
    ids = [lm.encode(prompt) for prompt in prompts]

    # 1. Sample. The random numbers are a function of (key, prompt, row).
    drawn = generate(lm, opponent, ids, K, max_new_tokens=LONGEST, key=(*key, *b"opponent"))
    texts = np.array([lm.decode(tokens) for tokens in drawn.tokens], dtype=object).reshape(X, K)

    # 2. Judge. Each response is compared with all of its prompt; equal texts tie at 1/2 without a question.
    pairs = [(x, i, j) for x in range(X) for i, j in itertools.combinations(range(K), 2)]
    pairs = [(x, i, j) for x, i, j in pairs if texts[x, i] != texts[x, j]]
    verdicts = judge.prefer(
        [prompts[x] for x, _, _ in pairs],
        [texts[x, i] for x, i, _ in pairs],
        [texts[x, j] for x, _, j in pairs],
    )
    beats = np.full((X, K, K), 0.5)
    for (x, i, j), p in zip(pairs, verdicts, strict=True):
        beats[x, i, j], beats[x, j, i] = p, 1 - p
    wins = beats.mean(axis=2).ravel()

    # A response drawn several times is one row, with its share of the draws and its mean win rate.
    rows: dict[tuple[int, tuple[int, ...]], int] = {}
    drawn_rows = [(n // K, tuple(answer)) for n, answer in enumerate(drawn.tokens)]
    of = np.array([rows.setdefault(row, len(rows)) for row in drawn_rows])
    share = np.full(X * K, 1 / K)
    weight = np.bincount(of, share)
    worth = np.bincount(of, share * wins) / weight
    prompt = np.array([x for x, _ in rows])
    tokens = [list(answer) for _, answer in rows]
    asked = [ids[x] for x in prompt]

    # 3. Score. Up to a constant per prompt, log pi at the minimum is log prior + ETA * win rate.
    known, first = drawn.by_leaf, [drawn_rows.index(row) for row in rows]  # drawing has scored its own policy
    scores = {leaf: known[leaf][first] if leaf in known else score(lm, leaf, asked, tokens) for leaf in prior}
    log_prior = np.sum([prior[leaf] * scores[leaf] for leaf in prior], axis=0)
    target = torch.from_numpy(log_prior + ETA * worth)
    groups, w = torch.from_numpy(prompt), torch.from_numpy(weight)

    def residuals(logp: torch.Tensor) -> torch.Tensor:
        """log pi - target float64[B], less its weighted mean over the responses to the same prompt."""
        gap = logp - target
        return gap - torch.zeros(X, dtype=gap.dtype).index_add_(0, groups, w * gap)[groups]

    # 4. Fit. Train a copy of the leaf that already fits best; the loss is the variance of the residuals.
    start = min(scores, key=lambda leaf: float((w * residuals(torch.from_numpy(scores[leaf])) ** 2).sum()))
    losses: list[float] = []
    with lm.train(start) as trainee:
        squares = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in trainee.parameters.items()}
        for step in range(EPOCHS):
            logp, mask = token_logprobs(lm, asked, tokens, share=True)  # one pass per prompt
            residual = residuals(logp.detach().double().sum(dim=1))
            losses.append(float((w * residual**2).sum()) / X)
            slope = (2 * w * residual)[:, None] * mask * (1 / X)  # of the mean loss, at every token
            logp.backward(slope.to(logp))
            with torch.no_grad():
                for name, p in trainee.parameters.items():
                    assert p.grad is not None
                    squares[name].mul_(BETA2).addcmul_(p.grad, p.grad, value=1 - BETA2)
                    scale = (squares[name] / (1 - BETA2 ** (step + 1))).sqrt_().add_(EPS)
                    p.add_(p.grad / scale, alpha=-rate(step))
                    p.grad = None
        return lm.freeze(trainee), losses


def rate(step: int) -> float:
    """The learning rate: a linear rise, then a cosine down to FINAL * RATE."""
    rise = math.ceil(WARMUP * EPOCHS)
    if step < rise:
        return RATE * (step + 1) / (rise + 1)
    fall = (step - rise) / max(1, EPOCHS - rise - 1)
    return RATE * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))


if __name__ == "__main__":
    from llm_backend.tiny import PROMPTS, tiny_language_model

    model, policy = tiny_language_model(), BASE
    shorter = judges.Rule(judges.rules.shorter, name="shorter")
    for t in range(5):
        policy, losses = egpo_round(model, PROMPTS, shorter, policy, key=(0, t))
        ends = [f"{losses[i]:.4f} -> {losses[i + EPOCHS - 1]:.4f}" for i in (0, EPOCHS)]
        print(f"round {t + 1}: loss of the two fits {', '.join(ends)}")
