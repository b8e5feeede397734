"""Offline play: solvers on pairs that were judged before."""

import json

import numpy as np
import pytest

import pgames as pg
from llm_backend import TextArena
from llm_backend.data import Pair, prompts_of, read_pairs
from llm_backend.fits.fit import Fit
from llm_backend.judges import Believed, JudgeError
from llm_backend.policies.handles import BASE, described
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.loop import run
from llm_backend.spaces.draws import Draws
from llm_backend.tiny import PROMPTS, tiny_language_model
from llm_backend.verbs.evidence import Duels

ANSWERS = ["4", "7", "3", "8"]
PAIRS = [
    Pair(PROMPTS[x], ANSWERS[y], ANSWERS[y - 1], win)
    for x, y, win in ((0, 1, 1.0), (0, 2, 0.5), (3, 1, 0.75))
]
HOW = Fit(epochs=20, lr=4e-3)


class Unasked:
    """A judge that must not be asked."""

    as_is = True

    def prefer(self, prompts, firsts, seconds):
        raise JudgeError("offline play asked the judge")


@pytest.fixture(scope="module")
def lm():
    return tiny_language_model()


def arena(lm, judge=None, **how):
    return TextArena(lm, prompts_of(PAIRS), judge or Unasked(), 4, fit=HOW, max_new_tokens=4, **how)


def by_hand(lm, prompts):
    """The duels of PAIRS, written out."""
    rows = [(0, "7"), (0, "4"), (0, "3"), (1, "7"), (1, "4")]
    tokens = tuple(tuple(lm.encode_response(text, prompts[x])) for x, text in rows)
    draws = Draws(
        np.array([x for x, _ in rows]),
        tokens,
        tuple(text for _, text in rows),
        np.full(5, -1),
        np.zeros(5, bool),
    )
    return Duels(draws, np.array([[0, 1], [2, 0], [3, 4]]), np.array([[1, 0], [0.5, 0.5], [0.75, 0.25]]))


