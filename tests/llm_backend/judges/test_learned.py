"""A preference learned from duels: antisymmetry, width and cycles."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import pgames as pg  # noqa: E402
from llm_backend import judges  # noqa: E402
from llm_backend.judges.learned import LastLayer, LearnedPreference, learn_preference  # noqa: E402
from tests.support.llm_tiny import tiny_lm  # noqa: E402

WORDS = ["a", "b", "c", "d e", "f g h"]
CYCLE = pg.games.cyclic(5, p=0.9).P[0]


@pytest.fixture(scope="module")
def features():
    return LastLayer(tiny_lm())


def duels(P, number, seed=0, prompt="i"):
    """(prompts, firsts, seconds, wins) of random pairs."""
    random = np.random.default_rng(seed)
    y, z = random.integers(len(P), size=(2, number))
    won = (random.random(number) < P[y, z]).astype(float)
    return [prompt] * number, [WORDS[i] for i in y], [WORDS[i] for i in z], won


def tables(belief, prompt="i"):
    pairs = [(y, z) for y in WORDS for z in WORDS]
    both = belief.rates([prompt] * 25, [y for y, _ in pairs], [z for _, z in pairs])
    return [values.reshape(5, 5) for values in both]


def test_beliefs_that_answer_otherwise_have_other_names():
    def features(prompts, responses):
        return np.array([[len(text), text.count("a")] for text in responses], np.float64)

    weights = np.random.default_rng(0).normal(size=(4, 3))
    one, other, same = (
        LearnedPreference(features, np.array(centre), np.eye(2), weights)
        for centre in ([0.0, 0.0], [5.0, -3.0], [0.0, 0.0])
    )
    asked = (["p"], ["aa"], ["b"])
    assert one.prefer(*asked) != other.prefer(*asked)  # the crossed features depend on the centre
    assert one.name != other.name and one.name == same.name


def test_features_are_the_hidden_states_of_the_base(features):
    lm = features.lm
    got = features(["i", "i j", "i"], ["d e", "a", "d e"])
    ids = torch.tensor([lm.encode("i") + lm.encode_response("d e")])
    with torch.no_grad():
        hidden = lm.causal(input_ids=ids, output_hidden_states=True).hidden_states[-1][0]
    np.testing.assert_allclose(got[0], hidden[-3:].mean(0).double().numpy(), atol=1e-6)
    np.testing.assert_array_equal(got[0], got[2])
    assert np.abs(got[0] - got[1]).max() > 0.1


@pytest.mark.parametrize("number", [0, 1, 30, 400])
def test_antisymmetric_and_one_half_on_the_diagonal(features, number):
    mean, width = tables(learn_preference(features, *duels(CYCLE, number)))
    np.testing.assert_allclose(mean + mean.T, 1, atol=1e-12)
    np.testing.assert_allclose(width, width.T, atol=1e-12)
    assert (np.diag(mean) == 0.5).all() and (np.diag(width) == 0).all()
    if number == 0:
        np.testing.assert_allclose(mean, 0.5, atol=1e-12)


def test_it_learns_a_cycle_where_bradley_terry_cannot(features):
    evidence = duels(CYCLE, 4000)
    mean, _ = tables(learn_preference(features, *evidence))
    np.testing.assert_allclose(mean, CYCLE, atol=0.05)
    game = pg.PreferenceGame(mean, symmetrise=True)
    assert pg.exploitability(pg.PreferenceGame(CYCLE), pg.nash(game, tau=0.1).policy, 0.1) < 2e-3

    scores = np.zeros(5)  # negative control: the best score per response, by gradient ascent
    y, z = ([WORDS.index(word) for word in side] for side in evidence[1:3])
    for _ in range(500):
        error = evidence[3] - 1 / (1 + np.exp(scores[z] - scores[y]))
        scores += 0.002 * (np.bincount(y, error, 5) - np.bincount(z, error, 5))
    bradley_terry = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
    assert np.abs(bradley_terry - CYCLE).max() > 0.3


def test_prompts_have_games_of_their_own(features):
    here, there = duels(CYCLE, 3000), duels(CYCLE.T, 3000, seed=1, prompt="j")
    joined = [[*a, *b] for a, b in zip(here, there, strict=True)]
    belief = learn_preference(features, *joined)  # pyright: ignore
    np.testing.assert_allclose(tables(belief)[0], CYCLE, atol=0.08)
    np.testing.assert_allclose(tables(belief, "j")[0], CYCLE.T, atol=0.08)


def test_the_width_shrinks_with_evidence_and_only_where_there_is_some(features):
    widths = [tables(learn_preference(features, *duels(CYCLE, n)))[1].sum() / 20 for n in (0, 30, 300, 3000)]
    assert widths[0] > 0.2 and widths[3] < 0.03
    assert all(2 * after < 1.5 * before for before, after in pairwise(widths))
    among = duels(CYCLE[:4, :4], 3000)  # the fifth response is never seen
    _, width = tables(learn_preference(features, *among))
    unseen, seen = width[4, :4], width[:4, :4][~np.eye(4, dtype=bool)]
    assert unseen.min() > 3 * seen.max()


def test_the_width_covers_the_truth(features):
    """A loose check of calibration: most errors are within two widths."""
    within = []
    for seed in range(6):
        mean, width = tables(learn_preference(features, *duels(CYCLE, 200, seed)))
        upper = np.triu_indices(5, 1)
        within += list(np.abs(mean - CYCLE)[upper] <= 2 * width[upper])
    assert 0.75 < np.mean(within)


def test_optimism_raises_both_sides_and_never_the_diagonal(features):
    belief = learn_preference(features, *duels(CYCLE, 30))
    optimist = belief.optimistic(1.5)
    assert belief.antisymmetric and not optimist.antisymmetric and belief.name != optimist.name
    mean, width = tables(belief)
    pairs = [(y, z) for y in WORDS for z in WORDS]
    P = optimist.prefer(["i"] * 25, *map(list, zip(*pairs, strict=True))).reshape(5, 5)
    np.testing.assert_allclose(P, np.clip(mean + 1.5 * width, 0, 1), atol=1e-12)
    assert (np.diag(P) == 0.5).all() and ((P + P.T)[~np.eye(5, dtype=bool)] > 1).all()
    assert judges.fair(optimist) is optimist  # averaging both orders would remove the optimism


def test_a_belief_is_a_function_of_evidence_and_seed(features):
    evidence = duels(CYCLE, 50)
    first, second = (learn_preference(features, *evidence, seed=3) for _ in range(2))
    assert first.name == second.name != learn_preference(features, *evidence, seed=4).name
    np.testing.assert_array_equal(tables(first)[0], tables(second)[0])


def test_bad_evidence(features):
    with pytest.raises(judges.JudgeError, match=r"the evidence returned 2\.0 for item 0"):
        learn_preference(features, ["i"], ["a"], ["b"], [2.0])
    with pytest.raises(ValueError, match="must have equal lengths"):
        learn_preference(features, ["i"], ["a"], ["b", "c"], [1.0])
    with pytest.raises(ValueError, match="even number of members"):
        learn_preference(features, ["i"], ["a"], ["b"], [1.0], members=3)
    with pytest.raises(ValueError, match="optimism must be a finite number"):
        learn_preference(features, ["i"], ["a"], ["b"], [1.0], optimism=-1)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_features_are_the_same_whatever_is_forgotten(rows):
    """Memory for a few rows gives the numbers of memory for all, and is never exceeded."""
    lm = tiny_lm()
    full, size = LastLayer(lm), LastLayer(lm)(["i"], ["a"]).nbytes
    small = LastLayer(lm, mebibytes=rows * size / 2**20)
    random = np.random.default_rng(0)
    for _ in range(12):
        asked = random.integers(len(WORDS), size=random.integers(1, 9))
        texts, prompts = [WORDS[i] for i in asked], ["i" if i % 2 else "j" for i in asked]
        np.testing.assert_array_equal(small(prompts, texts), full(prompts, texts))
        assert small.used <= rows * size and full.used <= 2 * len(WORDS) * size
    assert small.used == rows * size, "what there is room for is kept"


def test_a_call_that_exceeds_the_memory_does_not_forget_all_of_it(monkeypatch):
    lm = tiny_lm()
    small = LastLayer(lm, mebibytes=3 * LastLayer(lm)(["i"], ["a"]).nbytes / 2**20)
    small(["i"] * 5, WORDS)
    read, honest = [], small._states
    monkeypatch.setattr(small, "_states", lambda *pair: read.append(pair[1]) or honest(*pair))
    small(["i"] * 5, WORDS)
    assert read == WORDS[3:]


def test_memory_below_zero_is_refused():
    with pytest.raises(ValueError, match="mebibytes must be at least 0, got -1"):
        LastLayer(tiny_lm(), mebibytes=-1)
