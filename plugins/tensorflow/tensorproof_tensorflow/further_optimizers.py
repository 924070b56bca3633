"""Optimizers of Keras beyond those of the texts (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.optimizers import Natives, Rate, optimizer_steps, require_decoupled, require_steps
from tensorproof_tensorflow.table import operations

GradientsOfSteps = Sequence[Sequence[Native | None]]


@operations.library
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
    """``keras.optimizers.Adamax``."""
    require_steps(counted)
    require_decoupled(weight_decay, decay)
    if epsilon_placement != "norm":
        raise Unsupported("keras.optimizers.Adamax adds epsilon to the norm where it divides")
    slots = {"_m": first_moment, "_u": infinity_norm}
    options: dict[str, Any] = {
        "beta_1": beta1,
        "beta_2": beta2,
        "epsilon": epsilon,
        "weight_decay": weight_decay or None,
    }
    return optimizer_steps("Adamax", parameters, gradients, slots, learning_rate, taken, **options)


operations.unsupported("radam", "Keras has no RAdam")
operations.unsupported("lbfgs", "neither Keras nor TensorFlow has L-BFGS: that of TensorFlow Probability is a search of its own")


@operations.library
def lion(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    *,
    learning_rate: Rate = 0.0001,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``keras.optimizers.Lion``."""
    if not beta1:
        raise Unsupported("keras.optimizers.Lion rejects beta_1=0, where it would step by the sign of the gradient alone")
    options: dict[str, Any] = {"beta_1": beta1, "beta_2": beta2, "weight_decay": weight_decay or None}
    return optimizer_steps("Lion", parameters, gradients, {"_momentums": first_moment}, learning_rate, **options)


@operations.library
def lamb(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "scaled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``keras.optimizers.Lamb``."""
    require_steps(counted)
    require_decoupled(weight_decay, decay)
    slots = {"_momentums": first_moment, "_velocities": second_moment}
    options: dict[str, Any] = {
        "beta_1": beta1,
        "beta_2": beta2,
        "epsilon": epsilon,
        "weight_decay": weight_decay or None,
    }
    return optimizer_steps("Lamb", parameters, gradients, slots, learning_rate, taken, **options)


operations.unsupported("rprop", "Keras has no Rprop")


@operations.library
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
    """``keras.optimizers.Adafactor``, whose lists of state have a place for each variable."""
    require_steps(counted)
    if epsilon_placement != "added":
        raise Unsupported("keras.optimizers.Adafactor adds epsilon to the squares")
    if factored != "last":
        raise Unsupported("keras.optimizers.Adafactor keeps the moments of the last two axes apart")
    matrices = [parameter.shape.rank >= 2 for parameter in parameters]
    zeros = [tf.zeros_like(parameter) for parameter in parameters]
    numbers = [tf.zeros(()) for _ in parameters]
    slots: dict[str, Natives | None] = {
        "_r": _spread(row_moment, matrices, numbers),
        "_c": _spread(column_moment, matrices, numbers),
        "_v": _spread(second_moment, [not matrix for matrix in matrices], zeros),
    }
    options: dict[str, Any] = {
        "beta_2_decay": -exponent,
        "epsilon_1": epsilon,
        "epsilon_2": smallest_size,
        "clip_threshold": threshold,
    }
    moved, rows, columns, moments = optimizer_steps("Adafactor", parameters, gradients, slots, learning_rate, taken, **options)
    return (
        moved,
        [row for row, matrix in zip(rows, matrices, strict=True) if matrix],
        [column for column, matrix in zip(columns, matrices, strict=True) if matrix],
        [moment for moment, matrix in zip(moments, matrices, strict=True) if not matrix],
    )


def _spread(given: Natives | None, has: Sequence[bool], others: Natives) -> list[Native] | None:
    """State of some parameters as a list over all of them."""
    if given is None:
        return None
    arrays = iter(given)
    return [next(arrays) if here else other for here, other in zip(has, others, strict=True)]


@operations.library
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
    """``keras.optimizers.Muon`` of matrices."""
    if average != "sum":
        raise Unsupported("keras.optimizers.Muon sums gradients")
    if guard != "added" or epsilon != 1e-7:
        raise Unsupported("keras.optimizers.Muon adds 1e-7 to the norm")
    if scale not in ("size", "none"):
        raise Unsupported("keras.optimizers.Muon scales by the larger side, or not at all")
    a, b, c = coefficients
    options: dict[str, Any] = {
        "momentum": coefficient,
        "nesterov": nesterov,
        "muon_a": a,
        "muon_b": b,
        "muon_c": c,
        "ns_steps": iterations,
        "rms_rate": 0.2 if scale == "size" else None,
        "weight_decay": weight_decay or None,
    }
    return optimizer_steps("Muon", parameters, gradients, {"momentums": first_moment}, learning_rate, **options)
