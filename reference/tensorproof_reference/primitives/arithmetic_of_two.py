"""Sums, differences, products, quotients and powers of two numbers, with broadcasting."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE
from tensorproof_reference.primitives._binary import Specials, binary
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

INF, NAN = math.inf, math.nan
NANS = ((NAN, 1.0, NAN), (1.0, NAN, NAN), (NAN, NAN, NAN), (NAN, 0.0, NAN), (0.0, NAN, NAN), (NAN, INF, NAN), (-INF, NAN, NAN))
"""Pairs with NaN, which all arithmetic passes on."""


def add(a: Array, b: Array) -> Array:
    """The sum of each pair of numbers: :math:`y = a + b`.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: +0 and -0 give +0, -0 and -0 give -0; ∞ and -∞ give NaN; NaN gives NaN. What is broadcast has the sum of its
        gradients.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.4.1; broadcasting: the Python array API standard, 2024.12.
    """
    return a + b


def subtract(a: Array, b: Array) -> Array:
    """The difference of each pair of numbers: :math:`y = a - b`.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: +0 less +0 is +0, -0 less +0 is -0; ∞ less ∞ is NaN; NaN gives NaN. What is broadcast has the sum of its
        gradients.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.4.1; broadcasting: the Python array API standard, 2024.12.
    """
    return a - b


def multiply(a: Array, b: Array) -> Array:
    """The product of each pair of numbers: :math:`y = ab`.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: zeros and infinities have the product of the signs; 0 times ∞ is NaN; NaN gives NaN. What is broadcast has
        the sum of its gradients.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.4.1; broadcasting: the Python array API standard, 2024.12.
    """
    return a * b


def divide(a: Array, b: Array) -> Array:
    """The quotient of each pair of numbers: :math:`y = a/b`.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: what is not 0 divided by ±0 is ±∞ by the signs; 0/0 and ∞/∞ are NaN; NaN gives NaN. What is broadcast has the
        sum of its gradients.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.4.1; broadcasting: the Python array API standard, 2024.12.
    """
    return a / b


def power(a: Array, b: Array) -> Array:
    r"""Each number to the power of another: :math:`y = a^b`, with :math:`da = b a^{b-1}` and :math:`db = y \log a`.

    Shapes: any that broadcast; the result has the shape of both together.
    Special values: anything to the power ±0 is 1, NaN too, and 1 to any power is 1; 0 to a negative power is ∞; what is below 0
        to a power that is no integer is NaN. What is broadcast has the sum of its gradients.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §9.2, C23 Annex F; broadcasting: the Python array API standard, 2024.12.
    """
    return np.power(a, b)


def _of_sum(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dy, dy


def _of_difference(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dy, -dy


def _of_product(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dy * b, dy * a


def _of_quotient(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dy / b, -(dy * (a / b)) / b


def _of_power(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return dy * (b * np.power(a, b - 1.0)), dy * (np.power(a, b) * np.log(a))


def _base(stream: Stream, shape: tuple[int, ...]) -> Array:
    return stream.uniform(shape, 0.25, 3.0)


def _exponent(stream: Stream, shape: tuple[int, ...]) -> Array:
    return stream.uniform(shape, -3.0, 3.0)


def _powers(stream: Stream) -> Iterator[Sample]:
    """Bases near 1 with large exponents, and powers that leave the range of a dtype at either end."""
    for name, base, exponent in (
        ("magnitude_large_exponents", (0.9375, 1.0625), 200.0),
        ("magnitude_of_results", (4.0, 64.0), 40.0),
        ("magnitude_of_results_of_small_bases", (2.0**-10, 2.0**-4), 20.0),
    ):
        a, b = stream(name)("a").uniform(PLAIN_SHAPE, *base), stream(name)("b").uniform(PLAIN_SHAPE, -exponent, exponent)
        yield Sample(name=name, inputs={"a": a, "b": b}, dtypes=("float64", "float32"))


OPERATIONS = (
    binary(
        add,
        _of_sum,
        Specials(
            zero=((0.0, 0.0, 0.0), (-0.0, -0.0, -0.0), (1.0, -1.0, 0.0), (0.0, -0.0, 0.0), (-2.5, 0.0, -2.5)),
            infinity=((INF, 1.0, INF), (-INF, -1.0, -INF), (INF, -INF, NAN), (INF, INF, INF), (0.0, -INF, -INF)),
            nan=NANS,
        ),
    ),
    binary(
        subtract,
        _of_difference,
        Specials(
            zero=((0.0, 0.0, 0.0), (-0.0, 0.5, -0.5), (1.0, 1.0, 0.0), (-2.5, 0.0, -2.5)),
            infinity=((INF, 1.0, INF), (-INF, -1.0, -INF), (INF, INF, NAN), (INF, -INF, INF), (0.0, -INF, INF)),
            nan=NANS,
        ),
    ),
    binary(
        multiply,
        _of_product,
        Specials(
            zero=((0.0, 2.0, 0.0), (-1.0, 0.0, -0.0), (0.5, -1.5, -0.75), (0.0, -3.0, -0.0)),
            infinity=((INF, 2.0, INF), (-INF, 2.0, -INF), (-3.0, INF, -INF), (INF, 0.0, NAN), (-INF, -INF, INF)),
            nan=NANS,
        ),
        counts=(1, 0, 2, 0),
    ),
    binary(
        divide,
        _of_quotient,
        Specials(
            zero=((0.0, 2.0, 0.0), (0.0, -2.0, -0.0), (1.0, 0.0, INF), (-1.0, 0.0, -INF), (0.0, 0.0, NAN)),
            infinity=((INF, 2.0, INF), (-INF, 2.0, -INF), (3.0, INF, 0.0), (-3.0, INF, -0.0), (INF, INF, NAN), (INF, 0.0, INF)),
            nan=NANS,
            zero_gradient=False,
            silent=("small", "moderate", "huge", "largest"),
        ),
        counts=(1, 0, 3, 0),
    ),
    binary(
        power,
        _of_power,
        Specials(
            zero=((0.0, 2.0, 0.0), (0.0, 0.0, 1.0), (2.5, 0.0, 1.0), (-2.5, 0.0, 1.0), (0.0, 0.5, 0.0), (0.0, -1.0, INF)),
            infinity=(
                *((INF, 2.0, INF), (INF, -1.0, 0.0), (2.0, INF, INF), (0.5, INF, 0.0), (2.0, -INF, 0.0), (0.5, -INF, INF)),
                *((-INF, 2.0, INF), (-INF, 3.0, -INF), (INF, 0.0, 1.0), (1.0, INF, 1.0)),
            ),
            nan=((NAN, 1.0, NAN), (2.0, NAN, NAN), (NAN, NAN, NAN), (NAN, 0.0, 1.0), (1.0, NAN, 1.0)),
            zero_gradient=False,
            more=(
                *((-2.0, 2.0, 4.0), (-2.0, 3.0, -8.0), (-2.0, -1.0, -0.5), (-0.5, 5.0, -0.03125), (-2.0, 0.5, NAN)),
                *((-1.0, 7.0, -1.0), (3.0, 4.0, 81.0), (2.0, -3.0, 0.125), (4.0, 0.5, 2.0), (9.0, 1.0, 9.0)),
            ),
            kind="bounds_negative_base",
        ),
        draw_a=_base,
        draw_b=_exponent,
        counts=(0, 1, 5, 2),
        magnitudes=(),
        more=_powers,
    ),
)
