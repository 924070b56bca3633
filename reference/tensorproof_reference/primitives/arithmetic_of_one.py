"""Signs, roots, powers and roundings of one number, and sine and cosine."""

import math

import numpy as np

from tensorproof_reference.primitives._unary import Ends, beside_integers, flat, near, positive, times, unary, within
from tensorproof_reference.trees import Array

INF, NAN = math.inf, math.nan
KINK = "kink_at_zero"


def negative(x: Array) -> Array:
    """Each number with the other sign: :math:`y = -x`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ∓0, ±∞ gives ∓∞, NaN gives NaN. Exact.
    Raises: nothing.
    Source: IEEE 754-2019 §5.5.1.
    """
    return -x


def abs(x: Array) -> Array:
    """The absolute value of each number. Its derivative is the sign of x, which is 0 at 0.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives +0, ±∞ gives +∞, NaN gives NaN. Exact. Frameworks differ in the gradient at 0 and at NaN, so no
        required sample asks for it.
    Raises: nothing.
    Source: IEEE 754-2019 §5.5.1.
    """
    return np.abs(x)


def sign(x: Array) -> Array:
    """-1, 0 or 1 by the sign of each number. Its derivative is 0.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives a zero, ±∞ gives ±1, NaN gives NaN. Exact.
    Raises: nothing.
    Source: the Python array API standard, 2024.12.
    """
    return np.sign(x)


def sqrt(x: Array) -> Array:
    r"""The square root of each number. Its derivative is :math:`1/(2\sqrt x)`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±0, +∞ gives +∞; NaN and what is below 0 give NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §5.4.1.
    """
    return np.sqrt(x)


def rsqrt(x: Array) -> Array:
    r"""The reciprocal of the square root: :math:`y = 1/\sqrt x`. Its derivative is :math:`-1/(2x\sqrt x)`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±∞, +∞ gives +0; NaN and what is below 0 give NaN. Frameworks differ at -0, whose sample is optional.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2.
    """
    return 1.0 / np.sqrt(x)


def square(x: Array) -> Array:
    """Each number times itself: :math:`y = x^2`. Its derivative is :math:`2x`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives +0, ±∞ gives +∞, NaN gives NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §5.4.1.
    """
    return np.square(x)


def reciprocal(x: Array) -> Array:
    """One divided by each number: :math:`y = 1/x`. Its derivative is :math:`-1/x^2`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±∞, ±∞ gives ±0, NaN gives NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §5.4.1.
    """
    return np.reciprocal(x)


