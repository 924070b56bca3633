"""A constant learning rate: see ``constant_schedule``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.optimizers._schedules import require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def constant_schedule(learning_rate: Array, step: Array) -> Array:
    r"""The learning rate as it is, at every step: :math:`y_t = \alpha`.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes or a step is negative.
    Source: Goodfellow, Bengio & Courville (2016), §8.3.1.
    """
    require_schedule(learning_rate, step)
    return np.broadcast_to(learning_rate, step.shape)


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule."""
    yield from schedule_samples(stream, edges=(1,), variants={"optional_nothing": {}})


OPERATION = Operation(function=constant_schedule, vjp=None, samples=samples, family="schedule", differentiable=(), cotangents=())
