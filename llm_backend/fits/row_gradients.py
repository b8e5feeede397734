"""Gradients of the log-probabilities of responses, one per response, within a bound on memory.

A step of Gauss-Newton needs the Gram matrix of these gradients. They are kept as they are while they fit in
`KEPT` bytes, in bfloat16 above `EXACT` bytes. Otherwise a random sketch of each is kept: its entries are
added up with random signs at their place modulo an odd width, so that inner products are right on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_backend.models.by_row import Record
from llm_backend.processes.fsdp import local_shard

Floats = NDArray[np.float64]

EXACT = 1 << 26  # bytes of gradients that are kept in float32
KEPT = 1 << 29  # bytes of gradients that are kept at all
COLUMNS = 1 << 20  # numbers per response that enter a product at a time
TOLERANCE = 0.02  # largest relative distance between the sum of the parts and the whole gradient


class Forward(Protocol):
    """A forward pass of some rows."""

    def __call__(self, rows: Sequence[int], record: Record | None = None, /) -> Tensor:
        """Log-probabilities float[n] of n rows; their backward pass calls `record`, if one is given."""
        ...


class RowGradients:
    """The gradients of N log-probabilities, float[N, width], with respect to all parameters in one vector.

    Parameters
    ----------
    parameters : the trained parameters by name, of any shape; of a sharded one, its shard.
    rows : N. One more row is kept, in which a pass checks that its parts add up.
    sketch : numbers of a sketch per row, which is taken in any case where it is smaller than the gradient;
        None keeps the gradients if they fit, and else a sketch of `KEPT` bytes.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], rows: int, sketch: int | None = None):
        self.parameters, self.rows = dict(parameters), rows
        shards = [local_shard(p.detach()) for p in self.parameters.values()]
        sizes = [shard.numel() for shard in shards]
        self.starts = dict(zip(self.parameters, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        self.size, self.device = sum(sizes), shards[0].device
        whole = sketch is None and 2 * rows * self.size <= KEPT
        self.width = self.size if whole else min(self.size, sketch or KEPT // (4 * max(rows, 1))) | 1
        self.exact = self.width >= self.size
        self.width = min(self.width, self.size)
        dtype = torch.bfloat16 if whole and 4 * rows * self.size > EXACT else torch.float32
        self.kept = torch.zeros(rows + 1, self.width, dtype=dtype, device=self.device)
        self._signs = None if self.exact else _signs(self.size, self.device)

    def add(self, name: str, rows: Sequence[int], values: Tensor) -> None:
        """Add `values` float[n, numel] to the gradients of parameter `name` in n rows."""
        start, end = self.starts[name], self.starts[name] + values.shape[1]
        if self._signs is not None:
            values = values.float() * self._signs[start:end]
        while start < end:
            place = start % self.width
            stop = min(end, start + self.width - place)
            piece, values = values[:, : stop - start], values[:, stop - start :]
            self.kept[list(rows), place : place + stop - start] += piece.to(self.kept.dtype)
            start = stop

    def gram(self) -> Floats:
        """The inner products of the gradients, float64[N, N]; of a sketch, their estimates."""
        return products(self.kept[:-1])

    def combined(self, weights: Floats) -> dict[str, Tensor]:
        """sum_i weights[i] gradient_i by parameter, float32, each of its parameter's shape.

        weights : float64[N]. Only gradients that were kept whole can be combined.
        """
        assert self.exact
        weight = torch.as_tensor(weights, dtype=torch.float32, device=self.device)
        found = torch.cat(
            [weight @ self.kept[:-1, i : i + COLUMNS].float() for i in range(0, self.width, COLUMNS)]
        )
        return {
            name: found[start : start + local_shard(p).numel()].view(local_shard(p).shape)
            for (name, p), start in zip(self.parameters.items(), self.starts.values(), strict=True)
        }


def _signs(size: int, device: torch.device) -> Tensor:
    """Random signs int8[size], the same in every process and at every call."""
    generator = torch.Generator().manual_seed(0)
    return (torch.randint(0, 2, (size,), generator=generator, dtype=torch.int8) * 2 - 1).to(device)


def products(rows: Tensor) -> Floats:
    """The inner products of the rows of a float[N, width], float64[N, N]."""
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for i in range(0, rows.shape[1], COLUMNS):
        part = rows[:, i : i + COLUMNS].float()
        total += (part @ part.T).double()
    return total.cpu().numpy()


def add_alone(into: RowGradients, row: int, forward: Forward) -> Tensor:
    """Add the gradient of `forward([row])`, float[1], to row `row` of `into`; returns its value."""
    values = forward([row])
    values.sum().backward()
    for name, parameter in into.parameters.items():
        if parameter.grad is not None:
            into.add(name, [row], local_shard(parameter.grad).reshape(1, -1))
            parameter.grad = None
    return values.detach()


def add_together(
    model: torch.nn.Module,
    into: RowGradients,
    rows: Sequence[int],
    forward: Forward,
    recorded: bool = False,
) -> Tensor | None:
    """Add the gradients of `forward(rows)`, float[n], to the rows `rows` of `into`, by one backward pass.

    recorded : `forward(rows, record)` calls `record` in its backward pass with each parameter and its
        gradients by row; this is tried first.

    Returns its values, or None with nothing added when one pass does not separate the rows. It does where the
    trained parameters are weights of linear layers that see each row apart, as low-rank adapters of dense
    models are. One row is one pass in any case.
    """
    if recorded and (values := _add_recorded(into, rows, forward)) is not None:
        return values
    if len(rows) == 1:
        return add_alone(into, rows[0], forward)
    if (modules := _linear(model, into.parameters)) is None:
        return None
    with _hooked(modules, into, rows) as hooked:
        values = forward(rows)
        hooked.clear()  # activations that are computed again in the backward pass are not recorded again
        values.sum().backward()
    whole = len(into.kept) - 1
    for name, parameter in into.parameters.items():
        if parameter.grad is not None:
            into.add(name, [whole], parameter.grad.reshape(1, -1))
            parameter.grad = None
    total, parts = into.kept[whole].float(), into.kept[list(rows)].float().sum(dim=0)
    apart, size = float((total - parts).norm()), float(total.norm())
    into.kept[whole] = 0
    if not apart <= TOLERANCE * size + 1e-30:
        into.kept[list(rows)] = 0
        return None
    return values.detach()


def _add_recorded(into: RowGradients, rows: Sequence[int], forward: Forward) -> Tensor | None:
    """The values of `forward(rows, record)`, or None with nothing added when a gradient was not recorded."""
    names = {id(p): name for name, p in into.parameters.items()}

    def record(matrix: Tensor, by_row: Tensor) -> None:
        into.add(names[id(matrix)], rows, by_row.flatten(1))

    values = forward(rows, record)
    values.sum().backward()
    if all(p.grad is None for p in into.parameters.values()):
        return values.detach()
    into.kept[list(rows)] = 0
    for parameter in into.parameters.values():
        parameter.grad = None
    return None


Modules = list[tuple[torch.nn.Linear, str]]


def _linear(model: torch.nn.Module, parameters: Mapping[str, torch.nn.Parameter]) -> Modules | None:
    """(linear layer, name of its weight) of all trained parameters, or None.

    None if one is not a weight of such a layer, such as a shard of a weight.
    """
    names = {id(p): name for name, p in parameters.items()}
    modules = [
        (module, names.pop(id(module.weight)))
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and id(module.weight) in names
    ]
    return None if names or any(hasattr(p, "to_local") for p in parameters.values()) else modules


@contextmanager
def _hooked(modules: Modules, into: RowGradients, rows: Sequence[int]) -> Iterator[list[bool]]:
    """Record the parts of rows in the gradients of these layers, while the list that is yielded has an item.

    A layer that sees rows together is left out, so that its parts do not add up.
    """
    recording = [True]

    def hook(name: str) -> Callable[[torch.nn.Module, tuple[Tensor, ...], Tensor], None]:
        def seen(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if not recording or output.dim() != 3 or len(output) != len(rows):
                return  # no error here: other processes wait for the layers of a sharded base
            held = inputs[0].detach()

            def arrived(gradient: Tensor) -> None:
                by_row = torch.bmm(gradient.transpose(1, 2), held.to(gradient.dtype))
                into.add(name, rows, by_row.flatten(1))

            output.register_hook(arrived)

        return seen

    handles = [module.register_forward_hook(hook(name)) for module, name in modules]
    try:
        yield recording
    finally:
        for handle in handles:
            handle.remove()
