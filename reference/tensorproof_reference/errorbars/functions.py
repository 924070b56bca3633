"""What NumPy's array functions do to error bars: one table, from function to rule.

A rule is called as ``rule(prototype, *args, **kwargs)`` with the arguments of the NumPy function, where ``prototype`` is one
of the arrays with bars among them. What is not in the table is refused, and so is a keyword that a rule does not name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from tensorproof_reference.errorbars import branches, doubt
from tensorproof_reference.errorbars.rules import (
    Barred,
    Floats,
    bar_of,
    contraction,
    finish,
    rss,
    running_product_of,
    running_sum_of,
    sum_of,
    value_of,
)
from tensorproof_reference.errorbars.ufuncs import UFUNCS

Rule: TypeAlias = Callable[..., Any]


def _sum(prototype: Barred, a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Any:
    if where is not None:
        a = _where(prototype, where, a, 0.0)
    return prototype.like(*sum_of(a, axis, bool(keepdims)))


def _mean(prototype: Barred, a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Any:
    """The sum, divided by the number of elements; the mean of one is that one."""
    total = _sum(prototype, a, axis, keepdims=keepdims, where=where)
    if where is None:
        count = a.size // total.size if total.size else int(np.prod([a.shape[i] for i in _axes(a, axis)]))
        return prototype.like(*UFUNCS[np.divide](prototype.precision, total, count))
    counts = np.sum(np.broadcast_to(where, a.shape), axis=axis, keepdims=keepdims)
    return prototype.like(*UFUNCS[np.divide](prototype.precision, total, counts))


def _product(prototype: Barred, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The last of the running products; over nothing it is 1."""
    axes = _axes(a, axis)
    value = np.prod(a.value, axis=axis, keepdims=keepdims)
    together = prototype.like(_together(a.value, axes), _together(a.bar, axes))
    if not together.value.shape[-1]:
        return prototype.like(value, np.zeros_like(value))
    return prototype.like(value, running_product_of(together, -1)[1][..., -1].reshape(value.shape))


def _running(rule: Callable[[Barred, int], tuple[Floats, Floats]]) -> Rule:
    """The rule of ``cumsum`` and ``cumprod``."""
    return lambda prototype, a, axis: prototype.like(*rule(a, axis))


