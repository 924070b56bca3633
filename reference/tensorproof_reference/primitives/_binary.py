"""What all functions of two numbers share: broadcasting and its gradient, samples, workload and work. See ``binary``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._elementwise_samples import (
    FINE_DTYPES,
    MAGNITUDES,
    PLAIN_SHAPE,
    WIDE_DTYPES,
    among,
    ordinary,
)
from tensorproof_reference.operations._workloads import PLANES, count, each
from tensorproof_reference.primitives._unary import SINGLE, SUBNORMAL, TINY, WIDTHS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

SHAPES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "broadcast_row": ((7, 11), (11,)),
    "broadcast_column": ((7, 1), (7, 11)),
    "broadcast_outer": ((9, 1), (1, 13)),
    "broadcast_scalar_array": ((), (7, 11)),
    "broadcast_axis_in_the_middle": ((3, 1, 5), (4, 1)),
    "broadcast_higher_rank": ((2, 3, 4, 5), (3, 1, 5)),
    "broadcast_long_row": ((513, 17), (17,)),
    "unit_axes": ((7, 11), (1, 1)),
    "unit_both": ((1, 1, 1), (1,)),
    "rank_one": ((7,), (7,)),
    "rank_four": ((2, 3, 4, 5), (2, 3, 4, 5)),
    "empty_batch": ((0, 11), (0, 11)),
    "empty_against_unit": ((0, 11), (1, 11)),
    "empty_sum_over_nothing": ((1, 11), (0, 11)),
}
"""The shapes of both operands by sample. What is broadcast gets a gradient that is a sum."""


def of_shape(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an operand of that shape: summed over the axes along which the operand was broadcast."""
    missing = gradient.ndim - len(shape)
    axes = tuple(
        axis for axis in range(gradient.ndim) if axis < missing or (shape[axis - missing] == 1 and gradient.shape[axis] != 1)
    )
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient.reshape(shape)


Draw = Callable[[Stream, tuple[int, ...]], Array]
Points = tuple[tuple[float, float, float], ...]
"""Both operands, and the result."""


@dataclass(frozen=True, kw_only=True)
class Specials:
    """What a function of two numbers gives at special pairs."""

    zero: Points
    """Pairs with ±0; signs of zero count."""
    infinity: Points
    """Pairs with ±∞."""
    nan: Points
    """Pairs with NaN."""
    zero_gradient: bool = True
    """Whether the derivatives at those with ±0 exist and are agreed upon."""
    more: Points = ()
    kind: str = ""
    """The name of the sample of the others."""
    silent: tuple[str, ...] = ()
    """The magnitudes whose gradients are not asked for: they overflow on the way, or not, by the order of the products."""


def _pairs(points: Points) -> dict[str, Array]:
    """Both operands: the pairs in turn, in every lane of a vector."""
    a, b, _ = zip(*points, strict=True)
    return {"a": np.resize(np.array(a), PLAIN_SHAPE), "b": np.resize(np.array(b), PLAIN_SHAPE)}


def _results(points: Points) -> Array:
    return np.resize(np.array([result for _, _, result in points]), PLAIN_SHAPE)


