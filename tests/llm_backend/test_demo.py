"""The demo plays one solver in two worlds; tests/paper_figures plays it to the end."""

import numpy as np

from llm_backend import demo


def test_a_round_of_the_demo_is_the_same_in_both_worlds():
    played = demo.play(rounds=1)
    assert played.table.shape == played.llama.shape == (2, 3)
    assert np.abs(played.table - played.llama).sum(axis=1).max() / 2 < 1e-3
    assert set(demo.figures_of(played)) == {"two_worlds", "two_distances"}
