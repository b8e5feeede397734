"""AdamW on an objective, batch by batch."""

from __future__ import annotations

import math

from llm_backend.fits.adam import Adam
from llm_backend.fits.passes import batches, passes
from llm_backend.fits.settings import EPOCHS
from llm_backend.fits.task import Task
from llm_backend.policies.handles import Adapter, Leaf
from llm_backend.processes.workers import workers
from llm_backend.weights.slots import Trainee


def descend(task: Task, trainee: Trainee, start: Leaf) -> tuple[Adapter, list[float], int]:
    """(the policy, the mean loss per prompt of every optimiser step, trained tokens).

    Raises FloatingPointError when the loss of a step is not finite.
    """
    how, groups, us = task.how, task.groups(), workers()
    steps = list(batches(list(groups), how.epochs or EPOCHS, how.batch, task.key))
    optimiser = Adam(trainee.parameters, how, getattr(start, "moments", {}) if how.moments else {})
    losses, tokens = [], 0
    for step, batch in enumerate(steps):
        loss, seen = 0.0, 0
        mine = list(passes([groups[x] for x in us.mine(batch)], task.at_once(True)))
        for rows, counts in us.in_step(mine, groups[batch[0]]):
            values, mask = task.logprobs(rows, share=True)
            part, slope = task.objective(values.detach().double().cpu(), mask.cpu(), rows)
            values.backward((slope * (counts / len(batch))).to(values))
            loss += counts * part / len(batch)
            seen += counts * task.tokens(rows)
        us.sum_gradients(trainee.parameters.values())
        loss, seen = us.summed(loss, seen)
        tokens += int(seen)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss of step {step} is {loss}: lower Fit.lr (now {how.lr}) or the solver's step."
            )
        optimiser.step(how.rate(step, len(steps)))
        losses.append(loss)
    return task.lm.freeze(trainee, optimiser.moments() if how.moments else None), losses, tokens