def binary_samples(stream: Stream, draw_a: Draw, draw_b: Draw, specials: Specials, magnitudes: Sequence[str]) -> Iterator[Sample]:
    """The samples that every function of two numbers has, within its domain but for special values."""

    def drawn(name: str, a: tuple[int, ...] = PLAIN_SHAPE, b: tuple[int, ...] | None = None) -> dict[str, Array]:
        first, second = draw_a(stream(name)("a"), a), draw_b(stream(name)("b"), a if b is None else b)
        return {"a": asarray(first), "b": asarray(second)}

    yield Sample(name="plain_values", inputs=drawn("plain_values"))
    yield Sample(name="size_large", inputs=drawn("size_large", (64, 128)))
    # More elements than PyTorch gives to one thread.
    yield Sample(name="size_beyond_one_thread", inputs=drawn("size_beyond_one_thread", (160, 257)), dtypes=SINGLE)
    for width in WIDTHS:
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", (6, width)), dtypes=SINGLE)
    yield Sample(name="width_513", inputs=drawn("width_513", (513,)), dtypes=SINGLE)
    for name, (a, b) in SHAPES.items():
        dtypes = DTYPES if name in ("broadcast_row", "broadcast_outer") else SINGLE
        yield Sample(name=name, inputs=drawn(name, a, b), dtypes=dtypes)
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced"), memory="sliced")
    inputs = drawn("nan_each_lane")
    inputs = {"a": among(inputs["a"], (np.nan,), 0, 5), "b": among(inputs["b"], (np.nan,), 3, 7)}
    yield Sample(name="nan_each_lane", inputs=inputs, gradient=False)
    for name, points in (("nan_pairs", specials.nan), ("infinity_pairs", specials.infinity), ("zero_pairs", specials.zero)):
        yield Sample(
            name=name,
            inputs=_pairs(points),
            expected={"y": _results(points)},
            sign_of_zero=True,
            gradient=False,
        )
    if specials.zero_gradient:
        yield Sample(name="zero_gradient", inputs=_pairs(specials.zero))
    if specials.more:
        yield Sample(
            name=specials.kind,
            inputs=_pairs(specials.more),
            expected={"y": _results(specials.more)},
            sign_of_zero=True,
            gradient=False,
        )
    for word in magnitudes:
        name = f"magnitude_{word}"
        a, b = drawn(name).values()
        values = [sign * value for value in MAGNITUDES[word] for sign in (-1.0, 1.0)]
        inputs = {"a": among(a, values, 1, 3), "b": among(b, values[::-1], 2, 5)}
        wide = FINE_DTYPES if word == "moderate" else WIDE_DTYPES
        yield Sample(name=name, inputs=inputs, dtypes=wide, gradient=word not in specials.silent)
    for name, tiny, held in (
        ("magnitude_subnormal_half", SUBNORMAL, ("float16",)),
        ("magnitude_subnormal_single", TINY, ("float32", "bfloat16")),
    ):
        a, b = drawn(name).values()
        inputs = {"a": among(a, tiny, 1, 3), "b": among(b, tiny[::-1], 1, 7)}
        # Hardware and compilers may flush these, by their documentation.
        yield Sample(name=name, inputs=inputs, dtypes=held, gradient=False, required=False)


def no_zero(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, at least 1/16 away from zero."""
    return ordinary(stream, shape)


def eighths(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, multiples of an eighth."""
    return np.rint(8.0 * stream.normal(shape)) / 8.0


def between_eighths(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, half-way between multiples of an eighth: never near one."""
    return eighths(stream, shape) + 0.0625


def quarters(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Multiples of a quarter within ±1, of which many are equal."""
    return stream.grid(shape)


def plane_of_both(draw_a: Draw, draw_b: Draw, stream: Stream, size: str) -> Sample:
    """Both operands in a plane of that size."""
    return Sample(name=size, inputs={"a": draw_a(stream("a"), PLANES[size]), "b": draw_b(stream("b"), PLANES[size])})


Partials = Callable[[Array, Array, Array], tuple[Array, Array]]


def binary(
    function: Callable[[Array, Array], Array],
    partials: Partials | None,
    specials: Specials,
    *,
    draw_a: Draw = no_zero,
    draw_b: Draw = no_zero,
    counts: tuple[int, int, int, int] = (1, 0, 0, 0),
    magnitudes: Sequence[str] = ("small", "moderate", "large", "huge", "largest"),
    more: Callable[[Stream], Iterator[Sample]] | None = None,
) -> Operation:
    """The operation of a function of two numbers, whose operands are broadcast.

    Args:
        function: the function, whose docstring is the specification.
        partials: of the cotangent and both operands, the gradients before they are summed; ``None`` for a comparison.
        specials: what it gives at special pairs.
        draw_a: draws the first operand within the domain.
        draw_b: the second.
        counts: operations and transcendentals for each number of the result, forward and back, in the order of ``Work``'s fields.
        magnitudes: the magnitudes that are tried.
        more: samples of its own.
    """

    def vjp(dy: Array, a: Array, b: Array) -> Gradients:
        assert partials is not None
        da, db = partials(dy, a, b)
        return {"a": of_shape(da, a.shape), "b": of_shape(db, b.shape)}

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from binary_samples(stream, draw_a, draw_b, specials, magnitudes)
        if more is not None:
            yield from more(stream)

    def workload(stream: Stream, size: str) -> Sample:
        return plane_of_both(draw_a, draw_b, stream, size)

    def work(a: Array, b: Array) -> Work:
        flops, transcendentals, backward, backward_transcendentals = counts
        return each(max(count(a), count(b)), flops, transcendentals, backward, backward_transcendentals)

    gradients: dict[str, Any] = (
        {"vjp": None, "differentiable": (), "cotangents": ()} if partials is None else {"vjp": vjp, "differentiable": ("a", "b")}
    )
    return Operation(
        function=function, samples=samples, family="binary", profile=EXTENDED, workload=workload, work=work, **gradients
    )
