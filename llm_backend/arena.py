"""TextArena: the verbs on a language model. Sample, judge, fit."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

import pgames
from llm_backend import explore, store
from llm_backend import policy as policies
from llm_backend.collect import Draws, Floats, Ints, Recorded, judged, pairs_within, wins_against, wins_among
from llm_backend.evidence import EMPTY, NO_DUELS, NO_SAMPLES, Buffer, Duels, Labels, Samples
from llm_backend.fit import Fit, best_start, fit
from llm_backend.free import Free
from llm_backend.judges import fair
from llm_backend.listed import Listed
from llm_backend.logprobs import token_rows
from llm_backend.models import LanguageModel
from llm_backend.policy import BASE, Adapter, Answers, Leaf, Policy, blend_terms, scalar
from llm_backend.rewards import ListedScore, Score, linear_score
from llm_backend.rules import FitLabels, FitPairs, Imitate, Logistic, Objective, PolicyGradient, Regress
from pgames.arena import PairLoss, State, Weight
from pgames.learning.belief import Width
from pgames.losses import logistic, minimise

Value = Callable[[Draws], Floats]  # what each row is worth: how often it wins, or its score


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
        has no EOS. Below the minimum EOS is forbidden in drawing, not in what is trained: keep it small.
    seed : all randomness is a function of (seed, round) and of what is asked.
    responses : texts, or one list of them per prompt, to which the game is restricted: policies are
        normalised over the list. None: anything the model says.
    fit : how policies are trained.
    temperature : of sampling, and of the log-probabilities that are trained: one and the same policy.
    correct : candidates per response of a geometric mixture, one of which is kept by importance resampling,
        against the bias of mixing token by token; 1 is off.
    expert : demonstrations for SPIN: float64[X, Y] over `responses`, or a list of texts per prompt.
    folder : where what was drawn is written, so that a round that was interrupted does not draw it again.

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
    ):
        if isinstance(prompts, str) or not len(prompts):
            raise ValueError("prompts must be a list of at least one text.")
        if samples is None and responses is None:
            raise ValueError("samples=None needs responses=[...]: only an enumerable game is played exactly.")
        if samples is not None and samples < 2:
            raise ValueError(f"samples must be at least 2 (a fit needs differences), got {samples}.")
        if seed < 0 or not 0 < temperature < math.inf or max_new_tokens < 1:
            raise ValueError(
                "seed must be at least 0, temperature above 0 and max_new_tokens at least 1, got "
                f"{seed}, {temperature} and {max_new_tokens}."
            )
        self.lm, self.prompts, self.judge = lm, list(prompts), fair(judge)
        self.samples, self.seed, self.fit, self.temperature = samples, seed, fit, temperature
        self.listed = responses is not None
        ids = [lm.encode(prompt) for prompt in self.prompts]
        self.space: Any = (
            Free(lm, ids, max_new_tokens, temperature, fit.rows, min_new_tokens, correct)
            if responses is None
            else Listed(lm, ids, responses, temperature, fit.rows)
        )
        if folder is not None:
            self.space = Recorded(self.space, Path(folder))
        self.reference: Policy = BASE
        self.expert: Policy | None = None if expert is None else self._answers(expert)
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
        return self._answers(self._listing(None, "uniform").support * 1.0)

    def probs(self, policy: Policy, responses: Sequence[str] | None = None) -> Floats:
        """Probabilities float64[X, Y] over the responses of the game, or over a list of one's own."""
        return self._listing(responses, "probs").probs(policy)

    def sample(self, policy: Policy, prompts: Sequence[str] | None = None, n: int | None = None) -> Samples:
        """`n` responses to each prompt, by default `samples` of them to the arena's own; asks no judge.

        In exact play the default is every response with its probability as weight.
        """
        if prompts is None and n is None and self.samples is None:
            return Samples(self.space.all, self.space.probs(policy)[self.space.support])
        space = self.space if prompts is None else self._space_of(prompts)
        draws = space.draw(policy, n or self.samples or 1, self._key("sample"))
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
        eta = scalar(step, "a step")
        if eta == math.inf and self.samples is None:
            return self._best_response(prior, opponent)
        eta = eta if math.isfinite(eta) else math.copysign(self.fit.greed, eta)
        if eta == 0:
            raise ValueError("a mirror step of 0 is its prior: use that.")
        if self.fit.rule in ("regress", "logistic"):
            return self._regressed(
                prior, opponent, lambda draws: self._wins(draws, opponent), eta, "mirror_step"
            )
        return self._ascended(prior, lambda draws: self._wins_apart(draws, opponent), eta, "mirror_step")

    def win_rate(self, first: Policy, second: Policy) -> float:
        """P(first > second), averaged over prompts."""
        if self.samples is None:
            p, q = self.space.probs(first), self.space.probs(second)
            return float(np.einsum("xy,xyz,xz->x", p, self._rates() - 0.5, q).mean() + 0.5)
        ours, theirs = self._draw(first, "first"), self._draw(second, "second")
        return float(judged(self.judge, self.prompts, ours, theirs).mean())

    # -- verbs of arenas that answer to duels -----------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Duels:
        """`samples` duels per prompt of a response of each; in exact play the expectation of one."""
        if self.samples is None:
            p, q = self.space.probs(first), self.space.probs(second)
            return self._met(p[:, :, None] * q[:, None, :], self._rates())
        ours, theirs = self._draw(first, "first"), self._draw(second, "second")
        won = judged(self.judge, self.prompts, ours, theirs)
        return self._paired(ours, theirs, np.stack([won, 1 - won], axis=1))

    def no_duels(self) -> Duels:
        """Evidence of nothing, to add to."""
        return NO_DUELS

    def demonstrate(self, winner: Policy, loser: Policy) -> Duels:
        """Pairs of a response of each, the first declared the winner; asks no judge."""
        if self.samples is None:
            p, q = self.space.probs(winner), self.space.probs(loser)
            return self._met(p[:, :, None] * q[:, None, :], np.ones((len(p), p.shape[1], p.shape[1])))
        ours, theirs = self._draw(winner, "first"), self._draw(loser, "second")
        return self._paired(ours, theirs, np.tile([1.0, 0.0], (len(ours), 1)))

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
        """
        differ = [m for m, (i, j) in enumerate(pairs.pairs) if pairs.draws.texts[i] != pairs.draws.texts[j]]
        if not differ:
            raise ValueError("fit_pairs needs a pair of two different responses, got none: duel first.")
        met, where = np.unique(pairs.pairs[differ], return_inverse=True)
        draws, bonus = pairs.draws.take(met), None
        if samples is not None and scalar(weight) != 0:
            draws, where, bonus = self._with_samples(pairs, differ, met, where, samples, scalar(weight))
        scores = self._scores(prior, draws)
        size = np.array([len(row) if self.fit.per_token else 1.0 for row in draws.tokens])
        objective = FitPairs(
            draws,
            self._blend(prior, scores),
            where.reshape(-1, 2),
            pairs.wins[differ],
            loss,
            scalar(beta, "beta"),
            1 / size,
            bonus,
            bound,
            self.listed,
        )
        return self._fit(objective, best_start(objective, scores), "fit_pairs")

    def fit_reward(self, pairs: Duels) -> Score:
        """Bradley-Terry score by maximum likelihood: of every response of an enumerable game, or else linear
        in the base's last hidden states."""
        if self.listed:
            return ListedScore(minimise(logistic, pairs.table(self.space.support.shape)))
        return linear_score(self.lm, self.prompts, pairs)

    def tilt(self, prior: Policy, score: Score, step: Weight) -> Policy:
        """prior * exp(step * score), fitted on draws of the prior (in exact play on every response)."""
        eta = scalar(step, "a step")
        if self.fit.rule in ("regress", "logistic"):
            return self._regressed(prior, prior, score, eta, "tilt")
        return self._ascended(prior, score, eta, "tilt")

    def distil(self, policy: Policy) -> Policy:
        """The policy that imitates a mixture or answers by cross entropy: a leaf with log-probabilities."""
        if self.samples is None:
            draws, weight = self.space.all, self.space.probs(policy)[self.space.support]
        else:
            draws = self._draw(policy, "opponent")
            weight = np.full(len(draws), 1 / self.samples)
        known = policies.leaves(policy) or (BASE,)
        objective = Imitate(draws, weight, self.samples is None)
        scores = {leaf: self.space.score(leaf, draws) for leaf in known}
        return self._fit(objective, best_start(objective, scores), "distil")

    # -- verbs of learning from labelled pairs ----------------------------------------------------------

    def empty_buffer(self) -> Buffer:
        """A buffer of no pairs."""
        return EMPTY

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        """The buffer with `pairs` more pairs per prompt, a response of each policy; asks no judge."""
        met = self._paired(
            self._draw(first, "first", pairs), self._draw(second, "second", pairs), NO_DUELS.wins
        )
        return buffer.add(met.draws, met.pairs)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Judge `pairs` pairs per prompt from the buffer against fresh responses of the opponent.

        The label of (y, y') is the mean over z ~ opponent of P(y > z) - P(y' > z): right for pairs that the
        opponent did not draw itself. In exact play it is the difference of the two win rates.
        """
        return explore.label(self, buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Judge `pairs` pairs of the policy's own responses: labels P(y > y') - 1/2, which are right for
        regression only because the policy is its own opponent (INPO)."""
        return explore.self_duels(self, policy, pairs)

    def regress(
        self, prior: Policy, evidence: Labels, step: Weight, sft: float = 0.0, ridge: float = 1e-3
    ) -> Policy:
        """The mirror step fitted to labels: argmin mean (d_y - d_y' - step label)^2, d = log pi / prior.

        Plus ridge |d|^2, d centred over the rows of a prompt (all responses of an enumerable game), plus
        sft KL(opponent || pi) on the opponent's own responses.
        """
        scores = self._scores(prior, evidence.draws)
        eta, log_prior = scalar(step, "a step"), self._blend(prior, scores)
        objective = FitLabels(
            evidence.draws,
            log_prior,
            evidence.pairs,
            evidence.labels,
            eta,
            ridge,
            sft,
            evidence.opponent,
            self.listed,
        )
        return self._fit(objective, best_start(objective, scores), "regress")

    def least_known(self, buffer: Buffer, policy: Policy) -> Policy:
        """Per prompt the response whose difference to `policy` the buffer says least about (elliptic width).

        Of all responses of an enumerable game; else of `samples` draws each of the policy and the reference,
        seen through the base's last hidden states.
        """
        return explore.least_known(self, buffer, policy)

    def believe(self, evidence: Duels, optimism: float = 0.0, width: Width = "hoeffding") -> Any:
        """The arena in which preferences are what the duels say, plus `optimism` times their width.

        Of an enumerable game: shares of wins and the `width` of `pgames.learning.belief`. Else a preference
        model learned on last hidden states, whose width is the spread of an ensemble.
        """
        return explore.believe(self, evidence, optimism, width)

    # -- views ------------------------------------------------------------------------------------------

    @property
    def game(self) -> pgames.PreferenceGame:
        """The PreferenceGame that an enumerable game is; the judge is asked about all pairs, once."""
        if not self.listed:
            raise AttributeError("only an arena with responses=[...] is a game: use to_game(responses).")
        if "game" not in self._known:
            self._known["game"] = self.to_game()
        return self._known["game"]

    def to_game(self, responses: Sequence[str] | None = None) -> pgames.PreferenceGame:
        """The table of a list of responses: the judge's preferences, the reference normalised over them."""
        space = self._listing(responses, "to_game")
        X, Y = space.support.shape
        pairs = pairs_within(space.all, X)
        first, second = space.all.take(pairs[:, 0]), space.all.take(pairs[:, 1])
        table = np.full((X, Y, Y), 0.5)
        won = judged(self.judge, self.prompts, first, second)
        table[first.prompt, first.column, second.column] = won
        table[first.prompt, second.column, first.column] = 1 - won
        labels = space.texts[0] if all(texts == space.texts[0] for texts in space.texts) else None
        return pgames.PreferenceGame(table, space.probs(self.reference), labels=labels)

    def exploitability(self, policy: Policy, tau: float = 0.0) -> float:
        """max_p J_tau(p, pi) - 1/2, exactly, of an enumerable game."""
        game = self.game.with_reference(self.space.probs(self.reference))
        return float(pgames.exploitability(game, self.space.probs(policy), tau))

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
        store.save(self.lm, state, Path(folder))

    def load(self, folder: str | os.PathLike[str]) -> State:
        """The state that `save` wrote. Raises ValueError when a file is damaged or of another model."""
        return store.load(self.lm, Path(folder), self.space.all if self.listed else None)

    # -- inside -----------------------------------------------------------------------------------------

    def _regressed(self, prior: Policy, sampler: Policy, value: Value, eta: float, verb: str) -> Adapter:
        """prior * exp(eta value), fitted by regression on draws of the sampler."""
        if self.samples is None:
            draws, sizes = self.space.all, self.space.support.sum(axis=1)
            weight = 0.5 * self.space.probs(sampler)[self.space.support] + 0.5 / sizes[draws.prompt]
        else:
            draws = self._draw(sampler, "opponent")
            weight = np.full(len(draws), 1 / self.samples)
        scores = self._scores(prior, draws)
        rule = Regress if self.fit.rule == "regress" else Logistic
        objective = rule(draws, self._blend(prior, scores), eta * value(draws), weight)
        return self._fit(objective, best_start(objective, scores), verb)

    def _best_response(self, prior: Policy, opponent: Policy) -> Adapter:
        """The prior restricted to the best responses, imitated."""
        draws, support = self.space.all, self.space.support
        rates = np.full(support.shape, -np.inf)
        rates[support] = self._wins(draws, opponent)
        best = rates >= rates.max(axis=1, keepdims=True) - 1e-12
        wanted = np.where(best, self.space.probs(prior), 0.0)
        wanted = wanted / wanted.sum(axis=1, keepdims=True)
        objective = Imitate(draws, wanted[support], listed=True)
        return self._fit(objective, best_start(objective, self._scores(prior, draws)), "mirror_step")

    def _ascended(self, prior: Policy, value: Value, eta: float, verb: str) -> Adapter:
        """prior * exp(eta value), by policy gradient from the prior's heaviest leaf."""
        if eta < 0:
            raise ValueError(f"a policy gradient needs a step above 0, got {eta}: use rule='regress'.")
        start = max(blend_terms(prior), key=lambda term: abs(term[0]))[1]
        if self.listed:
            draws, weight = self.space.all, self.space.probs(start)[self.space.support]
        else:
            draws = self._draw(start, "candidates")
            weight = np.full(len(draws), 1 / cast(int, self.samples))
        prompts = [self.space.ids[x] for x in draws.prompt]
        old = token_rows(self.lm, start, prompts, draws.tokens, self.temperature, self.fit.rows)
        objective = PolicyGradient(
            draws,
            self._blend(prior, self._scores(prior, draws)),
            value(draws),
            weight,
            old,
            eta,
            self.fit.rule,  # type: ignore[arg-type]
            self.listed,
        )
        return self._fit(objective, start, verb)

    def _wins(self, draws: Draws, opponent: Policy) -> Floats:
        """How often the opponent's own draws (all responses in exact play) beat it."""
        if self.samples is None:
            wins = np.einsum("xyz,xz->xy", self._rates(), self.space.probs(opponent))
            return wins[draws.prompt, draws.column]
        return wins_among(self.judge, self.prompts, draws)

    def _wins_apart(self, draws: Draws, opponent: Policy) -> Floats:
        """How often draws of any policy beat fresh draws of the opponent."""
        if self.samples is None:
            return self._wins(draws, opponent)
        return wins_against(self.judge, self.prompts, draws, self._draw(opponent, "opponent"))

    def _fit(self, objective: Objective, start: Leaf, verb: str) -> Adapter:
        fitted = fit(
            self.lm, start, objective, self.space.ids, self.fit, self.temperature, self._key("order")
        )
        self.journal.append(
            {
                "round": self.round,
                "verb": verb,
                "loss": fitted.losses[-1],
                "first_loss": fitted.losses[0],
                "steps": len(fitted.losses),
                "tokens": fitted.tokens,
                "seconds": fitted.seconds,
            }
        )
        return fitted.policy

    def _scores(self, policy: Policy, draws: Draws) -> dict[Leaf, Floats]:
        return {leaf: self.space.score(leaf, draws) for _, leaf in blend_terms(policy)}

    def _blend(self, policy: Policy, scores: dict[Leaf, Floats]) -> Floats:
        return np.sum([w * scores[leaf] for w, leaf in blend_terms(policy)], axis=0)

    def _key(self, role: str) -> tuple[int, ...]:
        return (self.seed, self.round, *role.encode())

    def _draw(self, policy: Policy, role: str, n: int | None = None) -> Draws:
        return self.space.draw(policy, n or cast(int, self.samples), self._key(role))

    def _rates(self) -> Floats:
        """float64[X, Y, Y] of an enumerable game."""
        return self._known["rates"] if "rates" in self._known else self.game.P

    def _met(self, met: Floats, rates: Floats) -> Duels:
        """The expectation of duels in which responses meet with probabilities float64[X, Y, Y]."""
        draws = self.space.all
        pairs = pairs_within(draws, len(self.prompts))
        x, (y, z) = draws.prompt[pairs[:, 0]], draws.column[pairs].T
        one = met * rates
        other = np.swapaxes(met * (1 - rates), 1, 2)
        wins = one + other  # wins[x, y, z]: y beats z, whoever was asked first
        return Duels(draws, pairs, np.stack([wins[x, y, z], wins[x, z, y]], axis=1))

    def _paired(self, first: Draws, second: Draws, wins: Floats) -> Duels:
        """The rows of two draws, one against one."""
        if self.listed:  # one row per response, so that what repeats is one
            pairs = np.stack([self.space.row(d.prompt, d.column) for d in (first, second)], axis=1)
            return Duels(self.space.all, pairs, wins)
        count = np.arange(len(first))
        return Duels(Draws.join([first, second]), np.stack([count, count + len(first)], axis=1), wins)

    def _with_samples(
        self, pairs: Duels, differ: list[int], met: Ints, where: Ints, samples: Samples, weight: float
    ) -> tuple[Draws, Ints, Floats]:
        """Rows of pairs and samples, the pairs renumbered, and the samples' weights per duel of a prompt."""
        owner = pairs.draws.prompt[pairs.pairs[differ, 0]]
        duels = np.bincount(owner, pairs.wins[differ].sum(axis=1), len(self.prompts))
        share = weight * samples.weight / np.maximum(duels[samples.draws.prompt], 1e-300)
        if self.listed:
            draws = self.space.all
            rows = self.space.row(samples.draws.prompt, samples.draws.column)
            return draws, met[where], np.bincount(rows, share, len(draws)).astype(np.float64)
        draws = Draws.join([pairs.draws.take(met), samples.draws])
        return draws, where, np.concatenate([np.zeros(len(met)), share])

    def _answers(self, given: ArrayLike | Sequence[Sequence[str]]) -> Answers:
        if isinstance(given, np.ndarray):
            space = self._listing(None, "a distribution as expert")
            weights = [row[: len(texts)] / row.sum() for row, texts in zip(given, space.texts, strict=True)]
            return Answers(tuple(map(tuple, space.texts)), tuple(weights))
        lists = [tuple(texts) for texts in cast(Sequence[Sequence[str]], given)]
        if len(lists) != len(self.prompts) or not all(lists):
            raise ValueError(
                f"expert must give each of the {len(self.prompts)} prompts at least one text, or be "
                f"float64[X, Y] over responses; got {len(lists)} lists."
            )
        return Answers(tuple(lists), tuple(np.full(len(texts), 1 / len(texts)) for texts in lists))

    def _space_of(self, prompts: Sequence[str]) -> Listed | Free:
        """The same responses to other prompts."""
        own, ids = self.space, [self.lm.encode(prompt) for prompt in prompts]
        if not self.listed:
            return Free(self.lm, ids, own.longest, own.temperature, own.rows, own.shortest, own.correct)
        if unknown := [prompt for prompt in prompts if prompt not in self.prompts]:
            raise ValueError(f"{unknown[0]!r} is no prompt of this enumerable game: use its own.")
        texts = [own.texts[self.prompts.index(prompt)] for prompt in prompts]
        return Listed(self.lm, ids, texts, own.temperature, own.rows)

    def _listing(self, responses: Sequence[str] | None, what: str) -> Listed:
        if responses is not None:
            return Listed(self.lm, self.space.ids, responses, self.temperature, self.fit.rows)
        if not self.listed:
            raise AttributeError(
                f"{what} needs a list of responses here: this arena lets the model say anything."
            )
        return self.space