def sin(x: Array) -> Array:
    r"""The sine of each number, in radians. Its derivative is :math:`\cos x`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±0, NaN and ±∞ give NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.sin(x)


def cos(x: Array) -> Array:
    r"""The cosine of each number, in radians. Its derivative is :math:`-\sin x`.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives 1, NaN and ±∞ give NaN.
    Raises: nothing.
    Source: IEEE 754-2019 §9.2, C23 Annex F.
    """
    return np.cos(x)


def floor(x: Array) -> Array:
    """The largest integer that is not above each number. Its derivative is 0.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±0, ±∞ gives ±∞, NaN gives NaN. Exact.
    Raises: nothing.
    Source: IEEE 754-2019 §5.9.
    """
    return np.floor(x)


def round(x: Array) -> Array:
    """The nearest integer to each number, the even one of two that are as near. Its derivative is 0.

    Shapes: any; the result has that of ``x``.
    Special values: ±0 gives ±0, ±∞ gives ±∞, NaN gives NaN. Exact.
    Raises: nothing.
    Source: IEEE 754-2019 §5.9 (roundTiesToEven).
    """
    return np.rint(x)


def _other_way(dy: Array, x: Array) -> Array:
    return -dy


def _by_sign(dy: Array, x: Array) -> Array:
    of_zero_or_nan = np.where(np.isnan(x), x, np.zeros_like(dy))
    return np.where(x > 0, dy, np.where(x < 0, -dy, of_zero_or_nan))


def _half_reciprocal_root(x: Array) -> Array:
    return 0.5 / np.sqrt(x)


def _slope_of_rsqrt(x: Array) -> Array:
    return -0.5 / (x * np.sqrt(x))


def _twice(x: Array) -> Array:
    return 2.0 * x


def _minus_reciprocal_square(x: Array) -> Array:
    return -np.square(np.reciprocal(x))


def _minus_sine(x: Array) -> Array:
    return -np.sin(x)


STEPS = (
    *((-4.5, -4.0), (-3.5, -4.0), (-2.5, -2.0), (-1.5, -2.0), (-0.5, -0.0), (0.5, 0.0), (1.5, 2.0), (2.5, 2.0)),
    *((3.5, 4.0), (4.5, 4.0), (1.0, 1.0), (-1.0, -1.0), (127.5, 128.0), (126.5, 126.0)),
)
"""Ties of a rounding to even, with its values."""
FLOORS = ((-2.5, -3.0), (-1.0, -1.0), (-0.5, -1.0), (0.5, 0.0), (1.0, 1.0), (1.5, 1.0), (-127.5, -128.0), (126.5, 126.0))
"""Integers and what lies between them, with the largest integer that is not above."""

OPERATIONS = (
    unary(negative, _other_way, Ends(at_infinity=(INF, -INF), at_zero=(0.0, -0.0)), counts=(0, 0, 0, 0)),
    unary(
        abs,
        _by_sign,
        Ends(at_infinity=(INF, INF), at_zero=(0.0, 0.0), zero_gradient=KINK, zero_gradient_required=False, nan_gradient=False),
        counts=(0, 0, 0, 0),
    ),
    unary(
        sign,
        flat,
        Ends(at_infinity=(-1.0, 1.0), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0), zero_gradient=KINK, sign_of_zero=False),
        counts=(0, 0, 0, 0),
    ),
    unary(
        sqrt,
        times(_half_reciprocal_root),
        Ends(
            at_infinity=(NAN, INF),
            at_zero=(-0.0, 0.0),
            zero_gradient="",
            more=((-1.0, NAN), (-1e4, NAN), (-INF, NAN), (4.0, 2.0)),
        ),
        domain=positive,
        counts=(0, 1, 2, 0),
    ),
    unary(
        rsqrt,
        times(_slope_of_rsqrt),
        Ends(
            at_infinity=(NAN, 0.0),
            at_zero=(-INF, INF),
            zero_gradient="",
            zero_required=False,
            more=((0.0, INF), (-1.0, NAN), (-1e4, NAN), (INF, 0.0), (4.0, 0.5)),
        ),
        domain=positive,
        counts=(1, 1, 3, 0),
    ),
    unary(square, times(_twice), Ends(at_infinity=(INF, INF), at_zero=(0.0, 0.0), silent=("largest",)), counts=(1, 0, 2, 0)),
    unary(
        reciprocal,
        times(_minus_reciprocal_square),
        Ends(
            at_infinity=(-0.0, 0.0),
            at_zero=(-INF, INF),
            slope_at_infinity=(0.0, 0.0),
            zero_gradient="bounds_gradient_at_zero",
            silent=("small", "moderate"),
        ),
        counts=(1, 0, 2, 0),
    ),
    unary(
        sin,
        times(np.cos),
        Ends(at_infinity=(NAN, NAN), at_zero=(-0.0, 0.0), slope_at_infinity=(NAN, NAN)),
        counts=(0, 1, 1, 1),
        more=near("cancellation_near_multiples_of_pi", (math.pi, -2 * math.pi, 11 * math.pi, 355.0, 1e3 * math.pi)),
    ),
    unary(
        cos,
        times(_minus_sine),
        Ends(at_infinity=(NAN, NAN), at_zero=(1.0, 1.0), slope_at_infinity=(NAN, NAN)),
        counts=(0, 1, 1, 1),
        more=near("cancellation_near_halves_of_pi", (math.pi / 2, -3 * math.pi / 2, 11.0, 15.5 * math.pi)),
    ),
    unary(
        floor,
        flat,
        Ends(
            at_infinity=(-INF, INF),
            at_zero=(-0.0, 0.0),
            slope_at_infinity=(0.0, 0.0),
            zero_gradient=KINK,
            more=FLOORS,
            kind="ties_at_and_between_integers",
        ),
        domain=beside_integers,
        counts=(1, 0, 0, 0),
        more=within("magnitude_beyond_a_half", -3e5, 3e5, ("float64", "float32")),
    ),
    unary(
        round,
        flat,
        Ends(at_infinity=(-INF, INF), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0), more=STEPS, kind="ties_to_even"),
        domain=beside_integers,
        counts=(1, 0, 0, 0),
        more=within("magnitude_beyond_a_half", -3e5, 3e5, ("float64", "float32")),
    ),
)
