"""Exponentials, logarithms and the error function."""

import math

import numpy as np
import scipy

from tensorproof_reference.primitives._unary import Ends, above_minus_one, near, positive, times, unary, within
from tensorproof_reference.trees import Array

INF, NAN = math.inf, math.nan


def exp(x: Array) -> Array:
    r"""The exponential of each number: :math:`y = e^x`. Its derivative is itself.

    Shapes: any; the result has that of ``x``.
    Special values: -∞ gives +0, +∞ gives +∞, ±0 gives 1, NaN gives NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.exp(x)


def expm1(x: Array) -> Array:
    r"""The exponential less one: :math:`y = e^x - 1`, exact near 0 too. Its derivative is :math:`e^x`, also where y is near -1.

    Shapes: any; the result has that of ``x``.
    Special values: -∞ gives -1, +∞ gives +∞, ±0 gives ±0, NaN gives NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.expm1(x)


def log(x: Array) -> Array:
    r"""The natural logarithm of each number. Its derivative is :math:`1/x`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives -∞, 1 gives +0, +∞ gives +∞; NaN and what is below 0 give NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.log(x)


def log1p(x: Array) -> Array:
    r"""The logarithm of one plus each number: :math:`y = \log(1 + x)`, exact near 0 too. Its derivative is :math:`1/(1 + x)`.

    Shapes: any; the result has that of ``x``.
    Special values: -1 gives -∞, ±0 gives ±0, +∞ gives +∞; NaN and what is below -1 give NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.log1p(x)


def erf(x: Array) -> Array:
    r"""The error function: :math:`y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`.

    Its derivative is :math:`\frac{2}{\sqrt\pi} e^{-x^2}`.

    Shapes: any; the result has that of ``x``.
    Special values: ±∞ gives ±1, ±0 gives ±0, NaN gives NaN. The gradient at ±∞ is 0.
    Raises: nothing.
    Source: C23 Annex F.
    """
    result: Array = scipy.special.erf(x)
    return result


def _reciprocal(x: Array) -> Array:
    return 1.0 / x


def _reciprocal_of_one_more(x: Array) -> Array:
    return 1.0 / (1.0 + x)


def _bell(x: Array) -> Array:
    return (2.0 / math.sqrt(math.pi)) * np.exp(-np.square(x))


OPERATIONS = (
    unary(
        exp,
        times(np.exp),
        Ends(at_infinity=(0.0, INF), at_zero=(1.0, 1.0), silent=("moderate",)),
        counts=(0, 1, 1, 0),
        more=within("magnitude_near_underflow", -87.0, -70.0, ("float64", "float32")),
    ),
    unary(
        expm1,
        times(np.exp),
        Ends(at_infinity=(-1.0, INF), at_zero=(-0.0, 0.0), silent=("moderate",)),
        counts=(0, 1, 1, 1),
        more=within("magnitude_of_negative_tens", -30.0, -5.0),
    ),
    unary(
        log,
        times(_reciprocal),
        Ends(
            at_infinity=(NAN, INF),
            at_zero=(-INF, -INF),
            zero_gradient="",
            more=((0.0, -INF), (1.0, 0.0), (-1.0, NAN), (-1e4, NAN), (-INF, NAN)),
        ),
        domain=positive,
        counts=(0, 1, 1, 0),
        more=within("cancellation_near_one", 0.9375, 1.0625),
    ),
    unary(
        log1p,
        times(_reciprocal_of_one_more),
        Ends(at_infinity=(NAN, INF), at_zero=(-0.0, 0.0), more=((-1.0, -INF), (-2.0, NAN), (-1e4, NAN), (-INF, NAN))),
        domain=above_minus_one,
        counts=(0, 1, 2, 0),
        more=within("magnitude_above_minus_one", -0.99, -0.5),
    ),
    unary(
        erf,
        times(_bell),
        Ends(at_infinity=(-1.0, 1.0), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0)),
        counts=(0, 1, 3, 1),
        more=near("magnitude_where_it_saturates", (2.5, -3.0, 3.75, -3.9, 4.0, -5.5)),
    ),
)
