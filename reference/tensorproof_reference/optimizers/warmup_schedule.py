"""Linear warm-up: see ``warmup_schedule``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def warmup_schedule(learning_rate: Array, step: Array, *, steps: int = 8, start: float = 0.0) -> Array:
    r"""The learning rate rises linearly from the fraction ``start`` of itself, and stays constant once it is there:
    :math:`y_t = \alpha (s + (1 - s) \min(t, T) / T)` with T the number of ``steps``.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, ``steps`` is no positive integer, or ``start`` is
    outside [0, 1].
    Source: Goyal et al. (2017), §2.2 (gradual warm-up).
    """
    require_schedule(learning_rate, step)
    require_count(steps=steps)
    require(0 <= start <= 1, "start", "a number from 0 to 1", start)
    return learning_rate * (start + (1.0 - start) * (np.minimum(step, steps) / steps))


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; other starts and lengths."""
    variants: dict[str, dict[str, Any]] = {
        "optional_start_quarter": {"start": 0.25},
        "optional_steps": {"steps": 13, "start": 0.125},
        "optional_one_step": {"steps": 1, "start": 0.5},
        "bounds_start_one": {"start": 1.0},
        "bounds_one_step": {"steps": 1},
    }
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(function=warmup_schedule, vjp=None, samples=samples, family="schedule", differentiable=(), cotangents=())
