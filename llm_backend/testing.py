"""Any table as a tiny language model, on which the conformance kit of `pgames.testing` tests solvers.

    check_solver(MySolver(tau=0.2, eta=2.0), arena=text_arena, tolerance=0.01, short=3, skip=["runs"])

Every solver of pgames passes the kit there: tests/llm_backend/test_conformance.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from llm_backend.arena import TextArena
from llm_backend.fits.fit import Fit
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Adapter, Policy
from llm_backend.spaces.draws import Floats
from llm_backend.tiny import random_llama, word_tokenizer
from pgames.exact.certificates import exploitability
from pgames.games.preference import PreferenceGame

CLOSE = Fit(epochs=20, lr=6e-3)  # about a thousandth of total variation from the closed form
QUICK = Fit(epochs=2, lr=6e-3)  # for a few samples, whose fits need only be reproducible
RARE = 1e-12  # least probability of a response in `GameArena.policy`
NEVER = -30.0  # logit of a token that is not an answer; answers have their log-probabilities
DISTINCT = 10.0  # size of the embeddings: the layer then moves a state little, and fits are well conditioned
SPREAD = 0.02  # standard deviation of all other weights


def text_arena(
    game: PreferenceGame,
    runs: int = 1,
    seed: int = 0,
    samples: int | None = None,
    first_run: int = 0,
    fit: Fit | None = None,
    expert: ArrayLike | None = None,
) -> GameArena:
    """A TextArena on a tiny Llama whose prompts, responses, judge and reference are those of a table.

    Parameters
    ----------
    game : each prompt and each response becomes a token. A response of reference probability 0 is a token of
        the model but not a response of the arena. Prompts have equal weight; `game.prompt_weights` are not
        used.
    runs, first_run : 1 and 0: text has no run axis.
    seed, samples : of `TextArena`; samples=None plays exactly.
    fit : how policies are trained; by default CLOSE, and QUICK with fewer than 100 samples.
    expert : float64[X, Y], for SPIN.

    A fit takes some hundredths of a second of one core. Raises ValueError for more than one run.
    """
    if runs != 1 or first_run != 0:
        raise ValueError(
            f"text has one run, got runs={runs} and first_run={first_run}: pass skip=['runs'] to the kit."
        )
    return GameArena(game, seed, samples, fit or (QUICK if (samples or 100) < 100 else CLOSE), expert)


class GameArena(TextArena):
    """A TextArena that shows and takes policies as a TableArena does: float64[1, X, Y], all responses."""

    def __init__(
        self,
        game: PreferenceGame,
        seed: int,
        samples: int | None,
        fit: Fit,
        expert: ArrayLike | None,
    ):
        self.P, self.support = game.P, game.support
        super().__init__(
            known_model(game),
            [f"p{x}" for x in range(game.prompts)],
            _Lookup(game.P),
            samples,
            seed=seed,
            responses=[[f"r{y}" for y in np.flatnonzero(inside)] for inside in game.support],
            fit=fit,
            expert=None if expert is None else _packed(np.asarray(expert, dtype=np.float64), game.support),
        )

    @property
    def game(self) -> PreferenceGame:
        """The table, with equal weight for all prompts."""
        return PreferenceGame(self.P, self.probs(self.reference)[0])

    def exploitability(self, policy: Policy, tau: float = 0.0) -> float:
        """max_p J_tau(p, pi) - 1/2, exactly."""
        return float(exploitability(self.game, self.probs(policy)[0], tau))

    def probs(self, policy: Policy, responses: Sequence[str] | None = None) -> Floats:
        """Probabilities float64[1, X, Y]."""
        if responses is not None:
            return super().probs(policy, responses)[None]
        table = np.zeros(self.support.shape)
        table[self.support] = super().probs(policy)[self.context.listing.support]
        return table[None]

    def rates(self, policy: Policy | None = None) -> Floats:
        """P(y > policy) of every response, float64[1, X, Y]; without a policy P(y > z), float64[X, Y, Y]."""
        if policy is None:
            return super().rates()
        return np.einsum("xyz,sxz->sxy", self.P - 0.5, self.probs(policy)) + 0.5

    def policy(self, probs: ArrayLike) -> Adapter:
        """The policy with these probabilities, float64[X, Y] or [1, X, Y]: the base with another head."""
        p = np.asarray(probs, dtype=np.float64).reshape(self.support.shape)
        logs = np.where(self.support, np.log(np.maximum(p, RARE)), -np.inf)
        head = self.lm.head.weight
        with self.lm.train(BASE) as trainee, torch.no_grad():
            (name,) = [name for name, weight in trainee.parameters.items() if weight is head]
            trainee.parameters[name].copy_(_head(self.lm, logs))
            return self.lm.freeze(trainee)


def known_model(game: PreferenceGame) -> LanguageModel:
    """A one-layer Llama that answers prompts p0, p1, ... by r0, r1, ... and EOS, drawn as by the reference.

    Its trunk is random and its head is solved for: log-probabilities down to -690 have a relative error of
    about 1e-6. All weights are trained (lora=None). It depends on the reference alone, so games with the same
    reference share a model within a process. Policies are handles, so arenas do not affect each other.
    """
    return _known_model(game.reference.tobytes(), *game.reference.shape)


@lru_cache(maxsize=32)
def _known_model(reference: bytes, X: int, Y: int) -> LanguageModel:
    """The model of `known_model` for a reference of X prompts and Y responses, given as its bytes."""
    tokenizer = word_tokenizer([*(f"p{x}" for x in range(X)), *(f"r{y}" for y in range(Y))])
    width = max(64, 2 * X * (1 + Y))  # above X + X Y, the number of states to tell apart
    model = random_llama(len(tokenizer), width=width, inner=32, layers=1, room=16, spread=SPREAD)
    model.get_input_embeddings().weight.data.mul_(DISTINCT / SPREAD)
    lm = LanguageModel(model, tokenizer, lora=None)
    with np.errstate(divide="ignore"):
        lm.head.weight.data.copy_(_head(lm, np.log(np.frombuffer(reference).reshape(X, Y))))
    return lm


def _head(lm: LanguageModel, logs: Floats) -> torch.Tensor:
    """The head float32[V, D] that answers prompt x by r_y with log-probability logs[x, y], then by EOS."""
    X, Y = logs.shape
    responses = [lm.encode_response(f"r{y}") for y in range(Y)]
    rows = torch.tensor([lm.encode(f"p{x}") + response for x in range(X) for response in responses])
    with torch.no_grad(), lm.active(BASE):
        states = lm.trunk(rows).double().numpy().reshape(X, Y, rows.shape[1], -1)
    asked, answered = states[:, 0, -3], states[:, :, -2].reshape(X * Y, -1)
    wanted = np.full((lm.head.weight.shape[0], X + X * Y), NEVER)
    wanted[[token for token, _ in responses], :X] = np.where(np.isneginf(logs), NEVER, logs).T
    wanted[lm.eos, X:] = 0.0
    head = np.linalg.lstsq(np.concatenate([asked, answered]), wanted.T, rcond=None)[0].T
    return torch.from_numpy(head).float()


class _Lookup:
    """A judge that reads the table by the numbers in the texts pX and rY."""

    as_is = True

    def __init__(self, P: Floats):
        self.P = P

    def prefer(self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> Floats:
        x, y, z = (np.array([int(text[1:]) for text in texts]) for texts in (prompts, firsts, seconds))
        return self.P[x, y, z]


def _packed(table: Floats, support: NDArray[np.bool_]) -> Floats:
    """Each row's columns inside the support, moved to the front."""
    packed = np.zeros((len(support), int(support.sum(axis=1).max())))
    for x, inside in enumerate(support):
        packed[x, : inside.sum()] = table[x, inside]
    return packed
