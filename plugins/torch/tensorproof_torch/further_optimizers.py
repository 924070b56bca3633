"""Optimizers of ``torch.optim`` beyond those of the texts (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.optimizers import Natives, Rate, optimizer_steps, require_updates, step_counter
from tensorproof_torch.table import operations

GradientsOfSteps = Sequence[Sequence[Native | None]]
SCALES = {"rows": "original", "size": "match_rms_adamw"}
"""What ``torch.optim.Muon`` calls the scales of its step."""


@operations.native
def adamax(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    infinity_norm: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "gradient",
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.Adamax``."""
    require_updates(counted)
    if epsilon_placement != "gradient":
        raise Unsupported("torch.optim.Adamax adds epsilon to the size of the gradient")
    if decay != "coupled":
        raise Unsupported("torch.optim.Adamax adds weight decay to the gradient")
    slots = {"exp_avg": first_moment, "exp_inf": infinity_norm}
    options: dict[str, Any] = {"betas": (beta1, beta2), "eps": epsilon, "weight_decay": weight_decay}
    return optimizer_steps(torch.optim.Adamax, parameters, gradients, slots, learning_rate, step_counter(taken), **options)


@operations.native
def radam(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.RAdam``."""
    require_updates(counted)
    if epsilon_placement != "before_correction":
        raise Unsupported("torch.optim.RAdam adds epsilon before the correction")
    if threshold != 5.0:
        raise Unsupported("torch.optim.RAdam rectifies from a length of 5 on")
    slots = {"exp_avg": first_moment, "exp_avg_sq": second_moment}
    options: dict[str, Any] = {
        "betas": (beta1, beta2),
        "eps": epsilon,
        "weight_decay": weight_decay,
        "decoupled_weight_decay": decay == "decoupled",
    }
    return optimizer_steps(torch.optim.RAdam, parameters, gradients, slots, learning_rate, step_counter(taken), **options)


operations.unsupported("lion", "torch.optim has no Lion")
operations.unsupported("lamb", "torch.optim has no LAMB")


@operations.native
def rprop(
    parameters: Natives,
    gradients: GradientsOfSteps,
    previous: Natives | None = None,
    step_size: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    shrinking: float = 0.5,
    growing: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
    kept: str = "gradient",
) -> tuple[list[Native], ...]:
    """``torch.optim.Rprop``."""
    if kept != "gradient":
        raise Unsupported("torch.optim.Rprop remembers the gradient")
    slots = {"prev": previous, "step_size": step_size}
    options: dict[str, Any] = {"etas": (shrinking, growing), "step_sizes": (smallest, largest)}
    kind = torch.optim.Rprop
    moved, before, sizes = optimizer_steps(kind, parameters, gradients, slots, learning_rate, step_counter(1), **options)
    rates = [learning_rate] * len(sizes) if isinstance(learning_rate, float | int) else learning_rate
    for index, rate in enumerate(rates):
        if step_size is None and all(of_step[index] is None for of_step in gradients):
            sizes[index] = torch.full_like(parameters[index], rate)  # it has no state before its first gradient
    return moved, before, sizes


@operations.native
def adafactor(
    parameters: Natives,
    gradients: GradientsOfSteps,
    row_moment: Natives | None = None,
    column_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.01,
    exponent: float = 0.8,
    epsilon: float = 1e-30,
    epsilon_placement: str = "added",
    smallest_size: float = 0.001,
    threshold: float = 1.0,
    factored: str = "last",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.Adafactor``, whose row and column moments keep their axis."""
    require_updates(counted)
    if epsilon_placement != "least":
        raise Unsupported("torch.optim.Adafactor adds no epsilon to the squares: it divides by at least that")
    if factored != "last":
        raise Unsupported("torch.optim.Adafactor keeps the moments of the last two axes apart")
    shapes = {
        "row_var": [(*p.shape[:-1], 1) if p.ndim >= 2 else None for p in parameters],
        "col_var": [(*p.shape[:-2], 1, p.shape[-1]) if p.ndim >= 2 else None for p in parameters],
        "variance": [tuple(p.shape) if p.ndim < 2 else None for p in parameters],
    }
    given = dict(zip(shapes, (row_moment, column_moment, second_moment), strict=True))
    slots = {name: _spread(given[name], of_slot, parameters) for name, of_slot in shapes.items()}
    kind = torch.optim.Adafactor
    options: dict[str, Any] = {"beta2_decay": -exponent, "eps": (epsilon, smallest_size), "d": threshold}
    moved, *found = optimizer_steps(kind, parameters, gradients, slots, learning_rate, step_counter(taken), **options)
    rows, columns, moments = (
        # A parameter without a gradient has no state, for which there are zeros of the parameter's own shape.
        [
            array if array.shape == shape else array.new_zeros(shape)
            for array, shape in zip(arrays, of_slot, strict=True)
            if shape is not None
        ]
        for arrays, of_slot in zip(found, shapes.values(), strict=True)
    )
    return moved, [row.squeeze(-1) for row in rows], [column.squeeze(-2) for column in columns], moments


def _spread(given: Natives | None, shapes: Sequence[tuple[int, ...] | None], parameters: Natives) -> list[Native] | None:
    """State of some parameters as a list over all of them."""
    if given is None:
        return None
    arrays = iter(given)
    pairs = zip(shapes, parameters, strict=True)
    return [torch.zeros_like(parameter) if shape is None else next(arrays).reshape(shape) for shape, parameter in pairs]


@operations.native
def muon(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    coefficient: float = 0.95,
    nesterov: bool = True,
    average: str = "mean",
    coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    iterations: int = 5,
    epsilon: float = 1e-7,
    guard: str = "added",
    scale: str = "rows",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``torch.optim.Muon``."""
    if average != "mean":
        raise Unsupported("torch.optim.Muon takes the running mean of gradients as it is")
    if guard != "least":
        raise Unsupported("torch.optim.Muon divides by the norm, or by epsilon where that is larger")
    if scale not in SCALES:
        raise Unsupported("torch.optim.Muon scales by the rows and columns, or as AdamW's steps are")
    options: dict[str, Any] = {
        "momentum": coefficient,
        "nesterov": nesterov,
        "ns_coefficients": coefficients,
        "ns_steps": iterations,
        "eps": epsilon,
        "adjust_lr_fn": SCALES[scale],
        "weight_decay": weight_decay,
    }
    return optimizer_steps(torch.optim.Muon, parameters, gradients, {"momentum_buffer": first_moment}, learning_rate, **options)
