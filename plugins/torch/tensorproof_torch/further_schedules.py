"""Learning-rate schedules beyond those of the texts (profile ``extended``)."""

from collections.abc import Callable
from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.schedules import rates_of
from tensorproof_torch.table import operations


@operations.native
def polynomial_schedule(
    learning_rate: Native, step: Native, *, steps: int = 16, power: float = 1.0, final: float = 0.0
) -> Native:
    """``PolynomialLR``, and ``LinearLR`` where a linear one ends above zero."""
    if final and power != 1.0:
        raise Unsupported("PolynomialLR ends at zero")
    if final:
        options = {"start_factor": 1.0, "end_factor": final, "total_iters": steps}
        return rates_of(torch.optim.lr_scheduler.LinearLR, learning_rate, step, **options)
    return rates_of(torch.optim.lr_scheduler.PolynomialLR, learning_rate, step, total_iters=steps, power=power)


@operations.native
def cosine_restarts_schedule(
    learning_rate: Native, step: Native, *, steps: int = 8, growth: int = 1, peak: float = 1.0, final: float = 0.0
) -> Native:
    """``CosineAnnealingWarmRestarts``."""
    if peak != 1.0:
        raise Unsupported("CosineAnnealingWarmRestarts restarts at the first rate")
    options = {"T_0": steps, "T_mult": growth, "eta_min": final * float(learning_rate)}
    return rates_of(torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, learning_rate, step, **options)


@operations.native
def one_cycle_schedule(
    learning_rate: Native,
    step: Native,
    *,
    steps: int = 24,
    rising: float = 0.25,
    divisor: float = 25.0,
    final_divisor: float = 10_000.0,
    form: str = "cosine",
    phases: int = 2,
    ends: str = "last_step",
) -> Native:
    """``OneCycleLR``."""
    if ends != "last_step":
        raise Unsupported("OneCycleLR ends at the last step")
    options: dict[str, Any] = {
        "max_lr": float(learning_rate),
        "total_steps": steps,
        "pct_start": rising,
        "div_factor": divisor,
        "final_div_factor": final_divisor,
        "anneal_strategy": {"cosine": "cos"}.get(form, form),
        "three_phase": phases == 3,
        "cycle_momentum": False,
    }
    return rates_of(torch.optim.lr_scheduler.OneCycleLR, learning_rate, step, **options)


PARTS: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda optimizer, length: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "exponential": lambda optimizer, length: torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9),
    "linear": lambda optimizer, length: torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=length, power=1.0),
    "warmup": lambda optimizer, length: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda number: min(number / length, 1.0)),
}
"""The schedules that are joined. ``LinearLR`` cannot start from zero."""


@operations.native
def joined_schedules(
    learning_rate: Native,
    step: Native,
    *,
    schedules: tuple[str, ...] = ("warmup", "linear"),
    lengths: tuple[int, ...] = (8, 16),
    boundaries: tuple[int, ...] = (8,),
) -> Native:
    """``SequentialLR``."""

    def scheduler(optimizer: torch.optim.Optimizer) -> Any:
        parts = [PARTS[name](optimizer, length) for name, length in zip(schedules, lengths, strict=True)]
        return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, milestones=list(boundaries))

    return rates_of(scheduler, learning_rate, step)
