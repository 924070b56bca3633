"""The samples that quasi-Newton methods are judged on: see ``quasi_newton_samples``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample, asarray
from tensorproof_reference.optimizers._samples import SHAPES, WIDE_DTYPES, Shapes
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

BELOW_FLOAT16 = ("float64", "float32", "bfloat16")
"""The dtypes whose range holds products of small numbers."""
FINE = ("float64", "float32", "float16")
"""The dtypes in which several steps, or what a negative curvature makes of one, leave enough digits."""
MEMORY = 10
"""The pairs of what is timed: as many as the default keeps."""
WORKLOAD_SHAPES: Mapping[str, Shapes] = {"S": ((8, 32), (32,)), "M": ((64, 128), (128,)), "L": ((512, 512), (512,))}
"""A dense layer: with a full memory there are fifty times as many numbers."""


def _near(stream: Stream, shapes: Shapes, size: float) -> list[Array]:
    """Numbers about ``size``, of either sign and away from zero."""
    drawn = [stream(str(index)).normal(shape) for index, shape in enumerate(shapes)]
    return [asarray(size * np.where(values < 0, values - 0.5, values + 0.5)) for values in drawn]


def arguments(
    stream: Stream,
    shapes: Shapes = SHAPES,
    *,
    factors: Sequence[float] = (0.5, 0.5),
    size: float = 0.25,
    start: float = 2.0**-5,
    pairs: int | None = None,
) -> dict[str, Any]:
    """Parameters about ``start``, and gradients about ``size``, each that before it times its factor and a quarter of noise.

    Gradients that shrink, of factors below 1, are those of a loss that curves upwards along the steps; where they grow it curves
    downwards. So the sign of a curvature is no chance. With a number of ``pairs`` there is state: the step before, and so many
    pairs.
    """
    first = _near(stream("gradients"), shapes, size)

    def turned(words: str, of_step: Sequence[Array], factor: float) -> list[Array]:
        noise = stream(words)
        return [
            asarray(factor * gradient * (1.0 + 0.25 * noise(str(index)).normal(gradient.shape)))
            for index, gradient in enumerate(of_step)
        ]

    gradients = [first]
    for step, factor in enumerate(factors, 1):
        gradients.append(turned(f"noise.{step}", gradients[-1], factor))
    found: dict[str, Any] = {"parameters": _near(stream("parameters"), shapes, start), "gradients": gradients}
    if pairs is None:
        return found
    # The gradients before were twice as large, and led here by steps against them.
    before = turned("noise.before", first, 2.0)
    found["previous_gradients"] = before
    found["previous_parameters"] = [
        asarray(place + 0.5 * gradient)
        for place, gradient in zip(found["parameters"], turned("noise.step", before, 1.0), strict=True)
    ]
    steps = [_near(stream(f"pair.{number}"), shapes, size) for number in range(pairs)]
    found["parameter_changes"] = steps
    found["gradient_changes"] = [turned(f"noise.pair.{number}", of_pair, 1.0) for number, of_pair in enumerate(steps)]
    return found


def at_rest(inputs: Mapping[str, Any], *steps: int) -> dict[str, Any]:
    """The same arguments with gradients of zero in these steps."""
    gradients = [
        [np.zeros_like(gradient) for gradient in of_step] if number in steps else of_step
        for number, of_step in enumerate(inputs["gradients"])
    ]
    return {**inputs, "gradients": gradients}


def quasi_newton_samples(stream: Stream, conventions: Mapping[str, tuple[Any, ...]]) -> Iterator[Sample]:
    """Shapes, sizes of memory, state, steps of zero, curvature of either sign, and each value of each convention."""

    def case(
        name: str,
        *shapes: tuple[int, ...],
        more: Mapping[str, Any] | None = None,
        dtypes: tuple[str, ...] = DTYPES,
        **others: Any,
    ) -> Sample:
        inputs = arguments(stream(name), shapes or SHAPES, **others)
        return Sample(name=name, inputs=inputs, keywords=more or {}, dtypes=dtypes)

    four, five = (0.5,) * 3, (0.5,) * 4
    yield case("plain_defaults")
    yield case("plain_five_steps", factors=five, dtypes=FINE)
    yield case("plain_one_step", factors=())
    yield case("plain_two_steps", factors=(0.5,))
    yield case("size_large", (64, 128), (128,), size=2.0**-12, start=2.0**-12, dtypes=WIDE_DTYPES)
    yield case("size_many_parameters", (3, 4), (4,), (4, 4), (4,), (4, 2), (2,), factors=(0.5,))
    yield case("rank_zero_and_three", (), (2, 3, 4), factors=(0.5,))
    yield case("rank_four", (4, 3, 3, 2), factors=(0.5,))
    yield case("unit_axes", (1, 5, 1), (1,), factors=(0.5,))
    yield case("unit_one_number", (1,), factors=(0.5,))
    yield case("long_twelve_steps", factors=(0.5,) * 11, dtypes=WIDE_DTYPES)

    yield replace(case("zero_gradients"), inputs=at_rest(arguments(stream("zero_gradients")), 0, 1, 2))
    yield replace(case("zero_gradient_at_first"), inputs=at_rest(arguments(stream("zero_gradient_at_first"), factors=four), 0))
    between = at_rest(arguments(stream("zero_gradient_between"), factors=five), 2)
    yield Sample(name="zero_gradient_between", inputs=between, dtypes=FINE)
    some = arguments(stream("zero_gradients_of_some"))
    for of_step in some["gradients"]:
        for gradient in of_step:
            gradient.reshape(-1)[::3] = 0.0
    yield Sample(name="zero_gradients_of_some", inputs=some, dtypes=FINE)
    yield case("zero_learning_rate", more={"learning_rate": 0.0})

    yield case("state_first_pair", pairs=0, dtypes=FINE)
    yield case("state_one_pair", pairs=1)
    yield case("state_three_pairs", pairs=3, factors=(0.5,))
    yield case("state_full_memory", pairs=3, factors=(0.5,), more={"memory": 3})
    resting = at_rest(arguments(stream("state_zero_gradients"), pairs=2), 0, 1, 2)
    yield Sample(name="state_zero_gradients", inputs=resting)

    yield case("optional_memory_two", factors=five, more={"memory": 2}, dtypes=FINE)
    yield case("optional_memory_as_many_as_pairs", factors=four, more={"memory": 3}, dtypes=FINE)
    yield case("optional_learning_rate", more={"learning_rate": 0.5}, dtypes=FINE)
    yield case("optional_learning_rate_given", pairs=2, factors=(0.5,), more={"learning_rate": 0.5})
    yield case("bounds_memory_one", factors=four, more={"memory": 1}, dtypes=FINE)
    yield case("bounds_memory_one_given", pairs=1, factors=(0.5,), more={"memory": 1})
    yield case("bounds_negative_curvature", factors=(2.0, 0.5), dtypes=FINE)
    yield case("bounds_negative_curvature_later", factors=(0.5, 2.0), dtypes=FINE)
    yield case("bounds_negative_curvature_given", pairs=2, factors=(2.0,), dtypes=FINE)
    same = arguments(stream("bounds_equal_gradients"))
    same["gradients"][1] = same["gradients"][0]
    yield Sample(name="bounds_equal_gradients", inputs=same)
    yield case("magnitude_large", size=2.0**6)
    yield case("magnitude_small", size=2.0**-10, start=2.0**-10, dtypes=BELOW_FLOAT16)
    # The curvature is below 1e-10.
    yield case("magnitude_tiny", size=2.0**-24, start=2.0**-24, dtypes=BELOW_FLOAT16)

    for word, values in conventions.items():
        for value in values:
            # Optax limits the first step only where it also scales by the curvature.
            chosen = {word: value, **({"first_step": "whole"} if (word, value) == ("scale", "one") else {})}
            yield case(f"convention_{word}_{value}", more=chosen, dtypes=FINE)
            yield case(f"convention_{word}_{value}_given", more=chosen, pairs=2, factors=(0.5,))
    for value in conventions["kept"]:
        chosen = {"kept": value}
        yield case(f"convention_kept_{value}_negative_curvature", more=chosen, factors=(2.0, 0.5), dtypes=FINE)
        yield case(f"convention_kept_{value}_negative_curvature_given", more=chosen, pairs=2, factors=(2.0,), dtypes=FINE)
    for value in conventions["zero_gradient"]:
        resting = at_rest(arguments(stream(f"convention_zero_gradient_{value}_rests"), factors=four), 1)
        name = f"convention_zero_gradient_{value}_rests"
        yield Sample(name=name, inputs=resting, keywords={"zero_gradient": value}, dtypes=FINE)


def quasi_newton_workload(stream: Stream, size: str) -> Sample:
    """One step with a full memory, and the step before."""
    given = arguments(stream, WORKLOAD_SHAPES[size], factors=(), pairs=MEMORY)
    return Sample(name=size, inputs=given)
