"""Numbers as other dtypes hold them: cast, cast_through."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference import rounding
from tensorproof_reference.arguments import require_choice
from tensorproof_reference.errorbars import branches
from tensorproof_reference.errorbars.rules import Barred
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, among, ordinary, sprinkled
from tensorproof_reference.operations._workloads import plane_workload
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.rounding import HELD
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

FLOATS = tuple(HELD)
WHOLE = ("int64", "int32", "int8", "uint8", "bool")
LARGEST = {"float32": 1e39, "float16": 70000.0, "float8_e5m2": 70000.0, "float8_e4m3fn": 500.0}
"""Numbers beyond the range of a dtype."""


def cast(x: Array, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Array:
    r"""Numbers cast to another dtype, which the result has.

    - To a float (``float64``, ``float32``, ``bfloat16``, ``float16``, ``float8_e4m3fn``, ``float8_e5m2``) they round once, to the
      nearest of its numbers, and of two that are equally near to the even one. Beyond its largest number it has infinity;
      ``float8_e4m3fn``, which has none, has NaN, or with ``saturate`` its largest number. What is exact in it stays as it is.
    - To an integer (``int64``, ``int32``, ``int16``, ``int8``, ``uint8``) floats round towards 0. A float beyond its range is the
      nearest end, or with ``overflow="wraps"`` what is left modulo :math:`2^{\mathrm{bits}}`; an integer beyond its range always
      wraps. No sample asks for NaN.
    - To ``bool`` all numbers but 0 are true; NaN is true.

    The gradient is the cotangent, cast to the dtype of x. Through integers and ``bool`` there is none.

    Shapes: any.
    Dtypes: x of any dtype, y of ``dtype``.
    Special values: NaN and signs of 0 stay what they are in floats, and infinities but for ``float8_e4m3fn``.
    Raises: ``ValueError`` for another dtype or ``overflow``.
    Source: IEEE 754-2019 §4.3 and §5.4; Micikevicius et al. (2022), section 3 (float8).
    """
    require_choice(dtype, "dtype", (*FLOATS, *rounding.INTEGERS, "bool"))
    require_choice(overflow, "overflow", ("saturates", "wraps"))
    if dtype == "bool":
        return (x.value if isinstance(x, Barred) else x) != 0
    if dtype not in FLOATS:
        return _whole(x, dtype, overflow)
    if isinstance(x, Barred):
        return x.cast(dtype, saturate)  # type: ignore[attr-defined]
    held = rounding.cast_through(x, dtype, saturate)
    return held.astype(x.dtype) if x.dtype.kind == "f" else held


def _whole(x: Array, dtype: str, overflow: str) -> Array:
    """As int64, which holds the numbers of every integer."""
    numbers = np.asarray(x.value if isinstance(x, Barred) else x)
    if isinstance(x, Barred) and branches.watched():
        branches.note_jump(numbers - np.rint(numbers), x.bar)
    ends = np.iinfo(dtype)
    if numbers.dtype.kind == "f":
        numbers = np.clip(np.trunc(numbers), -(2.0**62), 2.0**62)
        numbers = np.clip(numbers, ends.min, ends.max) if overflow == "saturates" and dtype != "int64" else numbers
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    return whole if dtype == "int64" else (whole - ends.min) % 2**ends.bits + ends.min


def _cast_vjp(dy: Array, x: Array, **keywords: Any) -> Gradients:
    """The cotangent as x holds it; with error bars the result is taken to its dtype where it is judged."""
    return {"x": dy if isinstance(dy, Barred) else dy.astype(x.dtype)}


def cast_through(x: Array, *, dtype: str = "float16", saturate: bool = False) -> Array:
    r"""Numbers cast to another dtype, and back to their own.

    - A float (``float64``, ``float32``, ``bfloat16``, ``float16``, ``float8_e4m3fn``, ``float8_e5m2``) rounds to the nearest of
      its numbers, once, and of two that are equally near to the even one. Beyond its largest number it has infinity;
      ``float8_e4m3fn``, which has none, has NaN, or with ``saturate`` its largest number. What is exact in it stays as it is.
    - An integer (``int64``, ``int32``, ``int8``, ``uint8``) rounds towards 0. No sample asks for NaN, nor for what is beyond its
      range.
    - ``bool`` is 1 but for 0; NaN is 1.

    The gradient of a float is the cotangent, cast in the same way; of an integer or ``bool`` it is 0.

    Shapes: any.
    Special values: NaN and signs of 0 stay what they are in floats, and infinities but for ``float8_e4m3fn``.
    Raises: ``ValueError`` for another dtype.
    Source: IEEE 754-2019 §4.3 and §5.4; Micikevicius et al. (2022), section 3 (float8).
    """
    require_choice(dtype, "dtype", (*FLOATS, *WHOLE))
    return _through(x, dtype, saturate)


def _through(x: Any, dtype: str, saturate: bool) -> Any:
    """In the array's own dtype; an array with error bars does it by itself."""
    if isinstance(x, np.ndarray | np.floating):
        return rounding.cast_through(x, dtype, saturate).astype(x.dtype)
    return x.cast_through(dtype, saturate)


