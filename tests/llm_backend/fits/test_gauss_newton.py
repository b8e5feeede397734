"""Gauss-Newton fits: gradients of rows, sketches, exact games, noise and certificates."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.fits import newton, row_gradients
from llm_backend.fits.fit import fit
from llm_backend.fits.gauss_newton import Model, quietest, step
from llm_backend.fits.objectives import Regress, at_totals
from llm_backend.fits.row_gradients import RowGradients, add_alone, add_together
from llm_backend.fits.settings import EXACT
from llm_backend.fits.task import Task
from llm_backend.models import prefix
from llm_backend.models.by_row import ByRow
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.prefix import records_rows
from llm_backend.policies.handles import BASE, Answers
from tests.llm_backend.fits.test_objectives import objectives
from tests.support.llm_tiny import CoinJudge, TableJudge, cyclic_game, tiny_lm, tiny_model, tiny_tokenizer

PROMPTS, LETTERS = ["f", "g h", "i"], list("abcde")


def letters(lm, samples=None, how=Fit(), judge=None, **options):  # noqa: B008
    judge = judge or TableJudge(cyclic_game().P, PROMPTS, LETTERS)
    return TextArena(lm, PROMPTS, judge, samples, responses=LETTERS, fit=how, **options)


def apart(p, q):
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


def task_of(lm, how=Fit()):  # noqa: B008
    arena = letters(lm)
    draws = arena.space.all
    target = np.random.default_rng(0).normal(size=len(draws))
    objective = Regress(draws, arena.space.score(BASE, draws), target, np.full(len(draws), 1 / 5))
    return Task(lm, objective, arena.space.sampling.prompts, how, tolerance=EXACT)


def gathered(task, together=True, sketch=None, recorded=False):
    """The gradients of the rows of a task, and their log-probabilities."""
    lm, rows = task.lm, np.arange(len(task.objective.draws))
    with lm.train(BASE) as trainee:
        with torch.no_grad():  # away from B = 0, where the gradients of A vanish
            for i, parameter in enumerate(trainee.parameters.values()):
                noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
                parameter.add_(0.1 * noise)
        found = RowGradients(trainee.parameters, len(rows), sketch)
        forward = lambda at, record=None: task.logprobs(at, record=record).values.sum(1)  # noqa: E731
        if together:
            assert not recorded or records_rows(lm, trainee.parameters.values())
            values = add_together(lm.causal, found, rows, forward, recorded)
        else:
            values = torch.cat([add_alone(found, row, forward) for row in rows])
        return found, None if values is None else values.double().numpy()


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
def test_gradients_of_rows_are_those_of_single_passes(recorded, checkpointing):
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer), layers=2)
    task = task_of(LanguageModel(model, tokenizer, 4, checkpointing=checkpointing))
    one, values = gathered(task, recorded=recorded)
    alone, again = gathered(task, together=False)
    np.testing.assert_allclose(values, again, atol=1e-5)
    np.testing.assert_allclose(one.kept[:-1], alone.kept[:-1], atol=1e-5)
    assert float(alone.kept[:-1].abs().max()) > 0.1


@pytest.mark.parametrize("recorded", [False, True])
def test_a_layer_that_mixes_rows_is_found_out(recorded):
    """Negative control: a trained layer that sees all rows as one needs single passes."""
    task = task_of(tiny_lm(lora=4))
    layer = next(m for n, m in task.lm.causal.named_modules() if n.endswith("mlp.down_proj"))
    layer.register_forward_pre_hook(lambda _, x: x[0].flatten(0, 1)[None])
    layer.register_forward_hook(lambda _, x, y: y.view(-1, int(y.shape[1] / 15), y.shape[2]))
    gradients, values = gathered(task, recorded=recorded)
    assert values is None and not gradients.kept.any()
    assert all(p.grad is None for p in gradients.parameters.values())


def test_recorded_rows_are_computed_once_per_beginning():
    ids = torch.tensor([[5, 6, 7, 0], [5, 6, 8, 9], [4, 6, 7, 9]])
    sizes = [3, 4, 4]
    layout = ByRow.of(ids, sizes, lambda *_: None)
    beginnings = {tuple(r[: t + 1]) for r, n in zip(ids.tolist(), sizes, strict=True) for t in range(n)}
    assert len(layout.first) == len(beginnings) == 9
    assert layout.tokens.tolist() == [0, 1, 2, *range(4, 12)]
    place = layout.place.view(3, 4)
    for (i, t), (j, u) in itertools.product(itertools.product(range(3), range(4)), repeat=2):
        if t < sizes[i] and u < sizes[j]:
            equal = ids[i, : t + 1].tolist() == ids[j, : u + 1].tolist()
            assert bool(place[i, t] == place[j, u]) == equal
    full = ByRow.of(ids[1:], [4, 4], lambda *_: None)
    assert full.tokens is None and len(full.first) == 8


def test_all_weights_and_unfused_layers_are_not_recorded(monkeypatch):
    full, low = tiny_lm(lora=None), tiny_lm(lora=4)
    with full.train(BASE) as trainee:
        assert not records_rows(full, trainee.parameters.values())
    with low.train(BASE) as trainee:
        assert records_rows(low, trainee.parameters.values())
        monkeypatch.setattr(prefix, "quick_ways", lambda _: prefix.Ways(True, False))
        assert not records_rows(low, trainee.parameters.values())


def test_a_fit_goes_on_with_single_passes_where_one_pass_does_not_serve(monkeypatch):
    task, calls = task_of(tiny_lm(lora=4)), []
    args = (task.lm, BASE, task.objective, task.prompts, Fit(epochs=1, rows=5))
    whole = fit(*args)

    def failing(*more):
        calls.append(1)
        return None if len(calls) == 2 else add_together(*more)

    monkeypatch.setattr(newton, "add_together", failing)
    np.testing.assert_allclose(fit(*args).losses, whole.losses, rtol=1e-4)
    assert len(calls) == 2


def test_a_fit_to_its_prior_from_another_start_ends_at_rounding():
    """The target is the prior, to which a share of the target is no goal; more passes would fit rounding."""
    task = task_of(tiny_lm(lora=4))
    prior = task.objective.prior + 0.3 * task.objective.target
    objective = Regress(task.objective.draws, prior, np.zeros(15), task.objective.weight)
    fitted = fit(task.lm, BASE, objective, task.prompts, Fit(epochs=8))
    assert fitted.losses[0] > 1e-2 and fitted.losses[-1] <= 1e-8
    assert len(fitted.losses) < 6 and fitted.losses[-2] > 1e-8


def test_weights_that_are_no_linear_layers_need_single_passes():
    gradients, values = gathered(task_of(tiny_lm(lora=None)))
    assert values is None and not gradients.kept.any()


def test_a_sketch_estimates_inner_products():
    task = task_of(tiny_lm(lora=4))
    whole, _ = gathered(task)
    gram = whole.gram()
    sketch, _ = gathered(task, sketch=whole.size // 4)
    assert not sketch.exact and sketch.width < whole.size / 3
    scale = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    assert np.abs(sketch.gram() - gram).max() < 6 / np.sqrt(sketch.width) * scale.max()


def test_a_sketched_fit_reaches_the_same_target(monkeypatch):
    task = task_of(tiny_lm(lora=4))
    args = (BASE, task.objective, task.prompts, Fit())
    whole = fit(task.lm, *args, tolerance=EXACT)
    monkeypatch.setattr(row_gradients, "KEPT", 4 * 15 * 301)
    monkeypatch.setattr(newton, "KEPT", 4 * 15 * 301)
    sketched = fit(task.lm, *args, tolerance=EXACT)
    assert whole.losses[-1] < 1e-8 * whole.losses[0]
    assert sketched.losses[-1] < 1e-6 * sketched.losses[0]
    assert sketched.tokens > whole.tokens / len(whole.losses) * len(sketched.losses)  # a pass more per step


@pytest.mark.parametrize("lora", [8, None])
def test_a_cyclic_game_ends_at_its_nash_with_nothing_tuned(lora):
    """Four responses, two prompts, 25 rounds: .203 with AdamW at its defaults, .001 here."""
    game = cyclic_game(2, 4)
    judge = TableJudge(game.P, PROMPTS[:2], LETTERS[:4])

    def played(how):
        arena = TextArena(tiny_lm(lora=lora), PROMPTS[:2], judge, None, responses=LETTERS[:4], fit=how)
        state = pg.solve(pg.EGPO(0.2, 1.0), arena, 25)
        return apart(arena.probs(state.policy), pg.nash(arena.game, 0.2).policy), arena.journal

    distance, journal = played(Fit())
    assert distance < 2e-3
    assert all(note["share"] > 0.999 and note["warning"] is None for note in journal)
    slow, journal = played(Fit(lr=1e-5))
    assert slow > 0.05
    assert journal[0]["warning"].startswith("training reached")


def test_bits_are_those_of_the_seed_and_rounding_that_of_the_rows():
    lm = tiny_lm(lora=4)
    task = task_of(lm)
    args = (BASE, task.objective, task.prompts)
    one, two = fit(lm, *args, Fit(epochs=1)), fit(tiny_lm(lora=4), *args, Fit(epochs=1))
    assert one.policy.id == two.policy.id and one.losses == two.losses
    parts = fit(lm, *args, Fit(epochs=1, rows=5))
    np.testing.assert_allclose(parts.losses, one.losses, rtol=1e-2, atol=1e-6)


def test_batches_of_prompts_reach_the_target_of_all():
    task = task_of(tiny_lm(lora=8))
    done = fit(task.lm, BASE, task.objective, task.prompts, Fit(batch=1, epochs=8), tolerance=EXACT)
    assert done.losses[-1] < 1e-3 * done.losses[0]
    with task.lm.active(done.policy):
        total = task.totals(list(task.groups().values()))
    loss = at_totals(task.objective, total, np.arange(len(total)))[0] / 3
    assert done.losses[-1] == pytest.approx(loss, rel=1e-6)  # of all prompts, not of the last batch


def test_weights_in_bfloat16_reach_most_of_the_target():
    lm = tiny_lm(lora=8)
    lm.causal.to(torch.bfloat16)
    task = task_of(lm)
    done = fit(lm, BASE, task.objective, task.prompts, Fit())
    assert done.certificate.share > 0.9


def test_an_objective_that_is_not_finite_keeps_no_policy():
    lm = tiny_lm(lora=4)
    task = task_of(lm)
    broken = dataclasses.replace(task.objective, target=task.objective.target * np.nan)
    with pytest.raises(FloatingPointError, match="load the model in float32"):
        fit(lm, BASE, broken, task.prompts, Fit())


@pytest.mark.parametrize(("name", "objective"), list(objectives()))
def test_curvatures_are_semidefinite_and_those_of_their_losses(name, objective):
    """Against differences of slopes; a curvature may be larger where a loss is flat, never negative."""
    if not hasattr(objective, "curvature"):
        pytest.skip("not a function of whole responses")
    rows = np.arange(len(objective.draws))
    prior = getattr(objective, "prior", np.full(len(rows), -2.0))
    total = np.random.default_rng(1).normal(scale=0.3, size=len(rows)) + prior
    found = objective.curvature(total, rows)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert np.linalg.eigvalsh(found).min() > -1e-10
    assert objective.asked(rows)[0] >= objective.asked(rows)[1] - 1e-12
    slopes = [
        (at_totals(objective, total + h, rows)[1] - at_totals(objective, total - h, rows)[1]) / 2e-5
        for h in 1e-5 * np.eye(len(rows))
    ]
    assert np.linalg.eigvalsh(found - np.array(slopes)).min() > -1e-6
    if name in ("regress", "logistic", "labels-True", "imitate-True"):
        np.testing.assert_allclose(found, slopes, atol=1e-6)
    parts = [objective.asked(half) for half in (rows[:4], rows[4:])]
    np.testing.assert_allclose(objective.asked(rows), np.sum(parts, axis=0))


def test_a_step_stops_at_the_noise():
    random = np.random.default_rng(0)
    jacobian, target = random.normal(size=(12, 40)), random.normal(size=12)
    curvature = 2 * np.eye(12) / 12
    model = Model(float((target**2).mean()), -2 * target / 12, curvature, jacobian @ jacobian.T)
    assert model.after(model.weights(1e-9)) < 1e-12
    for floor in (0.01, 0.1, 0.5):
        left = model.after(model.weights(quietest(model, floor * model.loss)))
        assert 0.2 * floor < left / model.loss <= floor


def test_a_step_that_promises_too_much_is_shortened():
    """The loss of a model far from linear falls only after the ridge has risen."""
    place = [np.zeros(1)]
    loss = lambda x: float(np.log(np.cosh(20 * (x[0] - 1))))  # noqa: E731
    slope = np.array([20 * np.tanh(-20.0)])
    model = Model(loss(place[0]), slope, np.array([[1e-2]]), np.array([[1.0]]))
    taken = step(model, 0.0, lambda a: place.__setitem__(0, -a), lambda: loss(place[0]))
    assert taken.after < taken.before and taken.ridge > 1e-3
    stuck = step(model, 0.0, lambda a: None, lambda: model.loss + 1)
    assert not stuck.fell and stuck.after == stuck.before


def test_coins_of_a_judge_are_taken_for_noise():
    coin = CoinJudge(cyclic_game().P, PROMPTS, LETTERS)
    arena = letters(tiny_lm(), 8, judge=coin)
    arena.mirror_step(BASE, BASE, 1.0)
    exact = letters(tiny_lm(), 8)
    exact.mirror_step(BASE, BASE, 1.0)
    assert exact.journal[-1]["noise"] == 0 and exact.journal[-1]["share"] > 0.999
    assert arena.journal[-1]["noise"] > 0.2 and arena.journal[-1]["share"] < 0.99


def test_a_frozen_opponent_does_not_hide_the_prior():
    """Rock, paper, scissors against (.98, .01, .01): the step is (.249, .657, .094), not the reference."""
    beats = np.array([[0.5, 0, 1], [1, 0.5, 0], [0, 1, 0.5]])[None]
    words = ["a", "b", "c"]
    arena = TextArena(tiny_lm(), ["f"], TableJudge(beats, ["f"], words), 16, responses=words)
    arena = arena.anchored(arena.mirror_step(BASE, BASE, 1e-9))
    opponent = Answers((tuple(words),), ((0.98, 0.01, 0.01),))
    prior = arena.probs(BASE)[0]
    wanted = prior * np.exp(2 * beats[0] @ [0.98, 0.01, 0.01])
    wanted /= wanted.sum()
    got = arena.probs(arena.mirror_step(BASE, opponent, 2.0))[0]
    assert apart(got, wanted) < 0.03 < apart(prior, wanted)


def test_a_frozen_opponent_in_free_text():
    """The policy learns what beats the opponent, though the opponent never says it."""

    class Short:
        as_is = True

        def prefer(self, prompts, firsts, seconds):
            lengths = [np.array([len(text.split()) for text in side]) for side in (firsts, seconds)]
            return 1 / (1 + np.exp(0.7 * (lengths[0] - lengths[1])))

    arena = TextArena(tiny_lm(), ["f", "g h"], Short(), 16, max_new_tokens=6, seed=2)
    long = Answers((("a b c d e",),) * 2, ((1.0,),) * 2)
    policy = arena.mirror_step(BASE, long, 3.0)
    assert arena.journal[-1]["first_loss"] > 0.05 and arena.journal[-1]["share"] > 0.9
    words = lambda which: np.mean([len(t.split()) for t in arena.sample(which, n=200).draws.texts])  # noqa: E731
    assert words(policy) < words(BASE) - 0.15


def test_the_realised_step_is_that_of_fresh_responses():
    """Cross-fitting against draws that no fit has seen, on the same prompts."""

    class Length:
        as_is = True

        def prefer(self, prompts, firsts, seconds):
            return 1 / (1 + np.exp([0.5 * (len(a) - len(b)) for a, b in zip(firsts, seconds, strict=True)]))

    prompts = [f"{a} {b}" for a in "fgh" for b in "abcd"]
    arena = TextArena(tiny_lm(lora=8), prompts, Length(), 8, max_new_tokens=6)
    policy = arena.mirror_step(BASE, BASE, 2.0)
    note = arena.journal[-1]
    from llm_backend.verbs.verdicts import wins_among

    draws = arena.context.draw(BASE, "third", 16)
    draws = draws.take(np.argsort(draws.prompt, kind="stable"))
    asked = 2.0 * wins_among(arena.judge, prompts, draws).mean
    done = arena.space.score(policy, draws) - arena.space.score(BASE, draws)
    asked, done = ((v.reshape(12, 16) - v.reshape(12, 16).mean(1, keepdims=True)) for v in (asked, done))
    slope = (asked * done).sum() / (asked**2).sum()
    assert 0.3 < slope <= 1.2
    assert note["slope"] == pytest.approx(slope, abs=0.25)
    assert note["share"] > note["r2"]


def test_settings_of_adam_are_refused_without_a_rate():
    with pytest.raises(ValueError, match=r"warmup is a setting of AdamW.*set lr"):
        Fit(warmup=0.2)
    assert Fit(warmup=0.2, lr=1e-4).descends and Fit(rule="rloo", warmup=0.2).descends and not Fit().descends


def test_a_mixture_is_distilled_by_its_log_probabilities():
    lm = tiny_lm()
    arena = TextArena(lm, ["f", "g h"], TableJudge(cyclic_game(2, 5).P, PROMPTS[:2], LETTERS), 16, 4)
    other = arena.tilt(BASE, lambda draws: np.array([len(t) for t in draws.tokens], float), 1.0)
    mixed = arena.mixture((0.5, BASE), (0.5, other))
    policy = arena.distil(mixed)
    assert arena.journal[-1]["verb"] == "distil" and arena.journal[-1]["share"] > 0.9
    assert policy is not BASE


def test_a_length_normalised_list_is_played_to_its_nash():
    """Means over tokens: the reference no longer prefers the shortest text, and training still is exact."""
    texts = ["a", "b c", "d e a b", "c d e a b c"]
    judge = TableJudge(cyclic_game(2, 4).P, PROMPTS[:2], texts)
    arena = TextArena(tiny_lm(lora=8), PROMPTS[:2], judge, None, responses=texts, length_normalised=True)
    plain = TextArena(tiny_lm(), PROMPTS[:2], judge, None, responses=texts)
    logs = np.array([arena.space.sampling.lm.encode_response(t).__len__() for t in texts])
    np.testing.assert_allclose(arena.space.table(BASE) * logs, plain.space.table(BASE), rtol=1e-5)
    assert arena.probs(BASE).max() < 0.5 < plain.probs(BASE).max()
    state = pg.solve(pg.EGPO(0.2, 1.0), arena, 20)
    assert apart(arena.probs(state.policy), pg.nash(arena.game, 0.2).policy) < 5e-3
    assert arena.last is not None and arena.last["share"] > 0.99
    with pytest.raises(ValueError, match="length_normalised needs a list"):
        TextArena(tiny_lm(), PROMPTS[:2], judge, 4, length_normalised=True)
