"""The solvers of pgames, untouched, on a language model: round by round what they are on the table."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE, Adapter, Answers, League
from llm_backend.verbs.evidence import Duels, Labels, Samples
from pgames.table.arena import Tally
from pgames.table.duels import Labels as TableLabels
from pgames.table.duels import Samples as TableSamples
from tests.support.llm_oracles import full_logits
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm

TAU = 0.2
PROMPTS = ["f", "g h", "i"]
RESPONSES = list("abcde")
EXPERT = np.random.default_rng(5).dirichlet(np.ones(5), 3)
EXACT = [
    pg.INPO(TAU, 1.0),
    pg.MMD(TAU, 1.0),
    pg.SPPO(0.5),
    pg.NashMD(TAU),
    pg.NashMD(TAU, 1.0),
    pg.NashEMA(TAU, 1.0, decay=0.5),
    pg.NashEMA(TAU, 1.0, decay=0.5, arithmetic=True),
    pg.EGPO(TAU, 1.0),
    pg.ONPO(TAU, 1.0),
    pg.MNPO(TAU, 1.0),
    pg.IPOMD(TAU, 1.0),
    pg.COMAL(TAU, 1.0, every=2),
    pg.MPO(TAU, 1.0, every=2),
    pg.Average(pg.SPPO(0.5)),
    pg.Best(pg.EGPO(TAU, 1.0), TAU),
    pg.FictitiousPlay(0.5),
    pg.OnlineDPO(0.5, 1.0),
    pg.OnlineIPO(0.5, 1.0),
    pg.SPIN(1.5),
]
ONE_FIT = [
    pg.DPO(0.5),
    pg.IPO(0.5),
    pg.SLiC(1.0),
    pg.GPO(pg.losses.exponential, 0.5),
    pg.GPO(pg.losses.truncated_square, 0.5),
    pg.RLHF(0.5),
]


def make(samples=None, lm=None, **options):
    judge = TableJudge(cyclic_game().P, PROMPTS, RESPONSES)
    options.setdefault("fit", Fit(epochs=40, lr=1e-2))
    return TextArena(lm or tiny_lm(), PROMPTS, judge, samples, responses=RESPONSES, **options)


@pytest.fixture(scope="module")
def text():
    return make(expert=EXPERT)


@pytest.fixture(scope="module")
def table(text):
    return pg.TableArena(text.game, expert=EXPERT)


@pytest.fixture(scope="module")
def pi(text):
    """A policy that is not the reference."""
    return text.mirror_step(BASE, BASE, 3.0)


def apart(p, q):
    """Total variation in the worst prompt."""
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


def handle(table, text, policy):
    """The same policy on the table."""
    return table.policy(text.probs(policy))


@pytest.mark.parametrize(
    ("solver", "rounds"), [*((s, 3) for s in EXACT), *((s, 1) for s in ONE_FIT)], ids=str
)
def test_solvers_follow_the_table(text, table, solver, rounds):
    pairs = zip(pg.iterate(solver, text, rounds), pg.iterate(solver, table, rounds), strict=True)
    for here, there in pairs:
        assert apart(text.probs(here.policy), table.probs(there.policy)[0]) < 1e-2


def test_fictitious_play_finds_best_responses(text):
    """With exact ties among best responses its path is the toss of a coin; its exploitability is not."""
    gaps = [text.exploitability(state.policy) for state in pg.iterate(pg.FictitiousPlay(), text, 12)]
    assert gaps[0] > 0.25
    assert gaps[-1] < 0.12


# -- sampled play ---------------------------------------------------------------------------------------


def test_sampled_steps_tend_to_exact_ones(text, pi):
    many = make(samples=500, lm=text.lm)
    exact = text.probs(text.mirror_step(BASE, pi, 1.0))
    assert apart(many.probs(many.mirror_step(BASE, pi, 1.0)), exact) < 0.03
    blend = text.geometric_mixture((0.5, BASE), (0.5, pi))
    league = text.mixture((0.3, pi), (0.7, BASE))
    for opponent in (blend, league):
        exact = text.probs(text.mirror_step(pi, opponent, 1.0))
        assert apart(many.probs(many.mirror_step(pi, opponent, 1.0)), exact) < 0.03
        assert abs(many.win_rate(pi, opponent) - text.win_rate(pi, opponent)) < 0.05


@pytest.mark.parametrize("rule", ["logistic", "reinforce", "rloo", "grpo", "ppo"])
def test_fit_rules_have_the_minimiser_of_regression(text, pi, rule):
    step, exact = 3.0, text.probs(text.mirror_step(BASE, pi, 3.0))
    epochs = 150 if rule in ("grpo", "ppo") else 60
    other = make(lm=text.lm, fit=Fit(rule=rule, epochs=epochs, lr=1e-2))
    assert apart(text.probs(BASE), exact) > 0.12
    clipped = 0.06 if rule in ("grpo", "ppo") else 5e-3  # they stop at the edge of the trusted region
    assert apart(other.probs(other.mirror_step(BASE, pi, step)), exact) < clipped


def test_pairs_of_another_policy_need_third_sample_labels(text, pi):
    """Pairs that pi did not draw: labels against fresh draws of pi are right, those of the pair are not."""
    many = make(samples=8, lm=text.lm)
    exact = text.probs(text.mirror_step(BASE, pi, 2.0))
    buffer = many.collect(many.empty_buffer(), many.uniform, many.uniform, 3000)
    third = many.label(buffer, pi, 4000, comparators=2)
    assert apart(many.probs(many.regress(BASE, third, 2.0)), exact) < 0.03
    own = many.self_duels(pi, 4000)
    assert apart(many.probs(many.regress(BASE, own, 2.0)), exact) < 0.03
    wrong = many.self_duels(many.uniform, 4000)
    assert apart(many.probs(many.regress(BASE, wrong, 2.0)), exact) > 0.06


# -- verbs of learning, against the table on the same evidence ------------------------------------------


def duels_of(text, wins):
    pairs = np.array([(i, i + d) for i in range(len(text.space.all)) for d in range(1, 5 - i % 5)])
    x, (y, z) = pairs[:, 0] // 5, (pairs % 5).T
    return Duels(text.space.all, pairs, np.stack([wins[x, y, z], wins[x, z, y]], axis=1))


@pytest.fixture(scope="module")
def wins():
    return off_diagonal(np.random.default_rng(3).integers(1, 9, (3, 5, 5)).astype(float))


def test_evidence_is_that_of_the_table(text, table, pi):
    one, other = handle(table, text, pi), table.reference
    np.testing.assert_allclose(
        off_diagonal(text.duel(pi, BASE).table((3, 5))), off_diagonal(table.duel(one, other).wins[0])
    )
    np.testing.assert_allclose(
        off_diagonal(text.demonstrate(text.expert, BASE).table((3, 5))),
        off_diagonal(table.demonstrate(table.expert, other).wins[0]),
    )
    both = text.duel(pi, BASE) + text.duel(BASE, BASE)
    added = table.duel(one, other).wins + table.duel(other, other).wins
    np.testing.assert_allclose(off_diagonal(both.table((3, 5))), off_diagonal(added[0]))


def off_diagonal(wins):
    return wins * (1 - np.eye(wins.shape[-1]))


def test_optimistic_fits_are_those_of_the_table(text, wins):
    learner = pg.DuelArena(text.game)
    given = np.random.default_rng(4).integers(0, 4, (3, 5)).astype(float)
    samples = text.no_samples() + Samples(text.space.all, given[text.space.support])
    got = text.fit_pairs(BASE, duels_of(text, wins), pg.losses.logistic, 0.7, samples, 0.1, bound=50.0)
    want = learner.fit_pairs(
        learner.reference,
        Tally(wins[None]),
        pg.losses.logistic,
        0.7,
        TableSamples(given[None]),
        0.1,
        bound=50.0,
    )
    assert apart(text.probs(got), learner.probs(want)[0]) < 1e-2


@pytest.mark.parametrize("sft", [0.0, 0.3])
def test_regression_on_labels_is_that_of_the_table(text, pi, sft):
    learner = pg.DuelArena(text.game)
    draw = np.random.default_rng(6)
    met = draw.integers(0, 4, (1, 3, 12, 2)).astype(np.int32)  # the last response is never met
    labels = draw.uniform(-1, 1, (1, 3, 12))
    rows = (met[0] + 5 * np.arange(3)[:, None, None]).reshape(-1, 2).astype(np.int64)
    ours = Labels(text.space.all, rows, labels.ravel(), text.probs(pi).ravel())
    theirs = TableLabels(met, labels, text.probs(pi)[None])
    patient = make(lm=text.lm, fit=Fit(epochs=200, lr=1e-2))
    got = patient.regress(pi, ours, 1.2, sft, ridge=0.02)
    want = learner.regress(learner.policy(text.probs(pi)), theirs, 1.2, sft, ridge=0.02)
    assert apart(text.probs(got), learner.probs(want)[0]) < 1e-2


def test_the_least_known_response_is_that_of_the_table(text, pi):
    learner = pg.DuelArena(text.game)
    counts = np.random.default_rng(8).integers(0, 4, (3, 5, 5)).astype(float)
    gram = np.eye(5) + np.zeros((3, 5, 5))
    pairs = []
    for x, y, z in np.ndindex(3, 5, 5):
        gap = np.eye(5)[y] - np.eye(5)[z]
        gram[x] += counts[x, y, z] * np.outer(gap, gap)
        pairs += [(5 * x + y, 5 * x + z)] * int(counts[x, y, z])
    empty = learner.empty_buffer()
    theirs = type(empty)(counts[None], np.linalg.inv(gram)[None])
    ours = text.empty_buffer().add(text.space.all, np.array(pairs))
    want = learner.least_known(theirs, learner.policy(text.probs(pi)))
    got = text.least_known(ours, pi)
    assert isinstance(got, Answers)
    np.testing.assert_allclose(text.probs(got), learner.probs(want)[0], atol=1e-12)


def test_beliefs_are_those_of_the_table(text, pi, wins):
    learner = pg.DuelArena(text.game)
    there = learner.policy(text.probs(pi))
    for optimism in (0.0, 0.3):
        ours = text.believe(duels_of(text, wins), optimism)
        theirs = learner.believe(Tally(wins[None]), optimism)
        got = text.probs(ours.mirror_step(BASE, pi, 2.0))
        assert apart(got, learner.probs(theirs.mirror_step(learner.reference, there, 2.0))[0]) < 1e-2
        np.testing.assert_allclose(
            text.probs(ours.least_known(pi)), learner.probs(theirs.least_known(there))[0], atol=1e-12
        )
    ours, theirs = text.believe(duels_of(text, wins)), learner.believe(Tally(wins[None]))
    assert apart(text.probs(ours.nash(0.3, pi)), learner.probs(theirs.nash(0.3, there))[0]) < 1e-2
    biased = ours.favouring(pi, 0.3, 2.0).nash(0.3, pi)
    assert (
        apart(text.probs(biased), learner.probs(theirs.favouring(there, 0.3, 2.0).nash(0.3, there))[0]) < 1e-2
    )


@pytest.mark.parametrize(
    "learner",
    [
        pg.ENPO(TAU, pg.Schedule("linear"), labels=64),
        pg.DENPO(TAU, pg.Schedule("linear"), labels=64, pairs=16),
        pg.Passive(TAU, pg.Schedule("linear"), labels=64, pairs=16),
        pg.Passive(TAU, pg.Schedule("linear"), labels=64, loss="pair", sft=1e-3),
        pg.Greedy(TAU),
        pg.Optimistic(TAU),
        pg.Enhancer(TAU),
        pg.OMG(TAU),
        pg.VMG(TAU),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_learners_come_closer_to_the_nash(text, learner):
    arena = make(samples=32, lm=text.lm, fit=Fit(epochs=25, lr=1e-2))
    state = pg.solve(learner, arena, 12)
    assert text.exploitability(state.policy, TAU) < 0.4 * text.exploitability(BASE, TAU)


def test_evidence_of_streamed_prompts_is_fitted_as_the_table_fits_it(text):
    """A prompt a round: after three of them XPO knows what the table learns from all three at once."""
    arena = make(samples=60, lm=text.lm, per_round=1, fit=Fit(epochs=120, lr=1e-2))
    learner, state = pg.DuelArena(text.game), pg.solve(pg.XPO(2.0, 0.02), arena, 3)
    pairs, samples = state.memory
    wins, given = pairs.table((3, 5)), np.zeros((3, 5))
    np.add.at(given, (samples.draws.prompt, samples.draws.column), samples.weight)
    assert wins.sum(axis=(1, 2)) == pytest.approx(60) and given.sum(axis=1) == pytest.approx(60)

    def table(wins, given):
        evidence = (Tally(off_diagonal(wins)[None]), pg.losses.logistic, 2.0, TableSamples(given[None]), 0.02)
        return learner.probs(learner.fit_pairs(learner.reference, *evidence))[0]

    assert apart(text.probs(state.policy), table(wins, given)) < 1e-2
    forgetful = [np.stack([counts.sum(axis=0), *np.zeros_like(counts[1:])]) for counts in (wins, given)]
    assert apart(text.probs(state.policy), table(*forgetful)) > 0.1  # all of it put down to prompt 0


def test_a_prompt_whose_duels_are_all_of_one_response_has_its_samples_weighed(text):
    """XPO's bonus is per duel: two equal responses are a duel too."""
    every = text.space.all
    pairs = Duels(every, np.array([[0, 1], [5, 5]]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    samples = Samples(every, np.ones(len(every)))
    arena = make(lm=text.lm)
    policy = arena.fit_pairs(BASE, pairs, pg.losses.logistic, 0.7, samples, 0.01)
    assert abs(arena.journal[-1]["first_loss"]) < 2
    assert apart(text.probs(policy)[:2], text.probs(BASE)[:2]) > 0.02


# -- free responses -------------------------------------------------------------------------------------


class MoreOfA:
    """The response with more a's is likelier to win."""

    as_is = True

    def prefer(self, prompts, firsts, seconds):
        lead = [x.split().count("a") - y.split().count("a") for x, y in zip(firsts, seconds, strict=True)]
        return 1 / (1 + np.exp(-np.array(lead, dtype=np.float64)))


FREE = [
    pg.EGPO(TAU, 1.0),
    pg.NashMD(TAU, 1.0),
    pg.NashEMA(TAU, 1.0, decay=0.5, arithmetic=True),
    pg.COMAL(TAU, 1.0, every=2),
    pg.FictitiousPlay(TAU),
    pg.DPO(0.5),
    pg.OnlineIPO(0.5, 1.0),
    pg.RLHF(0.5),
    pg.SPIN(1.0),
    pg.ENPO(TAU, labels=16, pairs=8),
    pg.DENPO(TAU, labels=16, pairs=8),
    pg.Passive(TAU, labels=16, loss="pair", sft=0.01),
    pg.XPO(0.5, 0.01),
    pg.VPO(0.5, 0.01),
    pg.SELM(0.5, 0.01),
    pg.Optimistic(TAU),
    pg.Enhancer(TAU),
]


@pytest.mark.parametrize("solver", FREE, ids=lambda solver: type(solver).__name__)
def test_solvers_improve_what_the_model_says(solver):
    arena = TextArena(
        tiny_lm("abc", spread=0.15),
        ["a", "b c", "c"],
        MoreOfA(),
        samples=12,
        max_new_tokens=5,
        fit=Fit(epochs=10, lr=1e-2),
        expert=[["a a"], ["a"], ["a a a"]],
    )
    state = pg.solve(solver, arena, 2)
    fresh = [arena.at(1000 + t) for t in range(8)]
    assert np.mean([view.win_rate(state.policy, BASE) for view in fresh]) > 0.53


def test_the_nash_of_a_learned_belief_is_that_of_the_responses_drawn():
    """One token at most: the Nash of all that the belief says, against what is fitted to a pool of draws."""
    lm, prompts, tau = tiny_lm("abc", spread=0.15), ["a", "b c"], 0.2
    cycle = np.array([[0.5, 0.1, 0.9, 0.7], [0.9, 0.5, 0.1, 0.7], [0.1, 0.9, 0.5, 0.7], [0.3, 0.3, 0.3, 0.5]])

    class Letters(TableJudge):
        def prefer(self, prompts, firsts, seconds):
            letter = [[text if text in "abc" else "" for text in side] for side in (firsts, seconds)]
            return super().prefer(prompts, *letter)

    judge = Letters(cycle[None].repeat(2, 0), prompts, ["a", "b", "c", ""])
    arena = TextArena(lm, prompts, judge, 64, max_new_tokens=1, fit=Fit(epochs=30, lr=1e-2))
    belief = arena.at(1).believe(arena.duel(BASE, BASE))
    texts = [lm.decode([token]) for token in range(len(lm.tokenizer))]
    both = [(y, z) for y in texts for z in texts]
    rates = [belief.belief.prefer([x] * len(both), *map(list, zip(*both, strict=True))) for x in prompts]

    def first(leaf):
        return np.array([full_logits(lm, leaf, ids, [])[0].softmax(-1).numpy() for ids in arena.space.ids])

    table = np.reshape(rates, (2, len(texts), len(texts)))
    nash = pg.nash(pg.PreferenceGame(table, first(BASE), symmetrise=True), tau).policy
    assert apart(first(belief.nash(tau, BASE)), nash) < 0.04
    assert apart(first(BASE), nash) > 0.15


def test_learners_that_need_a_list_of_responses_say_so():
    free = TextArena(tiny_lm("abc"), ["a"], MoreOfA(), 4, max_new_tokens=3)
    for learner in (pg.UniformAdversary(TAU), pg.ExploreThenCommit(TAU)):
        with pytest.raises(TypeError, match=r"needs the verb.s. uniform, which TextArena lacks; use a"):
            learner.init(free)
    with pytest.raises(AttributeError, match=r"uniform needs a list of responses here.*pass responses"):
        _ = free.uniform
    with pytest.raises(ValueError, match=r"exploitability is exact.*evaluate\.exploitability"):
        free.exploitability(BASE)
    with pytest.raises(ValueError, match=r"VMG biases a table.*pass responses=.*or use Optimistic"):
        pg.solve(pg.VMG(TAU), free, 1)


def test_an_adversary_answers_the_prompts_it_will_be_met_on():
    arena = TextArena(
        tiny_lm("abc", spread=0.15), ["a", "b c", "c", "b"], MoreOfA(), 4, max_new_tokens=3, per_round=2
    )
    buffer = arena.collect(arena.empty_buffer(), BASE, BASE, 3)
    adversary = arena.least_known(buffer, BASE)
    assert [len(texts) for texts in adversary.texts] == [0, 0, 1, 1]
    assert set(arena.at(1).draw(adversary, "first").prompt) == {2, 3}
    with pytest.raises(ValueError, match="none to prompt 0: it was made for the prompts of another round"):
        arena.draw(adversary, "first")
    with pytest.raises(ValueError, match="no pair for prompt 2"):
        arena.at(1).label(buffer, BASE, 1)
    assert [set(arena.at(t).draw(BASE, "first").prompt) for t in range(3)] == [{0, 1}, {2, 3}, {0, 1}]


@pytest.mark.parametrize("rule", ["logistic", "reinforce", "rloo", "grpo", "ppo"])
def test_fit_rules_improve_what_the_model_says(rule):
    how = Fit(rule=rule, epochs=6, lr=1e-2)
    arena = TextArena(tiny_lm("abc", spread=0.15), ["a", "b c"], MoreOfA(), 24, max_new_tokens=5, fit=how)
    state = pg.solve(pg.INPO(TAU, 2.0), arena, 3)
    assert np.mean([arena.at(1000 + t).win_rate(state.policy, BASE) for t in range(8)]) > 0.53


def test_free_play_agrees_with_the_enumerated_game():
    """Responses of one token at most: what free play has learned, against the exact step."""
    lm, texts = tiny_lm("abc", spread=0.15), ["", "a", "b", "c"]
    table = np.array([[0.5, 0.2, 0.6, 0.4], [0.8, 0.5, 0.9, 0.2], [0.4, 0.1, 0.5, 0.9], [0.6, 0.8, 0.1, 0.5]])

    class Short(TableJudge):
        def prefer(self, prompts, firsts, seconds):
            return super().prefer(
                prompts, *([t if t in texts else "" for t in side] for side in (firsts, seconds))
            )

    judge = Short(table[None].repeat(2, 0), ["a", "b c"], texts)
    free = TextArena(lm, ["a", "b c"], judge, samples=600, max_new_tokens=1, fit=Fit(epochs=40, lr=1e-2))
    step = free.mirror_step(BASE, BASE, 2.0)
    draws = free.draw(BASE, "first", 4000)
    # a response of one token without EOS has been cut: the game is over the first token
    assert draws.truncated.mean() > 0.5
    first = np.zeros((2, len(lm.tokenizer)))
    moved = np.zeros_like(first)
    with_step = free.draw(step, "first", 4000)
    for counts, some in ((first, draws), (moved, with_step)):
        np.add.at(counts, (some.prompt, [row[0] for row in some.tokens]), 1 / 4000)
    worth = np.zeros(len(lm.tokenizer))
    for x in range(2):
        p = first[x]
        place = [texts.index(t) if (t := lm.decode([token])) in texts else 0 for token in range(len(p))]
        worth = table[np.ix_(place, place)] @ p
        exact = p * np.exp(2.0 * worth)
        assert apart(moved[x], exact / exact.sum()) < 0.05


def test_samples_are_lists_of_texts_per_prompt(text):
    arena = TextArena(tiny_lm("abc"), ["a", "b c"], MoreOfA(), samples=4, max_new_tokens=3)
    some = arena.sample(BASE, ["c", "a a", "b"], n=2)
    assert [len(texts) for texts in some] == [2, 2, 2]
    assert len(arena.sample(BASE)) == 2
    listed = make(samples=4, lm=text.lm).sample(BASE, PROMPTS[:2], n=5)
    assert all(t in RESPONSES for texts in listed for t in texts)
    with pytest.raises(ValueError, match="no prompt of this enumerable game"):
        text.sample(BASE, ["z"])


@pytest.mark.parametrize("per_token", [False, True])
def test_pair_losses_sum_log_ratios_or_average_them(per_token):
    """IPO of one pair is met exactly: tau (log-ratio of one - of the other) = P - 1/2, either way."""
    texts, tau = ["a", "b c d"], 0.5
    judge = TableJudge(np.array([[[0.5, 0.8], [0.2, 0.5]]]), ["f"], texts)
    how = Fit(epochs=80, lr=1e-2, per_token=per_token)
    arena = TextArena(tiny_lm(), ["f"], judge, None, responses=texts, fit=how)
    state = pg.solve(pg.IPO(tau), arena, 1)
    ratio = arena.space.table(state.policy)[0] - arena.space.table(BASE)[0]
    size = np.array([2, 4]) if per_token else 1  # tokens, EOS included
    first, second = ratio / size
    assert tau * (first - second) == pytest.approx(0.3, abs=1e-3)


def test_mixtures_are_distilled_into_one_adapter(text, pi):
    league = text.mixture((0.5, pi), (0.5, BASE))
    assert isinstance(league, League)
    one = text.distil(league)
    assert isinstance(one, Adapter)
    assert apart(text.probs(one), text.probs(league)) < 1e-2


def test_what_cannot_be_played_is_refused(text):
    lm = text.lm
    for options, match in (
        ({"samples": None}, r"samples=None needs responses"),
        ({"samples": 1}, "at least 2"),
        ({"prompts": []}, "at least one text"),
        ({"temperature": 0.0}, "temperature"),
        ({"responses": [["a"], ["b"]]}, "one per prompt"),
        ({"responses": ["a", "a"]}, "different texts"),
        ({"max_new_tokens": 100}, "context"),
        ({"per_round": 4}, "per_round must be from 1 to the number of prompts, 3"),
        ({"expert": [["a"]]}, "expert must give"),
        ({"expert": [[0.5, 0.5]], "responses": ["a", "b"]}, "of shape"),
    ):
        given = {"prompts": PROMPTS, "samples": 4, "max_new_tokens": 4, **options}
        with pytest.raises(ValueError, match=match):
            TextArena(lm, given.pop("prompts"), MoreOfA(), **given)
    with pytest.raises(TypeError, match="prefer"):
        TextArena(lm, PROMPTS, object(), 4)
    free = TextArena(lm, PROMPTS, MoreOfA(), 4, max_new_tokens=4)
    with pytest.raises(AttributeError, match="list of responses"):
        free.probs(BASE)
    with pytest.raises(ValueError, match="a mirror step of 0"):
        free.mirror_step(BASE, BASE, 0.0)
    with pytest.raises(ValueError, match="before label"):
        text.label(text.empty_buffer(), BASE, 2)


def test_where_nothing_is_said_the_prior_stays(text):
    """As on a table: a policy so sure that all its duels are ties has nothing to learn from them."""
    assert text.fit_pairs(BASE, text.no_duels(), pg.losses.logistic, 1.0) is BASE
    sure = Answers((("a",),) * 3, (np.ones(1),) * 3)
    for arena in (text, make(samples=4, lm=text.lm)):
        assert arena.fit_pairs(BASE, arena.duel(sure, sure), pg.losses.squared, 1.0) is BASE