def _vjp(dy: Array, x: Array, *, dtype: str = "float16", saturate: bool = False) -> Gradients:
    """Straight through the steps of a float, and 0 through whole numbers."""
    return {"x": _through(dy, dtype, saturate) if dtype in FLOATS else np.zeros_like(dy)}


def _halfway(dtype: str) -> tuple[float, ...]:
    """Numbers half way between two of the dtype, with an even one below and above."""
    bits = HELD[dtype].bits
    step = 2.0 ** (1 - bits)
    return (1 + 0.5 * step, 1 + 1.5 * step, -1 - 0.5 * step, -1 - 2.5 * step, 4 * (1 + 1.5 * step))


def _samples(stream: Stream) -> Iterator[Sample]:
    """Every dtype: ordinary numbers, its ends, and numbers half way between two of it."""

    def drawn(name: str, *shape: int) -> dict[str, Array]:
        return {"x": ordinary(stream(name), shape or PLAIN_SHAPE)}

    yield Sample(name="plain_float16", inputs=drawn("plain_float16"))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 128))
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127, 513):
        name = f"width_{width}"
        keywords = {"dtype": "bfloat16"}
        yield Sample(name=name, inputs=drawn(name, 3, width), keywords=keywords, dtypes=SINGLE)
    yield Sample(name="rank_zero", inputs={"x": asarray(1.2345)}, dtypes=SINGLE)
    yield Sample(name="rank_four", inputs=drawn("rank_four", 2, 3, 4, 5), dtypes=SINGLE)
    yield Sample(name="empty_batch", inputs=drawn("empty_batch", 0, 11), dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        name = f"strided_{memory}"
        yield Sample(name=name, inputs=drawn(name), memory=memory)
    for dtype in (*FLOATS, *WHOLE):
        name = f"optional_{dtype}"
        inputs = drawn(name)
        if dtype == "uint8":
            inputs["x"] = np.abs(inputs["x"])
        exact = () if dtype in FLOATS else ("d_x",)
        yield Sample(name=name, inputs=inputs, keywords={"dtype": dtype}, exact_zero=exact)
        if dtype in FLOATS:
            yield from _of_float(stream, dtype)
    whole = among(ordinary(stream("bounds_of_int32")), (2.0**30, -(2.0**31), 2.0**24, -127.5), 1, 3)
    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="bounds_of_int32", inputs={"x": whole}, keywords={"dtype": "int32"}, dtypes=wide, exact_zero=("d_x",))
    yield Sample(
        name="bounds_of_int8",
        inputs={"x": among(ordinary(stream("bounds_of_int8")), (127.0, -128.0, 0.9375, -0.9375), 1, 3)},
        keywords={"dtype": "int8"},
        exact_zero=("d_x",),
    )
    for word, values in (("infinity", (np.inf, -np.inf)), ("beyond_the_range", (500.0, -500.0, 448.0, 464.0))):
        for saturate in (False, True):
            name = f"convention_{word}{'_saturate' if saturate else ''}"
            chosen = {"dtype": "float8_e4m3fn", "saturate": saturate}
            yield Sample(name=name, inputs={"x": sprinkled(stream(name), values)}, keywords=chosen, gradient=False)
    truths = sprinkled(stream("bounds_of_bool"), (np.nan, np.inf, 0.0, -0.0, 2.0**-14))
    yield Sample(name="bounds_of_bool", inputs={"x": truths}, keywords={"dtype": "bool"}, gradient=False)


