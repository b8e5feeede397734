"""Training: reproducible, independent of the batch, and the settings of a fit."""

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import Fit, LanguageModel, TextArena
from llm_backend.fits import objectives as rules
from llm_backend.fits.fit import fit
from llm_backend.judges import Rule
from llm_backend.policies.handles import BASE
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm, tiny_model, tiny_tokenizer

PROMPTS = ["f", "g h", "i"]
RESPONSES = list("abcde")


def regression(lm):
    game = cyclic_game()
    arena = TextArena(lm, PROMPTS, TableJudge(game.P, PROMPTS, RESPONSES), None, responses=RESPONSES)
    space = arena.space
    weight = np.full(len(space.all), 1 / 5)
    target = np.random.default_rng(0).normal(size=len(space.all))
    return rules.Regress(space.all, space.score(BASE, space.all), target, weight), space.sampling.prompts


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
    """GPT-2 has dropout and absolute positions: neither may affect a fit."""
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
    """Steps of 3e-5 vanish when added to bfloat16 weights one by one; float32 copies accumulate them."""
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
        fit(lm, BASE, broken, ids, Fit(lr=1e-4))


@pytest.mark.parametrize("given", [False, True])
def test_a_fit_by_adamw_is_certified_on_a_quarter_of_its_prompts_from_where_they_started(given):
    """By hand on the prompts that certify it, though its first batch had others."""
    lm, prompts = tiny_lm(), [*PROMPTS, "j", "h g", "a b", "c", "d e"]
    space = TextArena(lm, prompts, Rule(len), None, responses=RESPONSES).space
    rng = np.random.default_rng(0)
    target = rng.normal(size=len(space.all)) * (1 + space.all.prompt)
    prior, weight = rng.normal(size=len(target)), np.full(len(target), 1 / 5)
    objective = rules.Regress(space.all, prior, target, weight)
    before = space.score(BASE, space.all)
    how = Fit(epochs=3, lr=1e-2, batch=2)
    done = fit(lm, BASE, objective, space.sampling.prompts, how, scored=before if given else None)
    mine = np.isin(space.all.prompt, [0, 4])

    def loss(logs):
        off = (logs - prior - target)[mine].reshape(2, 5)
        return float(((off - off.mean(axis=1, keepdims=True)) ** 2).sum())

    after, first, asked = (loss(logs) for logs in (space.score(done.policy, space.all), before, prior))
    assert done.certificate.trained == pytest.approx(1 - after / first, rel=1e-4)
    assert done.certificate.share == pytest.approx(1 - after / asked, rel=1e-4)


@pytest.mark.parametrize("how", [Fit(), Fit(epochs=2, lr=1e-2), Fit(rule="rloo", epochs=2, lr=1e-2)])
@pytest.mark.filterwarnings("ignore:the judge preferred nothing")
def test_a_judge_that_ties_everything_moves_no_weight(how):
    """AdamW would otherwise step by its learning rate along rounding."""
    lm = tiny_lm()
    arena = TextArena(lm, PROMPTS, Rule(lambda prompt, response: 0.0), 6, max_new_tokens=5, fit=how)
    policy = pg.solve(pg.INPO(0.1, 1.0), arena, rounds=2).policy
    assert all(bool((value == 0).all()) for name, value in lm.weights(policy).items() if name.endswith("B"))
    assert [note["warning"] for note in arena.context.journal] == [None, None]
    assert [note["tokens"] for note in arena.context.journal] == [0, 0]
