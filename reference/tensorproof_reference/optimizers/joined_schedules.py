"""Schedules one after the other: see ``joined_schedules``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.optimizers._schedules import require_count, require_schedule, schedule_samples
from tensorproof_reference.optimizers.constant_schedule import constant_schedule
from tensorproof_reference.optimizers.exponential_schedule import exponential_schedule
from tensorproof_reference.optimizers.polynomial_schedule import polynomial_schedule
from tensorproof_reference.optimizers.warmup_schedule import warmup_schedule
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PARTS = {
    "constant": lambda rate, step, length: constant_schedule(rate, step),
    "exponential": lambda rate, step, length: exponential_schedule(rate, step, every=1),
    "linear": lambda rate, step, length: polynomial_schedule(rate, step, steps=length),
    "warmup": lambda rate, step, length: warmup_schedule(rate, step, steps=length),
}
"""The schedules by what they are called here, as functions of rate, step and a length that some have."""


def joined_schedules(
    learning_rate: Array,
    step: Array,
    *,
    schedules: tuple[str, ...] = ("warmup", "linear"),
    lengths: tuple[int, ...] = (8, 16),
    boundaries: tuple[int, ...] = (8,),
) -> Array:
    r"""Schedules one after the other, each from its own beginning: :math:`y_t = s_i(t - b_i)`, where i is the last of the
    ``schedules`` whose boundary :math:`b_i \le t`, and :math:`b_0 = 0`.

    A schedule is ``constant``, ``warmup`` (``warmup_schedule`` over its length), ``linear`` (``polynomial_schedule`` of power 1
    over its length) or ``exponential`` (``exponential_schedule`` with ``every=1``). A boundary may come before or after the end
    of a schedule. Constant and exponential ones take no notice of their length.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, a schedule is unknown, there is not a length for
    each, and a boundary for each but the first, or boundaries do not rise.
    Source: the texts of ``torch.optim.lr_scheduler.SequentialLR`` and ``optax.join_schedules``; warm-up and linear decay: Vaswani
    et al. (2017), §5.3, and Devlin et al. (2019), §A.2.
    """
    require_schedule(learning_rate, step)
    for name in schedules:
        require_choice(name, "schedules", tuple(PARTS))
    require(len(schedules) == len(lengths) > 0, "lengths", f"{len(schedules)} numbers, one per schedule", lengths)
    for length in lengths:
        require_count(lengths=length)
    starts = (0, *boundaries)
    fits = len(starts) == len(schedules) and all(a < b for a, b in zip(starts, boundaries, strict=False))
    require(fits, "boundaries", f"{len(schedules) - 1} rising numbers above 0", boundaries)
    y = np.zeros_like(step)
    for name, length, start in zip(schedules, lengths, starts, strict=True):
        begun = step >= start
        y = np.where(begun, PARTS[name](learning_rate, np.maximum(step - start, 0.0), length), y)
    return y


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every schedule; two and three schedules, whose boundaries come early and late."""
    warm = {"schedules": ("warmup", "constant", "exponential"), "lengths": (4, 1, 1)}
    variants: dict[str, dict[str, Any]] = {
        "optional_three": {**warm, "boundaries": (4, 12)},
        "optional_twice_the_same": {"schedules": ("linear", "linear"), "lengths": (8, 8), "boundaries": (8,)},
        "optional_exponential_in_the_middle": {
            "schedules": ("constant", "exponential", "linear"),
            "lengths": (1, 1, 6),
            "boundaries": (5, 11),
        },
        "bounds_before_the_end": {"lengths": (8, 32), "boundaries": (3,)},
        "bounds_after_the_end": {"lengths": (4, 8), "boundaries": (9,)},
        "bounds_first_step": {"boundaries": (1,)},
        "bounds_one_schedule": {"schedules": ("warmup",), "lengths": (8,), "boundaries": ()},
    }
    yield from schedule_samples(stream, edges=(8, 16), variants=variants)


OPERATION = Operation(
    function=joined_schedules,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    profile=EXTENDED,
)