def test_pairs_of_a_file_are_the_duels_by_hand(lm, tmp_path):
    rows = [{"prompt": p, "chosen": y, "rejected": z, "tie": w == 0.5} for p, y, z, w in PAIRS]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    read = read_pairs(tmp_path / "p.jsonl")
    assert [pair[:3] for pair in read] == [pair[:3] for pair in PAIRS]
    game = arena(lm)
    got, wanted = game.duels_of(PAIRS), by_hand(lm, game.space.sampling.prompts)
    for mine, theirs in (
        (got.draws.prompt, wanted.draws.prompt),
        (got.pairs, wanted.pairs),
        (got.wins, wanted.wins),
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert got.draws.tokens == wanted.draws.tokens and got.draws.texts == wanted.draws.texts
    fitted = [described(game.fit_pairs(BASE, some, pg.losses.squared, 0.5)) for some in (got, wanted)]
    assert fitted[0] == fitted[1]


@pytest.mark.parametrize(
    "make", [pg.DPO, pg.IPO, pg.SLiC, lambda tau, pairs: pg.GPO(pg.losses.logistic, tau, pairs), pg.RLHF]
)
def test_solvers_of_pairs_ask_no_judge(lm, make):
    game = arena(lm)
    pairs = game.duels_of(PAIRS)
    state = pg.solve(make(0.5, pairs), game, rounds=1)
    if make is not pg.RLHF:  # its reward is fitted on the pairs, its policy on draws
        before, after = (game.space.score(policy, pairs.draws) for policy in (BASE, state.policy))
        first, second = pairs.pairs[0]
        assert (after - before)[first] > (after - before)[second]
    with pytest.raises(JudgeError, match="asked the judge"):  # negative control
        pg.solve(make(0.5, None), game, rounds=1)


@pytest.mark.parametrize("solver", [pg.EGPO(tau=0.2, eta=1.0), pg.INPO(tau=0.2, eta=1.0), pg.NashMD(tau=0.2)])
def test_mirror_solvers_play_the_preference_learned_from_pairs(lm, solver):
    pairs = [Pair(prompt, "7", other) for prompt in PROMPTS for other in ("4", "3", "8")]
    judge = Believed(lm, pairs)
    game = TextArena(lm, PROMPTS[:2], judge, samples=None, responses=ANSWERS, fit=HOW)
    assert (game.rates()[:, 1, [0, 2, 3]] > 0.6).all()
    state = pg.solve(solver, game, rounds=2)
    assert (game.probs(state.policy)[:, 1] > game.probs(BASE)[:, 1]).all()
    assert judge.name == Believed(lm, pairs).name != Believed(lm, pairs[1:]).name
    with pytest.raises(ValueError, match="at least one pair"):
        Believed(lm, [])


def test_listed_games_take_pairs_of_their_responses(lm):
    game = TextArena(lm, prompts_of(PAIRS), Unasked(), samples=None, responses=ANSWERS, fit=HOW)
    evidence = game.duels_of(PAIRS)
    assert evidence.draws.column[evidence.pairs].tolist() == [[1, 0], [2, 1], [1, 0]]
    table = evidence.table((2, 4))
    assert table[0, 1, 0] == 1 and table[0, 2, 1] == table[0, 1, 2] == 0.5 and table[1, 0, 1] == 0.25
    assert pg.solve(pg.IPO(0.5, evidence), game, rounds=1).policy is not BASE
    with pytest.raises(ValueError, match="'9' is not a response to prompt 0 in this game"):
        game.duels_of([Pair(PROMPTS[0], "9", "4")])


def test_pairs_that_do_not_fit_the_arena_are_told(lm):
    with pytest.raises(
        ValueError, match=r"pair 0 answers 'What.*not a prompt of this arena.*prompts_of\(pairs\)"
    ):
        arena(lm).duels_of([Pair(PROMPTS[5], "7", "4")])
    with pytest.raises(ValueError, match="holds the stop token '<eos>'"):
        arena(lm).duels_of([Pair(PROMPTS[0], "7<eos>", "4")])
    with pytest.raises(ValueError, match="the model's context is 256"):
        arena(lm).duels_of([Pair(PROMPTS[0], "7 " * 300, "4")])


# -- runs -----------------------------------------------------------------------------------------------


def offline(tmp_path, name, solver, rows=None, **sections):
    rows = rows or [
        {"prompt": prompt, "chosen": "7", "rejected": other} for prompt in PROMPTS for other in ("4", "3")
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    values = {
        "model": {"name": "tiny"},
        "data": {"pairs": str(tmp_path / "p.jsonl")},
        "solver": solver,
        "arena": {"samples": 3, "max_new_tokens": 6},
        "fit": {"epochs": 2, "batch": 4, "lr": 1e-2},
        "evaluate": {"prompts": 4, "held_out": 2},
        "run": {"rounds": 1, "out": str(tmp_path / name)},
        "log": {"tensorboard": False},
    }
    return {
        section: values.get(section, {}) | sections.get(section, {}) for section in {**values, **sections}
    }


@pytest.mark.parametrize("name", ["DPO", "EGPO", "SPIN"])
def test_a_run_plays_a_file_of_pairs(tmp_path, name):
    fields = {"DPO": {"tau": 0.5}, "EGPO": {"tau": 0.2, "eta": 1.0}, "SPIN": {"lam": 1.0}}[name]
    done = run(offline(tmp_path, name, {"name": name, **fields}))
    assert done.state.t == 1 and 0 <= done.rows[0]["win_rate_reference"]["mean"] <= 1
    assert done.arena.prompts == PROMPTS[6:], "held out"
    again = run(offline(tmp_path, name, {"name": name, **fields}, run={"rounds": 2}), resume=True)
    assert again.state.t == 2


def test_a_run_fits_the_pairs_as_python_does(tmp_path):
    values = offline(tmp_path, "run", {"name": "IPO", "tau": 0.5}, evaluate={"held_out": 0, "every": 0})
    done = run(values)
    lm = tiny_language_model()
    pairs = read_pairs(tmp_path / "p.jsonl")
    game = TextArena(
        lm, prompts_of(pairs), Unasked(), 3, max_new_tokens=6, fit=Fit(epochs=2, batch=4, lr=1e-2)
    )
    assert done.state.policy.id == pg.solve(pg.IPO(0.5, game.duels_of(pairs)), game, rounds=1).policy.id


def test_a_run_says_what_it_does_with_pairs(tmp_path, capsys):
    rule = {"kind": "Rule", "score": "shorter"}
    same = {"prompt": PROMPTS[0], "chosen": "7", "rejected": "7"}
    rows = [same, *({"prompt": prompt, "chosen": "7", "rejected": "4"} for prompt in PROMPTS)]
    run(offline(tmp_path, "run", {"name": "EGPO", "tau": 0.2, "eta": 1.0}, rows, judge=rule))
    told = capsys.readouterr().err
    assert "1 of 9 rows are left out: 1 with chosen equal to rejected (row 0)" in told
    assert "the solver fits no pairs: it asks [judge]" in told
    with pytest.raises(ConfigError, match=r"\[judge\] is missing"):
        run(
            {key: value for key, value in offline(tmp_path, "x", {}).items() if key != "data"}
            | {"data": {"source": "tiny"}}
        )
    with pytest.raises(ConfigError, match=r"\[data\] .*holds the stop token"):
        run(
            offline(
                tmp_path,
                "stop",
                {"name": "DPO", "tau": 0.5},
                [{**same, "rejected": "4<eos>"}],
                evaluate={"held_out": 0},
            )
        )
