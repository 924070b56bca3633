"""The samples that optimizers are judged on: see ``optimizer_samples``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample, asarray
from tensorproof_reference.optimizers._steps import COUNTS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Shapes = tuple[tuple[int, ...], ...]
SHAPES: Shapes = ((4, 5), (5,))
WIDE_DTYPES = ("float64", "float32")
"""The dtypes in which an epsilon of 1e-8, and what is added to a moment in one step, are not lost."""
DECAY: Mapping[str, Any] = MappingProxyType({"weight_decay": 0.125})
DECAYING: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "optional_weight_decay": DECAY,
        "optional_weight_decay_given": DECAY,
        "optional_weight_decay_second_group": {"learning_rate": (0.125, 0.5), **DECAY},
    }
)
"""Variants of optimizers with weight decay: without state, with state, and with a rate for each parameter."""


def _state(stream: Stream, name: str, shapes: Shapes, sign: str) -> list[Array]:
    """Arrays of state: of either sign and below 1/2, or positive and above 1/2, so that a variance stays positive."""
    low, high = (0.5, 2.0) if sign == "+" else (-0.5, 0.5)
    return [stream(name)(str(index)).uniform(shape, low, high) for index, shape in enumerate(shapes)]


def arguments(
    stream: Stream,
    shapes: Shapes = SHAPES,
    *,
    steps: int = 3,
    scale: float = 1.0,
    absent: tuple[tuple[int, int], ...] = (),
    states: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Parameters, gradients for each step (``None`` at the pairs of step and parameter in ``absent``), and state."""

    def gradient(step: int, index: int) -> Array | None:
        values = stream("gradients")(f"{step}.{index}").normal(shapes[index])
        # No entry is near zero, where an update divided by its own size is not well determined.
        return None if (step, index) in absent else asarray(scale * np.where(values < 0, values - 0.125, values + 0.125))

    return {
        "parameters": [stream("parameters")(str(index)).normal(shape) for index, shape in enumerate(shapes)],
        "gradients": [[gradient(step, index) for index in range(len(shapes))] for step in range(steps)],
        **{name: _state(stream, name, shapes, sign) for name, sign in (states or {}).items()},
    }


