"""How error bars propagate: the arithmetic behind ``errorbars``, on plain arrays.

Each inexact step combines the bars of its operands by root-sum-square (``rss``) and adds one rounding of its own. With
rounding ``u`` of the dtype, ``ua`` of its accumulator, and ``tiny`` for what may be lost below the normal range, a step with
result ``v`` has the bar ``rss(operands' share, u·v) + tiny``; a sum of ``n`` terms ``t`` with ``S = Σt`` and ``Q = Σt²`` has
``rss(√Σcarried², ua·√(n·S²/3 + n·Q/6 + Q), u·v) + tiny``, the expected squared error when the partial sums of a randomly
ordered sum are each rounded once. ``n`` counts terms that are not zero; a single term accumulates nothing. What is added to a
sum of products, as a bias is, may be the first term of it: then there is one term more. A product of ``n`` factors has
``rss(√Σcarried², ua·√(n - 1)·v, u·v) + tiny``; factors of ±1 do not count.

Exact results keep a bar of zero: ``tiny`` is not added to 0, NaN and ±infinity have bar 0, and 0·∞ = 0 in propagation.
A finite result whose bar is not finite has an infinite bar: nothing can be said about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference.rounding import STORED, format_of

Floats: TypeAlias = NDArray[np.float64]

MATMUL_INPUT_BITS = (24, 16, 11, 8)
"""Precisions to which a backend may round the operands of products: full, three-fold bfloat16, TF32, bfloat16."""


GRADUAL = ("float16", *STORED)
"""Formats whose subnormal numbers are kept: nothing is lost below the normal range but by rounding."""


@dataclass(frozen=True)
class Precision:
    """The rounding errors of one dtype, as a backend declares to have them."""

    dtype: str
    u: float
    """Relative error of one rounding."""
    ua: float
    """The same for partial sums."""
    tiny: float
    """Absolute error that every result other than zero may have, for underflow."""
    fmax: float
    """The largest finite number."""
    input_error: float = 0.0
    """Relative error on both operands of matrix products and convolutions."""

    def of(self, dtype: str) -> "Precision":
        """The errors of another dtype on the same backend, as far as they are known."""
        bits = round(-np.log2(self.input_error)) if self.input_error else MATMUL_INPUT_BITS[0]
        same = self.ua == self.u and self.u > 2.0**-24
        return precision_of(dtype, matmul_input_bits=bits, accumulate="same" if same else "float32")

    def finer_than(self, other: "Precision") -> bool:
        """Whether the dtype has all the numbers of the other, and more."""
        return self.u < other.u and self.fmax >= other.fmax

    @property
    def wide(self) -> bool:
        """Whether squares of the dtype's numbers may leave the range of float64."""
        return self.dtype == "float64"


def precision_of(dtype: str, *, matmul_input_bits: int = 24, accumulate: str = "float32") -> Precision:
    """The errors of ``dtype`` where products round their operands to ``matmul_input_bits`` and 16-bit sums accumulate in
    ``accumulate`` (``float32``, or the ``same`` dtype).

    Operands that already have so few bits lose nothing by it, and in float64 neither keyword has an effect: float64
    arithmetic carried out in less cannot be declared.

    Raises:
        ValueError: an unknown dtype, number of bits or accumulator.
    """
    chosen = format_of(dtype)
    if matmul_input_bits not in MATMUL_INPUT_BITS:
        raise ValueError(f"matmul_input_bits: expected one of {MATMUL_INPUT_BITS}, got {matmul_input_bits!r}")
    if accumulate not in ("float32", "same"):
        raise ValueError(f"accumulate: expected 'float32' or 'same', got {accumulate!r}")
    u = chosen.unit_roundoff
    ua = 2.0**-24 if chosen.bits < 24 and accumulate == "float32" else u
    tiny = chosen.smallest_subnormal / 2 if dtype in GRADUAL else chosen.smallest_normal
    reduced = dtype != "float64" and matmul_input_bits < chosen.bits
    return Precision(dtype, u, ua, tiny, chosen.fmax, 2.0**-matmul_input_bits if reduced else 0.0)


@dataclass(frozen=True)
class Terms:
    """What a sum of products was made of: the number of its terms, and the sum of their squares."""

    count: Any
    squares: Floats


