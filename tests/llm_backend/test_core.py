"""Policies as adapters, log-probabilities, objectives against exact enumeration, states on disk."""

import copy
import gc
import itertools
import json

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import Fit, LanguageModel, TextArena
from llm_backend.fits import objectives as rules
from llm_backend.fits.fit import fit
from llm_backend.models import logprobs
from llm_backend.models.logprobs import LinearLogProbs, score, token_logprobs
from llm_backend.policies import handles as policy
from llm_backend.policies.handles import BASE, Adapter, Blend, League, geometric_mixture, mixture
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.recorded import described
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm, tiny_model, tiny_tokenizer

PROMPTS = ["f", "g h", "i"]
RESPONSES = list("abcde")


@pytest.fixture(params=[8, None], ids=["lora", "full"])
def lm(request):
    return tiny_lm(lora=request.param)


def trained(lm, push=0.05, seed=0):
    """A handle of weights moved at random."""
    draw = torch.Generator().manual_seed(seed)
    with lm.train(BASE) as trainee, torch.no_grad():
        for parameter in trainee.parameters.values():
            parameter.add_(push * torch.randn(parameter.shape, generator=draw))
        return lm.freeze(trainee)


def rows(lm, texts=("c", "d e", "f g h")):
    return [lm.encode("a b")] * len(texts), [lm.encode_response(text) for text in texts]


# -- handles --------------------------------------------------------------------------------------------


def test_blends_are_flattened_merged_and_reduced():
    a, b = Adapter("a"), Adapter("b")
    nested = geometric_mixture((0.6, geometric_mixture((0.5, a), (0.5, b))), (0.4, BASE))
    assert isinstance(nested, Blend)
    assert [leaf for _, leaf in nested.terms] == [a, b, BASE]
    np.testing.assert_allclose([w for w, _ in nested.terms], [0.3, 0.3, 0.4])
    assert geometric_mixture((1.0, a), (0.0, b)) is a
    assert geometric_mixture((2.0, geometric_mixture((0.5, a), (0.5, b))), (-1.0, b)) is a
    league = mixture((0.5, mixture((0.5, a), (0.5, nested))), (0.5, a))
    assert isinstance(league, League)
    assert [w for w, _ in league.terms] == [0.75, 0.25]
    assert policy.leaves(league) == (a, b, BASE)


def test_mixtures_that_mean_nothing_are_refused():
    a = Adapter("a")
    with pytest.raises(ValueError, match=r"distil it first, arena\.distil"):
        geometric_mixture((0.5, mixture((0.5, a), (0.5, BASE))), (0.5, a))
    with pytest.raises(ValueError, match="cancel"):
        geometric_mixture((1.0, a), (-1.0, a))
    with pytest.raises(ValueError, match="sum to 1"):
        mixture((0.5, a), (0.2, BASE))
    with pytest.raises(ValueError, match="use a TableArena"):
        geometric_mixture((np.array([0.1, 0.9]), a))


# -- policies on one model ------------------------------------------------------------------------------


def test_adapter_off_is_the_base_to_the_bit(lm):
    """And the negative control: a 'base' that leaves the adapter on is another model."""
    plain = tiny_model(len(tiny_tokenizer()), spread=0.2)
    ids = torch.tensor([[1, 5, 7, 9]])
    adapter = trained(lm)
    with torch.no_grad():
        expected = plain(input_ids=ids).logits
        with lm.active(adapter):
            moved = lm.causal(input_ids=ids).logits
            with lm.active(BASE):
                inner = lm.causal(input_ids=ids).logits
            again = lm.causal(input_ids=ids).logits
        after = lm.causal(input_ids=ids).logits
    assert torch.equal(inner, expected)
    assert torch.equal(after, expected)
    assert torch.equal(again, moved)
    assert (moved - expected).abs().max() > 0.05


def test_handles_are_immutable_and_freed(lm):
    prompts, answers = rows(lm)
    first = trained(lm)
    before = score(lm, first, prompts, answers)
    slots = lm.slots.copies if lm.lora is None else lm.peft.peft_config
    held = len(slots)
    with lm.train(first) as trainee:
        for parameter in trainee.parameters.values():
            parameter.data.add_(1.0)
        second = lm.freeze(trainee)
    with lm.train(first):
        pass  # not frozen: forgotten
    assert len(slots) == held + 1
    np.testing.assert_array_equal(score(lm, first, prompts, answers), before)
    assert np.abs(score(lm, second, prompts, answers) - before).max() > 0.1
    del second
    gc.collect()
    with lm.active(BASE):  # when the model is next used
        assert len(slots) == held


