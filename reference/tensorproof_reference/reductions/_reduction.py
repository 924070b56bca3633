"""What all reductions share: axes and their gradients, samples, workload and work. See ``reduction_samples``."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import PLAIN_SHAPE, WIDE_DTYPES
from tensorproof_reference.operations._elementwise_samples import MAGNITUDES
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.primitives._unary import SINGLE, WIDTHS
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INF, NAN = math.inf, math.nan
Axis: TypeAlias = int | tuple[int, ...] | None
"""What is reduced: one axis or several, counted from either end, all of them (``None``), or none (an empty tuple)."""

Draw: TypeAlias = Callable[[Stream, tuple[int, ...]], Array]
Rows: TypeAlias = tuple[tuple[tuple[float, ...], float], ...]
"""Rows of equally many numbers, with their results."""


def axes_of(x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes that are reduced, counted from the first.

    Raises:
        ValueError: one of them is not an axis of ``x``, or they are not different.
    """
    rank = len(x.shape)
    return tuple(range(rank)) if axis is None else normalize_axis_tuple(axis, rank)


def terms_of(x: Array, axis: Axis) -> int:
    """How many numbers each result is made of."""
    return math.prod(x.shape[place] for place in axes_of(x, axis))


def kept(y: Array, x: Array, axis: Axis) -> Array:
    """Results with the axes that were reduced, of length 1."""
    axes = axes_of(x, axis)
    return y.reshape(tuple(1 if place in axes else length for place, length in enumerate(x.shape)))


def spread(y: Array, x: Array, axis: Axis) -> Array:
    """Results at every number that they are made of."""
    return np.broadcast_to(kept(y, x, axis), x.shape).copy()


def together(x: Array, axis: Axis) -> Array:
    """The numbers of each result along one axis, the last."""
    axes = axes_of(x, axis)
    moved = np.moveaxis(x, axes, range(-len(axes), 0)) if axes else x
    return moved.reshape(*moved.shape[: x.ndim - len(axes)], terms_of(x, axis))


def apart(rows: Array, x: Array, axis: Axis) -> Array:
    """What ``together`` brought together, back in the places of ``x``."""
    axes = axes_of(x, axis)
    others = tuple(length for place, length in enumerate(x.shape) if place not in axes)
    moved = rows.reshape(others + tuple(x.shape[place] for place in axes))
    return np.moveaxis(moved, range(-len(axes), 0), axes) if axes else moved


EVERY_SET: tuple[Axis, ...] = (
    *(None, (), 0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2)),
    *(-1, -2, -3, (-1, 0), (2, -2), (-3, -1)),
)
"""Every set of axes of an array of rank 3, and some that are counted from the last, or not in order."""
ONE_OR_ALL: tuple[Axis, ...] = (None, 0, 1, 2, -1, -2, -3)
ONE: tuple[Axis, ...] = (0, 1, 2, -1, -2, -3)


def word_of(axis: Axis) -> str:
    """A set of axes as part of a sample's name.

    >>> [word_of(axis) for axis in (None, (), -1, (0, -2))]
    ['all', 'none', 'minus_1', '0_minus_2']
    """
    if axis is None:
        return "all"
    places = axis if isinstance(axis, tuple) else (axis,)
    return "_".join(str(place).replace("-", "minus_") for place in places) or "none"


NOT_A_NUMBER: Rows = tuple((row, NAN) for row in ((NAN, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0, NAN), (INF, NAN, 1.0, 2.0), (NAN,) * 4))
"""What NaN gives in most reductions."""


@dataclass(frozen=True, kw_only=True)
class Special:
    """What a reduction gives at special numbers."""

    nan: Rows = ()
    infinity: Rows = ()
    more: Mapping[str, Rows] = field(default_factory=dict)
    """Other rows by the name of their sample: ties, zeros, kinks."""
    silent: tuple[str, ...] = ()
    """The classes, and samples, whose gradients are not asked for."""
    empty: float | None = 0.0
    """The result over nothing; ``None`` where samples of its own say what that gives."""
    equal: bool = True
    """Whether a long axis of equal numbers has a result that is neither 0 nor ∞, and a gradient."""
    magnitudes: tuple[str, ...] = ("small", "moderate", "large", "huge", "largest")

    def asks(self, name: str) -> bool:
        """Whether the sample's gradient is asked for."""
        return not {name, name.split("_")[0]} & set(self.silent)


