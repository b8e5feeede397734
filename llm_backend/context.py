"""Context: the model, the game and the round that every verb takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args

from llm_backend.fits.settings import Fit
from llm_backend.judges.base import Judge
from llm_backend.judges.learned import LastLayer
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Answers, Policy, digest_of, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import ListedSpace, Space, listing

Role = Literal[
    "opponent", "first", "second", "candidates", "own", "third", "sample", "order", "label", "meet"
]
"""The uses of randomness in a round. The random stream of each is keyed by (seed, round, role).

opponent: draws of the opponent; first, second: the two sides of a duel; candidates: draws of the reference,
or of the policy that a policy gradient starts from; own: the policy's draws for the next round; third:
opponents that a pair is judged against; sample: responses for the user; order: the order of training; label:
the labelled pairs of a buffer; meet: draws of the members of a population, keyed by the member as well.
"""
ROLES: tuple[Role, ...] = get_args(Role)


class Note(TypedDict):
    """A record of one fit; the journal has a note per fit.

    loss, first_loss : the mean loss per prompt at the end and at the start.
    share, noise : of the target, as in `llm_backend.fits.certificate`; share is None without a prior.
    slope, r2 : of the step on held-back responses; None where none can be held back.
    warning : a line if training got less than half as far as noise allows, or None.
    """

    round: int
    verb: str
    loss: float
    first_loss: float
    steps: int
    tokens: int
    seconds: float
    share: float | None
    noise: float
    slope: float | None
    r2: float | None
    warning: str | None


@dataclass(eq=False)
class Cache:
    """Results that are computed once and shared by all rounds of an arena.

    rates : float64[X, Y, Y], the judge's preferences of an enumerable game; None until first used.
    features : the base's last hidden states; None until first used.
    """

    rates: Floats | None = None
    features: LastLayer | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """The model, the game and the round of a verb. Verbs only append notes and fill the cache.

    lm : the language model.
    prompts : X texts.
    judge : prefer(prompts, firsts, seconds) -> float64[B]; it needs no averaging over both orders.
    space : how responses are drawn and scored.
    fit : how policies are trained.
    samples : draws per prompt and verb, at least 2; None plays an enumerable game exactly.
    seed, round : all randomness is a function of them and of the role of a draw; see `key`.
    per_round : prompts per round; see `round_prompts`.
    rounds : number of rounds that the step stands for.
    reference : the policy to which the game is regularised.
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
        """`samples`, when responses are drawn. Raises ValueError in exact play."""
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

    def round_prompts(self, ahead: int = 0) -> range:
        """The prompts that are played in this round, or `ahead` rounds later.

        Round t plays the t-th block of `per_round` prompts, and after the last block the first again.
        """
        start = (self.round + ahead) % (len(self.prompts) // self.per_round) * self.per_round
        return range(start, start + self.per_round)

    def draw(self, policy: Policy, role: Role, n: int | None = None, ahead: int = 0) -> Draws:
        """`n` responses (by default `samples`) to each prompt of this round, or of one `ahead`.

        Raises ValueError when the policy is a set of answers that lacks one for such a prompt.
        """
        asked = self.round_prompts(ahead)
        _check_answered(policy, asked)
        return self.space.draw(policy, n or self.drawn, self.key(role), asked)

    def draw_members(self, policies: Sequence[Policy]) -> list[Draws]:
        """`samples` responses of each policy to each prompt of the round, drawn in shared batches.

        The key of a policy's draws holds a digest of the policy: they do not depend on who else is drawn.
        Raises ValueError as `draw` does.
        """
        asked = self.round_prompts()
        for policy in policies:
            _check_answered(policy, asked)
        requests = [(policy, (*self.key("meet"), digest_of(policy))) for policy in policies]
        return self.space.draw_each(requests, self.drawn, asked)


def _check_answered(policy: Policy, prompts: Sequence[int]) -> None:
    for _, member in members(policy):
        if isinstance(member, Answers) and (missing := [x for x in prompts if not member.texts[x]]):
            raise ValueError(
                f"this policy is a set of answers and has none to prompt {missing[0]}: it was made for "
                "the prompts of another round (per_round). Play it in that round, or distil it."
            )
