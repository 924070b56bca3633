"""What SciPy's elementwise functions do to error bars: a table as in ``ufuncs``.

It is made when the first of them is met: loading ``scipy.special`` takes a quarter of a second, and every process has the table
of NumPy's.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy

from tensorproof_reference.errorbars.rules import Floats, Precision, rounded, value_of
from tensorproof_reference.errorbars.ufuncs import Rule, carried, library_function


def _xlogy(precision: Precision, a: Any, b: Any) -> tuple[Floats, Floats]:
    x, y = value_of(a), value_of(b)
    shares = carried((a, lambda e: np.log(y) * e), (b, lambda e: x / y * e))
    return rounded(precision, scipy.special.xlogy(x, y), shares, 2.0)


@functools.cache
def special_ufuncs() -> Mapping[np.ufunc, Rule]:
    """The rules by function. But for ``xlogy``, libraries get them right to about one unit in the last place."""
    special = scipy.special
    derivatives: dict[np.ufunc, Callable[[Floats, Floats], Any]] = {
        special.erf: lambda x, v: 2.0 / np.sqrt(np.pi) * np.exp(-x * x),
        special.erfc: lambda x, v: 2.0 / np.sqrt(np.pi) * np.exp(-x * x),
        special.expit: lambda x, v: v * (1.0 - v),
        special.log_expit: lambda x, v: special.expit(-x),
        special.ndtr: lambda x, v: np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi),
        special.log_ndtr: lambda x, v: np.exp(-0.5 * x * x - v) / np.sqrt(2.0 * np.pi),
    }
    rules = {ufunc: library_function(ufunc, derivative, 2.0) for ufunc, derivative in derivatives.items()}
    return MappingProxyType({special.xlogy: _xlogy, **rules})
