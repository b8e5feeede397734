"""Fit: the settings of training a policy on the data of a round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from llm_backend.fits.policy_gradient import ESTIMATORS, Estimator
from pgames.numerics import number, whole

Rule = Literal["regress", "logistic", "reinforce", "rloo", "grpo", "ppo"]
RULES: tuple[Rule, ...] = get_args(Rule)

EPOCHS = 2  # of Adam
LR = 1e-4  # of Adam, for a policy gradient without `lr`
PASSES, EXACT_PASSES = 4, 8  # of Gauss-Newton at most: on free text, and in an enumerable game
LITTLE = 1e-12  # squared nats per prompt: a step that asks for less asks for nothing
ROUNDING = 1e-8  # squared nats per prompt that rounding may leave in float32
SAMPLED, LISTED, EXACT = 1e-2, 1e-4, 1e-10  # share of the loss at which Gauss-Newton ends, by what is known


@dataclass(frozen=True)
class Fit:
    """How a policy is fitted to the data of a round.

    By default a regression takes Gauss-Newton steps, which need no setting: they stop at the target, or where
    the noise of the sampled win rates explains what is left. `lr` asks for Adam instead.

    rule : "regress", least squares on log-ratios, for any data; "logistic", cross entropy on them; or a
        policy gradient, "reinforce", "rloo", "grpo" or "ppo", with the KL of whole responses in the reward.
    lr : learning rate of AdamW; None takes Gauss-Newton steps. A policy gradient always takes AdamW, at
        1e-4 if `lr` is None.
    epochs : passes over the data, at least 1. None: 2 of AdamW; of Gauss-Newton as many as are needed, at
        most 4 over sampled responses and 8 in an enumerable game.
    batch : prompts per step, at least 1.
    rows : most responses per forward pass, at least 1. A fit takes fewer where memory asks for it
        (`models.memory.rows_that_fit`). Results do not depend on it beyond rounding. Four times as many are
        drawn at a time.
    betas, eps, weight_decay : of AdamW. beta1 is 0: momentum makes self-play spiral on cyclic games.
    warmup, final : fraction of AdamW's steps in which the rate rises, and fraction of lr to which it then
        falls (cosine).
    clip : largest norm of AdamW's gradient, above 0.
    moments : keep AdamW's moments with the policy, and continue from them when training starts from it. Off
        default, because every round has a new target: on exact games fresh moments fit 100 times closer.
    per_token : pair losses take the mean of log-ratios over tokens instead of the sum (IPO as its authors ran
        it).
    greed : the finite step used for step = inf, the best response, in sampled play.

    Raises ValueError naming the setting that is out of range, or that is AdamW's when there is no `lr`.
    """

    rule: Rule = "regress"
    epochs: int | None = None
    batch: int = 32
    rows: int = 64
    lr: float | None = None
    betas: tuple[float, float] = (0.0, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.0
    warmup: float = 0.1
    final: float = 0.01
    clip: float = math.inf
    moments: bool = False
    per_token: bool = False
    greed: float = 50.0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"Fit: rule must be one of {', '.join(RULES)}, got {self.rule!r}.")
        for name in ("epochs", "batch", "rows"):
            if (count := getattr(self, name)) is not None or name != "epochs":
                if count is None or not whole(count) or count < 1:
                    raise ValueError(f"Fit: {name} must be at least 1 and whole, got {count!r:.60}.")
        for name in ("lr", "eps", "clip", "greed"):
            size = getattr(self, name)
            if size is not None and not (
                0 < number(size) < math.inf or (name == "clip" and size == math.inf)
            ):
                raise ValueError(f"Fit: {name} must be above 0 and finite, got {size!r:.60}.")
        if len(self.betas) != 2 or not all(0 <= number(beta) < 1 for beta in self.betas):
            raise ValueError(f"Fit: betas must be two numbers in [0, 1), got {self.betas}.")
        if not (0 <= self.warmup < 1 and 0 <= self.final <= 1 and self.weight_decay >= 0):
            raise ValueError(
                "Fit: warmup must be in [0, 1), final in [0, 1] and weight_decay at least 0, got "
                f"{self.warmup}, {self.final} and {self.weight_decay}."
            )
        if not self.descends:
            for name in ("betas", "eps", "weight_decay", "warmup", "final", "clip", "moments"):
                if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                    raise ValueError(
                        f"Fit: {name} is a setting of AdamW, and without lr the fit takes Gauss-Newton "
                        f"steps: set lr (for LoRA on real models about 1e-4) or leave {name} out."
                    )

    @property
    def estimator(self) -> Estimator | None:
        """The estimator if the rule is a policy gradient, or None for a regression."""
        return next((estimator for estimator in ESTIMATORS if estimator == self.rule), None)

    @property
    def descends(self) -> bool:
        """Whether AdamW trains: `lr` is set, or the rule is a policy gradient."""
        return self.lr is not None or self.estimator is not None

    def rate(self, step: int, steps: int) -> float:
        """AdamW's learning rate in step 0, 1, ..., steps - 1."""
        top, rise = self.lr or LR, math.ceil(self.warmup * steps)
        if step < rise:
            return top * (step + 1) / (rise + 1)
        fall = (step - rise) / max(1, steps - rise - 1)
        return top * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))
