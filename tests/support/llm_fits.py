"""Gauss-Newton fits in several processes: python llm_fits.py PLAN.json, a list of [size, case].

A case is a dict: prompts, how many; lora, a rank or None; shard, whether weights are sharded; kept, bytes of
gradients that are kept at most, None for the default; how, settings of the fit; unrowed, whether one pass of
the last process does not separate its rows. Prints a line of JSON per fit: exit statuses, standard errors,
and by process the losses, the share, tokens, id and log-probabilities of the policy.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from llm_backend import Fit, TextArena
from llm_backend.fits import newton, row_gradients
from llm_backend.fits.fit import fit
from llm_backend.fits.objectives import Regress
from llm_backend.fits.row_gradients import add_together
from llm_backend.fits.settings import LISTED
from llm_backend.policies.handles import BASE
from llm_backend.processes.workers import workers
from tests.support.llm_processes import forked
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm

PROMPTS, RESPONSES = ["f", "g h", "i", "j f g", "h"], ["a", "b", "c d", "d", "e a b"]


def separating_nothing(*more):
    add_together(*more)
    into, rows = more[1], more[2]
    into.kept[list(rows)] = 0


def fitted(case: dict, noted: dict) -> None:
    prompts = PROMPTS[: case["prompts"]]
    lm = tiny_lm(lora=case["lora"], layers=2)
    judge = TableJudge(cyclic_game(len(prompts)).P, prompts, RESPONSES)
    space = TextArena(lm, prompts, judge, None, responses=RESPONSES).space
    draws = space.all.take(np.arange(len(space.all))[2:])  # the first prompt has fewer rows
    target = np.random.default_rng(0).normal(size=len(draws))
    weight = 1 / np.bincount(draws.prompt)[draws.prompt]
    objective = Regress(draws, space.score(BASE, draws), target, weight)
    us = workers()
    if case["shard"] and us.size > 1:
        lm.shard()
    if case["kept"]:
        newton.KEPT = row_gradients.KEPT = case["kept"]
    if case["unrowed"] and us.rank == us.size - 1:
        newton.add_together = separating_nothing
    how = Fit(**case["how"])
    done = fit(lm, BASE, objective, space.sampling.prompts, how, tolerance=LISTED)
    with lm.unsharded([done.policy]):
        score = space.score(done.policy, draws)
    noted |= {"losses": done.losses, "share": done.certificate.share, "tokens": done.tokens}
    noted |= {"id": done.policy.id, "score": score.tolist()}
    us.leave()


def main() -> None:
    torch.set_num_threads(1)
    for size, case in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(forked(size, lambda rank, noted, case=case: fitted(case, noted))), flush=True)


if __name__ == "__main__":
    main()
