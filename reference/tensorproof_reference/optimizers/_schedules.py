"""What the learning-rate schedules share: checks of their arguments, and samples."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_rank
from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def require_schedule(learning_rate: Array, step: Array) -> None:
    """Raise ``ValueError`` unless there is one learning rate, and steps are whole numbers in a floating array."""
    require_rank(learning_rate, "learning_rate", 0)
    require(bool(np.all(step >= 0.0)), "step", "numbers that are not negative", "negative ones")


def require_count(**numbers: int) -> None:
    """Raise ``ValueError`` unless each is a positive integer."""
    for name, number in numbers.items():
        require(isinstance(number, int) and number > 0, name, "a positive integer", number)


def schedule_samples(stream: Stream, *, edges: tuple[int, ...], variants: Mapping[str, Mapping[str, Any]]) -> Iterator[Sample]:
    """All steps from 0 on, single ones, and those around the ``edges`` where the schedule changes its form."""

    def case(name: str, steps: Any, rate: float = 0.5, keywords: Mapping[str, Any] | None = None) -> Sample:
        inputs = {"learning_rate": asarray(rate), "step": asarray(steps)}
        return Sample(name=name, inputs=inputs, keywords=keywords or {})

    first = np.arange(24.0)
    yield case("plain_first_steps", first)
    yield case("bounds_rate_zero", first, rate=0.0)
    yield case("plain_rate", first, rate=float(stream("plain_rate").uniform((), 0.01, 0.02)))
    yield case("size_many_steps", np.arange(128.0))
    yield case("size_one_step", [7.0])
    yield case("bounds_step_zero", [0.0])
    for edge in edges:
        yield case(f"bounds_around_{edge}", [0.0, *(float(step) for step in range(max(edge - 2, 0), edge + 3))])
    yield case("bounds_far_beyond", [0.0, 200.0, 256.0])
    for name, keywords in variants.items():
        yield case(name, first, keywords=keywords)
