"""Arrays in which every number carries an error bar: what a reference computes, and how exactly a dtype could compute it.

``ErrorBars`` stands in for a NumPy array: a reference function written in plain NumPy runs on it unmodified, in float64, and
returns its result together with the rounding error that a textbook evaluation in a given dtype would typically have made.
The rules are those of ``errorbars.rules``. Plain arrays and numbers mix freely with it and count as exact; comparisons and
positions are plain arrays. Whatever is not known is refused with a ``TypeError``, conversion to a plain array too.

>>> x = with_bars([1.0, 2.0, 3.0], precision_of("float32"))
>>> value, bar = values_and_bars(np.exp(x) / 3)
>>> (bar / value / 2**-24).round(2).tolist()
[2.24, 2.24, 2.24]
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, Self

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tensorproof_reference.errorbars.branches import Closest, closest_branch, note_jump, watched
from tensorproof_reference.errorbars.doubt import at_the_ends, is_either_way
from tensorproof_reference.errorbars.functions import FUNCTIONS
from tensorproof_reference.errorbars.rules import Barred, Floats, Precision, bar_of, precision_of, rounded, scatter_add, value_of
from tensorproof_reference.errorbars.special import special_ufuncs
from tensorproof_reference.errorbars.ufuncs import UFUNCS, Rule
from tensorproof_reference.rounding import cast_through, round_to, spacing

__all__ = ["Closest", "ErrorBars", "Precision", "closest_branch", "held_in", "precision_of", "values_and_bars", "with_bars"]

_REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {np.add: np.sum, np.maximum: np.max, np.minimum: np.min}


def _rule_of(ufunc: np.ufunc) -> Rule | None:
    """What an elementwise function does to error bars, if that is known."""
    return UFUNCS[ufunc] if ufunc in UFUNCS else special_ufuncs().get(ufunc)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The method that does what NumPy's function does to its first argument."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


class ErrorBars(Barred, NDArrayOperatorsMixin):
    """A float64 array with error bars; made by ``with_bars``, taken apart by ``values_and_bars``."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Always float64: bars are about the precision's dtype, whatever the value is held in."""
        return self.value.dtype

    @property
    def T(self) -> Self:  # noqa: N802
        """The axes reversed."""
        return self.like(self.value.T, self.bar.T)

    @property
    def mT(self) -> Self:  # noqa: N802
        """The last two axes swapped."""
        return self.like(self.value.mT, self.bar.mT)

    def __repr__(self) -> str:
        return f"ErrorBars({self.value!r}, {self.bar!r}, {self.precision.dtype})"

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Self]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: Any) -> Self:
        return self.like(self.value[key], self.bar[key])

    def __setitem__(self, key: Any, item: Any) -> None:
        self.value[key] = value_of(item)
        self.bar[key] = item.bar if isinstance(item, Barred) else 0.0
        self.terms = None

    def _refuse(self, what: str) -> NoReturn:
        raise TypeError(f"{what} is not possible for an array with error bars")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("conversion to a plain array")

    def __bool__(self) -> bool:
        self._refuse("a branch on a floating value")

    def __float__(self) -> float:
        self._refuse("conversion to a Python number")

    __int__ = __index__ = __complex__ = __float__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        rule = _rule_of(ufunc) if method == "__call__" else None
        if rule is not None:
            if kwargs:
                return self._into(ufunc, inputs, **kwargs)
            precision = self.precision_with(inputs)
            result = rule(precision, *inputs)
            if is_either_way() and isinstance(result, tuple):
                result = (*at_the_ends(ufunc, inputs, *result[:2]), *result[2:])
            return self.in_precision(precision).like(*result) if isinstance(result, tuple) else result
        if method == "reduce" and ufunc in _REDUCTIONS and kwargs.pop("out", None) is None:
            return _REDUCTIONS[ufunc](inputs[0], **{"axis": 0, **kwargs})
        if method == "at" and ufunc is np.add and isinstance(inputs[0], Barred) and not kwargs:
            self.precision_with(inputs)
            return scatter_add(*inputs)
        called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise TypeError(f"{called} is not known for arrays with error bars")

    def _into(self, ufunc: np.ufunc, inputs: tuple[Any, ...], out: Any = None, where: Any = True, **kwargs: Any) -> Any:
        """The function's result written into ``out``, where asked."""
        if kwargs or out is None or len(out) != 1 or not isinstance(out[0], Barred):
            self._refuse(f"{ufunc.__name__} with {', '.join(kwargs) or 'out or where, unless out has error bars too'}")
        if out[0].precision != self.precision_with(inputs):
            self._refuse(f"{ufunc.__name__} into another precision than its result's")
        FUNCTIONS[np.copyto](self, out[0], ufunc(*inputs), where=where)
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in FUNCTIONS:
            raise TypeError(f"{function.__module__}.{function.__name__} is not known for arrays with error bars")
        operands = [item for arg in args for item in (arg if isinstance(arg, list | tuple) else (arg,))]
        return FUNCTIONS[function](self.in_precision(self.precision_with(operands)), *args, **kwargs)

    def precision_with(self, others: Sequence[Any]) -> Precision:
        """The precision of results of this array and others: that of the dtype that has all the numbers of the other."""
        chosen = self.precision
        for other in others:
            if isinstance(other, Barred) and other.precision is not chosen and other.precision != chosen:
                if not (other.precision.finer_than(chosen) or chosen.finer_than(other.precision)):
                    raise TypeError(f"arrays with bars of different precision: {chosen} and {other.precision}")
                chosen = other.precision if other.precision.finer_than(chosen) else chosen
        return chosen

    def in_precision(self, precision: Precision) -> Self:
        """The same numbers and bars, for arithmetic of another precision."""
        return self if precision is self.precision else type(self)(self.value, self.bar, precision, self.terms)

    def widened(self, dtype: str) -> Self:
        """The same numbers in a dtype that has them all; in their own if that one has more."""
        wide = self.precision.of(dtype)
        return self.in_precision(wide) if wide.finer_than(self.precision) else self

    def astype(self, dtype: Any, copy: bool = True) -> Self:
        """The same array, for a floating dtype."""
        if not np.issubdtype(dtype, np.floating):
            self._refuse(f"conversion to {np.dtype(dtype)}")
        return self.copy() if copy else self

    def cast(self, dtype: str, saturate: bool) -> Self:
        """The array as another float holds it. What is exact is rounded once, and stays exact."""
        if saturate and not self.bar.any():
            return self.like(cast_through(self.value, dtype, saturate), self.bar).in_precision(self.precision.of(dtype))
        held: Self = held_in(self, self.precision.of(dtype))
        return held

    def stepped(self, dtype: str) -> Self:
        """The nearest numbers of another float, exactly: for numbers that stay away from the middle between two of it."""
        step = spacing(self.value, dtype)
        if watched():
            note_jump(np.abs(self.value / step % 1.0 - 0.5) * step, self.bar)
        return self.like(round_to(self.value, dtype), np.zeros_like(self.bar)).in_precision(self.precision.of(dtype))

    def cast_through(self, dtype: str, saturate: bool) -> Self:
        """Each number as another dtype holds it. What had no error has none: bars do not see that one rounds another way."""
        return self.like(cast_through(self.value, dtype, saturate), self.bar.copy())

    def copy(self) -> Self:
        """A copy that shares no memory."""
        return self.like(self.value.copy(), self.bar.copy())

    def reshape(self, *shape: Any) -> Self:
        """The same elements in another shape."""
        return self.like(self.value.reshape(*shape), self.bar.reshape(*shape))

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order, reversed by default."""
        return self.like(self.value.transpose(*axes), self.bar.transpose(*axes))

    def flatten(self) -> Self:
        """A copy with one axis."""
        return self.copy().reshape(-1)

    ravel, squeeze, swapaxes = _method(np.ravel), _method(np.squeeze), _method(np.swapaxes)
    repeat, take, clip = _method(np.repeat), _method(np.take), _method(np.clip)
    sum, mean, max, min = _method(np.sum), _method(np.mean), _method(np.max), _method(np.min)
    argmax, argmin, argsort = _method(np.argmax), _method(np.argmin), _method(np.argsort)


def with_bars(array: Any, precision: Precision, bar: Any = None) -> ErrorBars:
    """An array with error bars for arithmetic of that precision: a copy of ``array``, exact unless ``bar`` is given.

    Raises:
        TypeError: the array is not of real numbers.
        ValueError: the bar's shape does not broadcast to the array's.
    """
    if isinstance(array, Barred) or np.asarray(array).dtype.kind not in "fiu":
        raise TypeError(f"array: expected real numbers, got {getattr(array, 'dtype', type(array))}")
    value = np.array(array, np.float64)
    bars = np.zeros(value.shape) if bar is None else np.broadcast_to(np.asarray(bar, np.float64), value.shape).copy()
    return ErrorBars(value, bars, precision)


def held_in(x: Any, precision: Precision) -> Any:
    """A result as an array of that precision's dtype holds it, which it is rounded to if it was computed in a finer one.

    What is exact becomes the nearest number of the dtype, and stays exact. Integers and booleans are as they are.
    """
    if not isinstance(x, Barred):
        return round_to(x, precision.dtype) if np.asarray(x).dtype.kind == "f" else x
    if precision.u <= x.precision.u and precision.fmax >= x.precision.fmax:
        return ErrorBars(x.value, x.bar, precision)
    value = np.where(x.bar == 0, round_to(x.value, precision.dtype), x.value)
    return ErrorBars(value, np.where(x.bar == 0, 0.0, rounded(precision, value, [x.bar])[1]), precision)


def values_and_bars(x: Any) -> tuple[Any, Floats]:
    """The value and bar of a result; a plain array is exact."""
    if isinstance(x, Barred):
        return x.value, x.bar
    return np.asarray(x), bar_of(x)