def at_ends(ends: Mapping[str, Mapping[str, Any]], options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Variants with a hyperparameter at an end of its range, alone and with each option.

    >>> list(at_ends({"beta_zero": {"beta": 0.0}}, {"weight_decay": {"weight_decay": 0.5}}))
    ['bounds_beta_zero', 'bounds_beta_zero_weight_decay']
    """
    found: dict[str, dict[str, Any]] = {}
    for end, value in ends.items():
        found[f"bounds_{end}"] = dict(value)
        found |= {f"bounds_{end}_{option}": {**value, **more} for option, more in options.items()}
    return found


def also_given(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Each variant, and the same with state.

    >>> list(also_given({"convention_one": {"one": True}, "convention_two": {"two": True}}))
    ['convention_one', 'convention_one_given', 'convention_two', 'convention_two_given']
    """
    return {each: keywords for name, keywords in variants.items() for each in (name, f"{name}_given")}


def optimizer_samples(
    stream: Stream,
    *,
    variants: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, str] | None = None,
    counted: bool = False,
    epsilon: bool = True,
    rate: float = 0.125,
    dtypes: tuple[str, ...] = DTYPES,
) -> Iterator[Sample]:
    """Several parameters over several steps: shapes, zero gradients, absent gradients, groups, state, and the variants by name.

    Each optional variant is also tried on parameters of one number.

    Args:
        variants: keywords by name of the sample; names that contain ``given`` get state too.
        states: the arguments that are state, with their sign: ``+``, or ``-`` for either.
        counted: whether the steps are counted, by the keyword ``taken``.
        epsilon: whether the operation has an epsilon, which is compared with gradients of 1e-6.
        rate: the learning rate wherever the default is not meant.
        dtypes: in which the samples mean something.
    """
    states = states or {}
    keywords = {"learning_rate": rate}

    def case(name: str, *shapes: tuple[int, ...], more: Mapping[str, Any] | None = None, **others: Any) -> Sample:
        inputs = arguments(stream(name), shapes or SHAPES, **others)
        return Sample(name=name, inputs=inputs, keywords={**keywords, **(more or {})}, dtypes=dtypes)

    yield Sample(name="plain_defaults", inputs=arguments(stream("plain_defaults")), dtypes=dtypes)
    yield case("plain_fast")
    yield case("plain_one_step", steps=1)
    yield case("size_large", (64, 128), (128,))
    yield case("size_many_parameters", (3, 4), (4,), (4, 4), (4,), (4, 2), (2,))
    yield case("rank_zero_and_three", (), (2, 3, 4))
    yield case("rank_four", (4, 3, 3, 2))
    yield case("unit_axes", (1, 5, 1), (1,))
    yield case("long_ten_steps", steps=10)
    # An epsilon of 1e-8 is zero in float16, and zero divided by it is not 0.
    with_epsilon = tuple(dtype for dtype in dtypes if not epsilon or dtype != "float16")
    zeros = arguments(stream("zero_gradients"))
    zeros["gradients"] = [[np.zeros(shape) for shape in SHAPES] for _ in range(3)]
    yield Sample(name="zero_gradients", inputs=zeros, keywords=keywords, dtypes=with_epsilon)
    if epsilon:
        large = {**keywords, "epsilon": 0.25}
        yield Sample(name="zero_gradients_large_epsilon", inputs=zeros, keywords=large, dtypes=dtypes)
    some = arguments(stream("zero_gradients_of_some"))
    for of_step in some["gradients"]:
        for gradient in of_step:
            gradient.reshape(-1)[::3] = 0.0
    yield Sample(name="zero_gradients_of_some", inputs=some, keywords=keywords, dtypes=with_epsilon)
    still = arguments(stream("zero_learning_rate"))
    yield Sample(name="zero_learning_rate", inputs=still, keywords={"learning_rate": 0.0}, dtypes=dtypes)
    yield case("optional_second_group", more={"learning_rate": (rate, rate / 8.0)})
    yield case("optional_no_gradient", absent=((0, 1), (1, 1), (2, 1)))
    small = arguments(stream("epsilon_tiny_gradients"), scale=2.0**-20)
    small["parameters"] = [np.zeros(shape) for shape in SHAPES]
    # Without an epsilon only the range matters, in which float16 has no normal numbers so small.
    bits = WIDE_DTYPES if epsilon else tuple(dtype for dtype in dtypes if dtype != "float16")
    yield Sample(name="epsilon_tiny_gradients", inputs=small, keywords=keywords, dtypes=bits)
    if not states:
        once = arguments(stream("state_none_is_kept"))
        once["gradients"] = [once["gradients"][0], *zeros["gradients"][1:]]
        yield Sample(name="state_none_is_kept", inputs=once, keywords=keywords, dtypes=dtypes)
    if states:
        given = {"more": {"taken": 5}} if counted else {}
        yield case("state_given", states=states, **given)
        yield case("state_of_long_ago", states=states, **({"more": {"taken": 1000}} if counted else {}))
        yield case("state_no_gradient", states=states, absent=((0, 1), (1, 1), (2, 1)), **given)
        resumed = arguments(stream("state_zero_gradients"), states=states)
        resumed["gradients"] = zeros["gradients"]
        more = {"taken": 5} if counted else {}
        yield Sample(name="state_zero_gradients", inputs=resumed, keywords={**keywords, **more}, dtypes=dtypes)
        yield case("optional_gradient_in_some_steps", steps=4, absent=((1, 1), (2, 0)))
        yield case("optional_gradient_at_last", absent=((0, 1), (1, 1)))
    # Which arithmetic is done at all shows in the dtypes of more digits.
    fine = tuple(dtype for dtype in dtypes if dtype in WIDE_DTYPES)
    for name, chosen in variants.items():
        if name.startswith("optional_") and not {"given", "group"} & set(name.split("_")):
            unit = f"unit_{name.removeprefix('optional_')}"
            inputs = arguments(stream(unit), ((), (1,)))
            yield Sample(name=unit, inputs=inputs, keywords={**keywords, **chosen}, dtypes=fine)
        with_state = states if "given" in name.split("_") else {}
        taken = {"taken": 5} if with_state and counted else {}
        varied = case(name, states=with_state, more={**taken, **chosen})
        yield replace(varied, dtypes=fine) if name.startswith("bounds_") else varied


def counted_both_ways(samples: Iterator[Sample]) -> Iterator[Sample]:
    """The samples, and after the one that lacks gradients in some steps the same with each way of counting."""
    for sample in samples:
        yield sample
        if sample.name == "optional_gradient_in_some_steps":
            for counted in COUNTS:
                keywords = {**sample.keywords, "counted": counted}
                yield Sample(name=f"convention_counted_{counted}", inputs=sample.inputs, keywords=keywords)
