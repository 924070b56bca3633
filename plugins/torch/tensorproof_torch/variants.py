"""Ways to run a function that no default run takes: settings of ``torch.compile``, ``torch.export``, and ``torch.func.vmap``."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tensorproof.backend import Forward, Native

DYNAMIC, RECOMPUTE, EXPORT, VMAP = "compile:dynamic", "compile:recompute", "export", "vmap"
VARIANTS = {DYNAMIC: "spread", RECOMPUTE: "spread", EXPORT: "spread", VMAP: "spread"}
TRANSFORMED = Counter({"compiled": 0})
"""How many functions were exported, and how often one was called on a batch."""


def recomputing(function: Forward) -> Forward:
    """A compiled function that keeps nothing for its gradient but its arguments, and computes all else again."""
    # Imported here, since only compiled modes need it.
    from torch._functorch import config

    def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
        with config.patch(activation_memory_budget=0.0):
            return function(primals, constants)

    return call


def exported(function: Callable[..., Any]) -> Forward:
    """The function exported at its first call, and run as exported from then on."""
    programs: list[Callable[..., Any]] = []

    class Module(torch.nn.Module):  # type: ignore[misc]
        def forward(self, primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            return function(primals, constants)

    def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
        arguments = (tuple(primals), tuple(constants))
        if not programs:
            programs.append(torch.export.export(Module(), arguments).module())
            TRANSFORMED["compiled"] += 1
        return programs[0](*arguments)

    return call


def batched(x: Native) -> Native:
    """A batch of two arrays: the numbers of one in other places, and that one. No gradient comes from the other."""
    flat = x.detach().reshape(-1)
    return torch.stack([torch.cat([flat[1:], flat[:1]]).reshape(x.shape), x])


def vmapped(function: Callable[..., Any]) -> Forward:
    """The function over a batch, whose last result is that of the arguments."""

    def body(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
        functorch: Any = torch._C._functorch
        TRANSFORMED["compiled"] += any(functorch.is_batchedtensor(array) for array in (*primals, *constants))
        return function(primals, constants)

    def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
        arguments = (tuple(map(batched, primals)), tuple(map(batched, constants)))
        outputs, others = torch.func.vmap(body, randomness="same")(*arguments)
        return tuple(y[-1] for y in outputs), tuple(y[-1] for y in others)

    return call
