"""One cycle: see ``one_cycle_schedule``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, asarray
from tensorproof_reference.optimizers._samples import WIDE_DTYPES
from tensorproof_reference.optimizers._schedules import require_count, require_schedule
from tensorproof_reference.optimizers._steps import require_positive
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

FORMS = ("cosine", "linear")
ENDS = ("last_step", "steps")


def one_cycle_schedule(
    learning_rate: Array,
    step: Array,
    *,
    steps: int = 24,
    rising: float = 0.25,
    divisor: float = 25.0,
    final_divisor: float = 10_000.0,
    form: str = "cosine",
    phases: int = 2,
    ends: str = "last_step",
) -> Array:
    r"""The learning rate rises to its peak :math:`\alpha` and falls to almost nothing, in one cycle of T ``steps``.

    It starts at :math:`\alpha / D` with D the ``divisor``, is :math:`\alpha` at the step u, and :math:`\alpha / (D F)` at the
    end E, with F the ``final_divisor``. With three ``phases`` it is back at :math:`\alpha / D` at the step 2u, and falls further
    from there. Between two such steps, a and b, with rates :math:`y_a` and :math:`y_b`, it goes along half a ``cosine``:
    :math:`y_t = y_b + (y_a - y_b) \frac{1 + \cos(\pi s)}{2}` with :math:`s = (t - a) / (b - a)`, or on a line
    (``form="linear"``): :math:`y_t = y_b + (y_a - y_b) (1 - s)`.

    ``ends`` says when it ends, with p the share of ``rising`` steps: at the last step, :math:`E = T - 1`,
    :math:`u = p T - 1` and 2u; or after all ``steps``, :math:`E = T`, :math:`u = \lfloor p T \rfloor` and
    :math:`\lfloor 2 p T \rfloor`, and from there on it stays.

    Shapes: ``learning_rate`` has no axes; ``step`` is an array of whole numbers of any shape, and so is the result.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if ``learning_rate`` has axes, a step is negative, or T or more where it ends at the last step,
    ``steps`` is no positive integer, a divisor is not positive, a phase has no length, or a word or number is unknown.
    Source: Smith & Topin (2018), §4; the text of ``torch.optim.lr_scheduler.OneCycleLR``.
    """
    require_schedule(learning_rate, step)
    require_count(steps=steps)
    require_positive(divisor=divisor, final_divisor=final_divisor)
    require_choice(form, "form", FORMS)
    require_choice(ends, "ends", ENDS)
    require(phases in (2, 3), "phases", "2 or 3", phases)
    if ends == "last_step":
        require(bool(np.all(step < steps)), "step", f"numbers below {steps}", "others")
        peak, back, end = rising * steps - 1, 2 * rising * steps - 2, steps - 1
    else:
        peak, back, end = int(rising * steps), int(2 * rising * steps), steps
    places = [peak, back, end] if phases == 3 else [peak, end]
    edges = [0, *places]
    require(all(a < b for a, b in zip(edges, places, strict=False)), "rising", "a share that leaves steps to each phase", rising)
    start = learning_rate / divisor
    rates = (start, learning_rate, start, start / final_divisor) if phases == 3 else (start, learning_rate, start / final_divisor)
    y = np.zeros_like(step)
    for index, (a, b) in enumerate(zip(edges, places, strict=False)):
        progress = (np.minimum(step, b) - a) / (b - a)
        left = 0.5 * (1.0 + np.cos(np.pi * progress)) if form == "cosine" else 1.0 - progress
        y = np.where((step > a) | (index == 0), rates[index + 1] + (rates[index] - rates[index + 1]) * left, y)
    return y


def samples(stream: Stream) -> Iterator[Sample]:
    """Steps within the cycle; and beyond it, where that is allowed."""

    def case(name: str, places: Any, rate: float = 0.5, **keywords: Any) -> Sample:
        return Sample(name=name, inputs={"learning_rate": asarray(rate), "step": asarray(places)}, keywords=keywords)

    first = np.arange(24.0)
    yield case("plain_all_steps", first)
    yield case("plain_rate", first, float(stream("plain_rate").uniform((), 0.01, 0.02)))
    yield case("size_many_steps", np.arange(128.0), steps=128)
    yield case("size_one_step", [7.0])
    yield case("bounds_rate_zero", first, 0.0)
    # At both ends the rate is small beside the peak, to which its rounding errors belong.
    yield replace(case("bounds_step_zero", [0.0]), dtypes=WIDE_DTYPES)
    yield case("bounds_around_peak", [3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    yield replace(case("bounds_last", [22.0, 23.0]), dtypes=WIDE_DTYPES)
    yield case("optional_rising", first, rising=0.5)
    yield case("optional_rising_between_steps", first, rising=0.3)
    yield case("optional_divisors", first, divisor=4.0, final_divisor=8.0)
    yield case("optional_linear", first, form="linear")
    yield case("optional_three_phases", first, phases=3, divisor=4.0, final_divisor=8.0)
    yield case("optional_three_phases_linear", first, phases=3, form="linear", divisor=4.0, final_divisor=8.0, rising=0.375)
    for ends in ENDS:
        yield case(f"convention_ends_{ends}", first, ends=ends)
        yield case(f"convention_ends_{ends}_divisors", first, ends=ends, divisor=4.0, final_divisor=8.0)
        # A quarter and a sixteenth of 24 steps is half a step beyond a whole one, so twice as many are an odd number.
        odd: dict[str, Any] = {"ends": ends, "phases": 3, "rising": 0.3125, "divisor": 4.0, "final_divisor": 8.0}
        for form in FORMS:
            yield case(f"convention_ends_{ends}_three_phases_{form}_between_steps", first, form=form, **odd)
    yield case("bounds_beyond", np.arange(20.0, 32.0), ends="steps", divisor=4.0, final_divisor=8.0)


OPERATION = Operation(
    function=one_cycle_schedule,
    vjp=None,
    samples=samples,
    family="schedule",
    differentiable=(),
    cotangents=(),
    conventions={"ends": ENDS},
    profile=EXTENDED,
)
