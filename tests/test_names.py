"""The registry of names: complete, exact, and helpful when a name is wrong."""

import inspect

import pytest

import pgames as pg
from pgames import names


def test_every_exported_solver_is_named():
    known = names.solvers()
    assert {"Average", "Best", "COMAL", "DPO", "EGPO", "SPIN", "RUCB", "XPO"} <= set(known)
    assert known["COMAL"] is pg.COMAL and names.solver_class("MMD") is pg.MMD
    assert not {"Solver", "Schedule", "PairLoss", "compare", "sweep", "nash"} & set(known)


@pytest.mark.parametrize("name", names.solvers())
def test_learners_are_the_solvers_that_ask_for_a_belief_or_answers_in_duels(name):
    """Those that refuse a table for want of duels, and no others."""
    make = names.solver_class(name)
    inner = pg.MMD(0.1, 0.5)
    needed = {"inner": inner, "attacker": inner, "defender": inner, "solver": pg.SPPO(0.5), "size": 2}
    needed |= {"tau": 0.1, "eta": 0.5, "every": 5, "alpha": 0.6, "lam": 2.0, "simulations": 8}
    needed |= {"loss": pg.losses.squared} if name in ("GPO", "OnlineGPO") else {}
    taken = inspect.signature(make).parameters.keys() & needed.keys()
    solver = make(**{key: needed[key] for key in taken})
    game = pg.games.comal3()
    table = pg.TableArena(game, expert=game.reference)
    others = dict.fromkeys(names.OPPOSED, pg.RoleArena(pg.MatrixRoles(game.P[0])))
    others["ExpertIteration"] = pg.Searched(table, 3)
    try:
        solver.init(others.get(name, table))
        on_a_table = True
    except TypeError:
        on_a_table = False
    assert on_a_table != (name in names.LEARNERS)
    if name in names.LEARNERS:
        assert names.learner_class(name) is make
        solver.init(pg.DuelArena(game))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("egpo", "it must be one of AnytimePSRO.*, or package.module:Class of your own. Did you mean EGPO"),
        ("no.such:Solver", "it must be package.module:Class that exists: .* No module named 'no'"),
        ("pgames:EGPPO", "it must be .*module pgames has no 'EGPPO'. Did you mean EGPO"),
        (".relative:Solver", "it must be package.module:Class that exists"),
        (":Solver", "it must be package.module:Class that exists"),
        ("pgames:TableArena", "it must be a class with the methods init and step"),
        ("pgames:nash", "it must be a class with the methods init and step"),
    ],
)
def test_a_wrong_name_of_a_solver_says_what_it_must_be(name, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        names.solver_class(name)


def test_names_of_learners_losses_and_own_objects():
    with pytest.raises(ValueError, match="it must be one of DENPO"):
        names.learner_class("EGPO")
    assert names.loss("squared") is pg.losses.squared and names.loss("hinge").name == pg.losses.hinge().name
    with pytest.raises(ValueError, match=r"it must be one of logistic.*hinge\. Did you mean squared"):
        names.loss("squred")
    assert names.imported("pgames.games:comal3") is pg.games.comal3
    assert names.solver_class("pgames.solvers.mirror:MMD") is pg.MMD
