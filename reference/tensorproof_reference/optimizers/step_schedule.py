"""Steps down at given times: see ``step_schedule``."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.optimizers._schedules import require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

AT_BOUNDARIES = ("new", "old")


def step_schedule(
    learning_rate: Array,
    step: Array,
    *,
    boundaries: tuple[int, ...] = (8, 16),
    factor: float = 0.1,
    at_boundary: str = "new",
) -> Array:
    r"""The learning rate times ``factor`` for each boundary that is past: :math:`y_t = \alpha f^k`, k the number of boundaries b
    with :math:`b \le t` (``at_boundary="new"``) or :math:`b < t` (``"old"``).

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, the boundaries do not rise, the factor is not
    positive, or the convention is unknown.
    Source: He et al. (2016), §3.4 (the learning rate is divided by 10 at given iterations).
    """
    require_schedule(learning_rate, step)
    require(all(a < b for a, b in pairwise((0, *boundaries))), "boundaries", "positive integers that rise", boundaries)
    require(factor > 0, "factor", "a positive number", factor)
    require_choice(at_boundary, "at_boundary", AT_BOUNDARIES)
    rate = np.broadcast_to(learning_rate, step.shape)
    for count, boundary in enumerate(boundaries, 1):
        past = step >= boundary if at_boundary == "new" else step > boundary
        rate = np.where(past, learning_rate * factor**count, rate)
    return rate


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; other boundaries and factors, and which rate holds at a boundary."""
    variants: dict[str, dict[str, Any]] = {
        "optional_factor_half": {"factor": 0.5},
        "optional_one_boundary": {"boundaries": (5,)},
        "optional_boundaries_beside_each_other": {"boundaries": (5, 6, 7), "factor": 0.5},
    }
    variants |= {"bounds_factor_one": {"factor": 1.0}, "bounds_first_step": {"boundaries": (1,)}}
    variants |= {f"convention_at_boundary_{kind}": {"at_boundary": kind} for kind in AT_BOUNDARIES}
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(
    function=step_schedule,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    conventions={"at_boundary": AT_BOUNDARIES},
)
