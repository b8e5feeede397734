"""The tags of randomness are distinct, and so are the streams that they give."""

import numpy as np

from pgames.kernels import judging, streams


def test_the_constants_are_distinct():
    assert len({int(word) for word in streams.WORDS}) == len(streams.WORDS)
    assert len({int(tag) for tag in streams.TAGS}) == len(streams.TAGS)
    assert 0 not in streams.TAGS, "0 is the key of the win rates, which have no tag"
    assert {streams.COIN % 2, streams.VERDICT % 2} == {0, 1}


def test_no_two_questions_share_a_stream():
    row = np.log([0.2, 0.3, 0.5])
    keys = []
    for seed in range(2):
        for run in range(4):
            for x in range(3):
                named = np.uint64(judging.run_key(seed, run, x))
                for t in range(5):
                    keys.append(int(streams.stream(seed, run, t, x, row)))
                    keys += [int(streams.tagged(seed, run, t, x, row, tag)) for tag in streams.TAGS]
                    keys.append(int(streams.duel_stream(seed, run, t, x, row, row[::-1].copy())))
                    keys.append(int(judging.coin_key(named, t)))
    assert len(set(keys)) == len(keys)