class Barred:
    """A float64 array ``value``, an array ``bar`` of the same shape, and the ``precision`` that bars are for.

    ``terms`` is what a sum of products was made of, until something else is done to it.
    """

    __slots__ = ("bar", "precision", "terms", "value")

    def __init__(self, value: Floats, bar: Floats, precision: Precision, terms: Terms | None = None) -> None:
        self.value = value
        self.bar = bar
        self.precision = precision
        self.terms = terms

    def like(self, value: Any, bar: Any, terms: Terms | None = None) -> Self:
        """The same kind of array with another value and bar."""
        return type(self)(np.asarray(value), np.asarray(bar), self.precision, terms)


def value_of(x: Any) -> Floats:
    """The value of an operand, as float64."""
    return x.value if isinstance(x, Barred) else np.asarray(x, np.float64)


def bar_of(x: Any) -> Floats:
    """The bar of an operand; plain arrays and scalars are exact."""
    return x.bar if isinstance(x, Barred) else np.zeros(np.shape(x))


def rss(terms: Sequence[Floats]) -> Floats:
    """The root of the sum of squares, without overflow; a NaN term comes of 0·∞ and counts as 0."""
    cleaned = [np.where(np.isnan(term), 0.0, np.abs(term)) for term in terms]
    bar = cleaned[0]
    for term in cleaned[1:]:
        bar = np.hypot(bar, term)
    return bar


def finish(precision: Precision, value: Floats, bar: Floats) -> tuple[Floats, Floats]:
    """A result with its bar: ``tiny`` added where the value is not zero, NaN and infinities made exact."""
    bar = bar + precision.tiny * (value != 0)
    finite = np.isfinite(value)
    if not finite.all():
        bar = np.where(finite, bar, 0.0)
    return value, bar


def rounded(precision: Precision, value: Floats, carried: Sequence[Floats], roundings: float = 1.0) -> tuple[Floats, Floats]:
    """A result of one step: its operands' shares of the error, and ``roundings`` roundings of its own."""
    squares = np.asarray((roundings * precision.u) * value)
    np.square(squares, out=squares)
    scratch = np.empty_like(squares)  # large arrays are dear to allocate
    for share in carried:
        squares += np.square(share, out=scratch) if share.shape == scratch.shape else np.square(share)
    if np.add.reduce(squares, axis=None) < np.inf and not (precision.wide and _least(squares) < 1e-280):
        bar = np.sqrt(squares, out=squares)  # finite bars: the value is finite too
        bar += np.multiply(precision.tiny, value != 0, out=scratch)
        return value, bar
    return finish(precision, value, rss([(roundings * precision.u) * value, *carried]))


def _least(array: Floats) -> float:
    return float(np.minimum.reduce(array, axis=None, initial=np.inf))


def scale_of(precision: Precision, value: Floats) -> float:
    """A power of two by which to divide so that squares stay within the range of float64; 1 nearly always."""
    if not precision.wide or value.size == 0:
        return 1.0
    largest = float(np.maximum.reduce(np.abs(value), axis=None))
    if not np.isfinite(largest):
        largest = float(np.max(np.abs(value), initial=0.0, where=np.isfinite(value)))
    return 1.0 if largest == 0.0 or 1e-100 < largest < 1e100 else float(2.0 ** np.floor(np.log2(largest)))


def accumulated(precision: Precision, total: Floats, squares: Floats, count: Any, carried: Any) -> Floats:
    """The bar of sums, before ``tiny``: of ``count`` terms, with the sum of their squares and of their carried squares."""
    whole = np.square(total)
    return np.asarray(np.sqrt(carried + precision.ua**2 * growth(whole, squares, count) + precision.u**2 * whole))


def growth(whole: Floats, squares: Floats, count: Any) -> Any:
    """What partial sums add to the squared error, in units of theirs: ``whole`` is the square of the sum."""
    if isinstance(count, int):
        return whole * (count / 3.0) + squares * (count / 6.0 + 1.0) if count > 1 else 0.0
    return np.where(count > 1, count * (whole / 3.0 + squares / 6.0) + squares, 0.0)