def reduction_samples(stream: Stream, draw: Draw, special: Special, sets: Sequence[Axis]) -> Iterator[Sample]:
    """The samples that every reduction of numbers has.

    Args:
        stream: where random numbers come from.
        draw: ordinary numbers of that shape.
        special: what the reduction gives at special numbers.
        sets: the axes that it takes, of an array of rank 3.
    """
    yield from samples_of_shapes(stream, draw, special, sets)
    yield from _with_special_numbers(stream, draw, special, [None] if None in sets else [])
    yield from long_samples(lambda name, length: {"x": draw(stream(name), (2, length))}, "axis", keywords={"axis": -1})
    if special.equal:
        # As many additions of equal numbers in 16 bits end at 2^8 or 2^11 of them.
        equal = {"x": np.full((2, 131_072), 0.25)}
        yield Sample(name="long_equal_131072", inputs=equal, keywords={"axis": -1}, dtypes=("bfloat16", "float16"))


def samples_of_shapes(stream: Stream, draw: Draw, special: Special, sets: Sequence[Axis]) -> Iterator[Sample]:
    """Shapes, sets of axes and memory, which matter whatever is reduced: see ``reduction_samples``."""
    whole: list[Axis] = [None] if None in sets else []
    keeps = [None, 1, -1, *([(0, 2), (-1, 0)] if (0, 2) in sets else [])] if whole else []

    def drawn(name: str, shape: tuple[int, ...], axis: Axis = -1, dtypes: tuple[str, ...] = DTYPES, **others: Any) -> Sample:
        keywords = {"axis": axis, **others.pop("keywords", {})}
        inputs = {"x": np.asarray(draw(stream(name), shape))}
        return Sample(name=name, inputs=inputs, keywords=keywords, dtypes=dtypes, gradient=special.asks(name), **others)

    yield drawn("plain_rows", PLAIN_SHAPE)
    for axis in whole:
        yield drawn("plain_everything", PLAIN_SHAPE, axis)
    yield drawn("size_small", (5, 7))
    yield drawn("size_large", (64, 128))
    yield drawn("size_large_columns", (64, 128), 0)
    # More elements than PyTorch gives to one thread.
    for axis in (0, -1, *whole):
        yield drawn(f"size_beyond_one_thread_{word_of(axis)}", (160, 257), axis, SINGLE)
    for width in WIDTHS:
        yield drawn(f"width_{width}", (24 if width < 8 else 6, width), dtypes=SINGLE)
    yield drawn("width_513", (2, 513), dtypes=SINGLE)
    for width in (3, 17, 127):
        yield drawn(f"width_columns_{width}", (5, width), 0, SINGLE)
    yield drawn("rank_one", (7,), dtypes=SINGLE)
    yield drawn("rank_four", (2, 3, 4, 5), 1, SINGLE)
    if (0, 2) in sets:
        yield drawn("rank_four_two_axes", (2, 3, 4, 5), (1, 3), SINGLE)
        yield drawn("rank_five_three_axes", (2, 3, 2, 4, 3), (0, 2, 4), SINGLE)
    for axis in whole:
        yield drawn("rank_zero", (), axis, SINGLE)
    for axis in sets:
        yield drawn(f"axis_{word_of(axis)}", (3, 5, 4), axis, DTYPES if axis == (0, 2) else SINGLE)
    for axis in keeps:
        yield drawn(f"axis_{word_of(axis)}_kept", (3, 5, 4), axis, SINGLE, keywords={"keepdims": True})
    yield drawn("unit_batch", (1, 7), dtypes=SINGLE)
    yield drawn("unit_middle", (3, 1, 4), 1)
    yield drawn("unit_middle_is_left", (3, 1, 4), -1, SINGLE)
    for axis in (0, *whole):
        yield drawn(f"unit_everything_{word_of(axis)}", (1, 1, 1), axis, SINGLE)
    yield drawn("empty_batch", (0, 17), dtypes=SINGLE)
    if special.empty is not None:
        yield drawn("empty_axis", (5, 0), dtypes=SINGLE)
        yield drawn("empty_axis_first", (0, 3), 0, SINGLE)
        for axis in whole:
            yield drawn("empty_everything", (0, 3), axis, SINGLE)
            yield drawn("empty_axis_kept", (5, 0), -1, SINGLE, keywords={"keepdims": True})
    yield drawn("strided_transposed", PLAIN_SHAPE, memory="transposed")
    yield drawn("strided_sliced", PLAIN_SHAPE, memory="sliced")
    yield drawn("strided_axis_first", PLAIN_SHAPE, 0, memory="transposed")
    for axis in whole:
        yield drawn("strided_everything", (3, 5, 4), axis, SINGLE, memory="transposed")
    yield drawn("long_columns_16385", (16_385, 3), 0, SINGLE)


