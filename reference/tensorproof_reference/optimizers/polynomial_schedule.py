"""Polynomial decay: see ``polynomial_schedule``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def polynomial_schedule(learning_rate: Array, step: Array, *, steps: int = 16, power: float = 1.0, final: float = 0.0) -> Array:
    r"""The learning rate falls along a power of the steps that are left, to the fraction ``final`` of itself:
    :math:`y_t = \alpha \left( f + (1 - f) (1 - \min(t, T) / T)^p \right)` with T the number of ``steps`` and p the ``power``.

    With a power of 1 it falls linearly. From the step T on it stays.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, ``steps`` is no positive integer, ``power`` is not
    positive, or ``final`` is outside [0, 1].
    Source: Chen et al. (2018), §4 ("poly"); Goodfellow, Bengio & Courville (2016), eq. 8.14 (linear).
    """
    require_schedule(learning_rate, step)
    require_count(steps=steps)
    require(power > 0, "power", "a positive number", power)
    require(0 <= final <= 1, "final", "a number from 0 to 1", final)
    left = 1.0 - np.minimum(step, steps) / steps
    return learning_rate * (final + (1.0 - final) * (left if power == 1.0 else np.power(left, np.full_like(step, power))))


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; powers, final fractions and lengths."""
    variants: dict[str, dict[str, Any]] = {
        "optional_square": {"power": 2.0},
        # 1 - 13 · (1 / 13) is below zero in some arithmetic, and a power of it NaN.
        "optional_power_three_halves": {"power": 1.5, "steps": 13},
        "optional_final_tenth": {"final": 0.125},
        "optional_square_final_tenth": {"power": 2.0, "final": 0.125},
        "optional_steps": {"steps": 23},
        "bounds_one_step": {"steps": 1},
        "bounds_final_one": {"final": 1.0},
    }
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(
    function=polynomial_schedule,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    profile=EXTENDED,
)
