"""TextArena: the verbs of a solver on a language model."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

import pgames
from llm_backend import store
from llm_backend.arguments import (
    answers_of,
    check_answers,
    check_counts,
    check_lengths,
    check_prompts,
    check_text_regulariser,
)
from llm_backend.context import Context, Note
from llm_backend.data import Pair, Prompt
from llm_backend.engines.vllm import VLLM
from llm_backend.fits.fit import Fit
from llm_backend.judges.base import Judge, fair
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import Policy, scalar
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.free import Free
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.protocol import Sampling, Space, listing
from llm_backend.spaces.recorded import Recorded
from llm_backend.verbs import (
    beliefs,
    duels,
    games,
    labels,
    least_known,
    meet,
    rewards,
    samples,
    steps,
    verdicts,
)
from llm_backend.verbs.evidence import EMPTY, NO_DUELS, NO_SAMPLES, Buffer, Duels, Labels, Samples
from pgames.arena import AgainstAll
from pgames.losses import PairLoss
from pgames.meetings import Meetings
from pgames.regularisers import KL, Regulariser
from pgames.solver import State, Weight
from pgames.table.beliefs import Width


class TextArena:
    """An arena whose policies are those of a language model on some prompts.

    Parameters
    ----------
    lm : the language model; its base is the reference.
    prompts : X texts, or lists of messages. A judge of texts reads a conversation as one text.
    judge : prefer(prompts, firsts, seconds) -> float64[B] in [0, 1]; averaged over both orders unless it
        declares `as_is`, as the judges of `llm_backend.judges` do.
    samples : draws per prompt and verb, at least 2; None plays an enumerable game exactly.
    max_new_tokens, min_new_tokens : length limits of generated responses. A response cut at the limit is
        flagged and has no EOS. Below the minimum stop tokens are forbidden, in every log-probability too.
    seed : all randomness is a function of seed, round and role of a draw.
    responses : texts, or one list of texts per prompt, to which the game is restricted: policies are
        normalised over the list. None: any text may be a response.
    fit : how policies are trained.
    temperature : of sampling and of the log-probabilities that are trained, above 0.
    correct : candidates per response of a geometric mixture; importance resampling keeps one of them, which
        reduces the bias of mixing token by token. 1 is off.
    expert : demonstrations for SPIN: float64[X, Y] over `responses`, or a list of texts per prompt.
    folder : where draws are recorded, so that an interrupted round does not draw them again.
    engine : a vLLM server that draws for the reference and for adapters (`llm_backend.engines.vllm`); the
        trainer scores its draws again and keeps the discrepancy in `engine.reports`.
    per_round : prompts per round: round t plays the t-th block of `per_round` prompts, and after the last
        block the first again; None: all prompts. Evidence records its prompts, so learners may add it up over
        rounds.
    chat, system, template_arguments : how prompts are read, where that differs from the language model's own
        settings of these names.

    length_normalised : policies over `responses` use the mean log-probability of a text's tokens in place of
        their sum. With sums, the shortest text of a list has most of the reference's probability.
    regulariser : KL(), the only one on text: a mirror step regresses log-ratios, whose minimiser is a step of
        KL. `pgames.TableArena` takes the others.

    `context` holds what the verbs take. `journal` collects a note per fit (round, verb, loss, steps, tokens,
    seconds); no verb reads it.
    Raises ValueError naming the argument that is out of range, and TypeError for a judge without `prefer`.
    """

    tabular = True  # any policy is allowed: no log-linear class of features limits them

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[Prompt],
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
        chat: bool | None = None,
        system: str | None = None,
        template_arguments: Mapping[str, object] | None = None,
        length_normalised: bool = False,
        regulariser: Regulariser = KL(),  # noqa: B008
    ):
        check_text_regulariser(regulariser)
        asked = check_prompts(prompts)
        check_lengths(max_new_tokens, min_new_tokens, temperature, correct)
        check_counts(samples, seed, per_round, len(prompts), responses is not None)
        lm = lm.reads(lm.reading.changed(chat, system, template_arguments))
        judge, tokens = fair(judge), lm.encode_prompts(asked)
        space: Space
        if responses is None:
            how = (min_new_tokens, max_new_tokens, correct, engine)
            if length_normalised:
                raise ValueError(
                    "length_normalised needs a list of responses: free text is drawn token by token. Pass "
                    "responses=[...], or length_normalised=False."
                )
            space = Free(Sampling(lm, tokens, temperature, fit.rows, *how))
        else:
            sampling = Sampling(lm, tokens, temperature, fit.rows, per_token=length_normalised)
            space = Listed(sampling, responses)
        if folder is not None:
            space = Recorded(space, Path(folder))
        self.context = Context(lm, asked, judge, space, fit, samples, seed, per_round or len(asked))
        self.expert: Policy | None = None
        if expert is not None:
            self.expert = answers_of(expert, len(asked), space.listed)
            check_answers(lm, self.expert, tokens)

    # -- what the arena holds ---------------------------------------------------------------------------

    @property
    def lm(self) -> LanguageModel:
        """The language model."""
        return self.context.lm

    @property
    def prompts(self) -> list[str]:
        """The X prompts: texts, of which a `Conversation` has messages."""
        return self.context.prompts

    @property
    def judge(self) -> Judge:
        """The judge; its answers have no bias to one position."""
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
        """Draws per prompt and verb; None in exact play."""
        return self.context.samples

    @property
    def seed(self) -> int:
        """The seed: all randomness is a function of seed, round and role of a draw."""
        return self.context.seed

    @property
    def round(self) -> int:
        """The number of the round, from 0."""
        return self.context.round

    @property
    def rounds(self) -> int:
        """The number of rounds that the current step stands for, at least 1."""
        return self.context.rounds

    @property
    def reference(self) -> Policy:
        """The policy to which the game is regularised."""
        return self.context.reference

    @property
    def journal(self) -> list[Note]:
        """A note per fit, shared by all views of the arena."""
        return self.context.journal

    @property
    def last(self) -> Note | None:
        """The note of the last fit, with how far it got; None before the first."""
        return self.journal[-1] if self.journal else None

    # -- policies ---------------------------------------------------------------------------------------

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i as a formula: nothing is trained.

        As a prior it is exact. Free text is sampled from it token by token (only by Nash-MD and IPO-MD). This
        differs from the mixture of whole responses: see `generate` and `correct`.
        Raises ValueError for weights that are not finite or that cancel, and for a policy without a
        log-probability.
        """
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: a member is drawn anew for every response. It cannot be a prior; see `distil`.

        Raises ValueError unless the weights are at least 0 and sum to 1.
        """
        return policies.mixture(*terms)

    @property
    def uniform(self) -> Policy:
        """The policy that gives every response of an enumerable game the same probability."""
        listed = listing(self.space, "uniform")
        return answers_of(listed.support * 1.0, len(self.prompts), listed)

    def probs(self, policy: Policy, responses: Sequence[str] | None = None) -> Floats:
        """Probabilities float64[X, Y] over the responses of the game, or over those passed.

        Raises AttributeError when responses are free text and no list is passed.
        """
        return games.listing_of(self.context, responses, "probs").probs(policy)

    def sample(
        self, policy: Policy, prompts: Sequence[Prompt] | None = None, n: int | None = None
    ) -> Samples:
        """`n` responses to each prompt, by default `samples` to each prompt of the round; asks no judge.

        In exact play the default is every response with its probability as weight.
        Raises ValueError when n < 1, and for a prompt that an enumerable game does not have.
        """
        asked = None if prompts is None else check_prompts(prompts)
        if n is not None and n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        if asked is None:
            return samples.sample(self.context, policy, n)
        return samples.sample_to(self.context, policy, asked, n)

    def no_samples(self) -> Samples:
        """Empty samples, to which others are added."""
        return NO_SAMPLES

    # -- verbs of every arena ---------------------------------------------------------------------------

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step, fitted.

        The candidates are draws of the opponent, each judged against all of them, with 1/2 against itself. In
        exact play they are all responses, weighted half by the opponent and half uniformly. Policy-gradient
        rules draw candidates from the policy at which training starts, and judge them against the opponent.
        Raises ValueError when step is 0 or an array, and for a policy gradient when it is negative.
        """
        return steps.mirror_step(self.context, prior, opponent, scalar(step, "a step"))

    def win_rate(self, first: Policy, second: Policy) -> float:
        """P(first > second) in [0, 1], averaged over the prompts of the round."""
        return verdicts.win_rate(self.context, first, second)

    def win_rates(self, firsts: Sequence[Policy], seconds: Sequence[Policy]) -> Floats:
        """P(first > second) of every pair, float64[1, K, L] in [0, 1]: the mean over the round's prompts.

        Every policy is drawn once per prompt, in shared batches: K + L generations in place of K L. Draws
        follow from (seed, round, policy), so a rate does not depend on the other members.
        """
        return meet.win_rates(self.context, firsts, seconds)

    def meet(self, members: Sequence[Policy], pairs: NDArray[np.int64]) -> Meetings:
        """What members won in the matches int64[B, 2], exactly or in `samples` games per prompt and match.

        Every member is drawn once, in shared batches. Raises ValueError when `pairs` does not name members by
        their numbers, or a pair has more than `samples` matches.
        """
        return meet.meet(self.context, members, pairs)

    def against_all(self, members: Sequence[Policy]) -> AgainstAll[Policy]:
        """The least exploitable mixture of members in an enumerable game; its opponent is a set of answers.

        Raises AttributeError when responses are free text.
        """
        return meet.against_all(self.context, members)

    def rates(self, policy: Policy | None = None) -> Floats:
        """P(y > policy) of every listed response, float64[X, Y]; without a policy P(y > z), float64[X, Y, Y].

        The judge is asked about all pairs, once, whatever `samples` is. Raises AttributeError when responses
        are free text.
        """
        table = verdicts.rates(self.context)
        if policy is None:
            return table
        return np.einsum("xyz,xz->xy", table - 0.5, self.context.listing.probs(policy)) + 0.5

    # -- verbs of arenas with duels --------------------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Duels:
        """`samples` duels per prompt between responses of the two; in exact play the expected duel."""
        return duels.duel(self.context, first, second)

    def duels_of(self, pairs: Sequence[Pair]) -> Duels:
        """Pairs judged elsewhere, such as those of `read_pairs`, as evidence; asks no judge.

        Raises ValueError for a pair whose prompt or listed response the arena does not have, and for a
        response that holds a stop token or exceeds the model's context.
        """
        return duels.given(self.context, pairs)

    def no_duels(self) -> Duels:
        """Empty evidence, to which duels are added."""
        return NO_DUELS

    def demonstrate(self, winner: Policy, loser: Policy) -> Duels:
        """Pairs of one response of each, of which the first is declared the winner; asks no judge."""
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
        """argmin_pi of the mean, over prompts and their pairs, of loss(beta * difference of log(pi / prior)).

        Plus weight / (number of pairs) * sum of log pi(samples), which stops where beta |log pi / prior|
        reaches `bound` (XPO). Log-ratios are summed over tokens, or averaged with Fit(per_token=True).
        Returns the prior when no pair has two different responses.
        """
        return duels.fit_pairs(
            self.context, prior, pairs, loss, scalar(beta, "beta"), samples, scalar(weight), bound
        )

    def fit_reward(self, pairs: Duels) -> rewards.Score:
        """The Bradley-Terry score by maximum likelihood.

        In an enumerable game it is a number per response, in free text linear in the base's last hidden
        states. Raises ValueError when a linear score has no duel to fit.
        """
        return rewards.fit_reward(self.context, pairs)

    def tilt(self, prior: Policy, score: rewards.Score, step: Weight) -> Policy:
        """prior * exp(step * score), fitted on draws of the prior, in exact play on every response."""
        return steps.tilt(self.context, prior, score, scalar(step, "a step"))

    def distil(self, policy: Policy) -> Policy:
        """A leaf, with log-probabilities, fitted to a mixture or answers by cross entropy."""
        return steps.distil(self.context, policy)

    # -- verbs of learning from labelled pairs ----------------------------------------------------------

    def empty_buffer(self) -> Buffer:
        """An empty buffer."""
        return EMPTY

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, a response of each policy; asks no judge."""
        return labels.collect(self.context, buffer, first, second, pairs)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Judge `pairs` pairs per prompt of the round from the buffer against fresh draws of the opponent.

        The label of (y, y') is the mean over z ~ opponent of P(y > z) - P(y' > z). It is valid for
        pairs drawn from any policy. In exact play it is the difference of the two win rates.
        Raises ValueError when the buffer has no pair for a prompt of the round.
        """
        return labels.label(self.context, buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Judge `pairs` pairs of responses of the policy: labels P(y > y') - 1/2.

        These labels are valid for regression only because the policy is its own opponent (INPO).
        """
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
        """Per prompt the response whose difference to `policy` the buffer determines least (elliptic width).

        In an enumerable game it is chosen among all responses. In free text it is chosen, by the base's last
        hidden states, among `samples` draws each of the policy and the reference, for the prompts of the next
        round, in which ENPO uses it.
        """
        return least_known.least_known(self.context, buffer, policy)

    def believe(
        self, evidence: Duels, optimism: float = 0.0, width: Width = "hoeffding"
    ) -> beliefs.ListedBelief | beliefs.FreeBelief:
        """An arena whose preference is the one estimated from duels, plus `optimism` times its width.

        In an enumerable game the estimate is the share of wins, and `width` is one of `pgames.table.beliefs`.
        In free text it is a preference model on last hidden states, whose width is the spread of an ensemble.
        Raises ValueError for an optimism below 0.
        """
        return beliefs.believe(self.context, evidence, optimism, width)

    # -- views ------------------------------------------------------------------------------------------

    @property
    def game(self) -> pgames.PreferenceGame:
        """An enumerable game as a PreferenceGame."""
        return games.table(self.context, listing(self.space, "game"), self.rates())

    def to_game(self, responses: Sequence[str] | None = None) -> pgames.PreferenceGame:
        """The table of a list of responses: the judge's preferences, the reference normalised over them.

        Raises AttributeError when responses are free text and no list is passed.
        """
        return self.game if responses is None else games.to_game(self.context, responses)

    def exploitability(self, policy: Policy, tau: float = 0.0) -> float:
        """max_p J_tau(p, pi) - 1/2, exactly, of an enumerable game. Raises ValueError for free text."""
        if self.space.listed is None:
            raise ValueError(
                "exploitability is exact, so it needs responses=[...]: for free text use the lower bound "
                "llm_backend.evaluate.exploitability, and a solver that does not need this verb (Best does)."
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
        store.save(self.lm, state, Path(folder), store.digest(self.prompts, self.space.listed))

    def load(self, folder: str | os.PathLike[str]) -> State:
        """The state that `save` wrote.

        Raises FileNotFoundError when a file is missing, and ValueError when one is damaged or of another
        model, or when the state holds evidence or answers to other prompts or responses.
        """
        listed = self.space.listed
        asked = store.digest(self.prompts, listed)
        return store.load(self.lm, Path(folder), asked, listed.all if listed else None)
