"""Optimizers of ``torch.optim`` beyond those of the texts (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.optimizers import Natives, Rate, optimizer_steps, require_updates, step_counter
from tensorproof_torch.table import operations

Changes = Sequence[Natives]
"""Arrays of all parameters, for each pair in a memory."""
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


@operations.native
def lbfgs(
    parameters: Natives,
    gradients: Sequence[Natives],
    previous_parameters: Natives | None = None,
    previous_gradients: Natives | None = None,
    parameter_changes: Changes | None = None,
    gradient_changes: Changes | None = None,
    *,
    memory: int = 10,
    learning_rate: float = 1.0,
    kept: str = "positive",
    scale: str = "curvature",
    first_step: str = "norm",
    zero_gradient: str = "counts",
) -> tuple[Any, ...]:
    """``torch.optim.LBFGS`` without a line search, one iteration in each call of ``step``, and no tolerance but for zero.

    It remembers the direction of the last step, and no parameters before it.
    """
    if kept != "positive":
        raise Unsupported("torch.optim.LBFGS keeps pairs of positive curvature")
    if scale != "curvature":
        raise Unsupported("torch.optim.LBFGS scales by the curvature of the newest pair")
    if first_step != "sum":
        raise Unsupported("torch.optim.LBFGS limits the first step by the sum of the gradient's sizes")
    if zero_gradient != "stays":
        raise Unsupported("torch.optim.LBFGS leaves its state as it is where the gradient is zero")
    leaves = [torch.nn.Parameter(parameter.clone()) for parameter in parameters]
    options: dict[str, Any] = {"max_iter": 1, "tolerance_grad": 0.0, "tolerance_change": 0.0, "history_size": memory}
    optimizer = torch.optim.LBFGS(leaves, lr=learning_rate, **options)
    before = list(parameters if previous_parameters is None else previous_parameters)
    state = optimizer.state[leaves[0]]
    if previous_gradients is not None:
        state.update(_lbfgs_state(parameters, before, previous_gradients, parameter_changes or (), gradient_changes or ()))
    for of_step in gradients:
        place = [leaf.detach().clone() for leaf in leaves]
        for leaf, gradient in zip(leaves, of_step, strict=True):
            leaf.grad = gradient.clone()
        taken = state.get("n_iter", 0)
        optimizer.step(lambda: 0.0)
        before = place if state["n_iter"] > taken else before
    last = state.get("prev_flat_grad")
    vectors = [torch.zeros_like(_vector(parameters)) if last is None else last]
    vectors += [*state.get("old_stps", ()), *state.get("old_dirs", ())]
    old, *changes = (_arrays(vector, parameters) for vector in vectors)
    pairs = len(changes) // 2
    return [leaf.detach() for leaf in leaves], before, old, changes[:pairs], changes[pairs:]


def _lbfgs_state(
    parameters: Natives, before: Natives, gradients: Natives, parameter_changes: Changes, gradient_changes: Changes
) -> dict[str, Any]:
    """The state of ``torch.optim.LBFGS`` after a step that led from ``before`` to the parameters."""
    steps, changes = ([_vector(arrays) for arrays in of_pairs] for of_pairs in (parameter_changes, gradient_changes))
    curvatures = [change.dot(step) for step, change in zip(steps, changes, strict=True)]
    return {
        "n_iter": 1 + len(steps),
        "d": _vector(parameters) - _vector(before),
        "t": 1.0,
        "old_dirs": changes,
        "old_stps": steps,
        "ro": [1.0 / curvature for curvature in curvatures],
        "H_diag": curvatures[-1] / changes[-1].dot(changes[-1]) if changes else 1.0,
        "prev_flat_grad": _vector(gradients),
    }


def _vector(arrays: Natives) -> Native:
    return torch.cat([array.reshape(-1) for array in arrays])


def _arrays(vector: Native, parameters: Natives) -> list[Native]:
    """Arrays of the parameters' shapes, of the numbers of a vector."""
    parts = vector.split([parameter.numel() for parameter in parameters])
    return [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]
