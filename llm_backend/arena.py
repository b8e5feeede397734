"""TextArena: the verbs of a solver on a language model."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from numpy.typing import ArrayLike

import pgames
from llm_backend import store
from llm_backend.arguments import answers_of, check_counts, check_lengths, check_prompts
from llm_backend.context import Context, Note
from llm_backend.engines.vllm import VLLM
from llm_backend.fits.fit import Fit
from llm_backend.judges.base import Judge, fair
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import Policy, scalar
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.free import Free
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.protocol import ListedSpace, Sampling, Space, listing
from llm_backend.spaces.recorded import Recorded
from llm_backend.verbs import beliefs, duels, labels, least_known, rewards, samples, steps, verdicts
from llm_backend.verbs.evidence import EMPTY, NO_DUELS, NO_SAMPLES, Buffer, Duels, Labels, Samples
from pgames.losses import PairLoss
from pgames.solver import State, Weight
from pgames.table.beliefs import Width


class TextArena:
    """An arena whose policies are those of a language model on some prompts.

    Parameters
    ----------
    lm : the language model; its base is the reference.
    prompts : X texts.
    judge : prefer(prompts, firsts, seconds) -> float64[B] in [0, 1]; averaged over both orders unless it says
        `as_is`, as those of `llm_backend.judges` do.
    samples : responses drawn per prompt and question, at least 2; None plays an enumerable game exactly.
    max_new_tokens, min_new_tokens : length limits of generated responses. A response cut at the limit is
        flagged and has no EOS. Below the minimum stop tokens are forbidden, in every log-probability too.
    seed : all randomness is a function of (seed, round) and of the question.
    responses : texts, or one list of them per prompt, to which the game is restricted: policies are
        normalised over the list. None: any text may be a response.
    fit : how policies are trained.
    temperature : of sampling and of the log-probabilities that are trained, above 0.
    correct : candidates per response of a geometric mixture, one of which is kept by importance resampling,
        against the bias of mixing token by token; 1 is off.
    expert : demonstrations for SPIN: float64[X, Y] over `responses`, or a list of texts per prompt.
    folder : where draws are recorded, so that an interrupted round does not draw them again.
    engine : a vLLM server that draws for the reference and for adapters (`llm_backend.engines.vllm`); the
        trainer scores its samples again and keeps the discrepancy in `engine.reports`.
    per_round : prompts per round: round t plays the t-th `per_round` of them, from the first again after the
        last; None: all of them. Evidence records its prompts, so learners may add it up over rounds.

    The verbs take `context`, which holds all of this. `journal` collects a note per fit (round, verb, loss,
    steps, tokens, seconds), which nothing reads.
    Raises ValueError naming the argument that is out of range, and TypeError for a judge without `prefer`.
    """

    tabular = True  # any policy is allowed: no log-linear class of features limits them

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[str],
        judge: Judge,
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
        judge, tokens = fair(judge), [lm.encode(prompt) for prompt in prompts]
        space: Space
        if responses is None:
            how = (min_new_tokens, max_new_tokens, correct, engine)
            space = Free(Sampling(lm, tokens, temperature, fit.rows, *how))
        else:
            space = Listed(Sampling(lm, tokens, temperature, fit.rows), responses)
        if folder is not None:
            space = Recorded(space, Path(folder))
        self.context = Context(lm, list(prompts), judge, space, fit, samples, seed, per_round or len(prompts))
        self.expert: Policy | None = None
        if expert is not None:
            self.expert = answers_of(expert, len(prompts), space.listed)

    # -- what the arena holds ---------------------------------------------------------------------------

    @property
    def lm(self) -> LanguageModel:
        """The language model."""
        return self.context.lm

    @property
    def prompts(self) -> list[str]:
        """The X prompts."""
        return self.context.prompts

    @property
    def judge(self) -> Judge:
        """The judge, without a bias to one position."""
        return self.context.judge

    @property
    def space(self) -> Space:
        """The responses: how they are drawn and scored."""
        return self.context.space

    @property
    def listed(self) -> bool:
        """Whether the game is enumerable: its responses come from a list."""
        return self.context.listed

    @property
    def fit(self) -> Fit:
        """How policies are trained."""
        return self.context.fit

    @property
    def samples(self) -> int | None:
        """Responses per prompt and question; None in exact play."""
        return self.context.samples

    @property
    def seed(self) -> int:
        """All randomness is a function of it, the round and the question."""
        return self.context.seed

    @property
    def round(self) -> int:
        """The number of the round, from 0."""
        return self.context.round

    @property
    def rounds(self) -> int:
        """How many rounds the step being taken stands for, at least 1."""
        return self.context.rounds

    @property
    def reference(self) -> Policy:
        """The policy that the game is regularised to."""
        return self.context.reference

    @property
    def journal(self) -> list[Note]:
        """A note per fit, shared by all views of the arena."""
        return self.context.journal

    # -- policies ---------------------------------------------------------------------------------------

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i as a formula: nothing is trained.

        As a prior it is exact. Sampling it (only Nash-MD and IPO-MD do) goes token by token unless the game
        is enumerable, which is not the mixture of whole responses: see `generate`, and `correct`.
        Raises ValueError for weights that are no finite numbers or cancel, and for a policy without a
        log-probability.
        """
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: a member is drawn anew for every response. No log-probability; see `distil`.

        Raises ValueError unless the weights are at least 0 and sum to 1.
        """
        return policies.mixture(*terms)

    @property
    def uniform(self) -> Policy:
        """The policy that gives every response of an enumerable game the same probability."""
        listed = listing(self.space, "uniform")
        return answers_of(listed.support * 1.0, len(self.prompts), listed)

    def probs(self, policy: Policy, responses: Sequence[str] | None = None) -> Floats:
        """Probabilities float64[X, Y] over the responses of the game, or over a list of one's own.

        Raises AttributeError when responses are free text and no list is passed.
        """
        return self._listing(responses, "probs").probs(policy)

    def sample(self, policy: Policy, prompts: Sequence[str] | None = None, n: int | None = None) -> Samples:
        """`n` responses to each prompt, by default `samples` of them to those of the round; asks no judge.

        In exact play the default is every response with its probability as weight.
        Raises ValueError when n < 1, and for a prompt that an enumerable game does not have.
        """
        if prompts is not None:
            check_prompts(prompts)
        if n is not None and n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        if prompts is None:
            return samples.sample(self.context, policy, n)
        return samples.sample_to(self.context, policy, prompts, n)

    def no_samples(self) -> Samples:
        """No responses, to add to."""
        return NO_SAMPLES

    # -- verbs of every arena ---------------------------------------------------------------------------

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step, fitted.

        Candidates are the opponent's own draws, each judged against all of them, itself included at 1/2; in
        exact play every response, weighted half by the opponent and half equally. The policy-gradient rules
        draw candidates from the policy that training starts at instead, and judge them against the opponent.
        Raises ValueError when step is 0 or an array, and for a policy gradient when it is negative.
        """
        return steps.mirror_step(self.context, prior, opponent, scalar(step, "a step"))

    def win_rate(self, first: Policy, second: Policy) -> float:
        """P(first > second) in [0, 1], averaged over the prompts of the round."""
        return verdicts.win_rate(self.context, first, second)

    def rates(self) -> Floats:
        """P(y > z), float64[X, Y, Y], of an enumerable game; the judge is asked about all pairs, once.

        Raises AttributeError when responses are free text.
        """
        return verdicts.rates(self.context)

    # -- verbs of arenas that answer to duels -----------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Duels:
        """`samples` duels per prompt of a response of each; in exact play the expectation of one."""
        return duels.duel(self.context, first, second)

    def no_duels(self) -> Duels:
        """Evidence of nothing, to add to."""
        return NO_DUELS

    def demonstrate(self, winner: Policy, loser: Policy) -> Duels:
        """Pairs of a response of each, the first declared the winner; asks no judge."""
        return duels.demonstrate(self.context, winner, loser)

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

        Plus weight / (number of pairs) * sum of log pi(samples), which stops where beta |log pi / prior|
        reaches `bound` (XPO). Log-ratios are summed over tokens, or per token with Fit(per_token=True).
        Returns the prior where no pair has two different responses.
        """
        return duels.fit_pairs(
            self.context, prior, pairs, loss, scalar(beta, "beta"), samples, scalar(weight), bound
        )

    def fit_reward(self, pairs: Duels) -> rewards.Score:
        """Bradley-Terry score by maximum likelihood: of every response of an enumerable game, or else linear
        in the base's last hidden states. Raises ValueError when a linear score has no duel to fit."""
        return rewards.fit_reward(self.context, pairs)

    def tilt(self, prior: Policy, score: rewards.Score, step: Weight) -> Policy:
        """prior * exp(step * score), fitted on draws of the prior (in exact play on every response)."""
        return steps.tilt(self.context, prior, score, scalar(step, "a step"))

    def distil(self, policy: Policy) -> Policy:
        """The policy that imitates a mixture or answers by cross entropy: a leaf with log-probabilities."""
        return steps.distil(self.context, policy)

    # -- verbs of learning from labelled pairs ----------------------------------------------------------

    def empty_buffer(self) -> Buffer:
        """A buffer of no pairs."""
        return EMPTY

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, a response of each policy; asks no judge."""
        return labels.collect(self.context, buffer, first, second, pairs)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Judge `pairs` pairs per prompt of the round from the buffer against fresh draws of the opponent.

        The label of (y, y') is the mean over z ~ opponent of P(y > z) - P(y' > z): right for pairs that the
        opponent did not draw itself. In exact play it is the difference of the two win rates.
        Raises ValueError when the buffer has no pair for a prompt of the round.
        """
        return labels.label(self.context, buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Judge `pairs` pairs of the policy's own responses: labels P(y > y') - 1/2, which are right for
        regression only because the policy is its own opponent (INPO)."""
        return labels.self_duels(self.context, policy, pairs)

    def regress(
        self, prior: Policy, evidence: Labels, step: Weight, sft: float = 0.0, ridge: float = 1e-3
    ) -> Policy:
        """The mirror step fitted to labels: argmin mean (d_y - d_y' - step label)^2, d = log pi / prior.

        Plus ridge |d|^2, d centred over the rows of a prompt (all responses of an enumerable game), plus
        sft KL(opponent || pi) on the opponent's own responses.
        """
        return labels.regress(self.context, prior, evidence, scalar(step, "a step"), sft, ridge)

    def least_known(self, buffer: Buffer, policy: Policy) -> Policy:
        """Per prompt the response whose difference to `policy` the buffer says least about (elliptic width).

        Of all responses of an enumerable game; else of `samples` draws each of the policy and the reference,
        compared by the base's last hidden states, to the prompts of the next round: ENPO meets it there.
        """
        return least_known.least_known(self.context, buffer, policy)

    def believe(
        self, evidence: Duels, optimism: float = 0.0, width: Width = "hoeffding"
    ) -> beliefs.ListedBelief | beliefs.FreeBelief:
        """The arena that plays by the preference estimated from duels, plus `optimism` times its width.

        Of an enumerable game: shares of wins and the `width` of `pgames.table.beliefs`. Else a preference
        model learned on last hidden states, whose width is the spread of an ensemble.
        Raises ValueError for an optimism below 0.
        """
        return beliefs.believe(self.context, evidence, optimism, width)

    # -- views ------------------------------------------------------------------------------------------

    @property
    def game(self) -> pgames.PreferenceGame:
        """The PreferenceGame that an enumerable game is."""
        return self._game(listing(self.space, "game"), self.rates())

    def to_game(self, responses: Sequence[str] | None = None) -> pgames.PreferenceGame:
        """The table of a list of responses: the judge's preferences, the reference normalised over them.

        Raises AttributeError when responses are free text and no list is passed.
        """
        if responses is None:
            return self.game
        listed = self._listing(responses, "to_game")
        return self._game(listed, verdicts.preferences(self.judge, self.prompts, listed))

    def exploitability(self, policy: Policy, tau: float = 0.0) -> float:
        """max_p J_tau(p, pi) - 1/2, exactly, of an enumerable game. Raises ValueError for free text."""
        if self.space.listed is None:
            raise ValueError(
                "exploitability is exact, so it needs responses=[...]; of free text bound it from below by "
                "llm_backend.evaluate.exploitability, and play a solver that does not ask (Best does)."
            )
        return float(pgames.exploitability(self.game, self.space.listed.probs(policy), tau))

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t, in a step that stands for `rounds` rounds."""
        return self.within(replace(self.context, round=t, rounds=rounds))

    def anchored(self, reference: Policy) -> Self:
        """The same game regularised to another policy."""
        return self.within(replace(self.context, reference=reference))

    def within(self, context: Context) -> Self:
        """A view of the arena with another context, for instance with another judge, space or fit."""
        view = copy.copy(self)
        view.context = context
        return view

    def save(self, state: State, folder: str | os.PathLike[str]) -> None:
        """Write a solver's state: state.json, and each adapter once as safetensors.

        Raises TypeError for a state that holds anything but policies, numbers, text, evidence and tuples.
        """
        store.save(self.lm, state, Path(folder), self._asked())

    def load(self, folder: str | os.PathLike[str]) -> State:
        """The state that `save` wrote.

        Raises FileNotFoundError when a file is missing, and ValueError when one is damaged or of another
        model, or when the state holds evidence or answers to other prompts or responses.
        """
        listed = self.space.listed
        return store.load(self.lm, Path(folder), self._asked(), listed.all if listed else None)

    def _asked(self) -> str:
        """A digest of the prompts, and of the responses of a list: rows of evidence index them."""
        texts = self.space.listed.texts if self.space.listed else None
        return hashlib.sha256(json.dumps([self.prompts, texts]).encode()).hexdigest()

    def _listing(self, responses: Sequence[str] | None, verb: str) -> ListedSpace:
        """The list of the game, or a list of one's own."""
        if responses is None:
            return listing(self.space, verb)
        how = self.space.sampling
        return Listed(Sampling(self.lm, how.prompts, how.temperature, self.fit.rows), responses)

    def _game(self, listed: ListedSpace, rates: Floats) -> pgames.PreferenceGame:
        shared = all(texts == listed.texts[0] for texts in listed.texts)
        return pgames.PreferenceGame(
            rates, listed.probs(self.reference), labels=listed.texts[0] if shared else None
        )