def test_a_handle_may_be_collected_while_modules_are_walked():
    lm = tiny_lm(lora=8)
    circle: list[object] = [trained(lm)]
    circle.append(circle)
    del circle  # from here on only the garbage collector finds the handle, whenever it likes
    for name, _ in lm.causal.named_modules():
        if name.endswith("q_proj.lora_A.start"):
            gc.collect()
    with lm.active(BASE):
        assert list(lm.peft.peft_config) == ["start"]


def test_adapters_on_disk(lm, tmp_path):
    prompts, answers = rows(lm)
    adapter = trained(lm)
    lm.save(adapter, tmp_path / "a.safetensors")
    loaded = lm.load(tmp_path / "a.safetensors")
    assert loaded.id == adapter.id
    np.testing.assert_array_equal(score(lm, loaded, prompts, answers), score(lm, adapter, prompts, answers))
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut short"):
        lm.load(tmp_path / "cut.safetensors")
    with pytest.raises(ValueError, match="another base"):
        tiny_lm(lora=lm.lora, seed=1).load(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="lora="):
        tiny_lm(lora=4).load(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="belongs to another LanguageModel"), tiny_lm().active(adapter):
        pass


def test_models_that_do_not_fit_are_refused():
    from transformers import CohereConfig, CohereForCausalLM

    tokenizer = tiny_tokenizer()
    scaled = CohereForCausalLM(
        CohereConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            logit_scale=0.25,
        )
    )
    with pytest.raises(ValueError, match="more than a linear map"):
        LanguageModel(scaled, tokenizer)
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no EOS"):
        LanguageModel(tiny_model(14), tokenizer)
    with pytest.raises(ValueError, match="rank"):
        tiny_lm(lora=0)
    lm = tiny_lm()
    with pytest.raises(ValueError, match=r"context is 64: .*lower max_new_tokens"):
        score(lm, BASE, [[1] * 60], [[5] * 10])
    with pytest.raises(ValueError, match="at least one token each"):
        score(lm, BASE, [[1]], [[]])


def test_a_tokenizer_without_padding_does():
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    lm = LanguageModel(tiny_model(len(tokenizer), spread=0.2), tokenizer)
    prompts, answers = rows(lm)
    np.testing.assert_allclose(score(lm, BASE, prompts, answers), score(tiny_lm(), BASE, prompts, answers))


# -- log-probabilities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_chunked_log_probabilities_and_gradients(monkeypatch, temperature):
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(13, 6), torch.randn(11, 6), torch.randn(11)
    targets, upstream = torch.randint(0, 11, (13,)), torch.randn(13)
    monkeypatch.setattr(logprobs, "CHUNK_BYTES", 4 * 11 * 4)  # four rows at a time

    def gradients(value, *tensors):
        leaves = [tensor.clone().requires_grad_(True) for tensor in tensors]
        out = value(*leaves)
        return [out.detach(), *torch.autograd.grad((out * upstream.to(out)).sum(), leaves)]

    def naive(h, w, b):
        logs = torch.log_softmax((h @ w.T + b) / temperature, dim=-1)
        return logs.gather(-1, targets[:, None])[:, 0]

    got = gradients(lambda h, w, b: LinearLogProbs.apply(h, w, b, targets, temperature), hidden, weight, bias)
    want = gradients(naive, hidden.double(), weight.double(), bias.double())
    for mine, exact in zip(got, want, strict=True):
        torch.testing.assert_close(mine.double(), exact, rtol=1e-5, atol=1e-6)


