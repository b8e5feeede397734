"""Pasts of prefixes: the logits of plain passes, per leaf, and the longest unused goes first."""

import pytest
import torch

from llm_backend.policies.handles import BASE
from llm_backend.search.caches import Caches, Rows
from llm_backend.tiny import tiny_language_model


@pytest.fixture(scope="module")
def lm():
    return tiny_language_model(lora=4)


@pytest.fixture(scope="module")
def other(lm):
    """An adapter whose weights are not the base's."""
    with lm.train(BASE) as trainee, torch.no_grad():
        for parameter in trainee.parameters.values():
            parameter.add_(0.3 * torch.randn_like(parameter))
        return lm.freeze(trainee)


def plain(lm, leaf, row):
    with torch.no_grad(), lm.active(leaf):
        return lm.causal(input_ids=torch.tensor([row]), use_cache=False).logits[0, -1]


ROWS = [(5, 6, 7, 8), (5, 6), (5, 6, 9), (20, 21, 22, 23, 24, 25), (5, 6, 7, 8, 9, 10), (20,)]


def test_logits_are_those_of_plain_passes_whatever_is_kept(lm):
    caches = Caches(lm)
    for rows in (ROWS[:2], ROWS[2:], ROWS):
        for row, past in zip(rows, caches.read(BASE, rows), strict=True):
            torch.testing.assert_close(past.logits, plain(lm, BASE, row), atol=2e-5, rtol=1e-4)
            assert past.length == len(row)
    assert caches.misses == 6 and caches.hits == 6


def test_rows_grow_from_pasts_of_different_lengths(lm):
    caches = Caches(lm)
    rows = Rows(lm, BASE, caches.read(BASE, ROWS[:3]))
    rows.step(torch.tensor([11, 12, 13]))
    rows.keep(torch.tensor([0, 2]))
    rows.step(torch.tensor([14, 15]))
    want = [plain(lm, BASE, row) for row in ((5, 6, 7, 8, 11, 14), (5, 6, 9, 13, 15))]
    torch.testing.assert_close(rows.logits, torch.stack(want), atol=2e-5, rtol=1e-4)


def test_no_adapter_reads_what_another_computed(lm, other):
    caches = Caches(lm)
    first, second = caches.read(BASE, ROWS)[0], caches.read(other, ROWS)[0]
    assert caches.hits == 0 and caches.misses == 12 and len(caches) == 12
    torch.testing.assert_close(second.logits, plain(lm, other, ROWS[0]), atol=2e-5, rtol=1e-4)
    assert (first.logits - second.logits).abs().max() > 1e-2
    assert (first.layers[0][0] - second.layers[0][0]).abs().max() > 1e-3


def test_the_longest_unused_goes_first_and_the_room_is_kept(lm):
    size = Caches(lm).read(BASE, [ROWS[0]])[0].bytes
    caches = Caches(lm, room=3 * size)
    a, b, c, d = [(t, t, t, t) for t in (5, 6, 7, 8)]
    for row in (a, b, c):
        caches.read(BASE, [row])
    caches.read(BASE, [a])  # b is now the longest unused
    caches.read(BASE, [d])
    assert caches.held <= 3 * size and len(caches) == 3
    hits = caches.hits
    caches.read(BASE, [a, c, d])
    assert caches.hits == hits + 3
    caches.read(BASE, [b])
    assert caches.hits == hits + 3


def test_a_prefix_goes_on_from_its_longest_beginning(lm, monkeypatch):
    """Only the new tokens pass through the model."""
    caches, read = Caches(lm), []
    caches.read(BASE, [ROWS[0]])
    forward = lm.causal.forward

    def counted(input_ids, **how):
        read.append(tuple(input_ids.shape))
        return forward(input_ids=input_ids, **how)

    monkeypatch.setattr(lm.causal, "forward", counted)
    past = caches.read(BASE, [ROWS[4]])[0]
    assert read == [(1, 2)]
    torch.testing.assert_close(past.logits, plain(lm, BASE, ROWS[4]), atol=2e-5, rtol=1e-4)


def test_a_model_whose_cache_cannot_be_cut_is_refused(lm, monkeypatch):
    monkeypatch.setattr("llm_backend.search.caches.stacked", lambda lm, pasts: (None, torch.zeros(1, 0)))
    with pytest.raises(ValueError, match="does not keep keys and values token by token"):
        Caches(lm).read(BASE, [ROWS[0]])
