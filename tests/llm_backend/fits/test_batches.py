"""The order of prompts in a fit, and the time that it reports."""

import time
from itertools import chain

import numpy as np
import pytest

from llm_backend.fits import fit as fits
from llm_backend.fits.fit import Fit
from llm_backend.fits.objectives import Imitate
from llm_backend.fits.passes import batches
from llm_backend.policies.handles import BASE
from tests.support.llm_listed import make


@pytest.mark.parametrize(("batch", "shuffled"), [(7, True), (8, False), (9, False)])
def test_prompts_are_shuffled_only_where_an_epoch_has_several_steps(batch, shuffled):
    """In one step the order changes no sum but its last bits, which should not depend on the seed."""
    prompts = list(range(8))
    epochs = 5
    found = list(batches(prompts, epochs, batch, (0,)))
    steps = len(found) // epochs
    orders = [list(chain(*found[i * steps : (i + 1) * steps])) for i in range(epochs)]
    assert all(sorted(order) == prompts for order in orders)
    assert any(order != prompts for order in orders) == shuffled


def test_a_fit_reports_its_own_time():
    text = make()
    objective = Imitate(text.space.all, np.ones(len(text.space.all)), True)
    start = time.perf_counter()
    found = fits.fit(text.lm, BASE, objective, text.context.space.sampling.prompts, Fit(epochs=1))
    assert 0 < found.seconds <= time.perf_counter() - start
