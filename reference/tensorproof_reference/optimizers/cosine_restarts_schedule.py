"""Cosine decay with restarts: see ``cosine_restarts_schedule``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import EXTENDED, Operation, Sample, asarray
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def cosine_restarts_schedule(
    learning_rate: Array, step: Array, *, steps: int = 8, growth: int = 1, peak: float = 1.0, final: float = 0.0
) -> Array:
    r"""The learning rate falls along half a cosine, to the fraction ``final`` of itself, and starts again.

    :math:`y_t = \alpha \left( f + (1 - f) \, p^i \, \frac{1 + \cos(\pi s / T_i)}{2} \right)`, where i counts the restarts up to
    the step t, s is the number of steps since the last one, and :math:`T_i = T g^i` is the length of that cycle: the first one
    has so many ``steps``, and each is ``growth`` times as long and ``peak`` times as high as the one before.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, ``steps`` or ``growth`` is no positive integer,
    ``peak`` is not positive, or ``final`` is outside [0, 1].
    Source: Loshchilov & Hutter (2017), eq. 5.
    """
    require_schedule(learning_rate, step)
    require_count(steps=steps, growth=growth)
    require(peak > 0, "peak", "a positive number", peak)
    require(0 <= final <= 1, "final", "a number from 0 to 1", final)
    progress, height = step / steps, np.ones_like(step)
    start, length, factor = steps, steps * growth, peak
    while np.any(step >= start):
        begun = step >= start
        progress = np.where(begun, (step - start) / length, progress)
        height = np.where(begun, np.full_like(step, factor), height)
        start, length, factor = start + length, length * growth, factor * peak
    return learning_rate * (final + (1.0 - final) * (height * (0.5 * (1.0 + np.cos(np.pi * progress)))))


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; cycles that grow and shrink, and final fractions."""
    variants: dict[str, dict[str, Any]] = {
        "optional_growth_two": {"growth": 2},
        "optional_growth_three": {"growth": 3, "steps": 2},
        "optional_peak_half": {"peak": 0.5},
        "optional_growth_two_peak_half_final": {"growth": 2, "steps": 3, "peak": 0.5, "final": 0.125},
        "optional_final_tenth": {"final": 0.125},
        "optional_steps": {"steps": 5},
        "bounds_one_step": {"steps": 1},
        "bounds_final_one": {"final": 1.0},
    }
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)
    # A logarithm that counts the restarts has to be rounded down at whole numbers.
    for word, growth, restarts in (("two", 2, (2, 6, 14, 30, 62, 126, 254)), ("three", 3, (2, 8, 26, 80, 242))):
        around = asarray([step + offset for step in restarts for offset in (-1, 0, 1)])
        inputs = {"learning_rate": asarray(0.5), "step": around}
        yield Sample(name=f"bounds_restarts_of_growth_{word}", inputs=inputs, keywords={"steps": 2, "growth": growth})


OPERATION = Operation(
    function=cosine_restarts_schedule,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    profile=EXTENDED,
)
