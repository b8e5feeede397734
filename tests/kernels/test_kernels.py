"""The kernels against slow NumPy, and to the last bit against themselves at other numbers of runs."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgames.games.preference import PreferenceGame
from pgames.kernels import blocks
from pgames.kernels.elementary import exp, log, njit
from pgames.table.arena import TableArena

ONE = np.ones(1)
checked = settings(deadline=None, max_examples=60)


def random_skew(rng, X, Y, extreme=False):
    table = rng.uniform(-1, 1, (X, Y, Y))
    if extreme:
        table = np.sign(table)  # every P is 0 or 1
    upper = np.triu(table, 1) / 2
    skew = upper - np.swapaxes(upper, 1, 2)
    skew.setflags(write=False)
    return skew


def random_logs(rng, S, X, Y, low=-20.0, masked=0.0):
    """Log-probabilities down to about `low`, a share `masked` of them -inf (never all of a row)."""
    logs = rng.uniform(low, 0, (S, X, Y))
    hidden = rng.random((X, Y)) < masked
    hidden[:, 0] = False
    return reference_normalise(np.where(hidden, -np.inf, logs))


def reference_normalise(logs):
    top = logs.max(axis=-1, keepdims=True)
    return logs - top - np.log(np.exp(logs - top).sum(axis=-1, keepdims=True))


def reference_power(weight, logs):
    weight = np.broadcast_to(np.reshape(weight, (-1, 1, 1)), logs.shape)
    finite = np.where(logs == -np.inf, 0.0, logs)
    return np.where(weight == 0, 0.0, np.where(logs == -np.inf, -np.inf, weight * finite))


def reference_win_rates(skew, opponent):
    return 0.5 + np.einsum("xyz,sxz->sxy", skew, np.exp(opponent))


def reference_mirror_step(skew, prior, opponent, step):
    return reference_normalise(prior + np.reshape(step, (-1, 1, 1)) * reference_win_rates(skew, opponent))


shapes = st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 70))


@st.composite
def cases(draw):
    S, X, Y = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    skew = random_skew(rng, X, Y, draw(st.booleans()))
    low, masked = draw(st.sampled_from([-1.0, -20.0, -700.0])), draw(st.sampled_from([0.0, 0.5]))
    step = 10.0 ** draw(st.floats(-300, 4))
    per_run = draw(st.booleans())
    steps = step * rng.uniform(0.5, 1, S if per_run else 1)
    a = random_logs(rng, S, X, Y, low, masked)
    b = np.where(a == -np.inf, -np.inf, random_logs(rng, S, X, Y, low))
    return skew, a, reference_normalise(b), steps


def assert_close(ours, reference, scale=1.0):
    assert np.array_equal(ours == -np.inf, reference == -np.inf)
    finite = reference > -np.inf
    np.testing.assert_allclose(ours[finite], reference[finite], rtol=1e-13, atol=2e-13 * max(1.0, scale))


@checked
@given(cases())
def test_mirror_step_equals_numpy(case):
    skew, prior, opponent, step = case
    ours = blocks.mirror_step(skew, prior, opponent, step)
    assert_close(ours, reference_mirror_step(skew, prior, opponent, step), step.max())
    np.testing.assert_allclose(np.exp(ours).sum(axis=-1), 1, atol=1e-12 * max(1.0, step.max()))


@checked
@given(cases())
def test_win_rates_equal_numpy(case):
    skew, _, opponent, _ = case
    ours = blocks.win_rates(skew, opponent)
    np.testing.assert_allclose(ours, reference_win_rates(skew, opponent), atol=1e-13)


@checked
@given(cases(), st.sampled_from([-1.0, 0.0, 0.3, 1.0]), st.sampled_from([-0.5, 0.0, 0.7]))
def test_blend_equals_numpy(case, v, w):
    _, a, b, _ = case
    ours = blocks.blend(np.array([v]), a, np.array([w]), b, True)
    assert_close(ours, reference_normalise(reference_power(v, a) + reference_power(w, b)), 1000.0)


@checked
@given(cases(), st.floats(0, 1))
def test_mix_equals_numpy(case, v):
    _, a, b, _ = case
    ours = blocks.mix(np.array([v]), a, np.array([1 - v]), b)
    with np.errstate(divide="ignore"):
        reference = np.logaddexp(a + np.log(v), b + np.log1p(-v))
    assert_close(ours, reference, 10.0)


@checked
@given(cases())
def test_tilt_equals_numpy(case):
    _, prior, score, step = case
    score = np.where(score == -np.inf, 0.0, score)
    ours = blocks.tilt(prior, score, step)
    scale = step.max() * np.abs(score).max()
    assert_close(ours, reference_normalise(prior + step.reshape(-1, 1, 1) * score), scale)


def bits(values):
    return np.ascontiguousarray(values).view(np.uint64)


def assert_same_bits(ours, theirs):
    np.testing.assert_array_equal(bits(ours), bits(theirs))


@pytest.mark.parametrize("Y", [*range(1, 19), 31, 32, 33, 63, 64, 65, 100, 127, 130, 300, 1000])
def test_no_result_depends_on_how_many_runs_are_computed_together(Y):
    rng = np.random.default_rng(Y)
    S = 40
    skew = random_skew(rng, 1, Y)
    prior, opponent = random_logs(rng, S, 1, Y, -9, 0.2), random_logs(rng, S, 1, Y, -9, 0.2)
    step, v, w = rng.uniform(0, 2, S), rng.uniform(-1, 1, S), rng.uniform(0, 1, S)
    asked = {
        "mirror_step": lambda r: blocks.mirror_step(skew, prior[r], opponent[r], step[r]),
        "win_rates": lambda r: blocks.win_rates(skew, opponent[r]),
        "blend": lambda r: blocks.blend(v[r], prior[r], w[r], opponent[r], True),
        "mix": lambda r: blocks.mix(w[r], prior[r], w[r], opponent[r]),
        "tilt": lambda r: blocks.tilt(prior[r], opponent[r], step[r]),
        "normalise": lambda r: blocks.normalise(prior[r]),
    }
    counts = range(1, S) if Y < 70 else (1, 7, 8, 20, 33)
    for verb in asked.values():
        together = verb(slice(0, S))
        for runs in counts:
            assert_same_bits(verb(slice(0, runs)), together[:runs])
        for run in (0, 5, 39):
            assert_same_bits(verb(slice(run, run + 1)), together[run : run + 1])


def test_a_number_and_the_same_number_per_run_give_the_same_bits():
    rng = np.random.default_rng(0)
    skew, prior = random_skew(rng, 2, 11), random_logs(rng, 37, 2, 11)
    whole = blocks.mirror_step(skew, prior, prior, np.full(37, 0.3))
    assert_same_bits(blocks.mirror_step(skew, prior, prior, np.array([0.3])), whole)


def test_a_blas_product_would_fail_the_bit_test():
    """Negative control: summing in another order is seen, so the test above has teeth."""
    rng = np.random.default_rng(1)
    skew, opponent = random_skew(rng, 1, 130), random_logs(rng, 4, 1, 130)
    ours = blocks.win_rates(skew, opponent)
    reversed_skew = np.ascontiguousarray(skew[:, ::-1, ::-1])
    reversed_skew.setflags(write=False)
    backwards = blocks.win_rates(reversed_skew, opponent[..., ::-1].copy())
    assert not np.array_equal(bits(ours), bits(backwards[..., ::-1]))
    np.testing.assert_allclose(ours, backwards[..., ::-1], atol=1e-14)


@njit
def _map(values, which):
    out = np.empty_like(values)
    for i in range(values.size):
        out[i] = exp(values[i]) if which == 0 else log(values[i])
    return out


@pytest.mark.parametrize("low", [-0.4, -5.0, -700.0])
def test_exp_is_within_an_ulp(low):
    x = np.random.default_rng(0).uniform(low, 0, 20_000)
    exact = np.exp(x.astype(np.longdouble))
    ours = _map(x, 0)
    assert np.max(np.abs(ours - exact) / np.spacing(ours)) < 1


def test_exp_at_the_edges():
    x = np.array([0.0, -0.0, -np.inf, -800.0, -1e308, np.nan, -708.0, 1.0])
    ours = _map(x, 0)
    np.testing.assert_allclose(ours, np.where(x < -708, 0, np.exp(x)), rtol=3e-16)


def test_log_is_within_an_ulp():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(0.4, 3, 20_000), 10.0 ** rng.uniform(-300, 300, 20_000)])
    exact = np.log(x.astype(np.longdouble))
    ours = _map(x, 1)
    assert np.max(np.abs(ours - exact) / np.spacing(np.abs(ours))) < 1
    assert _map(np.ones(1), 1)[0] == 0


def test_a_cached_kernel_goes_stale_with_any_file_it_may_call():
    """numba itself looks at the file of the function alone."""
    stamp = blocks.blend._cache._cache_file._source_stamp
    assert {"elementary.py", "blocks.py", "compiled.py", "streams.py"} <= {name for name, _, _ in stamp}


def test_a_cache_that_names_a_type_which_is_gone_is_out_of_date(tmp_path, monkeypatch):
    gone = types.ModuleType("module_that_is_gone")
    gone.Gone = type("Gone", (), {"__module__": gone.__name__})  # pyright: ignore[reportAttributeAccessIssue]
    index = blocks.blend._cache._cache_file
    monkeypatch.setattr(index, "_index_path", str(tmp_path / "blend.nbi"))
    with monkeypatch.context() as there:
        there.setitem(sys.modules, gone.__name__, gone)
        index._save_index({gone.Gone: "blend.1.nbc"})
        assert list(index._load_index()) == [gone.Gone]
    assert index._load_index() == {}
    monkeypatch.setitem(sys.modules, gone.__name__, types.ModuleType(gone.__name__))
    assert index._load_index() == {}


def test_a_response_far_below_the_others_is_not_lost():
    """-2000 nats is a probability of 0 in floating point, but not outside the game."""
    logs = blocks.normalise(np.array([[[0.0, -2000.0, -np.inf]]]))
    assert logs[0, 0, 1] == -2000
    raised = blocks.blend(np.array([0.5]), logs, np.zeros(1), logs, True)
    np.testing.assert_allclose(raised[0, 0], [0, -1000, -np.inf])
    mixed = blocks.mix(np.array([0.5]), logs, np.array([0.5]), logs)
    np.testing.assert_allclose(mixed[0, 0], [0, -2000, -np.inf])


@pytest.mark.parametrize("runs", [1, 40])
@pytest.mark.parametrize("step", [1e2, 1e6, 1e10, 1e15, 1e300])
def test_probabilities_sum_to_one_however_long_the_step(step, runs):
    arena = TableArena(PreferenceGame(np.full((3, 3), 0.5)), runs)
    tied = arena.tilt(arena.reference, np.array([1.0, 1.0, 0.5]), step)
    stepped = arena.mirror_step(arena.reference, arena.reference, step)
    for policy in (tied, stepped):
        np.testing.assert_allclose(arena.probs(policy).sum(axis=-1), 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("samples", [None, 3])
def test_twenty_runs_of_forty_are_twenty_runs(samples):
    rng = np.random.default_rng(2)
    game = PreferenceGame(random_skew(rng, 3, 10) + 0.5)
    results = []
    for runs in (1, 20, 40):
        arena = TableArena(game, runs=runs, seed=7, samples=samples)
        pi = arena.reference
        for t in range(5):
            view = arena.at(t)
            prior = view.geometric_mixture((0.5, pi), (0.2, arena.reference), (0.3, pi))
            pi = view.mirror_step(view.mixture((0.5, prior), (0.5, pi)), pi, 0.7)
        results.append((pi, arena.win_rate(pi, arena.reference)))
    for policy, rate in results[:2]:
        assert_same_bits(policy, results[2][0][: len(policy)])
        assert_same_bits(rate, results[2][1][: len(rate)])


def test_many_terms_fold_into_one_blend():
    rng = np.random.default_rng(3)
    game = PreferenceGame(random_skew(rng, 2, 6) + 0.5)
    arena = TableArena(game, runs=9)
    policies = [blocks.normalise(random_logs(rng, 9, 2, 6)) for _ in range(5)]
    weights = [0.3, -0.2, 0.0, rng.uniform(0, 1, 9), 0.4]
    ours = arena.geometric_mixture(*zip(weights, policies, strict=True))
    exponent = sum(np.reshape(w, (-1, 1, 1)) * p for w, p in zip(weights, policies, strict=True))
    np.testing.assert_allclose(ours, reference_normalise(exponent), atol=1e-12)
    shares = rng.dirichlet(np.ones(5))
    ours = arena.mixture(*zip(shares, policies, strict=True))
    mixed = sum(w * np.exp(p) for w, p in zip(shares, policies, strict=True))
    np.testing.assert_allclose(np.exp(ours), mixed, atol=1e-14)


def test_code_that_cannot_be_kept_is_told_once(capsys, monkeypatch):
    from types import SimpleNamespace

    from pgames.kernels import elementary

    def without_a_folder(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(elementary, "numba", SimpleNamespace(njit=without_a_folder))
    elementary._tell_of_no_cache.cache_clear()
    for _ in range(2):
        assert elementary.njit(lambda x: x + 1)(1) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "set NUMBA_CACHE_DIR to a folder of your own" in said