def test_padding_and_batching_change_nothing():
    lm = tiny_lm()
    prompts = [lm.encode(text) for text in ("a", "b c d e", "f g")]
    answers = [lm.encode_response(text) for text in ("h i j a b", "c", "d e")]
    together = score(lm, BASE, prompts, answers)
    alone = [score(lm, BASE, [p], [a])[0] for p, a in zip(prompts, answers, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(score(lm, BASE, prompts, answers, rows=1), alone, atol=1e-6)
    ids = torch.tensor([prompts[1] + answers[1]])
    logs = torch.log_softmax(lm.causal(input_ids=ids).logits[0].double(), dim=-1)
    told = sum(logs[len(prompts[1]) - 1 + i, token].item() for i, token in enumerate(answers[1]))
    assert together[1] == pytest.approx(told, abs=1e-5)


# -- objectives against enumeration ---------------------------------------------------------------------

V = 3


def enumerated(length, seed=0):
    """All V ** length sequences of a random autoregressive table: rows, token log-probabilities, logits."""
    draw = np.random.default_rng(seed)
    sequences = list(itertools.product(range(V), repeat=length))
    prefixes = {s[:t]: i for i, (s, t) in enumerate((s, t) for s in sequences for t in range(length))}
    index = {prefix: i for i, prefix in enumerate(prefixes)}
    logits = torch.tensor(draw.normal(size=(len(index), V)), requires_grad=True)
    at = torch.tensor([[index[s[:t]] for t in range(length)] for s in sequences])
    tokens = torch.tensor(sequences)

    def token_logs(table, temperature=1.0):
        return torch.log_softmax(table / temperature, dim=-1)[at, tokens]

    n = len(sequences)
    draws = Draws(np.zeros(n, np.int64), tuple(sequences), ("",) * n, np.arange(n), np.zeros(n, np.bool_))
    prior = token_logs(torch.tensor(draw.normal(size=(len(index), V)))).sum(1).numpy()
    return draws, logits, token_logs, prior, draw.random(n)


def gain_gradient(logits, token_logs, prior, win, step):
    """d/dlogits of E_pi[win] - KL(pi || prior) / step, by automatic differentiation of the sum."""
    logs = token_logs(logits).sum(dim=1)
    gain = (logs.exp() * (torch.tensor(win) - (logs - torch.tensor(prior)) / step)).sum()
    return torch.autograd.grad(gain, logits)[0]


def pulled(objective, token_values, logits):
    _, slope = objective(
        token_values.detach(), torch.ones(token_values.shape, dtype=torch.bool), np.arange(len(token_values))
    )
    return torch.autograd.grad((token_values * slope).sum(), logits, retain_graph=True)[0]


def relative(got, want):
    return float((got - want).norm() / want.norm())


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_policy_gradients_are_exact(length):
    step = 1.7
    draws, logits, token_logs, prior, win = enumerated(length)
    want = -gain_gradient(logits, token_logs, prior, win, step)
    values = token_logs(logits)
    pi = values.sum(dim=1).exp().detach().numpy()
    old = list(values.detach().numpy())

    def rule(kind, listed, weight=pi, before=old):
        return rules.PolicyGradient(draws, prior, win, weight, before, step, kind, listed)

    for kind, listed in (("reinforce", False), ("reinforce", True), ("rloo", True), ("ppo", True)):
        assert relative(pulled(rule(kind, listed), values, logits), want) < 1e-12
    scaled = pulled(rule("grpo", True), values, logits)
    cosine = (scaled * want).sum() / (scaled.norm() * want.norm())
    assert float(cosine) == pytest.approx(1, abs=1e-12)
    off = token_logs(
        torch.randn(logits.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    elsewhere = off.sum(dim=1).exp().numpy()  # drawn from another policy: the ratio repairs it
    assert (
        relative(pulled(rule("reinforce", False, elsewhere, list(off.numpy())), values, logits), want) < 1e-10
    )


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_kl_of_single_tokens_is_wrong(length):
    """Negative control: what TRL's Nash-MD does, each token credited with its own log-ratio alone."""
    step = 1.7
    _, logits, token_logs, _, win = enumerated(length)
    prior_tokens = token_logs(torch.tensor(np.random.default_rng(9).normal(size=logits.shape)))
    prior = prior_tokens.sum(dim=1).numpy()
    want = -gain_gradient(logits, token_logs, prior, win, step)
    values = token_logs(logits)
    weight = values.detach().sum(dim=1, keepdim=True).exp()
    reward = torch.tensor(win)[:, None] - 0.5 - (values.detach() - prior_tokens) / step
    wrong = torch.autograd.grad((values * -weight * reward).sum(), logits)[0]
    assert (relative(wrong, want) < 1e-12) == (length == 1)
    assert length == 1 or relative(wrong, want) > 0.05


def test_another_temperature_is_wrong():
    """Negative control: drawn at 0.7, scored at 1, and no ratio to repair it."""
    draws, logits, token_logs, prior, win = enumerated(2)
    values = token_logs(logits)
    want = -gain_gradient(logits, token_logs, prior, win, 1.0)
    cold = token_logs(logits.detach(), temperature=0.7).sum(dim=1).exp().numpy()
    same = list(values.detach().numpy())
    got = pulled(rules.PolicyGradient(draws, prior, win, cold, same, 1.0, "reinforce"), values, logits)
    assert relative(got, want) > 0.05


def test_leave_one_out_is_unbiased():
    draws, logits, token_logs, prior, win = enumerated(2)
    values, K, groups = token_logs(logits), 3, 20_000
    want = -gain_gradient(logits, token_logs, prior, win, 1.0)
    pi = values.sum(dim=1).exp().detach().numpy()
    picked = np.random.default_rng(0).choice(len(pi), (groups, K), p=pi / pi.sum()).ravel()
    many = draws.take(picked)
    many = Draws(np.repeat(np.arange(groups), K), many.tokens, many.texts, many.column, many.truncated)
    old = [values.detach().numpy()[i] for i in picked]
    weight = np.full(len(picked), 1 / K)
    rule = rules.PolicyGradient(many, prior[picked], win[picked], weight, old, 1.0, "rloo")
    _, slope = rule(
        values.detach()[picked], torch.ones(len(picked), 2, dtype=torch.bool), np.arange(len(picked))
    )
    got = torch.autograd.grad((values[picked] * slope).sum() / groups, logits)[0]
    assert relative(got, want) < 0.03  # about 1 / sqrt(60,000) times the spread of one


def objectives():
    draw = np.random.default_rng(0)
    n = 8
    draws = Draws(
        np.repeat([0, 1], n // 2), tuple((i, i) for i in range(n)), ("",) * n, np.arange(n), np.zeros(n, bool)
    )
    prior, target, weight = draw.normal(size=n), draw.normal(size=n), np.tile([0.1, 0.2, 0.3, 0.4], 2)
    pairs = np.array([[0, 1], [1, 2], [3, 0], [4, 7], [5, 7], [6, 5]])
    wins, labels, scale = draw.random((6, 2)), draw.normal(size=6), np.full(n, 0.5)
    losses = [pg.losses.logistic, pg.losses.squared, pg.losses.exponential, pg.losses.truncated_square]
    yield "regress", rules.Regress(draws, prior, target, weight)
    yield "logistic", rules.Logistic(draws, prior, target, weight)
    for loss in losses:
        yield f"pairs-{loss.name}", rules.FitPairs(draws, prior, pairs, wins, loss, 0.7, scale)
    bonus = draw.random(n)
    for listed in (False, True):
        yield (
            f"bonus-{listed}",
            rules.FitPairs(draws, prior, pairs, wins, losses[0], 0.7, scale, bonus, 100.0, listed),
        )
        yield (
            f"labels-{listed}",
            rules.FitLabels(draws, prior, pairs, labels, 1.3, 0.05, 0.2, weight, listed),
        )
        yield f"imitate-{listed}", rules.Imitate(draws, weight, listed)


@pytest.mark.parametrize(("name", "objective"), list(objectives()))
def test_gradients_of_objectives_are_those_of_their_losses(name, objective):
    draw = np.random.default_rng(1)
    logp, mask = torch.tensor(draw.normal(size=(8, 2)) - 2), torch.ones(8, 2, dtype=torch.bool)
    every = np.arange(8)
    value, slope = objective(logp, mask, every)
    for i, t in itertools.product(range(8), range(2)):
        ends = []
        for h in (1e-5, -1e-5):
            moved = logp.clone()
            moved[i, t] += h
            ends.append(objective(moved, mask, every)[0])
        assert float(slope[i, t]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)
    halves = [objective(logp[half], mask[half], half) for half in (every[:4], every[4:])]
    assert value == pytest.approx(sum(part for part, _ in halves))
    torch.testing.assert_close(slope, torch.cat([part for _, part in halves]))


@pytest.mark.parametrize("rule", [rules.Regress, rules.Logistic])
def test_regressions_are_minimised_by_the_mirror_step(rule):
    """A constant per prompt, such as the normaliser of a blend, makes no difference."""
    draws, _, _, prior, win = enumerated(2)
    n = len(draws)
    objective = rule(draws, prior + 3.0, 2.0 * win - 1.0, np.full(n, 1 / n))
    there = torch.tensor(prior + 2.0 * win + 0.4)[:, None]
    _, slope = objective(there, torch.ones(n, 1, dtype=torch.bool), np.arange(n))
    assert slope.abs().max() < 1e-12


def test_bonus_stops_at_the_bound():
    draws, _, _, prior, _ = enumerated(1)
    pairs, wins, ones = np.array([[0, 1]]), np.array([[1.0, 1.0]]), np.ones(3)
    objective = rules.FitPairs(draws, prior, pairs, wins, pg.losses.logistic, 1.0, ones, ones, 0.5, False)
    logp = torch.tensor(prior)[:, None] + torch.tensor([[0.0], [0.0], [-0.6]])
    _, slope = objective(logp, torch.ones(3, 1, dtype=torch.bool), np.arange(3))
    np.testing.assert_allclose(slope[:, 0], [1, 1, 0], atol=1e-12)


# -- training -------------------------------------------------------------------------------------------


def regression(lm):
    game = cyclic_game()
    arena = TextArena(lm, PROMPTS, TableJudge(game.P, PROMPTS, RESPONSES), None, responses=RESPONSES)
    space = arena.space
    weight = np.full(len(space.all), 1 / 5)
    target = np.random.default_rng(0).normal(size=len(space.all))
    return rules.Regress(space.all, space.score(BASE, space.all), target, weight), space.ids


def test_training_is_reproducible_and_independent_of_the_batch():
    lm = tiny_lm()
    objective, ids = regression(lm)
    one = fit(lm, BASE, objective, ids, Fit(epochs=6, lr=1e-2), key=(1,))
    two = fit(tiny_lm(), BASE, objective, ids, Fit(epochs=6, lr=1e-2), key=(1,))
    assert one.policy.id == two.policy.id
    assert one.losses == two.losses
    parts = fit(lm, BASE, objective, ids, Fit(epochs=6, lr=1e-2, rows=5), key=(1,))
    np.testing.assert_allclose(parts.losses, one.losses, rtol=1e-4)
    small = Fit(epochs=6, lr=1e-2, batch=2)
    assert len(fit(lm, BASE, objective, ids, small, key=(1,)).losses) == 12
    assert (
        fit(lm, BASE, objective, ids, small, key=(1,)).losses
        != fit(lm, BASE, objective, ids, small, key=(2,)).losses
    )


def test_checkpointing_changes_nothing_but_memory():
    """GPT-2 has dropout and absolute positions: neither may show."""
    from transformers import GPT2Config, GPT2LMHeadModel

    def make(checkpointing):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer()
        size = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": len(tokenizer)}
        model = GPT2LMHeadModel(GPT2Config(**size, bos_token_id=1, eos_token_id=2))
        return LanguageModel(model, tokenizer, lora=None, checkpointing=checkpointing)

    told = []
    for checkpointing in (False, True):
        lm = make(checkpointing)
        objective, ids = regression(lm)
        told.append(fit(lm, BASE, objective, ids, Fit(epochs=3, lr=1e-2)))
    assert len(lm._recomputed) > 0
    assert told[0].losses == told[1].losses
    assert told[0].policy.id == told[1].policy.id


@pytest.mark.parametrize(("lora", "lr"), [(8, 1e-2), (None, 3e-5)])
def test_bfloat16_models_learn_by_small_steps(lora, lr):
    """Steps of 3e-5 vanish when added to bfloat16 weights one by one; float32 copies add them up."""
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer), spread=0.2).to(torch.bfloat16)
    lm = LanguageModel(model, tokenizer, lora=lora)
    objective, ids = regression(lm)
    losses = fit(lm, BASE, objective, ids, Fit(epochs=40, lr=lr, warmup=0, final=1)).losses
    assert losses[-1] < 0.3 * losses[0]


def test_moments_go_on_where_they_stopped():
    """Two fits at a constant rate with moments are one fit of the same steps."""
    lm = tiny_lm()
    objective, ids = regression(lm)
    how = Fit(epochs=4, lr=3e-3, betas=(0.5, 0.9), moments=True, warmup=0, final=1)
    first = fit(lm, BASE, objective, ids, how)
    second = fit(lm, first.policy, objective, ids, how)
    whole = fit(lm, BASE, objective, ids, Fit(**{**vars(how), "epochs": 8}))
    assert [*first.losses, *second.losses] == whole.losses
    assert second.policy.id == whole.policy.id


def test_momentum_spirals_on_a_cycle():
    """Why beta1 is 0: the same self-play, one gradient step per round, with and without momentum."""
    tau, ends = 0.1, []
    game = cyclic_game()
    for beta1 in (0.0, 0.9):
        how = Fit(epochs=1, lr=3e-3, betas=(beta1, 0.999), moments=True, warmup=0)
        arena = TextArena(
            tiny_lm(), PROMPTS, TableJudge(game.P, PROMPTS, RESPONSES), None, responses=RESPONSES, fit=how
        )
        state = pg.solve(pg.INPO(tau, 2.0), arena, 90)
        ends.append(0.5 * np.abs(arena.probs(state.policy) - pg.nash(arena.game, tau).policy).sum(1).max())
    assert ends[0] < 0.07
    assert ends[1] > 3 * ends[0]


def test_settings_of_a_fit_are_checked():
    for wrong, match in (
        ({"rule": "sgd"}, "rule must be one of"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"warmup": 1.0}, "warmup"),
    ):
        with pytest.raises(ValueError, match=match):
            Fit(**wrong)
    lm = tiny_lm()
    objective, ids = regression(lm)
    broken = rules.Regress(objective.draws, objective.prior, objective.target * np.nan, objective.weight)
    with pytest.raises(FloatingPointError, match=r"lower Fit\.lr"):
        fit(lm, BASE, broken, ids, Fit())


# -- states on disk -------------------------------------------------------------------------------------


class MoreOfA:
    """The response with more a's is likelier to win."""

    as_is = True

    def prefer(self, prompts, firsts, seconds):
        lead = [x.split().count("a") - y.split().count("a") for x, y in zip(firsts, seconds, strict=True)]
        return 1 / (1 + np.exp(-np.array(lead, dtype=np.float64)))


def free_arena(lm, **options):
    how = Fit(epochs=4, lr=1e-2)
    return TextArena(lm, ["a", "b c"], MoreOfA(), samples=4, max_new_tokens=4, fit=how, **options)


@pytest.mark.parametrize(
    "solver", [pg.EGPO(0.2, 1.0), pg.ENPO(0.2), pg.FictitiousPlay(0.5), pg.XPO(0.5, 0.01), pg.MNPO(0.2, 1.0)]
)
def test_a_state_from_disk_goes_on_as_the_one_in_memory(solver, tmp_path):
    lm = tiny_lm("abc", spread=0.15)
    arena = free_arena(lm)
    state = pg.solve(solver, arena, 2)
    arena.save(state, tmp_path)
    fresh = free_arena(tiny_lm("abc", spread=0.15))
    here, there = (
        one.probs(solver.step(one.at(2), some).policy, ["a", "b", "a a"])
        for one, some in ((arena, state), (fresh, fresh.load(tmp_path)))
    )
    np.testing.assert_array_equal(here, there)


def test_a_damaged_state_is_refused(tmp_path):
    arena = free_arena(tiny_lm("abc"))
    state = pg.solve(pg.INPO(0.2, 1.0), arena, 1)
    arena.save(state, tmp_path)
    whole = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(whole[:-5])
    with pytest.raises(ValueError, match="cut short"):
        arena.load(tmp_path)
    (tmp_path / "state.json").write_text(json.dumps({**json.loads(whole), "version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        arena.load(tmp_path)
    (tmp_path / "state.json").write_text(whole)
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(FileNotFoundError):
        arena.load(tmp_path)
    with pytest.raises(TypeError, match="a state holds policies"):
        arena.save(state._replace(memory=object()), tmp_path)


def test_recorded_draws_are_read_back(tmp_path, monkeypatch):
    lm = tiny_lm("abc", spread=0.15)
    arena = free_arena(lm, folder=tmp_path)
    drawn = arena.draw(BASE, "first")
    blend = geometric_mixture((0.5, BASE), (0.5, trained(lm)))
    mixed = arena.draw(blend, "first")
    monkeypatch.setattr("llm_backend.spaces.free.generate", None)
    again = copy.copy(arena).draw(BASE, "first")
    assert again.tokens == drawn.tokens
    assert again.texts == drawn.texts
    np.testing.assert_array_equal(again.truncated, drawn.truncated)
    assert arena.draw(blend, "first").tokens == mixed.tokens
    with pytest.raises(TypeError):
        arena.at(1).draw(BASE, "first")  # another round is drawn anew
    for path in tmp_path.glob("*.json"):
        path.write_text(path.read_text()[:-3])
    with pytest.raises(ValueError, match="delete it"):
        arena.draw(BASE, "first")
    assert described(blend)[0] == "Blend"


def test_token_log_probabilities_under_training_have_gradients():
    lm = tiny_lm()
    prompts, answers = rows(lm)
    with lm.train(BASE) as trainee:
        values, mask = token_logprobs(lm, prompts, answers)
        values.sum().backward()
        moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in trainee.parameters.values()]
    assert any(moved)
    assert mask.sum() == sum(map(len, answers))
    assert all(p.grad is None and not p.requires_grad for p in lm.causal.parameters())
