"""The floating formats under test, and rounding of float64 numbers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """A binary floating format: ``bits`` of significand (the hidden one counted) and its range."""

    name: str
    bits: int
    fmax: float
    """The largest finite number."""
    smallest_normal: float
    smallest_subnormal: float

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next number, 2^-bits: the largest relative error of one rounding."""
        return 2.0**-self.bits


def _format(name: str, bits: int, largest_exponent: int) -> Format:
    fmax = (2.0 - 2.0 ** (1 - bits)) * 2.0**largest_exponent
    smallest_normal = 2.0 ** (1 - largest_exponent)
    return Format(name, bits, fmax, smallest_normal, smallest_normal * 2.0 ** (1 - bits))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "float64": _format("float64", 53, 1023),
        "float32": _format("float32", 24, 127),
        "bfloat16": _format("bfloat16", 8, 127),
        "float16": _format("float16", 11, 15),
    }
)


STORED: Mapping[str, Format] = MappingProxyType(
    {
        "float8_e4m3fn": Format("float8_e4m3fn", 4, 448.0, 2.0**-6, 2.0**-9),
        "float8_e5m2": _format("float8_e5m2", 3, 15),
    }
)
"""Formats that numbers are stored in, and nothing is computed in. The first has no infinity: what is beyond its range is NaN."""


HELD: Mapping[str, Format] = MappingProxyType({**FORMATS, **STORED})
"""All formats that an array may have."""


INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
"""The integers that an array may have."""


def format_of(dtype: str) -> Format:
    """The format of that name.

    Raises:
        ValueError: no such format.
    """
    if dtype not in HELD:
        raise ValueError(f"dtype: expected one of {', '.join(HELD)}, got {dtype!r}")
    return HELD[dtype]


def spacing(array: Any, dtype: str) -> NDArray[np.float64]:
    """The distance between neighbouring numbers of the format around each element (1 ulp), subnormals included.

    At a power of two it is the distance to the next larger number.
    """
    return _spacing(array, format_of(dtype))


def _spacing(array: Any, chosen: Format) -> NDArray[np.float64]:
    _, exponent = np.frexp(np.asarray(array, np.float64))
    least = np.frexp(chosen.smallest_normal)[1]
    return np.asarray(np.ldexp(1.0, np.maximum(exponent, least) - chosen.bits), np.float64)


def round_to(array: Any, dtype: str) -> NDArray[np.float64]:
    """Each float64 number rounded once to the nearest number of ``dtype``, ties to even, as a float64 array.

    Subnormal numbers of the format are kept, numbers beyond its range become infinite (or NaN in ``float8_e4m3fn``, which has no
    infinity), NaN stays NaN.

    >>> round_to([1.00390625, 1.0039062501, 4e38], "bfloat16").tolist()
    [1.0, 1.0078125, inf]
    """
    chosen = format_of(dtype)
    exact = np.asarray(array, np.float64)
    if dtype == "float64":
        return exact.copy()
    rounded = _rounded(exact, chosen)
    return np.where(np.isinf(rounded), np.nan, rounded) if dtype == "float8_e4m3fn" else rounded


def _rounded(exact: NDArray[np.float64], chosen: Format) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        quantum = _spacing(exact, chosen)
        rounded = np.rint(exact / quantum) * quantum
        rounded = np.where(np.abs(rounded) > chosen.fmax, np.copysign(np.inf, exact), rounded)
    return np.asarray(np.where(np.isfinite(exact), rounded, exact), np.float64)


def cast_through(array: Any, dtype: str, saturate: bool = False) -> NDArray[np.float64]:
    """Each float64 number as any dtype holds it: a float, an integer (rounded towards 0) or ``bool``, as a float64 array.

    Numbers beyond the range of a float become infinite; of ``float8_e4m3fn`` NaN, or its largest number with ``saturate``.
    Integers are those of numbers in their range.

    >>> cast_through([2.7, -2.7, 465.0], "float8_e4m3fn").tolist(), cast_through([2.7, -2.7, 0.0], "int8").tolist()
    ([2.75, -2.75, nan], [2.0, -2.0, 0.0])
    """
    exact = np.asarray(array, np.float64)
    if dtype == "bool":
        return np.asarray(exact != 0, np.float64)
    if dtype.lstrip("u").startswith("int"):
        return np.asarray(np.trunc(exact) + 0.0, np.float64)  # an integer has no -0
    rounded = round_to(exact, dtype)
    if dtype != "float8_e4m3fn" or not saturate:
        return rounded
    return np.where(np.isnan(rounded) & ~np.isnan(exact), np.copysign(STORED[dtype].fmax, exact), rounded)


def ulp_distance(y: Any, r: Any, dtype: str) -> NDArray[np.float64]:
    """How far ``y`` is from ``r``, in units of the format's spacing at ``r``; infinite where only one of them is finite.

    >>> float(ulp_distance(1.0 + 2**-22, 1.0, "float32"))
    2.0
    """
    y, r = np.asarray(y, np.float64), np.asarray(r, np.float64)
    with np.errstate(all="ignore"):
        distance = np.abs(y - r) / spacing(r, dtype)
    same = (y == r) | (np.isnan(y) & np.isnan(r))
    comparable = np.isfinite(y) & np.isfinite(r)
    return np.asarray(np.where(same, 0.0, np.where(comparable, distance, np.inf)), np.float64)
