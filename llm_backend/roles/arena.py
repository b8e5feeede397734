"""TextRoleArena: an attacker writes prompts, a defender answers them, and both are one language model's."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm_backend import store
from llm_backend.arguments import check_counts, check_lengths, check_prompts
from llm_backend.context import Note
from llm_backend.data import Prompt
from llm_backend.fits.fit import Fit
from llm_backend.judges.attack import Harmless, Success
from llm_backend.judges.base import Judge, fair
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import BASE, Policy, scalar
from llm_backend.roles import exact, halves
from llm_backend.roles.meet import Meeting
from llm_backend.roles.play import ATTACKER, Rules, Table
from llm_backend.roles.seeds import Refused, Seed, check_seeds, refusal
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.metered import Gauge, metered
from pgames.arena import AgainstAll, Pair, Role
from pgames.roles.meetings import RoleMeetings
from pgames.solver import State, Weight

Both = Pair[Policy]


class TextRoleArena:
    """An arena whose policies are pairs: an attacker that writes prompts and a defender that answers them.

    Both are adapters on one base. The defender reads a prompt of the attacker under the system text of its
    seed. `success` judges from an answer whether the attack succeeded. A mirror step is one tilt for each
    role, against the other role of the opponent. The attacker's draws are scored by the mean success of the
    answers to them, the defender's answers by 1 - success. A score of single responses is valid for draws of
    any policy, so each role draws from the heaviest leaf of its prior, which is one policy and no mixture.

    With a defender that answers every prompt independently there is no game: it answers each as well as it
    can, and the attacker ends on the worst prompt. The weights of the model tie its answers together.

    Parameters
    ----------
    lm : the language model; its base is the reference of both roles.
    seeds : what the attacker writes about, and under what the defender reads it (`Seed`).
    success : P(an attack succeeded), (prompts, answers) -> float64[B] in [0, 1] (`judges.attack`).
    attacks, answers : texts to which the game is restricted, both or neither; every seed has all attacks.
    samples : attacks on each seed and round, at least 2; None plays an enumerable game exactly.
    replies : answers to each attack, at least 2.
    attack_tokens, answer_tokens : the most tokens. An attack that is cut there, is empty, holds the secret of
        its seed or a control token, or does not fit the model's context is refused: the attacker scores 0
        with it and no defender reads it. `refused` names those of the last round.
    ordinary : prompts that are not attacks, read under the system texts of the seeds in turn.
    judge : compares answers to them; a defender's answer is scored by how often it beats the others. None
        scores all alike, which trains the defender to answer as its prior does.
    quality : the share of the defender's prompts that are ordinary, in [0, 1).
    seed : all randomness is a function of seed, round and role.
    fit, temperature, per_round, folder : as in `TextArena`; `per_round` counts seeds.
    chat, template_arguments : how prompts are read, where that differs from the language model's settings.

    `journal` collects a note per fit. Raises ValueError naming the argument that is out of range, a seed that
    tells the attacker its secret, or a listed attack that the defender cannot be asked.
    """

    def __init__(
        self,
        lm: LanguageModel,
        seeds: Sequence[Seed],
        success: Success,
        attacks: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
        samples: int | None = 4,
        replies: int = 4,
        attack_tokens: int = 32,
        answer_tokens: int = 32,
        ordinary: Sequence[Prompt] = (),
        judge: Judge | None = None,
        quality: float = 0.0,
        seed: int = 0,
        fit: Fit = Fit(),  # noqa: B008
        temperature: float = 1.0,
        per_round: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        chat: bool | None = None,
        template_arguments: Mapping[str, object] | None = None,
    ):
        found = check_seeds(seeds)
        _check_named("attack_tokens", lambda: check_lengths(attack_tokens, 0, temperature, 1))
        _check_named("answer_tokens", lambda: check_lengths(answer_tokens, 0, temperature, 1))
        if answers is None and lm.context is not None and answer_tokens >= lm.context:
            raise ValueError(
                f"answer_tokens = {answer_tokens} leaves no room for an attack in a context of {lm.context}."
            )
        _check_lists(attacks, answers)
        check_counts(samples, seed, per_round, len(found), attacks is not None)
        _check_named("replies", lambda: check_counts(replies, seed, None, len(found), True))
        asked = check_prompts(ordinary) if len(ordinary) else []
        if not 0 <= quality < 1 or (quality > 0 and not asked):
            raise ValueError(
                f"quality is the share of ordinary prompts, in [0, 1), and needs some: got {quality} and "
                f"{len(asked)} prompts. Pass ordinary=[...], or quality=0."
            )
        if samples is None and quality > 0:
            raise ValueError("quality needs samples: an enumerable game in exact play has its attacks alone.")
        lm = lm.reads(lm.reading.changed(chat, None, template_arguments))
        where = None if folder is None else Path(folder)
        self.rules = Rules(
            lm, found, success, attacks, answers, samples, replies, attack_tokens, answer_tokens,
            asked, None if judge is None else fair(judge), quality, seed, fit, temperature, where,
        )  # fmt: skip
        self._check_attacks()
        judged = Harmless(success)
        self._attacking = self.rules.context(ATTACKER, self.rules.topics, judged, 0, per_round or len(found))
        self._table, self._fixed = Table(), exact.Fixed(self.rules)
        self._reference: Both = Pair(BASE, BASE)
        self._held: tuple[Role, Both] | None = None

    def _check_attacks(self) -> None:
        for x, seed in enumerate(self.rules.seeds):
            for text in self.rules.attacks or ():
                if (why := refusal(self.lm, seed, text, False, None, 0)) is not None:
                    raise ValueError(f"the attack {text!r:.60} cannot be used on seed {x}: {why}. Remove it.")

    # -- what the arena holds -----------------------------------------------------------------------------

    @property
    def lm(self) -> LanguageModel:
        """The language model."""
        return self.rules.lm

    @property
    def seeds(self) -> list[Seed]:
        """The seeds."""
        return self.rules.seeds

    @property
    def reference(self) -> Both:
        """The pair to which the game is regularised; a role that is held is that of `only`."""
        return self._keep(self._reference)

    @property
    def round(self) -> int:
        """The number of the round, from 0."""
        return self._attacking.round

    @property
    def per_round(self) -> int:
        """The number of seeds of a round."""
        return self._attacking.per_round

    @property
    def journal(self) -> list[Note]:
        """A note per fit, shared by all views of the arena."""
        return self.rules.journal

    @property
    def refused(self) -> list[Refused]:
        """The attacks of the last round that no defender read."""
        return self._table.refused

    @property
    def asked(self) -> int:
        """The number of verdicts on attacks so far, shared by all views; an answer is judged once a round."""
        return self._table.asked

    @property
    def verdicts(self) -> int:
        """The number of verdicts on attacks in the last round."""
        return self._table.verdicts

    @property
    def succeeded(self) -> float | None:
        """The mean of those verdicts, or None without any."""
        return self._table.success

    # -- policies -----------------------------------------------------------------------------------------

    def join(self, attacker: Both, defender: Both) -> Both:
        """The pair of the attacker of the first pair and the defender of the second."""
        return self._keep(Pair(attacker.attacker, defender.defender))

    def geometric_mixture(self, *terms: tuple[Weight, Both]) -> Both:
        """prod_i pi_i ** w_i for each role, as formulas. Raises ValueError as `TextArena` does."""
        return self._mixed(policies.geometric_mixture, terms)

    def mixture(self, *terms: tuple[Weight, Both]) -> Both:
        """sum_i w_i pi_i for each role. Raises ValueError unless the weights are at least 0 and sum to 1."""
        return self._mixed(policies.mixture, terms)

    def _mixed(self, mix: Callable[..., Policy], terms: Sequence[tuple[Weight, Both]]) -> Both:
        """The mixture of each role that is not held: one that rests may be a set of answers."""
        idle = None if self._held is None else 1 - ("attacker", "defender").index(self._held[0])
        halves = (mix(*((w, pair[i]) for w, pair in terms)) if i != idle else BASE for i in (0, 1))
        return self._keep(Pair(*halves))

    def probs(self, policy: Both) -> Pair[Floats]:
        """Probabilities of A attacks on X seeds and of B answers to each: float64[X, A] and float64[X, A, B].

        Raises AttributeError when attacks are free text.
        """
        return self._fixed.probs(policy)

    # -- verbs --------------------------------------------------------------------------------------------

    def mirror_step(self, prior: Both, opponent: Both, step: Weight) -> Both:
        """For each role argmax_pi of its success against the opponent's other role - KL(pi || prior) / step.

        step = inf is the best response in exact play, and a step of size `fit.greed` otherwise.
        Raises ValueError when step is 0 or an array, and when all attacks on a seed are refused.
        """
        size, opponent = scalar(step, "a step"), self._keep(opponent)
        if size == 0:
            raise ValueError("a mirror step of 0 is its prior: use the prior.")
        role = self._held[0] if self._held else None
        attacker, defender = prior
        if role != "defender":
            attacker = self._attack(prior.attacker, opponent.defender, size)
        if role != "attacker":
            defender = self._defend(prior.defender, opponent.attacker, size)
        return self._keep(Pair(attacker, defender))

    def win_rate(self, first: Both, second: Both) -> float:
        """Half the success of the attacks of `first` on `second`, and half of what its defender survives."""
        first, second = self._keep(first), self._keep(second)
        won = self.success(first.attacker, second.defender)
        return 0.5 * (won + 1 - self.success(second.attacker, first.defender))

    def win_rates(self, firsts: Sequence[Both], seconds: Sequence[Both]) -> Floats:
        """P(first > second) of every two pairs, float64[1, K, L] in [0, 1]: the mean over both roles.

        Every attacker writes `samples` attacks on each seed of the round, and every defender answers those of
        all attackers that it meets, in shared batches; all verdicts are one question. Draws follow from
        (seed, round, policy), so a rate does not depend on the other members. Raises ValueError when there is
        no pair, and when all attacks on a seed are refused.
        """
        return self._meeting().win_rates(self._all_kept(firsts), self._all_kept(seconds))

    def meet(self, members: Sequence[Both], pairs: NDArray[np.int64]) -> RoleMeetings:
        """What pairs of roles won in the matches int64[B, 2], exactly or in `replies` answers to each attack.

        A match in either order is one match; a further one draws as many further answers to each attack. The
        attacker of a member that meets somebody, or is alone, also meets its own defender, so that attackers
        and defenders can be weighed apart. The answers to one attack are not independent games. Raises
        ValueError when `pairs` does not name members by their numbers, and as `win_rates` does.
        """
        return self._meeting().meet(self._all_kept(members), pairs)

    def against_all(self, members: Sequence[Both]) -> AgainstAll[Both]:
        """The least exploitable mixtures of attackers and of defenders in an enumerable game.

        Each role's members meet all texts of the other, so the weights are float64[1, 2, K], of attackers and
        of defenders. The opponent is a set of answers for each role. Raises AttributeError when attacks are
        free text, and ValueError without members and in a view of one role.
        """
        if self._held is not None:
            raise ValueError("against_all needs both roles: ask the arena itself, not a view of one role.")
        if len(members) == 0:
            raise ValueError("a population needs at least one member.")
        return self._fixed.against_all(members)

    def success(self, attacker: Policy, defender: Policy) -> float:
        """P(an attack of the attacker succeeds against the defender), the mean over seeds of the round.

        A refused attack succeeds with probability 0.
        """
        if self.rules.exact:
            return self._fixed.success(attacker, defender)
        return halves.success(self.rules, self._table, self._attacking, attacker, defender)

    def gains(self, policy: Both, tau: Weight = 0.0) -> Pair[float]:
        """What each role gains by its best response to the other, at least 0; 0 for a role that is held.

        The game is regularised by tau KL to the reference. The defender's gain is weighted by how often each
        prompt is attacked. Raises AttributeError when attacks are free text, ValueError for tau below 0.
        """
        found = self._fixed.gains(self._keep(policy), self._reference, scalar(tau, "tau"))
        if self._held is None:
            return found
        return found._replace(defender=0.0) if self._held[0] == "attacker" else found._replace(attacker=0.0)

    def exploitability(self, policy: Both, tau: Weight = 0.0) -> float:
        """Half the sum of `gains`. Raises as `gains` does."""
        return 0.5 * sum(self.gains(policy, tau))

    # -- views --------------------------------------------------------------------------------------------

    def only(self, role: Role, at: Both) -> Self:
        """The game of one role: in every policy it returns or meets, the other role is that of `at`.

        Raises ValueError for a role that is neither "attacker" nor "defender".
        """
        if role not in ("attacker", "defender"):
            raise ValueError(f'only takes the role "attacker" or "defender", got {role!r}.')
        view = copy.copy(self)
        view._held = (role, at)
        return view

    def at(self, t: int) -> Self:
        """The arena in round t."""
        view = copy.copy(self)
        view._attacking = replace(self._attacking, round=t)
        return view

    def anchored(self, reference: Both) -> Self:
        """The same game regularised to another pair."""
        view = copy.copy(self)
        view._reference = self._keep(reference)
        return view

    def metered(self, meter: Gauge, success: Success, judge: Judge | None) -> Self:
        """The same arena, its draws and scores on a meter, with other objects that give the same verdicts."""
        view = copy.copy(self)
        view.rules = replace(self.rules, meter=meter, success=success, judge=judge)
        view._attacking = replace(self._attacking, space=metered(self._attacking.space, meter))
        return view

    def _keep(self, pair: Both) -> Both:
        """The pair with the role that is held."""
        if self._held is None:
            return pair
        role, at = self._held
        return Pair(pair.attacker, at.defender) if role == "attacker" else Pair(at.attacker, pair.defender)

    def _all_kept(self, pairs: Sequence[Both]) -> list[Both]:
        return [self._keep(pair) for pair in pairs]

    def _meeting(self) -> Meeting:
        return Meeting(self.rules, self._table, self._fixed, self._attacking)

    # -- halves of a step ---------------------------------------------------------------------------------

    def _attack(self, prior: Policy, defender: Policy, step: float) -> Policy:
        if self.rules.exact:
            return self._fixed.attack(self._attacking, prior, defender, step)
        return halves.attack(self.rules, self._table, self._attacking, prior, defender, step)

    def _defend(self, prior: Policy, attacker: Policy, step: float) -> Policy:
        if self.rules.exact:
            return self._fixed.defend(self._attacking, prior, step)
        return halves.defend(self.rules, self._table, self._attacking, prior, attacker, step)

    # -- files --------------------------------------------------------------------------------------------

    def save(self, state: State, folder: str | os.PathLike[str]) -> None:
        """Write a solver's state: state.json, and each adapter once as safetensors. Raises TypeError."""
        store.save(self.lm, state, Path(folder), self._digest())

    def load(self, folder: str | os.PathLike[str]) -> State:
        """The state that `save` wrote.

        Raises FileNotFoundError when a file is missing, and ValueError when one is damaged or of another
        model or of other seeds.
        """
        return store.load(self.lm, Path(folder), self._digest())

    def _digest(self) -> str:
        return store.digest(self._attacking.prompts, self._attacking.space.listed)


def _check_named(name: str, check: Callable[[], None]) -> None:
    """Carry out a check of an argument that another arena calls by another name.

    Raises ValueError that begins with this name.
    """
    try:
        check()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _check_lists(attacks: Sequence[str] | None, answers: Sequence[str] | None) -> None:
    if (attacks is None) != (answers is None):
        raise ValueError(
            "attacks and answers are given both or neither: an enumerable game lists the texts of each role."
        )
