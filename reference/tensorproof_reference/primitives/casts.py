"""Numbers as other dtypes hold them: cast_through."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference import rounding
from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, among, ordinary, sprinkled
from tensorproof_reference.operations._workloads import plane_workload
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

HELD = {**rounding.FORMATS, **rounding.STORED}
FLOATS = tuple(HELD)
WHOLE = ("int64", "int32", "int8", "uint8", "bool")
LARGEST = {"float32": 1e39, "float16": 70000.0, "float8_e5m2": 70000.0, "float8_e4m3fn": 500.0}
"""Numbers beyond the range of a dtype."""


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


def _work(x: Array, *, dtype: str = "float16", saturate: bool = False) -> Work:
    """Two copies of each number, which are no operations."""
    return Work(flops=0)


OPERATIONS: tuple[Operation, ...] = (
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