def as_one_term_more(total: Barred, term: Any) -> Floats:
    """The error that partial sums have beyond those of ``total``, a sum of products, where ``term`` may be its first one.

    With b added to a sum S of n terms, of squares Q: ua·√(growth(S + b, Q + b², n + 1) - growth(S, Q, n)), or 0.
    """
    made, added = total.terms, value_of(term)
    assert made is not None
    before = growth(np.square(total.value), made.squares, made.count)
    after = growth(np.square(total.value + added), made.squares + np.square(added), made.count + (added != 0))
    return total.precision.ua * np.sqrt(np.where(np.asarray(made.count) > 1, np.maximum(after - before, 0.0), 0.0))


def sum_of(x: Barred, axis: Any = None, keepdims: bool = False) -> tuple[Floats, Floats]:
    """The sum along axes, as one reduction."""
    precision, value, bar = x.precision, x.value, x.bar
    total = np.sum(value, axis=axis, keepdims=keepdims)
    scale = scale_of(precision, value)
    if scale != 1.0:
        value, bar = value / scale, bar / scale
    if np.count_nonzero(value) == value.size:
        count: Any = value.size // total.size if total.size else 0
    else:
        count = np.sum(value != 0, axis=axis, keepdims=keepdims, dtype=np.float64)
    squares = np.sum(np.square(value), axis=axis, keepdims=keepdims)
    carried = np.sum(np.square(bar), axis=axis, keepdims=keepdims)
    own = accumulated(precision, total / scale, squares, count, carried)
    result = finish(precision, total, own * scale)
    if isinstance(count, int) and count > 1:
        return result
    terms = np.sum((value != 0) | (bar != 0), axis=axis, keepdims=keepdims)
    return result[0], _single(precision, *result, terms, np.sum(x.bar, axis=axis, keepdims=keepdims))


def running_sum_of(x: Barred, axis: int) -> tuple[Floats, Floats]:
    """The sums of the first one, two, … along an axis: each is one sum."""
    precision, value, bar = x.precision, x.value, x.bar
    total = np.cumsum(value, axis=axis)
    scale = scale_of(precision, value)
    if scale != 1.0:
        value, bar = value / scale, bar / scale
    count = np.cumsum(value != 0, axis=axis, dtype=np.float64)
    squares, carried = np.cumsum(np.square(value), axis=axis), np.cumsum(np.square(bar), axis=axis)
    own = accumulated(precision, total / scale, squares, count, carried)
    terms = np.cumsum((value != 0) | (bar != 0), axis=axis)
    result = finish(precision, total, own * scale)
    return result[0], _single(precision, *result, terms, np.cumsum(x.bar, axis=axis))


def running_product_of(x: Barred, axis: int) -> tuple[Floats, Floats]:
    """The products of the first one, two, … along an axis.

    Each product is rounded as partial sums are, and the last one to the dtype. A factor of 1 or -1 rounds nothing.
    """
    precision = x.precision
    value: Floats = np.moveaxis(np.cumprod(x.value, axis=axis, dtype=np.float64), axis, 0)
    factors, bars = np.moveaxis(x.value, axis, 0), np.moveaxis(x.bar, axis, 0)
    products = np.maximum(np.cumsum(np.abs(factors) != 1.0, axis=0, dtype=np.float64) - 1.0, 0.0)
    own = np.abs(value) * np.sqrt(precision.ua**2 * products + precision.u**2 * (products > 0))
    carried = np.zeros_like(value)
    if bars.any():
        carried[:1] = bars[:1]
        for place in range(1, len(value)):
            carried[place] = rss([carried[place - 1] * factors[place], value[place - 1] * bars[place]])
    finished = finish(precision, value, rss([own, carried]))[1]
    bar = np.where(products > 0, finished, np.where(np.isfinite(value), carried, 0.0))
    return np.moveaxis(value, 0, axis), np.moveaxis(bar, 0, axis)


def _single(precision: Precision, value: Floats, bar: Floats, terms: Any, of_terms: Floats) -> Floats:
    """The bars of sums, but where there is one term that is not an exact zero, that term's own bar.

    What lies below the normal range may still be flushed. ``of_terms`` is the sum of the terms' bars.
    """
    alone = of_terms + precision.tiny * ((value != 0) & (np.abs(value) < precision.tiny))
    return np.where((terms <= 1) & np.isfinite(value), alone, bar)


