"""Free attacks and answers: what is drawn, judged and refused, and states on disk."""

import numpy as np
import pytest

import pgames as pg
from llm_backend.judges import JudgeError, Rule
from llm_backend.judges.attack import ByRule
from llm_backend.policies.handles import BASE, Adapter, Answers
from llm_backend.roles import Seed
from llm_backend.roles.play import attacks_of, defending
from pgames.arena import Pair
from tests.support.llm_roles import free_roles, says_d


def written(*texts):
    """The attacker that writes these texts, the same for two seeds."""
    return Answers((texts, texts), (np.full(len(texts), 1 / len(texts)),) * 2)


def seen(arena, attacker):
    return attacks_of(arena.rules, arena._table, arena._attacking, attacker)


def test_a_round_trains_both_roles_and_is_the_same_again():
    arena = free_roles()
    step = lambda one: one.mirror_step(one.reference, one.reference, 2.0)  # noqa: E731
    first, again, other = step(arena), step(free_roles()), step(free_roles(seed=1))
    assert isinstance(first.attacker, Adapter) and isinstance(first.defender, Adapter)
    assert [half.id for half in first] == [half.id for half in again]
    assert first.attacker.id != other.attacker.id and first.defender.id != other.defender.id
    assert [note["verb"] for note in arena.journal] == ["tilt", "tilt"]


def test_both_roles_share_the_draws_and_verdicts_of_a_round():
    batches = []

    def success(prompts, answers):
        batches.append(list(zip(prompts, answers, strict=True)))
        return says_d(prompts, answers)

    arena = free_roles(success=success)
    arena.mirror_step(arena.reference, arena.reference, 1.0)
    asked = [row for batch in batches for row in batch]
    assert len(set(asked)) == len(asked) == arena.asked  # nothing twice, though both roles need it
    read = len(seen(arena, BASE).prompts)
    assert 0 < len(asked) <= 3 * read
    arena.only("defender", arena.reference).mirror_step(arena.reference, arena.reference, 1.0)
    assert arena.asked == len(asked)
    arena.at(1).mirror_step(arena.reference, arena.reference, 1.0)
    assert arena.asked > len(asked)


def test_the_defender_learns_what_the_verdict_wants_and_the_attacker_the_opposite():
    arena = free_roles(samples=8, replies=4)
    policy = pg.solve(pg.INPO(0.1, 4.0), arena, 6).policy
    late = free_roles(lm=arena.lm, samples=64).at(100)
    base = late.success(BASE, BASE)
    assert base > 0.03
    assert late.success(BASE, policy.defender) < 0.5 * base
    attacked = pg.solve(pg.INPO(0.05, 8.0), arena.only("attacker", arena.reference), 8).policy
    assert attacked.defender is BASE
    assert late.success(attacked.attacker, BASE) > 1.5 * base


def test_bad_attacks_are_refused_by_name_and_the_seed_keeps_the_others():
    seeds = [Seed("a", secret="D E"), Seed("b", secret="zzz")]
    arena = free_roles(seeds, samples=64)
    texts = ("", "  ", "a b", "a d e", "<eos> c")
    found = seen(arena, written(*texts[2:]))  # an empty text is not a listed answer: it is drawn below
    assert set(found.prompts) == {"a b", "a d e"}
    why = {(one.seed, one.text): one.why for one in arena.refused}
    assert why[0, "a d e"] == "it holds the secret itself"
    assert "control token" in why[0, "<eos> c"] and (1, "a d e") not in why
    assert {int(x) for x in found.draws.prompt[found.rows]} == {0, 1}
    worth = arena.only("attacker", Pair(BASE, BASE)).success(written(*texts[2:]), BASE)
    kept = found.draws.prompt[found.rows]
    assert worth <= len(kept) / len(found.draws)  # a refused attack scores 0


def test_empty_and_overlong_attacks_of_a_model_are_refused():
    arena = free_roles(samples=64)
    found = seen(arena, BASE)
    why = {one.why for one in arena.refused}
    assert why == {"it is empty", "it has no end within 5 tokens"}
    cut = set(np.flatnonzero(found.draws.truncated))
    empty = {i for i, text in enumerate(found.draws.texts) if not text}
    assert cut and empty and set(found.rows) == set(range(128)) - cut - empty
    assert str(arena.refused[0]).startswith("round 0, seed 0: the attack ")
    arena.at(1).success(BASE, BASE)
    assert {one.round for one in arena.refused} == {1}


def test_a_seed_without_an_attack_is_an_error():
    arena = free_roles([Seed("a", secret="c"), Seed("b")])
    with pytest.raises(ValueError, match=r"round 3: all 4 attacks on seed 0 are refused; the first is 'c'"):
        arena.at(3).mirror_step(arena.reference, Pair(written("c"), BASE), 1.0)


def test_an_attack_beyond_the_context_is_refused():
    long = " ".join(["a"] * 59)
    arena = free_roles(samples=8, attack_tokens=60, answer_tokens=5)
    with pytest.raises(ValueError, match=r"it cannot be read \(.*context is 64"):
        seen(arena, written(long))


def test_numbers_of_prompts_may_differ_from_round_to_round():
    arena = free_roles(samples=16)
    counts = {len(seen(arena.at(t), BASE).prompts) for t in range(4)}
    assert len(counts) > 1
    assert all(isinstance(half, Adapter) for half in pg.solve(pg.INPO(0.2, 1.0), arena, 2).policy)


