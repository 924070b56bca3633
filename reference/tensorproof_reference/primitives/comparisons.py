"""Comparisons of two numbers, with broadcasting. Results are boolean, and there is no gradient."""

import math
import operator
from collections.abc import Callable

import numpy as np

from tensorproof_reference.operation import Operation
from tensorproof_reference.primitives._binary import Specials, binary, quarters
from tensorproof_reference.trees import Array

INF, NAN = math.inf, math.nan


def equal(a: Array, b: Array) -> Array:
    """Whether both numbers of each pair are equal.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: +0 equals -0, an infinity itself, and NaN nothing, not even NaN.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.equal(a, b)


def not_equal(a: Array, b: Array) -> Array:
    """Whether the numbers of each pair differ.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: +0 does not differ from -0; NaN differs from everything, itself included.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.not_equal(a, b)


def less(a: Array, b: Array) -> Array:
    """Whether the first number of each pair is below the second.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: -0 is not below +0; NaN is not below anything, nor anything below NaN.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.less(a, b)


def less_equal(a: Array, b: Array) -> Array:
    """Whether the first number of each pair is not above the second.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: +0 and -0 are equal; with NaN the answer is no.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.less_equal(a, b)


def greater(a: Array, b: Array) -> Array:
    """Whether the first number of each pair is above the second.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: +0 is not above -0; with NaN the answer is no.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.greater(a, b)


def greater_equal(a: Array, b: Array) -> Array:
    """Whether the first number of each pair is not below the second.

    Shapes: any that broadcast; the result has the shape of both together, and is boolean.
    Special values: +0 and -0 are equal; with NaN the answer is no.
    Raises: ``ValueError`` if the shapes do not broadcast.
    Source: IEEE 754-2019 §5.11; broadcasting: the Python array API standard, 2024.12.
    """
    return np.greater_equal(a, b)


ZEROS = ((0.0, -0.0), (-0.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (1.0, -0.0))
INFINITIES = ((INF, INF), (-INF, -INF), (-INF, INF), (INF, -INF), (INF, 1.0), (1.0, INF), (-INF, 1.0))
NANS = ((NAN, NAN), (NAN, 1.0), (1.0, NAN), (NAN, INF), (-INF, NAN), (NAN, 0.0), (0.0, NAN))


def _comparison(function: Callable[[Array, Array], Array], compares: Callable[[float, float], bool]) -> Operation:
    zero, infinity, nan = (tuple((a, b, compares(a, b)) for a, b in pairs) for pairs in (ZEROS, INFINITIES, NANS))
    return binary(
        function, None, Specials(zero=zero, infinity=infinity, nan=nan, zero_gradient=False), draw_a=quarters, draw_b=quarters
    )


OPERATIONS = (
    _comparison(equal, operator.eq),
    _comparison(not_equal, operator.ne),
    _comparison(less, operator.lt),
    _comparison(less_equal, operator.le),
    _comparison(greater, operator.gt),
    _comparison(greater_equal, operator.ge),
)
