"""Gauss-Newton fits of a language model: gradients of rows, steps, and the certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from llm_backend.fits.certificate import Realised
from llm_backend.fits.gauss_newton import RIDGE, Model, cross_fitted, step
from llm_backend.fits.objectives import Convex, at_totals
from llm_backend.fits.passes import batches, passes
from llm_backend.fits.row_gradients import KEPT, RowGradients, add_alone, add_together, products
from llm_backend.fits.settings import EXACT_PASSES, LITTLE, PASSES, ROUNDING, SAMPLED
from llm_backend.fits.task import Task
from llm_backend.models.by_row import Record
from llm_backend.models.prefix import records_rows
from llm_backend.processes.fsdp import local_shard
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Floats, Ints

REACH = 0.5  # share of a target that is asked for at least, however noisy it is


class Weights:
    """The trained weights, in float32 whatever their precision in the model, and steps from them."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter]):
        self.parameters = parameters
        self.base = {name: local_shard(p.detach()).float().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def set(self, change: Mapping[str, Tensor]) -> None:
        """Set the weights to the last ones kept, less `change` float[...] by name."""
        for name, parameter in self.parameters.items():
            base = self.base[name]
            local_shard(parameter).copy_(base - change[name] if name in change else base)

    def keep(self, change: Mapping[str, Tensor]) -> None:
        """Keep the weights less `change` float[...] by name."""
        for name, tensor in change.items():
            self.base[name] -= tensor


class NewtonFit:
    """A fit by Gauss-Newton steps.

    losses : the mean loss per prompt: before the fit, and of each pass after it.
    tokens : tokens of prompts and responses in backward passes.
    realised : the step on held-back responses, the mean over the first pass; None if none can be held back.
    """

    def __init__(self, task: Task, objective: Convex, parameters: Mapping[str, torch.nn.Parameter]):
        self.task, self.objective = task, objective
        self.weights = Weights(parameters)
        self.sharded = any(hasattr(p, "to_local") for p in parameters.values())
        self.together = not self.sharded  # one pass may serve several rows
        self.losses: list[float] = []
        self.tokens = 0
        self.realised: Realised | None = None
        self._crossed: list[Realised] = []

    def run(self) -> None:
        """Take steps until the target is reached, or noise explains what is left.

        Raises FloatingPointError when the loss is not finite.
        """
        how, groups = self.task.how, self.task.groups()
        most = how.epochs or (PASSES if self.task.tolerance >= SAMPLED else EXACT_PASSES)
        size = min(how.batch, len(groups))
        per_pass = -(-len(groups) // size)
        order = list(batches(list(groups), most, how.batch, self.task.key))
        for epoch in range(most):
            first = epoch == 0
            done, before, after = True, 0.0, 0.0
            for batch in order[epoch * per_pass : (epoch + 1) * per_pass]:
                start, end, ended = self._step([groups[x] for x in batch], first)
                before, after, done = before + start, after + end, done and ended
            if first:
                self.losses.append(before / len(groups))
            self.losses.append(after / len(groups))
            if done:
                break
        if per_pass > 1:  # later batches have moved the rows of earlier ones
            every = [groups[x] for x in groups]
            total = self.task.totals(every)
            rows = np.concatenate(every)
            self.losses[-1] = at_totals(self.objective, total, rows)[0] / len(groups)
        if self._crossed:
            slope, r2 = np.mean(self._crossed, axis=0)
            self.realised = Realised(float(slope), float(r2))

    def _step(self, groups: Sequence[Ints], first: bool) -> tuple[float, float, bool]:
        """(loss before, loss after, whether the batch needs no other step), summed over its prompts."""
        rows, objective = np.concatenate(groups), self.objective
        gradients, total = self._gradients(groups)
        gram = self._gram(gradients, groups)
        loss, slope = at_totals(objective, total, rows)
        if not (math.isfinite(loss) and np.isfinite(gram).all()):
            raise FloatingPointError(
                f"the loss of a fit is {loss}, or its gradients are not finite: load the model in float32, "
                "or lower the solver's step."
            )
        asked, least = objective.asked(rows)
        near = least + self.task.tolerance * (asked - least)
        near = near if math.isfinite(near) else 0.0
        if asked - least <= LITTLE * len(groups):  # the target is the prior, and training starts elsewhere
            near = least + ROUNDING * len(groups)
        floor = max(near, min(objective.noise(rows), (1 - REACH) * loss))
        if loss <= near:
            return loss, loss, True
        model = Model(loss, slope, objective.curvature(total, rows), gram)
        if first and (found := cross_fitted(objective, total, rows, gram, RIDGE)) is not None:
            self._crossed.append(found)
        changes: list[Mapping[str, Tensor]] = [{}]

        def move(weights: Floats) -> None:
            changes[0] = self._change(gradients, groups, weights) if weights.any() else {}
            self.weights.set(changes[0])

        def measured() -> float:
            return at_totals(objective, self.task.totals(groups), rows)[0]

        taken = step(model, floor, move, measured)
        self.weights.keep(changes[0])
        return taken.before, taken.after, not taken.fell or taken.after <= floor

    def _gradients(self, groups: Sequence[Ints]) -> tuple[RowGradients, Floats]:
        """The gradients of this process's rows, and the log-probabilities float64[B] of all rows.

        Processes divide the rows. Where all weights are sharded, each takes all rows and has a part of their
        gradients. All make equally many passes, because layers may be sharded.
        """
        us, task = workers(), self.task
        mine = list(groups if self.sharded else us.mine(groups))
        rows, spare = np.concatenate([np.empty(0, np.int64), *mine]), groups[0][:1]
        gradients = RowGradients(self.weights.parameters, len(rows), self._sketch(sum(map(len, groups))))
        total, done = np.zeros(len(rows)), 0

        def forward(at: Sequence[int], record: Record | None = None) -> Tensor:
            return task.logprobs(rows[list(at)], record=record).values.sum(1)

        recorded = records_rows(task.lm, self.weights.parameters.values())

        def pad() -> None:
            task.logprobs(spare).values.sum().backward()

        def met(at: Sequence[int], values: Tensor) -> int:
            total[list(at)] = values.double().cpu().numpy()
            self.tokens += task.tokens(rows[list(at)]) if us.first or not self.sharded else 0
            return at[-1] + 1

        half = max(1, task.at_once(True) // 2)  # the gradients of its rows are in memory, too
        ends = np.cumsum([0, *map(len, passes(mine, half))]).tolist()
        parts = [range(start, end) for start, end in pairwise(ends)]
        for at, counts in us.in_step(parts, range(0)) if self.together else ():
            values = add_together(task.lm.causal, gradients, at, forward, recorded) if counts else pad()
            if counts and values is not None:
                done = met(at, values)
            if us.summed(counts and values is None)[0]:
                self.together = False
                break
        for at, counts in us.in_step([[row] for row in range(done, len(rows))], []):
            if counts:
                met(at, add_alone(gradients, at[0], forward))
            else:
                pad()
        for parameter in self.weights.parameters.values():
            parameter.grad = None
        if self.sharded:
            return gradients, us.once(lambda: total)
        ends = np.cumsum([len(group) for group in mine])[:-1]
        return gradients, np.concatenate(us.gathered(np.split(total, ends) if mine else []))

    def _sketch(self, rows: int) -> int | None:
        """Numbers per row of a sketch of so many rows in all processes; None where one process has all."""
        size = workers().size
        return None if size == 1 else max(1, KEPT // (4 * rows * (size if self.sharded else 1)))

    def _gram(self, gradients: RowGradients, groups: Sequence[Ints]) -> Floats:
        """The inner products of the gradients of all rows, float64[B, B]; the same bits in every process."""
        us = workers()
        if us.size == 1:
            return gradients.gram()
        if self.sharded:  # every process has a part of the gradients of all rows, W times too large
            gram = gradients.gram() / us.size**2
            return np.array(us.summed(*gram.ravel())).reshape(gram.shape)
        mine = [len(rows) for rows in us.mine(groups)]
        parts = torch.split(gradients.kept[:-1].cpu(), mine) if mine else []
        every = us.gathered(list(parts))
        return us.once(lambda: products(torch.cat(every)))

    def _change(self, gradients: RowGradients, groups: Sequence[Ints], weights: Floats) -> dict[str, Tensor]:
        """J' a by parameter, float32: from the gradients if they are kept, else by a backward pass."""
        us = workers()
        if gradients.exact and us.size == 1:
            return gradients.combined(weights)
        self.weights.set({})
        rows = np.concatenate(groups)
        weight = dict(zip(rows.tolist(), weights, strict=True))
        mine = list(passes(list(us.mine(groups)), self.task.at_once(True)))
        for part, counts in us.in_step(mine, groups[0][:1]):
            values = self.task.logprobs(part, share=True).values.sum(1)
            each = torch.tensor([weight[int(i)] for i in part], dtype=values.dtype, device=values.device)
            values.backward(each * counts)
            self.tokens += counts * self.task.tokens(part)
        us.sum_gradients(self.weights.parameters.values())
        change = {}
        for name, parameter in self.weights.parameters.items():
            if parameter.grad is not None:
                change[name] = local_shard(parameter.grad).float().clone()
                parameter.grad = None
        return change
