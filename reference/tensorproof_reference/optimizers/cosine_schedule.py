"""Cosine decay: see ``cosine_schedule``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

BEYOND = ("final", "periodic")


def cosine_schedule(learning_rate: Array, step: Array, *, steps: int = 16, final: float = 0.0, beyond: str = "final") -> Array:
    r"""The learning rate falls along half a cosine, to the fraction ``final`` of itself:
    :math:`y_t = \alpha \left( f + (1 - f) \frac{1 + \cos(\pi t / T)}{2} \right)` with T the number of ``steps``.

    From the step T on it stays there (``beyond="final"``), or goes up and down again (``"periodic"``).

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, ``steps`` is no positive integer, ``final`` is
    outside [0, 1], or the convention is unknown.
    Source: Loshchilov & Hutter (2017), eq. 5.
    """
    require_schedule(learning_rate, step)
    require_count(steps=steps)
    require(0 <= final <= 1, "final", "a number from 0 to 1", final)
    require_choice(beyond, "beyond", BEYOND)
    progress = (np.minimum(step, steps) if beyond == "final" else step) / steps
    return learning_rate * (final + (1.0 - final) * (0.5 * (1.0 + np.cos(np.pi * progress))))


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; final fractions, and what comes afterwards."""
    variants: dict[str, dict[str, Any]] = {
        "optional_final_tenth": {"final": 0.125},
        "optional_steps": {"steps": 23},
        "optional_one_step": {"steps": 1, "final": 0.25},
    }
    variants |= {"bounds_final_one": {"final": 1.0}, "bounds_one_step": {"steps": 1}}
    variants |= {f"convention_beyond_{kind}": {"beyond": kind, "final": 0.125} for kind in BEYOND}
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(
    function=cosine_schedule,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    conventions={"beyond": BEYOND},
)