def _of_float(stream: Stream, dtype: str) -> Iterator[Sample]:
    """NaN, infinity, signs of zero, ties and the ends of a float."""
    keywords = {"dtype": dtype}
    stored = HELD[dtype]

    def sample(name: str, values: tuple[float, ...], dtypes: tuple[str, ...] = DTYPES, **others: Any) -> Sample:
        return Sample(
            name=name, inputs={"x": sprinkled(stream(name), values)}, keywords=keywords, dtypes=dtypes, gradient=False, **others
        )

    yield sample(f"nan_{dtype}", (np.nan,))
    yield sample(f"infinity_{dtype}", (np.inf, -np.inf))
    yield sample(f"zero_{dtype}", (0.0, -0.0), sign_of_zero=True)
    finer = tuple(name for name in DTYPES if rounding.FORMATS[name].bits > stored.bits)
    if not finer:
        return
    yield sample(f"ties_{dtype}", _halfway(dtype), finer)
    if stored.bits < 24:
        # Twice rounded, first to float32, these would be half way.
        yield sample(f"ties_{dtype}_in_float64", tuple(value * (1 + 2.0**-40) for value in _halfway(dtype)), ("float64",))
    if dtype in LARGEST:
        holds = tuple(name for name in finer if rounding.FORMATS[name].fmax > LARGEST[dtype])
        yield sample(f"magnitude_beyond_{dtype}", (LARGEST[dtype], -LARGEST[dtype], stored.fmax, -stored.fmax), holds)
    if dtype not in ("bfloat16", "float32"):  # whose subnormal numbers hardware may flush
        least = stored.smallest_subnormal
        holds = tuple(name for name in finer if rounding.FORMATS[name].smallest_normal <= least)
        yield sample(f"magnitude_subnormal_{dtype}", (least, -3 * least, 0.75 * least, 2.5 * least, -0.25 * least), holds)


NUMBERS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "int64": ((2.0**53, -(2.0**53), 2.0**40 + 1, -127.0), (2.0**24 + 1, 2.0**24 + 3, -(2.0**25) - 2, 2.0**31)),
    "int32": ((2.0**31 - 1, -(2.0**31), 2.0**24, 255.0), (2.0**24 + 1, 2.0**24 + 3, -(2.0**25) - 2, 2.0**30 + 64)),
    "int8": ((127.0, -128.0, 0.0, -1.0), (1.0, 2.0, 3.0, -3.0)),
    "uint8": ((255.0, 128.0, 0.0, 127.0), (1.0, 2.0, 3.0, 129.0)),
}
"""By integer its ends, and for a larger one numbers half way between two of float32."""


def _integers(stream: Stream, dtype: str, values: tuple[float, ...]) -> Array:
    """Whole numbers of the dtype, with some values among them."""
    ends = np.iinfo(dtype)
    drawn = stream.integers(PLAIN_SHAPE, max(ends.min, -1000), min(ends.max, 1000) + 1)
    return among(drawn, np.asarray(values, np.int64).tolist(), 1, 3)