def _axes(a: Any, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(a.ndim))
    return tuple(i % a.ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def _extreme(function: Rule, largest: bool) -> Rule:
    """The rule of ``max`` and ``min``: the bar of the chosen element, the largest one where several are equal."""

    def rule(prototype: Barred, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        value = function(a.value, axis=axis, keepdims=True)
        if branches.watched() and a.size:
            axes = _axes(a, axis)
            branches.note_selection(*branches.rivals(_together(a.value, axes), _together(a.bar, axes), -1, largest))
        chosen = a.value == value
        if doubt.is_either_way():
            of_largest = np.max(np.where(chosen, a.bar, 0.0), axis=axis, keepdims=True, initial=0.0)
            chosen = chosen | doubt.near(value - a.value, np.hypot(a.bar, of_largest))
        bar = np.max(np.where(chosen, a.bar, 0.0), axis=axis, keepdims=True, initial=0.0)
        if not keepdims:
            value, bar = np.squeeze(value, _axes(a, axis)), np.squeeze(bar, _axes(a, axis))
        return prototype.like(value, bar)

    return rule


def _together(array: Floats, axes: tuple[int, ...]) -> Floats:
    """The array with these axes last, as one."""
    moved = np.moveaxis(array, axes, range(-len(axes), 0))
    others = array.ndim - len(axes)
    return moved.reshape(*moved.shape[:others], math.prod(moved.shape[others:]))


def _position(function: Rule, largest: bool) -> Rule:
    """The rule of ``argmax`` and ``argmin``: plain integers."""

    def rule(prototype: Barred, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        if branches.watched() and a.size:
            value, bar = (a.value.ravel(), a.bar.ravel()) if axis is None else (a.value, a.bar)
            branches.note_jump(*branches.rivals(value, bar, -1 if axis is None else axis, largest))
        return function(a.value, axis=axis, keepdims=keepdims)

    return rule


def _argsort(prototype: Barred, a: Any, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> Any:
    order = np.argsort(a.value, axis=axis, kind="stable" if stable else kind)
    if branches.watched():
        value, bar = np.take_along_axis(a.value, order, axis), np.take_along_axis(a.bar, order, axis)
        branches.note_jump(*branches.neighbours(value, bar, axis))
    return order


def _sort(prototype: Barred, a: Any, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> Any:
    """Each number with its own bar; both ways, with the largest of its row if neighbours lie near: none moves by more."""
    order = np.argsort(a.value, axis=axis, kind="stable" if stable else kind)
    value, bar = np.take_along_axis(a.value, order, axis), np.take_along_axis(a.bar, order, axis)
    if branches.watched() and a.size:
        neighbours = branches.neighbours(value, bar, axis)
        branches.note_selection(*neighbours)
        doubtful = np.any(doubt.near(*neighbours), axis=-1)
        bar = np.where(np.expand_dims(doubtful, axis), np.max(bar, axis=axis, keepdims=True), bar)
    return prototype.like(value, bar)


def _where(prototype: Barred, condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, Barred):
        raise TypeError("where: the condition must be a plain boolean array, got an array with error bars")
    settled = doubt.settled(condition)
    value, bar = np.where(settled, value_of(x), value_of(y)), np.where(settled, bar_of(x), bar_of(y))
    if isinstance(condition, doubt.Doubtful):
        bar = doubt.of_either(condition, x, y, bar)
    return prototype.like(value, bar)


def _clip(prototype: Barred, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """``minimum(maximum(a, low), high)``."""
    low = a_min if a_min is not None else min
    high = a_max if a_max is not None else max
    if low is not None:
        a = prototype.like(*UFUNCS[np.maximum](prototype.precision, a, low))
    if high is not None:
        a = prototype.like(*UFUNCS[np.minimum](prototype.precision, a, high))
    return a


def _einsum(prototype: Barred, subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise TypeError("einsum: subscripts must be a string")

    def product(*arrays: Any) -> Any:
        return np.asarray(np.einsum(subscripts, *arrays, optimize=optimize))

    return prototype.like(*contraction(prototype.precision, product, operands))


def _tensordot(prototype: Barred, a: Any, b: Any, axes: Any = 2) -> Any:
    def product(x: Any, y: Any) -> Any:
        return np.asarray(np.tensordot(x, y, axes=axes))

    return prototype.like(*contraction(prototype.precision, product, (a, b)))


def _bilinear(function: Rule) -> Rule:
    """The rule of ``dot`` and its like, without keywords."""

    def rule(prototype: Barred, a: Any, b: Any) -> Any:
        return prototype.like(*contraction(prototype.precision, lambda x, y: np.asarray(function(x, y)), (a, b)))

    return rule


def _exact(function: Rule) -> Rule:
    """The rule of a function that only moves the elements of its first argument: the same for values and bars."""

    def rule(prototype: Barred, a: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(a, Barred) or any(isinstance(other, Barred) for other in (*args, *kwargs.values())):
            raise TypeError(f"{function.__name__}: only the first argument may have error bars")
        value, bar = function(a.value, *args, **kwargs), function(a.bar, *args, **kwargs)
        if isinstance(value, list | tuple):
            return type(value)(prototype.like(*pair) for pair in zip(value, bar, strict=True))
        return prototype.like(value, bar)

    return rule


def _joining(function: Rule) -> Rule:
    """The rule of a function that joins a sequence of arrays, plain ones among them."""

    def rule(prototype: Barred, arrays: Sequence[Any], axis: Any = 0) -> Any:
        value = function([value_of(a) for a in arrays], axis=axis)
        return prototype.like(value, function([bar_of(a) for a in arrays], axis=axis))

    return rule


def _pad(prototype: Barred, array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0.0) -> Any:
    if mode == "constant":
        value = np.pad(array.value, pad_width, mode="constant", constant_values=constant_values)
        return prototype.like(value, np.pad(array.bar, pad_width, mode="constant"))
    if mode not in ("edge", "wrap", "reflect", "symmetric"):
        raise TypeError(f"pad: mode {mode!r} is not known for arrays with error bars")
    return prototype.like(np.pad(array.value, pad_width, mode=mode), np.pad(array.bar, pad_width, mode=mode))


def _filled(fill: float) -> Rule:
    """The rule of ``zeros_like`` and ``ones_like``."""

    def rule(prototype: Barred, a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
        return _full_like(prototype, a, fill, dtype, shape=shape)

    return rule


def _full_like(prototype: Barred, a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """An exact array; a plain one if ``dtype`` is boolean or integer."""
    shape = np.shape(a) if shape is None else shape
    if dtype is not None and not np.issubdtype(dtype, np.floating):
        return np.full(shape, fill_value, dtype)
    bar = np.broadcast_to(bar_of(fill_value), np.empty(shape).shape).copy()
    return prototype.like(np.full(shape, value_of(fill_value)), bar)


def _linspace(prototype: Barred, start: Any, stop: Any, num: int, *, dtype: Any = None) -> Any:
    """Places: a step that is rounded once, times a count, and the start, all in the precision of partial sums."""
    precision, first, last = prototype.precision, value_of(start), value_of(stop)
    value = np.linspace(first, last, num)
    step = np.abs(last - first) / max(num - 1, 1) * (num > 1)
    moved = np.sqrt(2.0) * (np.abs(value - first) + step)
    carried = [bar_of(start), bar_of(stop), precision.ua * moved, precision.ua * value]
    return prototype.like(*finish(precision, value, rss(carried)))


def _broadcast_arrays(prototype: Barred, *arrays: Any) -> Any:
    values = np.broadcast_arrays(*[value_of(a) for a in arrays])
    bars = np.broadcast_arrays(*[bar_of(a) for a in arrays])
    return tuple(prototype.like(*pair) for pair in zip(values, bars, strict=True))


def _put_along_axis(prototype: Barred, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if not isinstance(arr, Barred):
        raise TypeError("put_along_axis: values with error bars cannot be put into a plain array")
    np.put_along_axis(arr.value, indices, value_of(values), axis)
    np.put_along_axis(arr.bar, indices, bar_of(values), axis)
    arr.terms = None


def _copyto(prototype: Barred, dst: Any, src: Any, *, where: Any = True) -> None:
    if not isinstance(dst, Barred):
        raise TypeError("copyto: values with error bars cannot be put into a plain array")
    np.copyto(dst.value, value_of(src), where=where)
    np.copyto(dst.bar, bar_of(src), where=where)
    dst.terms = None


_MOVING: tuple[Rule, ...] = (
    *(np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.expand_dims, np.squeeze),
    *(np.flip, np.flipud, np.fliplr, np.rot90, np.roll, np.repeat, np.tile, np.broadcast_to, np.take, np.take_along_axis),
    *(np.split, np.array_split, np.diagonal, np.tril, np.triu, np.copy, np.atleast_1d, np.atleast_2d, np.matrix_transpose),
    np.lib.stride_tricks.sliding_window_view,
)

FUNCTIONS: Mapping[Rule, Rule] = MappingProxyType(
    {
        np.sum: _sum,
        np.mean: _mean,
        np.prod: _product,
        np.cumsum: _running(running_sum_of),
        np.cumprod: _running(running_product_of),
        np.max: _extreme(np.max, largest=True),
        np.min: _extreme(np.min, largest=False),
        np.argmax: _position(np.argmax, largest=True),
        np.argmin: _position(np.argmin, largest=False),
        np.argsort: _argsort,
        np.sort: _sort,
        np.where: _where,
        np.clip: _clip,
        np.einsum: _einsum,
        np.tensordot: _tensordot,
        **{function: _bilinear(function) for function in (np.dot, np.inner, np.outer, np.vdot)},
        **{function: _exact(function) for function in _MOVING},
        np.concatenate: _joining(np.concatenate),
        np.stack: _joining(np.stack),
        np.pad: _pad,
        np.zeros_like: _filled(0.0),
        np.empty_like: _filled(0.0),
        np.ones_like: _filled(1.0),
        np.full_like: _full_like,
        np.linspace: _linspace,
        np.broadcast_arrays: _broadcast_arrays,
        np.put_along_axis: _put_along_axis,
        np.copyto: _copyto,
        np.shape: lambda prototype, a: a.shape,
        np.ndim: lambda prototype, a: a.ndim,
        np.size: lambda prototype, a, axis=None: a.size if axis is None else a.shape[axis],
        np.result_type: lambda prototype, *arguments: np.dtype(np.float64),
    }
)