def test_ordinary_prompts_are_mixed_in_and_judged_by_pairs():
    asked = []

    def prefer(prompt, first, second):
        asked.append(prompt)
        return 0.5 + 0.5 * np.sign(first.count("b") - second.count("b"))

    seeds = [Seed("a", system=""), Seed("b c")]
    options = {"ordinary": ["d", "e", "d e"], "judge": Rule(prefer=prefer), "quality": 0.25, "samples": 3}
    arena = free_roles(seeds, **options)
    assert arena.rules.everyday(0, 6) == ["d", "e"]  # a quarter of eight
    assert arena.rules.everyday(1, 6) == ["d e", "d"]
    arena.mirror_step(arena.reference, arena.reference, 1.0)
    assert set(asked) == {"d", "e"}
    before = arena.asked
    none = free_roles(seeds, **{**options, "judge": None})
    none.mirror_step(none.reference, none.reference, 1.0)
    assert none.asked == before  # a verdict on an attack is none on an ordinary prompt


def test_without_a_judge_ordinary_prompts_keep_the_defender_where_it_is():
    far = []
    for quality in (0.0, 0.8):
        ordinary = ["d", "e"] if quality else []
        arena = free_roles(["a"], samples=4, replies=8, ordinary=ordinary, quality=quality)
        policy = pg.solve(pg.INPO(0.1, 6.0), arena.only("defender", arena.reference), 3).policy
        where = defending(arena.rules, arena._table, arena._attacking, ["d", "e"])
        draws = where.space.draw(BASE, 32, (7,))
        far.append(np.abs(where.space.score(policy.defender, draws) - where.space.score(BASE, draws)).mean())
    assert far[1] < 0.7 * far[0]


def test_a_state_of_pairs_goes_on_from_the_disk(tmp_path):
    solver, arena = pg.EGPO(0.2, 1.0), free_roles()
    state = pg.solve(solver, arena, 1)
    arena.save(state, tmp_path)
    other = free_roles()
    here, there = (
        solver.step(one.at(1), some).policy for one, some in ((arena, state), (other, other.load(tmp_path)))
    )
    assert [half.id for half in here] == [half.id for half in there]
    assert (tmp_path / "state.json").read_text().count('"record": "Pair"') >= 1


def test_draws_are_read_back_from_a_folder(tmp_path):
    first = free_roles(folder=tmp_path)
    policy = first.mirror_step(first.reference, first.reference, 1.0)
    kept = len(list(tmp_path.iterdir()))
    assert kept == 2  # attacks, and answers to them
    again = free_roles(folder=tmp_path)
    same = again.mirror_step(again.reference, again.reference, 1.0)
    assert [half.id for half in same] == [half.id for half in policy]
    assert len(list(tmp_path.iterdir())) == kept


def test_a_defender_is_trained_alone_on_fixed_attacks():
    arena = free_roles(samples=8)
    fixed = written("a b", "c")
    view = arena.only("defender", Pair(fixed, BASE))
    state = pg.solve(pg.INPO(0.1, 4.0), view, 2)
    assert state.policy.attacker is fixed and isinstance(state.policy.defender, Adapter)
    assert set(seen(arena.at(1), fixed).prompts) == {"a b", "c"}


@pytest.mark.parametrize(
    "seeds, message",
    [
        ([], "at least one Seed"),
        ([Seed("a", secret="A")], r"seeds\[0\].prompt tells the attacker the secret 'A'"),
        ([Seed("b"), Seed(" ")], r"seeds\[1\].prompt is empty"),
        ([Seed("b"), Seed("b")], r"seeds\[1\] is the same as seeds\[0\]"),
    ],
)
def test_bad_seeds_are_named(seeds, message):
    with pytest.raises(ValueError, match=message):
        free_roles(seeds)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"quality": 0.5}, "quality is the share of ordinary prompts"),
        ({"quality": 1.0, "ordinary": ["a"]}, "quality is the share"),
        ({"samples": 1}, "samples must be at least 2"),
        ({"replies": 1}, "samples must be at least 2"),
        ({"samples": None}, "samples=None needs responses"),
        ({"attacks": ["a"]}, "both or neither"),
        (
            {"attacks": ["a", ""], "answers": ["b", "c"]},
            "the attack '' cannot be used on seed 0",
        ),
        ({"per_round": 3}, "per_round must be from 1 to"),
        ({"attack_tokens": 0}, "max_new_tokens"),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        free_roles(**options)


def test_a_rule_that_fails_is_no_verdict():
    arena = free_roles(success=ByRule(lambda prompt, answer: 2.0, "broken"))
    with pytest.raises(JudgeError, match=r"ByRule\(broken\) returned 2.0"):
        arena.success(BASE, BASE)
    with pytest.raises(AttributeError, match="list of texts"):
        arena.gains(arena.reference)
    with pytest.raises(ValueError, match='"attacker" or "defender"'):
        arena.only("judge", arena.reference)


def test_a_seed_may_be_a_conversation_under_a_system_text():
    from llm_backend.tiny import tiny_language_model

    seed = Seed([{"role": "system", "content": "write"}, {"role": "user", "content": "plus"}], "add", "7")
    prompts = []

    def success(asked, answers):
        prompts.extend(asked)
        return np.full(len(answers), 0.5)

    arena = free_roles([seed], tiny_language_model(), success, attack_tokens=24, samples=8)
    arena.success(BASE, BASE)
    assert all(one.messages[0] == {"role": "system", "content": "add"} for one in prompts)
    assert len({one.messages[1]["content"] for one in prompts}) > 1