def _cast_samples(stream: Stream) -> Iterator[Sample]:
    """Those of a cast and back, without the way back; and casts from integers, bool and float8."""
    for sample in _samples(stream):
        dtype = sample.keywords.get("dtype", "float16")
        yield replace(sample, own_dtypes={"y": dtype}, exact_zero=(), gradient=sample.gradient and dtype in FLOATS)

    def given(name: str, x: Array, of: str, to: str, **others: Any) -> Sample:
        chosen = {"gradient": of in FLOATS and to in FLOATS, **others}
        own = {"x": of, "y": to}
        return Sample(name=name, inputs={"x": x}, keywords={"dtype": to}, own_dtypes=own, dtypes=SINGLE, **chosen)

    for of, (ends, ties) in NUMBERS.items():
        for to in ("float32", "bfloat16", "int8", "int32", "bool"):
            name = f"bounds_from_{of}_to_{to}"
            yield given(name, _integers(stream(name), of, ends), of, to)
        name = f"ties_from_{of}_to_float32"
        yield given(name, _integers(stream(name), of, ties), of, "float32")
    truths = stream("optional_from_bool").integers(PLAIN_SHAPE, 0, 2) == 1
    for to in ("float32", "bfloat16", "int8"):
        yield given(f"optional_from_bool_to_{to}", truths, "bool", to)
    for of in rounding.STORED:
        finite = _every_number(of)
        for to in ("float32", "bfloat16", "float16"):
            yield given(f"optional_from_{of}_to_{to}", finite, of, to)
        special = np.resize(np.array([np.nan, -0.0, 0.0, np.inf if of == "float8_e5m2" else 1.0]), PLAIN_SHAPE)
        yield given(f"zero_from_{of}_to_float32", special, of, "float32", sign_of_zero=True, gradient=False)
    beyond = sprinkled(stream("convention_beyond_int8"), (300.0, -300.0, 128.0, -129.5, 1e4))
    for overflow in ("saturates", "wraps"):
        yield Sample(
            name=f"convention_beyond_int8_{overflow}",
            inputs={"x": beyond},
            keywords={"dtype": "int8", "overflow": overflow},
            own_dtypes={"y": "int8"},
            gradient=False,
        )


def _every_number(dtype: str) -> Array:
    """All finite numbers of a float of 8 bits, from the lowest."""
    found = HELD[dtype]
    steps = np.arange(2 ** (found.bits - 1))
    least = round(np.log2(found.smallest_normal))
    most = int(np.log2(found.fmax))
    normal = [(1 + steps * 2.0 ** (1 - found.bits)) * 2.0**exponent for exponent in range(least, most + 1)]
    positive = np.concatenate([steps * found.smallest_subnormal, *normal])
    positive = positive[positive <= found.fmax]
    return np.concatenate([-positive[:0:-1], positive])


def _work(x: Array, *, dtype: str = "float16", saturate: bool = False) -> Work:
    """Two copies of each number, which are no operations."""
    return Work(flops=0)


def _cast_work(x: Array, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Work:
    """A copy of each number, which is no operation."""
    return Work(flops=0)


def _cast_workload(stream: Stream, size: str) -> Sample:
    """To the float of 16 bits that networks are trained in."""
    return replace(plane_workload(stream, size), keywords={"dtype": "bfloat16"}, own_dtypes={"y": "bfloat16"})


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=cast,
        vjp=_cast_vjp,
        samples=_cast_samples,
        family="elementwise",
        profile=EXTENDED,
        workload=_cast_workload,
        work=_cast_work,
        conventions={"saturate": (False, True), "overflow": ("saturates", "wraps")},
    ),
    Operation(
        function=cast_through,
        vjp=_vjp,
        samples=_samples,
        family="elementwise",
        profile=EXTENDED,
        workload=plane_workload,
        work=_work,
        conventions={"saturate": (False, True)},
    ),
)
