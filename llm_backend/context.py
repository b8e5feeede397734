"""Context: what the verbs of one round take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args

from llm_backend.fits.fit import Fit
from llm_backend.judges.base import Judge
from llm_backend.judges.learned import LastLayer
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Answers, Policy, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import ListedSpace, Space, listing

Role = Literal["opponent", "first", "second", "candidates", "own", "third", "sample", "order", "label"]
"""Every question of a round that randomness answers; its random stream is keyed by (seed, round, role).

opponent: draws of the opponent; first, second: the two sides of a duel; candidates: draws of the reference to
choose among; own: the policy's draws for the next round; third: opponents that a pair is judged against;
sample: responses for the user; order: the order of training; label: the labelled pairs of a buffer.
"""
ROLES: tuple[Role, ...] = get_args(Role)


class Note(TypedDict):
    """What one fit did: the journal has a note per fit."""

    round: int
    verb: str
    loss: float
    first_loss: float
    steps: int
    tokens: int
    seconds: float


@dataclass(eq=False)
class Cache:
    """What is computed once and serves all rounds of one arena.

    rates : float64[X, Y, Y], the judge's preferences of an enumerable game; None until asked for.
    features : the base's last hidden states; None until asked for.
    """

    rates: Floats | None = None
    features: LastLayer | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """The model, the game and the round that a verb is said in. Verbs change nothing here but append notes.

    lm : the language model.
    prompts : X texts.
    judge : prefer(prompts, firsts, seconds) -> float64[B]; it answers alike in both orders.
    space : how responses are drawn and scored.
    fit : how policies are trained.
    samples : responses per prompt and question, at least 2; None plays an enumerable game exactly.
    seed, round : all randomness is a function of them and of the question; see `key`.
    per_round : prompts per round; see `turn`.
    rounds : how many rounds the step stands for.
    reference : the policy that the game is regularised to.
    journal : a note per fit; no verb reads it.
    cache : shared by all rounds.
    """

    lm: LanguageModel
    prompts: list[str]
    judge: Judge
    space: Space
    fit: Fit
    samples: int | None
    seed: int
    per_round: int
    round: int = 0
    rounds: int = 1
    reference: Policy = BASE
    journal: list[Note] = field(default_factory=list, repr=False)
    cache: Cache = field(default_factory=Cache, repr=False)

    @property
    def exact(self) -> bool:
        """Whether every expectation is a sum over the list of responses, with nothing drawn."""
        return self.samples is None

    @property
    def listed(self) -> bool:
        """Whether the game is enumerable: responses come from a list."""
        return self.space.listed is not None

    @property
    def listing(self) -> ListedSpace:
        """The list of responses. Raises AttributeError when responses are free text."""
        return listing(self.space, "this verb")

    @property
    def drawn(self) -> int:
        """`samples`, where responses are drawn. Raises ValueError in exact play."""
        if self.samples is None:
            raise ValueError("nothing is drawn in exact play: pass samples of at least 2 to draw.")
        return self.samples

    @property
    def features(self) -> LastLayer:
        """The base's last hidden states of responses: (prompts, responses) -> float64[B, D]."""
        if self.cache.features is None:
            self.cache.features = LastLayer(self.lm)
        return self.cache.features

    def key(self, role: Role) -> tuple[int, ...]:
        """The key of the random stream of a role in this round. Raises ValueError unless it is in ROLES."""
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {role!r}: add a new one to Role.")
        return (self.seed, self.round, *role.encode())

    def turn(self, ahead: int = 0) -> range:
        """The prompts that are played in this round, or `ahead` rounds later.

        Round t plays the t-th `per_round` prompts, and starts again from the first after the last.
        """
        start = (self.round + ahead) % (len(self.prompts) // self.per_round) * self.per_round
        return range(start, start + self.per_round)

    def draw(self, policy: Policy, role: Role, n: int | None = None, ahead: int = 0) -> Draws:
        """`n` responses (by default `samples`) to each prompt of this round, or of one `ahead`.

        Raises ValueError when the policy is a set of answers without one to such a prompt.
        """
        asked = self.turn(ahead)
        for _, member in members(policy):
            if isinstance(member, Answers) and (silent := [x for x in asked if not member.texts[x]]):
                raise ValueError(
                    f"this policy is a set of answers and has none to prompt {silent[0]}: it was made for "
                    "the prompts of another round (per_round), so play it there, or distil it."
                )
        return self.space.draw(policy, n or self.drawn, self.key(role), asked)
