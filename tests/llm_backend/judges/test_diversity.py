"""Self-BLEU and the distance of embeddings, against values worked out by hand."""

import numpy as np
import pytest

from llm_backend.judges.diversity import distance, self_bleu


def test_self_bleu_of_texts_that_share_words_in_order():
    texts = ["the cat sat on the mat", "the cat sat on a mat"]
    ours, theirs = (one.split() for one in texts)
    means = []
    for hypothesis, reference in ((ours, theirs), (theirs, ours)):
        logs, smooth = [], 1.0
        for n in range(1, 5):
            grams = lambda words, n=n: [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]  # noqa: E731
            mine, other = grams(hypothesis), grams(reference)
            hits = sum(min(mine.count(gram), other.count(gram)) for gram in set(mine))
            if not hits:
                smooth *= 2
            logs.append(np.log((hits or 1 / smooth) / len(mine)))
        means.append(np.exp(np.mean(logs)))  # equal lengths: no penalty for brevity
    assert self_bleu(texts) == pytest.approx(np.mean(means), abs=1e-6)


def test_self_bleu_is_one_for_repeats_and_low_for_strangers():
    assert self_bleu(["a b c d"] * 3) == pytest.approx(1.0)
    assert self_bleu(["What is it?"] * 2) == pytest.approx(1.0)  # short texts count up to their length
    assert self_bleu(["one two three four", "five six seven eight"]) < 0.05
    assert self_bleu(["A B C D", "a b c d"]) == pytest.approx(1.0)


def test_distance_is_the_mean_over_pairs():
    rows = {"a": [1.0, 0.0], "b": [0.0, 2.0], "c": [-3.0, 0.0]}
    assert distance(list(rows), lambda texts: np.array([rows[x] for x in texts])) == pytest.approx(
        (1 + 2 + 1) / 3
    )
    assert distance(["a", "a"], lambda texts: np.array([rows[x] for x in texts])) == pytest.approx(0.0)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least two texts, got 'abc'"):
        self_bleu("abc")
    with pytest.raises(ValueError, match="order must be at least 1"):
        self_bleu(["a", "b"], 0)
    with pytest.raises(ValueError, match=r"float64\[2, D\], got shape \[1, 2\]"):
        distance(["a", "b"], lambda texts: np.ones((1, 2)))
    with pytest.raises(ValueError, match="zeros for 'a': it has no direction"):
        distance(["a", "b"], lambda texts: np.array([[0.0, 0.0], [1.0, 0.0]]))
