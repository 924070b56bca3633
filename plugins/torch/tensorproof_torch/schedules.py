"""Learning-rate schedules of ``torch.optim.lr_scheduler``, and clipping of ``torch.nn.utils``."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

Natives = Sequence[Native]

GRAPH_BREAKS = (
    *("clip_by_value", "clip_by_norm", "clip_by_global_norm"),
    *("constant_schedule", "step_schedule", "exponential_schedule", "cosine_schedule", "warmup_schedule"),
    *("polynomial_schedule", "cosine_restarts_schedule", "one_cycle_schedule", "joined_schedules"),
)
"""Schedulers are objects with state, which Dynamo does not trace as one graph; clipping changes gradients in place."""


def _with_gradients(gradients: Natives) -> list[torch.nn.Parameter]:
    """Parameters that have copies of these gradients, to be clipped in place."""
    leaves = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf.grad = gradient.clone()
    return leaves


@operations.native
def clip_by_value(gradients: Natives, *, limit: float) -> list[Native | None]:
    """``torch.nn.utils.clip_grad_value_``."""
    leaves = _with_gradients(gradients)
    torch.nn.utils.clip_grad_value_(leaves, limit)
    return [leaf.grad for leaf in leaves]


def require_guard(epsilon: float) -> None:
    """``clip_grad_norm_`` adds 1e-6 to the norm."""
    if epsilon != 1e-6:
        raise Unsupported("torch.nn.utils.clip_grad_norm_ divides by the norm plus 1e-6")


@operations.native
def clip_by_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native | None]:
    """``torch.nn.utils.clip_grad_norm_``, called for each gradient on its own."""
    require_guard(epsilon)
    leaves = _with_gradients(gradients)
    for leaf in leaves:
        torch.nn.utils.clip_grad_norm_(leaf, limit)
    return [leaf.grad for leaf in leaves]


@operations.native
def clip_by_global_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native | None]:
    """``torch.nn.utils.clip_grad_norm_``."""
    require_guard(epsilon)
    leaves = _with_gradients(gradients)
    torch.nn.utils.clip_grad_norm_(leaves, limit)
    return [leaf.grad for leaf in leaves]


def rates_of(scheduler: Callable[..., Any], learning_rate: Native, step: Native, **options: Any) -> Native:
    """The learning rates that a scheduler sets at the steps asked for, which it reaches one after the other.

    It computes in Python's floats, each rate from the one before; they are converted to the dtype.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=float(learning_rate))
    schedule = scheduler(optimizer, **options)
    wanted = [int(number) for number in step.reshape(-1).tolist()]
    found = [schedule.get_last_lr()[0]]
    for _ in range(max(wanted, default=0)):
        optimizer.step()
        schedule.step()
        found.append(schedule.get_last_lr()[0])
    return step.new_tensor([found[number] for number in wanted]).reshape(step.shape)


@operations.native
def constant_schedule(learning_rate: Native, step: Native) -> Native:
    """``ConstantLR`` with a factor of 1."""
    return rates_of(torch.optim.lr_scheduler.ConstantLR, learning_rate, step, factor=1.0)


@operations.native
def step_schedule(
    learning_rate: Native,
    step: Native,
    *,
    boundaries: tuple[int, ...] = (8, 16),
    factor: float = 0.1,
    at_boundary: str = "new",
) -> Native:
    """``MultiStepLR``."""
    if at_boundary != "new":
        raise Unsupported("MultiStepLR changes the rate at the milestone")
    scheduler = torch.optim.lr_scheduler.MultiStepLR
    return rates_of(scheduler, learning_rate, step, milestones=list(boundaries), gamma=factor)


@operations.native
def exponential_schedule(
    learning_rate: Native, step: Native, *, rate: float = 0.9, every: int = 8, staircase: bool = False
) -> Native:
    """``StepLR`` as a staircase, ``ExponentialLR`` for every step, and the formula in ``LambdaLR`` for several steps."""
    if staircase:
        return rates_of(torch.optim.lr_scheduler.StepLR, learning_rate, step, step_size=every, gamma=rate)
    if every == 1:
        return rates_of(torch.optim.lr_scheduler.ExponentialLR, learning_rate, step, gamma=rate)
    return rates_of(torch.optim.lr_scheduler.LambdaLR, learning_rate, step, lr_lambda=lambda number: rate ** (number / every))


@operations.native
def cosine_schedule(learning_rate: Native, step: Native, *, steps: int = 16, final: float = 0.0, beyond: str = "final") -> Native:
    """``CosineAnnealingLR``."""
    if beyond != "periodic":
        raise Unsupported("CosineAnnealingLR rises again after T_max")
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR
    return rates_of(scheduler, learning_rate, step, T_max=steps, eta_min=final * float(learning_rate))


@operations.native
def warmup_schedule(learning_rate: Native, step: Native, *, steps: int = 8, start: float = 0.0) -> Native:
    """``LinearLR``, which starts above zero; from zero, the formula in ``LambdaLR``."""
    if start == 0.0:
        return rates_of(torch.optim.lr_scheduler.LambdaLR, learning_rate, step, lr_lambda=lambda number: min(number / steps, 1.0))
    return rates_of(torch.optim.lr_scheduler.LinearLR, learning_rate, step, start_factor=start, total_iters=steps)
