"""TextArena: the verbs on a language model. Sample, judge, fit."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

import pgames
from llm_backend import store
from llm_backend.arguments import answers_of, check_counts, check_lengths, check_prompts
from llm_backend.engines.vllm import VLLM
from llm_backend.fits.fit import Fit
from llm_backend.judges import fair
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import BASE, Answers, Policy, scalar
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.free import Free
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.recorded import Recorded
from llm_backend.verbs import beliefs, duels, labels, least_known, steps
from llm_backend.verbs.evidence import EMPTY, NO_DUELS, NO_SAMPLES, Buffer, Duels, Labels, Samples
from llm_backend.verbs.rewards import ListedScore, Score, linear_score
from llm_backend.verbs.verdicts import judged, preferences
from pgames.arena import PairLoss, State, Weight
from pgames.losses import logistic, minimise
from pgames.table.beliefs import Width


class TextArena:
    """An arena whose policies are those of a language model on some prompts.

    Parameters
    ----------
    lm : the language model; its base is the reference.
    prompts : X texts.
    judge : prefer(prompts, firsts, seconds) -> float64[B] in [0, 1]; averaged over both orders unless it says
        `as_is`, as those of `llm_backend.judges` do.
    samples : responses drawn per prompt and question; None plays an enumerable game exactly.
    max_new_tokens, min_new_tokens : length limits of generated responses; one cut at the limit is flagged and
        has no EOS. Below the minimum stop tokens are forbidden, in drawing and in every log-probability.
    seed : all randomness is a function of (seed, round) and of what is asked.
    responses : texts, or one list of them per prompt, to which the game is restricted: policies are
        normalised over the list. None: anything the model says.
    fit : how policies are trained.
    temperature : of sampling, and of the log-probabilities that are trained: one and the same policy.
    correct : candidates per response of a geometric mixture, one of which is kept by importance resampling,
        against the bias of mixing token by token; 1 is off.
    expert : demonstrations for SPIN: float64[X, Y] over `responses`, or a list of texts per prompt.
    folder : where what was drawn is written, so that a round that was interrupted does not draw it again.
    per_round : prompts that a round plays: round t the t-th so many, from the beginning again after the last;
        None: all of them. Evidence keeps which prompts it is about, so learners may add it up over rounds.
    engine : a vLLM server that draws for the reference and for adapters (`llm_backend.engines.vllm`); the
        trainer scores its samples anew and keeps the discrepancy in `engine.reports`.

    `journal` collects a dictionary per fit (round, verb, loss, steps, tokens, seconds); it feeds nothing.
    """

    rounds = 1

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[str],
        judge: Any,
        samples: int | None = 8,
        max_new_tokens: int = 256,
        min_new_tokens: int = 0,
        seed: int = 0,
        responses: Sequence[str] | Sequence[Sequence[str]] | None = None,
        fit: Fit = Fit(),  # noqa: B008
        temperature: float = 1.0,
        correct: int = 1,
        expert: ArrayLike | Sequence[Sequence[str]] | None = None,
        folder: str | os.PathLike[str] | None = None,
        engine: VLLM | None = None,
        per_round: int | None = None,
    ):
        check_prompts(prompts)
        check_lengths(max_new_tokens, min_new_tokens, temperature, correct)
        check_counts(samples, seed, per_round, len(prompts), responses is not None)
        self.per_round = per_round or len(prompts)
        self.lm, self.prompts, self.judge = lm, list(prompts), fair(judge)
        self.samples, self.seed, self.fit, self.temperature = samples, seed, fit, temperature
        self.listed = responses is not None
        ids = [lm.encode(prompt) for prompt in self.prompts]
        self.space: Any = (
            Free(lm, ids, max_new_tokens, temperature, fit.rows, min_new_tokens, correct, engine)
            if responses is None
            else Listed(lm, ids, responses, temperature, fit.rows)
        )
        if folder is not None:
            self.space = Recorded(self.space, Path(folder))
        self.reference: Policy = BASE
        listed = self.space if self.listed else None
        self.expert: Policy | None = None if expert is None else answers_of(expert, len(self.prompts), listed)
        self.round = 0
        self.journal: list[dict[str, Any]] = []
        self._known: dict[str, Any] = {}

    # -- policies ---------------------------------------------------------------------------------------

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i as a formula: nothing is trained.

        As a prior it is exact. Sampling it (only Nash-MD and IPO-MD do) goes token by token unless the game
        is enumerable, which is not the mixture of whole responses: see `generate`, and `correct`.
        """
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: a member is drawn anew for every response. No log-probability; see `distil`."""
        return policies.mixture(*terms)

    @property
    def uniform(self) -> Policy:
        """Every response of an enumerable game with the same probability."""
        space = self._listing(None, "uniform")
        return answers_of(space.support * 1.0, len(self.prompts), space)

    def probs(self, policy: Policy, responses: Sequence[str] | None = None) -> Floats:
        """Probabilities float64[X, Y] over the responses of the game, or over a list of one's own."""
        return self._listing(responses, "probs").probs(policy)

    def sample(self, policy: Policy, prompts: Sequence[str] | None = None, n: int | None = None) -> Samples:
        """`n` responses to each prompt, by default `samples` of them to those of the round; asks no judge.

        In exact play the default is every response with its probability as weight.
        """
        if prompts is not None:
            check_prompts(prompts)
        if n is not None and n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        if prompts is None and n is None and self.samples is None:
            return Samples(self.space.all, self.space.probs(policy)[self.space.support])
        space = self.space if prompts is None else self._space_of(prompts)
        asked = self.turn() if prompts is None else range(len(prompts))
        draws = space.draw(policy, n or self.samples or 1, self.key("sample"), asked)
        return Samples(draws, np.ones(len(draws)))

    def no_samples(self) -> Samples:
        """No responses, to add to."""
        return NO_SAMPLES

    # -- verbs of every arena ---------------------------------------------------------------------------

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step, fitted.

        Candidates are the opponent's own draws, each judged against all of them, itself included at 1/2; in
        exact play every response, weighted half by the opponent and half equally. The policy-gradient rules
        draw candidates from the policy that training starts at instead, and judge them against the opponent.
        """
        return steps.mirror_step(self, prior, opponent, scalar(step, "a step"))

    def win_rate(self, first: Policy, second: Policy) -> float:
        """P(first > second), averaged over the prompts of the round."""
        if self.samples is None:
            p, q = self.space.probs(first), self.space.probs(second)
            return float(np.einsum("xy,xyz,xz->x", p, self.rates() - 0.5, q).mean() + 0.5)
        ours, theirs = self.draw(first, "first"), self.draw(second, "second")
        return float(judged(self.judge, self.prompts, ours, theirs).mean())

    # -- verbs of arenas that answer to duels -----------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Duels:
        """`samples` duels per prompt of a response of each; in exact play the expectation of one."""
        return duels.duel(self, first, second)

    def no_duels(self) -> Duels:
        """Evidence of nothing, to add to."""
        return NO_DUELS

    def demonstrate(self, winner: Policy, loser: Policy) -> Duels:
        """Pairs of a response of each, the first declared the winner; asks no judge."""
        return duels.demonstrate(self, winner, loser)

    def fit_pairs(
        self,
        prior: Policy,
        pairs: Duels,
        loss: PairLoss,
        beta: Weight,
        samples: Samples | None = None,
        weight: Weight = 0.0,
        bound: float = 3.0,
    ) -> Policy:
        """argmin_pi of the mean over pairs of loss(beta * difference of log(pi / prior)), every prompt alike.
        Where no two responses differ, nothing is said and the prior returned.

        Plus weight / (number of pairs) * sum of log pi(samples), which stops where beta |log pi / prior|
        reaches `bound` (XPO). Log-ratios are summed over tokens, or per token with Fit(per_token=True).
        """
        return duels.fit_pairs(self, prior, pairs, loss, scalar(beta, "beta"), samples, scalar(weight), bound)

    def fit_reward(self, pairs: Duels) -> Score:
        """Bradley-Terry score by maximum likelihood: of every response of an enumerable game, or else linear
        in the base's last hidden states."""
        if self.listed:
            return ListedScore(minimise(logistic, pairs.table(self.space.support.shape)))
        return linear_score(least_known.features(self), self.prompts, pairs)

    def tilt(self, prior: Policy, score: Score, step: Weight) -> Policy:
        """prior * exp(step * score), fitted on draws of the prior (in exact play on every response)."""
        return steps.tilt(self, prior, score, scalar(step, "a step"))

    def distil(self, policy: Policy) -> Policy:
        """The policy that imitates a mixture or answers by cross entropy: a leaf with log-probabilities."""
        return steps.distil(self, policy)

    # -- verbs of learning from labelled pairs ----------------------------------------------------------

    def empty_buffer(self) -> Buffer:
        """A buffer of no pairs."""
        return EMPTY

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, a response of each policy; asks no judge."""
        return labels.collect(self, buffer, first, second, pairs)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Judge `pairs` pairs per prompt of the round from the buffer against fresh draws of the opponent.

        The label of (y, y') is the mean over z ~ opponent of P(y > z) - P(y' > z): right for pairs that the
        opponent did not draw itself. In exact play it is the difference of the two win rates.
        """
        return labels.label(self, buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Judge `pairs` pairs of the policy's own responses: labels P(y > y') - 1/2, which are right for
        regression only because the policy is its own opponent (INPO)."""
        return labels.self_duels(self, policy, pairs)

    def regress(
        self, prior: Policy, evidence: Labels, step: Weight, sft: float = 0.0, ridge: float = 1e-3
    ) -> Policy:
        """The mirror step fitted to labels: argmin mean (d_y - d_y' - step label)^2, d = log pi / prior.

        Plus ridge |d|^2, d centred over the rows of a prompt (all responses of an enumerable game), plus
        sft KL(opponent || pi) on the opponent's own responses.
        """
        return labels.regress(self, prior, evidence, scalar(step, "a step"), sft, ridge)

    def least_known(self, buffer: Buffer, policy: Policy) -> Policy:
        """Per prompt the response whose difference to `policy` the buffer says least about (elliptic width).

        Of all responses of an enumerable game; else of `samples` draws each of the policy and the reference,
        seen through the base's last hidden states, to the prompts of the next round: ENPO meets it there.
        """
        return least_known.least_known(self, buffer, policy)

    def believe(self, evidence: Duels, optimism: float = 0.0, width: Width = "hoeffding") -> Any:
        """The arena in which preferences are what the duels say, plus `optimism` times their width.

        Of an enumerable game: shares of wins and the `width` of `pgames.table.beliefs`. Else a preference
        model learned on last hidden states, whose width is the spread of an ensemble.
        """
        return beliefs.believe(self, evidence, optimism, width)

    # -- views ------------------------------------------------------------------------------------------

    @property
    def game(self) -> pgames.PreferenceGame:
        """The PreferenceGame that an enumerable game is."""
        return self._game(self._listing(None, "game"), self.rates())

    def to_game(self, responses: Sequence[str] | None = None) -> pgames.PreferenceGame:
        """The table of a list of responses: the judge's preferences, the reference normalised over them."""
        if responses is None:
            return self.game
        space = self._listing(responses, "to_game")
        return self._game(space, preferences(self.judge, self.prompts, space))

    def _game(self, space: Listed, rates: Floats) -> pgames.PreferenceGame:
        labels = space.texts[0] if all(texts == space.texts[0] for texts in space.texts) else None
        return pgames.PreferenceGame(rates, space.probs(self.reference), labels=labels)

    def exploitability(self, policy: Policy, tau: float = 0.0) -> float:
        """max_p J_tau(p, pi) - 1/2, exactly, of an enumerable game."""
        if not self.listed:
            raise ValueError(
                "exploitability is exact, so it needs responses=[...]; of free text bound it from below by "
                "llm_backend.evaluate.exploitability, and play a solver that does not ask (Best does)."
            )
        return float(pgames.exploitability(self.game, self.space.probs(policy), tau))

    def at(self, t: int, rounds: int = 1) -> TextArena:
        """The arena in round t, in a step that stands for `rounds` rounds."""
        view = copy.copy(self)
        view.round, view.rounds = t, rounds
        return view

    def anchored(self, reference: Policy) -> TextArena:
        """The same game regularised to another policy."""
        view = copy.copy(self)
        view.reference = reference
        return view

    def save(self, state: State, folder: str | os.PathLike[str]) -> None:
        """Write a solver's state: state.json, and each adapter once as safetensors."""
        store.save(self.lm, state, Path(folder), self._asked())

    def load(self, folder: str | os.PathLike[str]) -> State:
        """The state that `save` wrote. Raises ValueError when a file is damaged or of another model, or when
        the state holds evidence or answers to other prompts or responses."""
        return store.load(self.lm, Path(folder), self._asked(), self.space.all if self.listed else None)

    # -- what the verbs are made of ---------------------------------------------------------------------

    def key(self, role: str) -> tuple[int, ...]:
        """What the randomness of a role ("opponent", "first", ...) in this round is a function of."""
        return (self.seed, self.round, *role.encode())

    def turn(self, ahead: int = 0) -> range:
        """The prompts that this round plays, or the one `ahead` rounds later."""
        start = (self.round + ahead) % (len(self.prompts) // self.per_round) * self.per_round
        return range(start, start + self.per_round)

    def draw(self, policy: Policy, role: str, n: int | None = None, ahead: int = 0) -> Draws:
        """`n` responses (by default `samples`) to every prompt of this round, or of one `ahead`."""
        asked = self.turn(ahead)
        for _, member in policies.members(policy):
            if isinstance(member, Answers) and (silent := [x for x in asked if not member.texts[x]]):
                raise ValueError(
                    f"this policy is a set of answers and has none to prompt {silent[0]}: it was made for "
                    "the prompts of another round (per_round), so play it there, or distil it."
                )
        return self.space.draw(policy, n or cast(int, self.samples), self.key(role), asked)

    def rates(self) -> Floats:
        """P(y > z) float64[X, Y, Y] of an enumerable game; the judge is asked about all pairs, once."""
        if "rates" not in self._known:
            self._known["rates"] = preferences(self.judge, self.prompts, self._listing(None, "rates"))
        return self._known["rates"]

    def _asked(self) -> str:
        """What rows of evidence point into: a digest of the prompts, and of the responses of a list."""
        listed = self.space.texts if self.listed else None
        return hashlib.sha256(json.dumps([self.prompts, listed]).encode()).hexdigest()

    def _space_of(self, prompts: Sequence[str]) -> Listed | Free:
        """The same responses to other prompts."""
        own, ids = self.space, [self.lm.encode(prompt) for prompt in prompts]
        if not self.listed:
            limits = (own.longest, own.temperature, own.rows, own.shortest, own.correct)
            return Free(self.lm, ids, *limits, own.engine)
        if unknown := [prompt for prompt in prompts if prompt not in self.prompts]:
            raise ValueError(f"{unknown[0]!r} is no prompt of this enumerable game: use its own.")
        texts = [own.texts[self.prompts.index(prompt)] for prompt in prompts]
        return Listed(self.lm, ids, texts, own.temperature, own.rows)

    def _listing(self, responses: Sequence[str] | None, what: str) -> Listed:
        if responses is not None:
            return Listed(self.lm, self.space.ids, responses, self.temperature, self.fit.rows)
        if not self.listed:
            raise AttributeError(
                f"{what} needs a list of responses here: this arena lets the model say anything; pass "
                "responses=[...]."
            )
        return self.space