ALLOWANCE = 10.0
"""How many bars off a right operand may be. Shares of second order, which are all that is left where values vanish, count it in:
operands ten bars off give (10e)², which is ten bars of 10e²; and √(10e) is ten bars of √(e/10)."""


def contraction(
    precision: Precision, product: Callable[..., Floats], operands: Sequence[Any], terms: int | None = None
) -> tuple[Floats, Floats, Terms | None]:
    """A sum of products: ``product`` is linear in each operand, and each of its results is one sum.

    ``terms`` is the number of terms of each sum, if it is known. A product of two operands or more also has the precision's
    error on each operand. What it was made of comes with it, unless squares leave the range of float64.
    """
    values = [value_of(operand) for operand in operands]
    bars = [operand.bar if isinstance(operand, Barred) and operand.bar.any() else None for operand in operands]
    total = product(*values)
    scale = 1.0
    if precision.wide:
        scales = [scale_of(precision, value) for value in values]
        scale = float(np.prod(scales))
        values = [value / s if s != 1.0 else value for value, s in zip(values, scales, strict=True)]
        bars = [bar / s if bar is not None and s != 1.0 else bar for bar, s in zip(bars, scales, strict=True)]
    if not np.isfinite(np.add.reduce(total, axis=None)):  # what an operand that is not finite takes part in has bar 0
        values = [np.where(np.isfinite(value), value, 0.0) for value in values]
    squared = [np.square(value) for value in values]
    squares = product(*squared)
    count: Any = terms
    if terms is None or any(np.count_nonzero(value) != value.size for value in values):
        count = product(*[(value != 0).astype(np.float32) for value in values]).astype(np.float64)
    carried: Any = 0.0
    unbounded: Any = False
    if precision.input_error and len(operands) > 1:
        carried = (len(operands) * precision.input_error**2) * squares
    for position, bar in enumerate(bars):
        if bar is None:
            continue
        if not np.add.reduce(bar, axis=None) < np.inf:
            infinite = ~np.isfinite(bar)
            bar = np.where(infinite, 0.0, bar)
            others = [value != 0 for value in values]
            masks = [*others[:position], infinite, *others[position + 1 :]]
            unbounded = unbounded | (product(*[mask.astype(np.float64) for mask in masks]) > 0)
            bars[position] = bar
        carried = carried + product(*squared[:position], np.square(bar), *squared[position + 1 :])
    given = [np.square(bar) for bar in bars if bar is not None]
    if len(given) == 2 == len(operands):
        carried = carried + ALLOWANCE**2 * product(*given)
    own = accumulated(precision, total / scale, squares, count, carried) * scale
    if unbounded is not False:
        own = np.where(unbounded, np.inf, own)
    result = finish(precision, np.asarray(total), own)
    if len(operands) > 1:
        return *result, Terms(count, squares) if scale == 1.0 else None
    bar = bar_of(operands[0])  # a sum, written as a product of one operand
    alone = product(((value_of(operands[0]) != 0) | (bar != 0)).astype(np.float64))
    return result[0], _single(precision, *result, alone, product(bar)), None


def scatter_add(target: Barred, indices: Any, terms: Any) -> None:
    """Add terms into places of ``target``, repeated places as often as they are named: each place is one sum."""
    precision = target.precision
    target.terms = None
    value, bar = np.broadcast_arrays(value_of(terms), bar_of(terms))
    scale = scale_of(precision, value)
    count = np.zeros(target.value.shape)
    squares, carried, of_terms = np.zeros_like(count), np.zeros_like(count), target.bar.copy()
    terms = ((target.value != 0) | (target.bar != 0)).astype(np.float64)
    np.add.at(terms, indices, (value != 0) | (bar != 0))
    np.add.at(of_terms, indices, bar)
    np.add.at(count, indices, value != 0)
    np.add.at(squares, indices, np.square(value / scale))
    np.add.at(carried, indices, np.square(bar / scale))
    touched = (count > 0) | (carried > 0)
    count += target.value != 0
    squares += np.square(target.value / scale)
    carried += np.square(target.bar / scale)
    np.add.at(target.value, indices, value)
    own = accumulated(precision, target.value / scale, squares, count, carried) * scale
    bars = _single(precision, *finish(precision, target.value, own), terms, of_terms)
    target.bar[...] = np.where(touched, bars, target.bar)
