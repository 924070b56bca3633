"""Numbers in 8 bits with a scale, and back: quantize, dequantize."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_axis, require_choice, require_shape
from tensorproof_reference.errorbars.array import ErrorBars
from tensorproof_reference.errorbars.rules import value_of
from tensorproof_reference.mixed._widening import widened
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, among
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.rounding import HELD, STORED, round_to
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

INTEGERS = ("int8", "uint8")
DTYPES = (*INTEGERS, *STORED)


def quantize(x: Array, scale: Array, zero_point: Array | None = None, *, dtype: str = "int8", axis: int | None = None) -> Array:
    r"""Numbers in 8 bits: integers :math:`q = \min(\max(\mathrm{round}(x/s) + z, l), h)` with the ends l and h of ``dtype``, or
    floats :math:`q = \mathrm{cast}(\min(\max(x/s, -h), h))`, which have no zero point.

    The scale s and the ``zero_point`` z are one number each, or along ``axis`` one for each place. ``None`` is a zero point of 0.
    No sample asks what is half way between two steps. It has no gradient: ``fake_quantize`` has one that goes straight through.

    Shapes: ``x`` any, ``scale`` and ``zero_point`` () or, with ``axis``, as long as x along it; the result that of ``x``.
    Dtypes: x and scale float32 or 16 bits, computed in float32; zero_point int32, q of ``dtype``.
    Special values: ±∞ is the highest or lowest. No sample asks for NaN.
    Raises: ``ValueError`` for another dtype, a zero point of floats, or shapes that do not fit.
    Source: Jacob et al. (2018), eq. 1; ONNX QuantizeLinear (opset 19); Micikevicius et al. (2022), section 3.
    """
    require_choice(dtype, "dtype", DTYPES)
    require(zero_point is None or dtype in INTEGERS, "zero_point", f"None for {dtype}", zero_point)
    divided = widened(x) / _along(x, widened(scale), "scale", axis)
    if dtype in STORED:
        limited = np.clip(divided, -HELD[dtype].fmax, HELD[dtype].fmax)
        return limited.stepped(dtype) if isinstance(limited, ErrorBars) else round_to(limited, dtype).astype(limited.dtype)
    ends = np.iinfo(dtype)
    # Limited first, so that infinity is a number.
    steps = value_of(np.rint(np.clip(divided, -1024.0, 1024.0))).astype(np.int64)
    shifted = steps if zero_point is None else steps + _along(x, zero_point, "zero_point", axis)
    return np.clip(shifted, ends.min, ends.max)


def _along(x: Array, given: Array, name: str, axis: int | None) -> Array:
    """One number, or one for each place along an axis of x, as an array that broadcasts to x."""
    if axis is None:
        require_shape(given, name, ())
        return given
    require_axis(x, "axis", axis)
    require_shape(given, name, (x.shape[axis],))
    return given.reshape([x.shape[axis] if place == axis % x.ndim else 1 for place in range(x.ndim)])


def dequantize(
    q: Array, scale: Array, zero_point: Array | None = None, *, axis: int | None = None, dtype: str = "float32"
) -> Array:
    r"""Numbers of 8 bits as floats again: :math:`y = s\,(q - z)` with the scale s and the ``zero_point`` z (0 if ``None``), one
    number each, or along ``axis`` one for each place.

    It has no gradient.

    Shapes: as ``quantize``.
    Dtypes: q int8, uint8, float8_e4m3fn or float8_e5m2; scale float32, zero_point int32, y of ``dtype``; computed in float32.
    Special values: NaN and infinity of a float stay what they are.
    Raises: ``ValueError`` for shapes that do not fit, or another ``dtype``.
    Source: Jacob et al. (2018), eq. 1; ONNX DequantizeLinear (opset 19).
    """
    require_choice(dtype, "dtype", ("float32", "bfloat16", "float16"))
    numbers = widened(q) if q.dtype.kind not in "iu" else q.astype(np.int64)
    centred = numbers if zero_point is None else numbers - _along(q, zero_point, "zero_point", axis)
    factor = _along(q, widened(scale), "scale", axis)
    if isinstance(centred, np.ndarray) and isinstance(factor, np.ndarray):
        centred = centred.astype(factor.dtype)  # an integer beside float32 would make float64
    return centred * factor


def _own(name: str, dtype: str, zero_point: bool) -> dict[str, str]:
    return {name: dtype, **({"zero_point": "int32"} if zero_point else {})}


def _near_steps(stream: Stream, shape: tuple[int, ...], dtype: str) -> Array:
    """Numbers in steps of the scale, away from the middle between two, a few of them beyond either end."""
    if dtype in STORED:
        held = round_to(stream("held").normal(shape, deviation=20.0), dtype)
        return held * (1.0 + stream("share").uniform(shape, -0.25, 0.25) * 2.0 ** (1 - HELD[dtype].bits))
    return stream("steps").integers(shape, -160, 161) + stream("share").uniform(shape, -0.4, 0.4)


def _shapes(sample: Callable[..., Sample]) -> Iterator[Sample]:
    """Widths, ranks, axes of size 1 and 0, strides, and each axis with a scale of its own."""
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127):
        yield sample(f"width_{width}", 3, width, zero=True)
    yield sample("rank_one", 7)
    yield sample("rank_four", 2, 3, 4, 5, axis=1)
    yield sample("unit_everything", 1, 1)
    yield sample("unit_axis", 5, 1, axis=1)
    yield sample("empty_batch", 0, 11, zero=True)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", zero=True, memory=memory)
    for axis in (0, 1, -1):
        word = str(axis).replace("-", "minus_")
        yield sample(f"axis_{word}", axis=axis)
        yield sample(f"axis_{word}_zero_point", axis=axis, zero=True)


def _quantize_samples(stream: Stream) -> Iterator[Sample]:
    """Every dtype, one scale and one for each place along an axis, with and without a zero point; ends, infinity and zeros."""

    def sample(
        name: str,
        *shape: int,
        dtype: str = "int8",
        axis: int | None = None,
        zero: bool = False,
        scale: float = 0.125,
        of: str = "float32",
        special: tuple[float, ...] = (),
        **others: Any,
    ) -> Sample:
        numbers, shape = stream(name), shape or PLAIN_SHAPE
        steps = _near_steps(numbers, shape, dtype)
        places = () if axis is None else (shape[axis],)
        scales = asarray(round_to(scale * numbers("scale").uniform(places, 0.75, 1.5), "float32"))
        points = numbers("zero").integers(places, 0, 100) if zero else None
        ends = {"uint8": 128.0, "int8": 0.0}.get(dtype, 0.0)
        shift = 0.0 if points is None else _along(steps, points, "zero_point", axis)
        x = (steps + ends - shift) * _along(steps, scales, "scale", axis)
        x = among(x, special, 1, 3) if special else x
        keywords = {"dtype": dtype, **({} if axis is None else {"axis": axis})}
        inputs = {"x": x, "scale": scales, "zero_point": points}
        own = _own("q", dtype, zero) | ({} if of == "float32" else {"x": of})
        return Sample(name=name, inputs=inputs, keywords=keywords, own_dtypes=own, dtypes=SINGLE, **others)

    yield sample("plain_int8", zero=True)
    yield sample("plain_float8_e4m3fn", dtype="float8_e4m3fn")
    yield sample("size_large", 64, 129)
    yield sample("size_large_axis", 64, 129, axis=1, zero=True)
    yield sample("size_large_float8_e4m3fn", 64, 129, dtype="float8_e4m3fn")
    yield from _shapes(sample)
    for dtype in DTYPES:
        yield sample(f"optional_{dtype}", dtype=dtype)
        yield sample(f"axis_0_{dtype}", dtype=dtype, axis=0)
    yield sample("optional_uint8_zero_point", dtype="uint8", zero=True)
    for word, scale in (("1e4", 1e4), ("1e_minus_4", 1e-4)):
        for dtype in ("int8", "float8_e4m3fn"):
            yield sample(f"magnitude_scale_{word}_{dtype}", dtype=dtype, scale=scale)
    for dtype in DTYPES:
        yield sample(f"infinity_{dtype}", dtype=dtype, special=(np.inf, -np.inf))
        yield sample(f"bounds_far_beyond_{dtype}", dtype=dtype, special=(1e5, -1e5, 1e10, -1e10))
        yield sample(f"zero_{dtype}", dtype=dtype, special=(0.0, -0.0))


def _dequantize_samples(stream: Stream) -> Iterator[Sample]:
    """Every number of every dtype, one scale and one for each place along an axis."""

    def sample(
        name: str,
        *shape: int,
        of: str = "int8",
        axis: int | None = None,
        zero: bool = False,
        scale: float = 0.125,
        dtype: str = "float32",
        special: tuple[float, ...] = (),
        **others: Any,
    ) -> Sample:
        numbers, shape = stream(name), shape or PLAIN_SHAPE
        if of in INTEGERS:
            ends = np.iinfo(of)
            q: Array = numbers("q").integers(shape, int(ends.min), int(ends.max) + 1)
        else:
            q = round_to(numbers("q").normal(shape, deviation=20.0), of)
        q = among(q, special, 1, 3) if special else q
        places = () if axis is None else (shape[axis],)
        scales = asarray(round_to(scale * numbers("scale").uniform(places, 0.75, 1.5), "float32"))
        points = numbers("zero").integers(places, 0, 100) if zero else None
        keywords: Mapping[str, Any] = {
            **({} if axis is None else {"axis": axis}),
            **({} if dtype == "float32" else {"dtype": dtype}),
        }
        inputs = {"q": q, "scale": scales, "zero_point": points}
        own = {**_own("q", of, zero), "y": dtype}
        return Sample(name=name, inputs=inputs, keywords=keywords, own_dtypes=own, dtypes=SINGLE, **others)

    yield sample("plain_int8", zero=True)
    yield sample("plain_float8_e4m3fn", of="float8_e4m3fn")
    yield sample("size_large", 64, 129, zero=True)
    yield sample("size_large_float8_e4m3fn", 64, 129, of="float8_e4m3fn")
    yield from _shapes(sample)
    for of in DTYPES:
        yield sample(f"optional_{of}", of=of)
        yield sample(f"axis_0_{of}", of=of, axis=0)
        for dtype in ("bfloat16", "float16"):
            yield sample(f"optional_{of}_to_{dtype}", of=of, dtype=dtype)
    for word, scale in (("1e4", 1e4), ("1e_minus_4", 1e-4), ("1e30", 1e30)):
        yield sample(f"magnitude_scale_{word}", scale=scale)
    yield sample("bounds_of_int8", special=(-128, 127, 0))
    yield sample("bounds_of_uint8", of="uint8", special=(0, 255, 128))
    for of in STORED:
        least, most = HELD[of].smallest_subnormal, HELD[of].fmax
        yield sample(f"bounds_of_{of}", of=of, special=(most, -most, least, -3 * least))
    yield sample("infinity_float8_e5m2", of="float8_e5m2", special=(np.inf, -np.inf, np.nan))
    yield sample("zero_float8_e4m3fn", of="float8_e4m3fn", special=(0.0, -0.0, np.nan), sign_of_zero=True)


def _quantize_workload(stream: Stream, size: str) -> Sample:
    """A plane with one scale, to int8."""
    x = plane_workload(stream, size).inputs["x"]
    return Sample(name=size, inputs={"x": x, "scale": asarray(0.0625), "zero_point": None}, own_dtypes={"q": "int8"})


def _dequantize_workload(stream: Stream, size: str) -> Sample:
    """Half a plane of int8 with one scale."""
    rows, columns = plane_workload(stream, size).inputs["x"].shape
    q = stream("q").integers((rows // 2, columns), -128, 128)
    return Sample(name=size, inputs={"q": q, "scale": asarray(0.0625), "zero_point": None}, own_dtypes={"q": "int8"})


def _quantize_work(
    x: Array, scale: Array, zero_point: Array | None = None, *, dtype: str = "int8", axis: int | None = None
) -> Work:
    """A quotient, a rounding and two comparisons for each number; a sum with a zero point."""
    return each(count(x), 4 + (zero_point is not None), 0, 0)


def _dequantize_work(
    q: Array, scale: Array, zero_point: Array | None = None, *, axis: int | None = None, dtype: str = "float32"
) -> Work:
    """A product for each number; a difference with a zero point."""
    return each(count(q), 1 + (zero_point is not None), 0, 0)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=quantize,
        vjp=None,
        samples=_quantize_samples,
        family="quantization",
        differentiable=(),
        outputs=("q",),
        cotangents=("q",),
        profile=EXTENDED,
        workload=_quantize_workload,
        work=_quantize_work,
    ),
    Operation(
        function=dequantize,
        vjp=None,
        samples=_dequantize_samples,
        family="quantization",
        differentiable=(),
        profile=EXTENDED,
        workload=_dequantize_workload,
        work=_dequantize_work,
    ),
)