def _with_special_numbers(stream: Stream, draw: Draw, special: Special, whole: Sequence[Axis]) -> Iterator[Sample]:
    """NaN and infinities in every lane and at both ends, rows of a table, and magnitudes."""
    for word, value in (("nan", NAN), ("infinity", INF), ("infinity_negative", -INF)):
        name = f"{word}_each_lane"
        x = draw(stream(name), PLAIN_SHAPE)
        np.fill_diagonal(x, value)
        yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1}, gradient=special.asks(name))
    for axis, place in ((-1, 0), (-1, -1), *((axis, place) for axis in whole for place in (0, -1))):
        name = f"nan_{'at_the_start' if place == 0 else 'at_the_end'}_of_{'rows' if axis == -1 else 'all'}"
        x = draw(stream(name), (3, 33))
        x[(slice(None), place) if axis == -1 else (place, place)] = NAN
        yield Sample(name=name, inputs={"x": x}, keywords={"axis": axis}, dtypes=SINGLE, gradient=special.asks(name))
    for name, rows in {"nan_rows": special.nan, "infinity_rows": special.infinity, **dict(special.more)}.items():
        if not rows:
            continue
        x, y = np.array([row for row, _ in rows]), np.array([result for _, result in rows])
        gradient = special.asks(name) and not name.startswith(("nan", "kink"))
        yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1}, expected={"y": y}, gradient=gradient)
    for word in special.magnitudes:
        name = f"magnitude_{word}"
        x = draw(stream(name), PLAIN_SHAPE)
        if word == "largest":
            np.fill_diagonal(x, 3e38)
        else:
            x[1::2] *= np.resize(np.array(MAGNITUDES[word]), len(x[1::2]))[:, None]
        wide = DTYPES if word == "moderate" else WIDE_DTYPES
        yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1}, dtypes=wide, gradient=special.asks(name))


def normal(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, around zero."""
    return stream.normal(shape)


def plane_of_rows(draw: Draw, stream: Stream, size: str) -> Sample:
    """Rows of numbers in a plane of that size, each of which is reduced."""
    return Sample(name=size, inputs={"x": draw(stream("x"), PLANES[size])}, keywords={"axis": -1})


def distant(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Numbers around 1, whose mean is not 0."""
    return stream.normal(shape, 1.0)


def reduction(
    function: Callable[..., Array],
    vjp: Callable[..., Gradients],
    special: Special,
    counts: Callable[[int, int], Work],
    *,
    draw: Draw = normal,
    more: Callable[[Stream], Iterator[Sample]] | None = None,
) -> Operation:
    """The operation of a reduction over any set of axes.

    Args:
        function: the function, whose docstring is the specification.
        vjp: its vector-Jacobian product.
        special: what it gives at special numbers.
        counts: the work from so many numbers to so many results.
        draw: draws ordinary numbers.
        more: samples of its own.
    """

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from reduction_samples(stream, draw, special, EVERY_SET)
        if more is not None:
            yield from more(stream)

    def work(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Work:
        return counts(count(x), count(x) // max(terms_of(x, axis), 1))

    def work_corrected(x: Array, *, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Work:
        return work(x, axis=axis, keepdims=keepdims)

    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="reduction",
        profile=EXTENDED,
        workload=lambda stream, size: plane_of_rows(draw, stream, size),
        work=work_corrected if "correction" in (function.__kwdefaults__ or {}) else work,
    )
