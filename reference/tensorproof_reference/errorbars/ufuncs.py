"""What NumPy's elementwise functions do to error bars: one table, from ufunc to rule. Those of SciPy are in ``special``.

A rule is called as ``rule(precision, *operands)``. It returns a value and its bar, or one plain array where the result is
boolean. What is not in the table is refused.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import scipy

from tensorproof_reference.errorbars import branches
from tensorproof_reference.errorbars.doubt import Doubtful, near
from tensorproof_reference.errorbars.rules import (
    ALLOWANCE,
    Barred,
    Floats,
    Precision,
    Terms,
    as_one_term_more,
    bar_of,
    contraction,
    rounded,
    value_of,
)

Rule: TypeAlias = Callable[..., Any]


def carried(*pairs: tuple[Any, Callable[[Floats], Floats]]) -> list[Floats]:
    """The shares of the error that come from operands which have bars."""
    return [share(operand.bar) for operand, share in pairs if isinstance(operand, Barred)]


def _add(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    """Sums of two. What is added to a sum of products may be one more term of it."""
    value = value_of(a) + value_of(b)
    shares = carried((a, lambda e: e), (b, lambda e: e))
    a_sum, b_sum = (isinstance(x, Barred) and x.terms is not None for x in (a, b))
    if a_sum != b_sum:
        shares.append(as_one_term_more(*((a, b) if a_sum else (b, a))))
    return rounded(precision, value, shares)


def _subtract(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    value = value_of(a) - value_of(b)
    return rounded(precision, value, carried((a, lambda e: e), (b, lambda e: e)))


def _multiply(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    x, y = value_of(a), value_of(b)
    shares = carried((a, lambda e: y * e), (b, lambda e: x * e))
    if len(shares) == 2:
        shares.append(ALLOWANCE * a.bar * b.bar)
    return rounded(precision, x * y, shares)


def _divide(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    """Quotients; that by an exact 1, as in the mean of one term, is the dividend."""
    x, y = value_of(a), value_of(b)
    value = x / y
    quotient, bar = rounded(precision, value, carried((a, lambda e: e / y), (b, lambda e: value * (e / y))))
    by_one = (y == 1.0) & (bar_of(b) == 0.0)
    return (quotient, np.where(by_one & np.isfinite(value), bar_of(a), bar)) if by_one.any() else (quotient, bar)


def _power(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    """Powers; 2, 1/2, 1 and -1 are the square, the root, the number itself and the reciprocal, which round once."""
    x, y = value_of(a), value_of(b)
    if not isinstance(b, Barred) and y.ndim == 0 and float(y) in _PLAIN_POWERS:
        result: tuple[Floats, Floats] = _PLAIN_POWERS[float(y)](precision, a)
        return result
    value = np.power(x, y)
    shares = carried((a, lambda e: y * np.power(x, y - 1.0) * e), (b, lambda e: value * np.log(x) * e))
    return rounded(precision, value, shares, 2.0)


def _logaddexp(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    x, y = value_of(a), value_of(b)
    value = np.logaddexp(x, y)
    expit = scipy.special.expit
    shares = carried((a, lambda e: expit(x - y) * e), (b, lambda e: expit(y - x) * e))
    return rounded(precision, value, shares, 2.0)


def library_function(ufunc: np.ufunc, derivative: Callable[[Floats, Floats], Any], roundings: float) -> Rule:
    """The rule of a function of one operand, with derivative ``derivative(x, f(x))``, up to sign."""

    def rule(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
        value = ufunc(a.value)
        shares = [derivative(a.value, value) * a.bar] if a.bar.any() else []
        return rounded(precision, value, shares, roundings)

    return rule


def _exact(ufunc: np.ufunc) -> Rule:
    """The rule of a function that is exact and keeps distances."""

    def rule(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
        return ufunc(a.value), a.bar.copy()

    return rule


def _absolute(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
    if branches.watched():
        branches.note_selection(a.value, a.bar)
    return np.abs(a.value), a.bar.copy()


def _sign(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
    value = np.sign(a.value)
    if not branches.watched():
        return value, np.zeros_like(value)
    branches.note_comparison(a.value, a.bar)
    return value, np.where(near(a.value, a.bar), 2.0, 0.0)


def _to_integer(ufunc: np.ufunc, jumps_at: float) -> Rule:
    """The rule of ``floor`` and its like: exact, and a jump at every integer plus ``jumps_at``."""

    def rule(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
        value = ufunc(a.value)
        if not branches.watched():
            return value, np.zeros_like(value)
        shifted = a.value - jumps_at
        branches.note_comparison(shifted - np.rint(shifted), a.bar)
        return value, np.where(near(shifted - np.rint(shifted), a.bar), np.maximum(1.0, a.bar), 0.0)

    return rule


def _copysign(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    if branches.watched():
        branches.note_jump(value_of(b), bar_of(b))
    value = np.copysign(value_of(a), value_of(b))
    return value, np.broadcast_to(bar_of(a), value.shape).copy()


def _choice(ufunc: np.ufunc) -> Rule:
    """The rule of ``maximum`` and ``minimum``: the bar of the chosen operand, the larger one where they are equal."""

    def rule(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
        x, y, ea, eb = value_of(a), value_of(b), bar_of(a), bar_of(b)
        value = ufunc(x, y)
        first, second = value == x, value == y
        if branches.watched():
            error = np.hypot(ea, eb)
            branches.note_selection(x - y, error)
            doubt = near(x - y, error)
            first, second = first | doubt, second | doubt
        return value, np.maximum(np.where(first, ea, 0.0), np.where(second, eb, 0.0))

    return rule


def _comparison(ufunc: np.ufunc, equality: bool) -> Rule:
    """The rule of a comparison: of the values, and noted if someone watches for branches."""

    def rule(precision: Precision, a: Any, b: Any) -> Any:
        x, y = value_of(a), value_of(b)
        if not branches.watched():
            return ufunc(x, y)
        error = np.hypot(bar_of(a), bar_of(b))
        branches.note_comparison(x - y, np.where(x == y, 0.0, error) if equality else error)
        doubt = near(x - y, error)
        return Doubtful(ufunc(x, y), doubt) if doubt.any() else ufunc(x, y)

    return rule


def _test(ufunc: np.ufunc) -> Rule:
    """The rule of a test of one operand, such as ``isnan``."""
    return lambda precision, a: ufunc(a.value)


def _matmul(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats, Terms | None]:
    return contraction(precision, np.matmul, (a, b), terms=np.shape(a)[-1] if np.ndim(a) else None)


def _vecdot(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats, Terms | None]:
    return contraction(precision, np.vecdot, (a, b), terms=np.shape(a)[-1] if np.ndim(a) else None)


def _square(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
    shares = [2.0 * a.value * a.bar, ALLOWANCE * np.square(a.bar)] if a.bar.any() else []
    return rounded(precision, np.square(a.value), shares)


def _sqrt(precision: Precision, a: Barred) -> tuple[Floats, Floats]:
    """The first-order share, but never more than what a root moves by where its argument vanishes."""
    value = np.sqrt(a.value)
    shares = [np.minimum(0.5 / value * a.bar, np.sqrt(a.bar / ALLOWANCE))] if a.bar.any() else []
    return rounded(precision, value, shares)


_reciprocal = library_function(np.reciprocal, lambda x, v: v * v, 1.0)
_PLAIN_POWERS: dict[float, Rule] = {2.0: _square, 0.5: _sqrt, -1.0: _reciprocal, 1.0: _exact(np.positive)}

_LIBRARY: dict[np.ufunc, Callable[[Floats, Floats], Any]] = {
    np.exp: lambda x, v: v,
    np.exp2: lambda x, v: v * np.log(2.0),
    np.expm1: lambda x, v: v + 1.0,
    np.log: lambda x, v: 1.0 / x,
    np.log2: lambda x, v: 1.0 / (x * np.log(2.0)),
    np.log10: lambda x, v: 1.0 / (x * np.log(10.0)),
    np.log1p: lambda x, v: 1.0 / (1.0 + x),
    np.tanh: lambda x, v: (1.0 - v) * (1.0 + v),
    np.sinh: lambda x, v: np.cosh(x),
    np.cosh: lambda x, v: np.sinh(x),
    np.sin: lambda x, v: np.cos(x),
    np.cos: lambda x, v: np.sin(x),
    np.arctan: lambda x, v: 1.0 / (1.0 + x * x),
    np.cbrt: lambda x, v: 1.0 / (3.0 * v * v),
}
"""Functions that libraries get right to about one unit in the last place, with their derivatives up to sign."""

_COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal)

UFUNCS: Mapping[np.ufunc, Rule] = MappingProxyType(
    {
        np.add: _add,
        np.subtract: _subtract,
        np.multiply: _multiply,
        np.divide: _divide,
        np.power: _power,
        np.float_power: _power,
        np.square: _square,
        np.sqrt: _sqrt,
        np.reciprocal: _reciprocal,
        np.logaddexp: _logaddexp,
        **{ufunc: library_function(ufunc, derivative, 2.0) for ufunc, derivative in _LIBRARY.items()},
        np.negative: _exact(np.negative),
        np.positive: _exact(np.positive),
        np.absolute: _absolute,
        np.fabs: _absolute,
        np.sign: _sign,
        np.floor: _to_integer(np.floor, 0.0),
        np.rint: _to_integer(np.rint, 0.5),
        np.copysign: _copysign,
        np.maximum: _choice(np.maximum),
        np.minimum: _choice(np.minimum),
        **{ufunc: _comparison(ufunc, equality=False) for ufunc in _COMPARISONS},
        **{ufunc: _comparison(ufunc, equality=True) for ufunc in (np.equal, np.not_equal)},
        **{ufunc: _test(ufunc) for ufunc in (np.isnan, np.isinf, np.isfinite, np.signbit)},
        np.matmul: _matmul,
        np.vecdot: _vecdot,
    }
)
