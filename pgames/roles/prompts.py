"""PromptRoles: prompts against the answers to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.roles import kernels
from pgames.roles.tables import check_halves, distributions, frozen, labels, set_fields, success_table

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class PromptRoles:
    """The attacker writes prompt x, the defender answers y: the attack succeeds with probability R[x, y].

    Parameters
    ----------
    R : float64[X, Y], in [0, 1].
    attacker, defender : the references, float64[X] over prompts and float64[X, Y] (or float64[Y], the same
        for every prompt) over answers; uniform by default. What has reference probability 0 is outside.
    prompts, answers : X and Y names; "prompt 0", "answer 0", ... by default.

    The defender answers each prompt independently, so **this is not a game but contextual RLHF**: the best
    answer to prompt x does not depend on how often x is asked, and the attacker ends on the worst prompt.
    The equilibrium has a closed form (`pgames.nash_roles`): q(.|x) = softmax(log q0 - R[x] / tau_d), and
    p = softmax(log p0 + r / tau_a), r[x] the success of x against that q. A game appears only where answers
    to different prompts are tied together: by `MatrixRoles`, where one defence stands against all attacks,
    or by the weights of a model.

    The attacker's reward is the verdict alone, without the KL of the defender. The defender's gain is
    weighted by how often each prompt is asked.

    Raises ValueError, naming the value found and the remedy, when R is not a table of probabilities, a
    reference no distribution, or the names do not fit.
    """

    success: Array
    reference: Array  # float64[1 + X, N]
    prompts: tuple[str, ...]
    answers: tuple[str, ...]

    def __init__(
        self,
        R: ArrayLike,
        attacker: ArrayLike | None = None,
        defender: ArrayLike | None = None,
        prompts: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ):
        table = success_table("R", R, "[X, Y]")
        X, Y = table.shape
        reference = np.zeros((1 + X, max(X, Y)))
        reference[0, :X] = distributions("attacker", attacker, (X,))
        reference[1:, :Y] = distributions("defender", defender, (X, Y))
        set_fields(
            self,
            {
                "success": frozen(table),
                "reference": frozen(reference),
                "prompts": labels("prompts", prompts, "prompt", X),
                "answers": labels("answers", answers, "answer", Y),
            },
        )

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[1 + X, N]: the prompts, and the answers to each of them, that are in the game."""
        return self.reference > 0

    @property
    def shape(self) -> tuple[int, int]:
        """(X, Y), the numbers of prompts and of answers."""
        return (len(self.prompts), len(self.answers))

    def table(self, attacker: ArrayLike, defender: ArrayLike) -> Array:
        """float64[..., 1 + X, N] of probabilities of prompts float64[..., X], of answers float64[..., X, Y].

        Raises ValueError when the last axes of either have another shape.
        """
        p, q = check_halves(self.shape, attacker, defender, axes=2)
        out = np.zeros((*np.broadcast_shapes(p.shape[:-1], q.shape[:-2]), *self.reference.shape))
        out[..., 0, : p.shape[-1]], out[..., 1:, : q.shape[-1]] = p, q
        return out

    def halves(self, table: Array) -> tuple[Array, Array]:
        """The attacker's part float64[..., X] and the defender's float64[..., X, Y] of float64[..., C, N]."""
        X, Y = self.shape
        return table[..., 0, :X], table[..., 1:, :Y]

    def rates(self, opponent: Array) -> Array:
        """float64[S, 1 + X, N]: success of each prompt against the defender, survival of each answer."""
        X, Y = self.shape
        out = np.zeros_like(opponent)
        out[:, 0, :X] = (np.exp(opponent[:, 1:, :Y]) * self.success).sum(axis=-1)
        out[:, 1:, :Y] = 1 - self.success
        return out

    def sampled_rates(self, opponent: Array, samples: int, seed: int, first_run: int, t: int) -> Array:
        """`rates`, each the mean of `samples` verdicts: float64[S, 1 + X, N]."""
        return kernels.sampled_prompt_rates(self.success, opponent, samples, seed, first_run, t)

    def sampled_wins(
        self, first: Array, second: Array, samples: int, seed: int, first_run: int, t: int
    ) -> Array:
        """Shares of `samples` attacks in which `first` succeeds, and that it survives: float64[S, 2]."""
        made = kernels.sampled_prompt_attacks(self.success, first, second, samples, seed, first_run, t)
        met = kernels.sampled_prompt_attacks(self.success, second, first, samples, seed, first_run, t)
        return np.stack([made, 1 - met], axis=-1)

    def visits(self, policy: Array) -> Array:
        """How often each context is met, float64[S, 1 + X]: 1, then how often each prompt is asked."""
        asked = np.exp(policy[:, 0, : self.shape[0]])
        return np.concatenate([np.ones_like(asked[:, :1]), asked], axis=1)

    def __repr__(self) -> str:
        return f"PromptRoles(prompts={self.shape[0]}, answers={self.shape[1]})"
