"""Exponential decay: see ``exponential_schedule``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def exponential_schedule(
    learning_rate: Array, step: Array, *, rate: float = 0.9, every: int = 8, staircase: bool = False
) -> Array:
    r"""The learning rate times ``rate`` for each ``every`` steps: :math:`y_t = \alpha r^{t / n}`, or, as a ``staircase``,
    with the exponent rounded down, :math:`\alpha r^{\lfloor t / n \rfloor}`.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, ``rate`` is not positive or ``every`` no positive
    integer.
    Source: Goodfellow, Bengio & Courville (2016), §8.3.1; Bengio (2012), §3.2.1.
    """
    require_schedule(learning_rate, step)
    require(rate > 0, "rate", "a positive number", rate)
    require_count(every=every)
    if not staircase:
        return learning_rate * np.power(np.full_like(step, rate), step / every)
    exponent, stair = np.zeros_like(step), every
    while np.any(step >= stair):
        exponent = np.where(step >= stair, np.full_like(step, stair // every), exponent)
        stair += every
    return learning_rate * np.power(np.full_like(step, rate), exponent)


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; staircases and other rates."""
    variants: dict[str, dict[str, Any]] = {
        "optional_staircase": {"staircase": True},
        "optional_every_step": {"every": 1, "rate": 0.75},
        "optional_every_step_staircase": {"every": 1, "rate": 0.75, "staircase": True},
        "optional_rate_half": {"rate": 0.5},
        "bounds_rate_one": {"rate": 1.0},
        "bounds_rate_one_staircase": {"rate": 1.0, "staircase": True},
        "optional_every_three_staircase": {"every": 3, "rate": 0.5, "staircase": True},
    }
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(
    function=exponential_schedule, vjp=None, samples=samples, family="schedule", differentiable=(), cotangents=()
)
