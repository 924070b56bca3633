"""Mistakes in batch and layer normalization: variance, epsilon, statistics, scale and offset, and gradients."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

ONE_PASS = "variance in one pass, as E[x²] - E[x]²"

Moments = Callable[[Any, tuple[int, ...], float], tuple[Any, Any]]
"""(x, axes, epsilon) -> center and what it is divided by, both with the axes kept."""


def _mean(x: Any, axes: tuple[int, ...]) -> Any:
    return np.mean(x, axis=axes, keepdims=True)


def _variance(x: Any, axes: tuple[int, ...]) -> Any:
    return _mean(np.square(x - _mean(x, axes)), axes)


def _unbiased(x: Any, axes: tuple[int, ...]) -> Any:
    count = math.prod(x.shape[axis] for axis in axes)
    return _variance(x, axes) * (count / max(count - 1, 1))


def _one_pass(x: Any, axes: tuple[int, ...]) -> Any:
    return np.maximum(_mean(x * x, axes) - _mean(x, axes) * _mean(x, axes), 0.0)


MOMENTS: dict[str, Moments] = {
    "unbiased variance in place of biased": lambda x, axes, e: (_mean(x, axes), np.sqrt(_unbiased(x, axes) + e)),
    "epsilon added outside the root": lambda x, axes, e: (_mean(x, axes), np.sqrt(_variance(x, axes)) + e),
    "epsilon as the least variance": lambda x, axes, e: (_mean(x, axes), np.sqrt(np.maximum(_variance(x, axes), e))),
    "epsilon squared": lambda x, axes, e: (_mean(x, axes), np.sqrt(_variance(x, axes) + e * e)),
    ONE_PASS: lambda x, axes, e: (_mean(x, axes), np.sqrt(_one_pass(x, axes) + e)),
    "variance in place of its root": lambda x, axes, e: (_mean(x, axes), _variance(x, axes) + e),
    "mean not subtracted": lambda x, axes, e: (0.0, np.sqrt(_variance(x, axes) + e)),
    "mean square, without the mean": lambda x, axes, e: (0.0, np.sqrt(_mean(x * x, axes) + e)),
    "not divided by the deviation": lambda x, axes, e: (_mean(x, axes), 1.0),
    "mean absolute deviation": lambda x, axes, e: (_mean(x, axes), _mean(np.abs(x - _mean(x, axes)), axes) + e),
}


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of the two operations."""
    if situation.name == "batch_norm":
        yield from _batch(situation)
    elif situation.name == "layer_norm":
        yield from _layer(situation)


def _affine(y: Any, scale: Any, offset: Any) -> Any:
    y = y if scale is None else y * scale
    return y if offset is None else y + offset


def _batch_axes(x: Any) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _along(vector: Any, x: Any) -> Any:
    return None if vector is None else vector.reshape((1, x.shape[1], *(1,) * (x.ndim - 2)))


def _batch(situation: Situation) -> Iterator[Mistake]:
    right, vjp = situation.operation.function, situation.operation.vjp
    assert vjp is not None

    def with_moments(moments: Moments) -> Callable[..., Any]:
        def function(x: Any, scale: Any, offset: Any, *running: Any, epsilon: float = 1e-5, **keywords: Any) -> Any:
            center, deviation = moments(x, _batch_axes(x), epsilon)
            y = _affine((x - center) / deviation, _along(scale, x), _along(offset, x))
            return y, *right(x, scale, offset, *running, epsilon=epsilon, **keywords)[1:]

        return lambda x, scale, offset, running_mean, running_variance, **keywords: function(
            x, scale, offset, running_mean, running_variance, **keywords
        )

    if situation.keywords["training"]:
        for text, moments in MOMENTS.items():
            yield Mistake(text=text, function=with_moments(moments), rough=text == ONE_PASS)
        several = {
            "statistics of the first example only": lambda x, axes, e: (_mean(x[:1], axes), np.sqrt(_variance(x[:1], axes) + e)),
            "statistics of each example": lambda x, axes, e: (_mean(x, axes[1:]), np.sqrt(_variance(x, axes[1:]) + e)),
            "statistics over all channels": lambda x, axes, e: (
                _mean(x, tuple(range(x.ndim))),
                np.sqrt(_variance(x, tuple(range(x.ndim))) + e),
            ),
        }
        for text, moments in several.items():
            yield Mistake(text=text, function=with_moments(moments))
    yield Mistake(text="offset added before scaling", function=_offset_first(right))
    other = {**situation.keywords, "training": not situation.keywords["training"]}

    def only_y(*arguments: Any, **keywords: Any) -> Any:
        return right(*arguments, **{**keywords, "training": other["training"]})[0], *right(*arguments, **keywords)[1:]

    def only_statistics(*arguments: Any, **keywords: Any) -> Any:
        return right(*arguments, **keywords)[0], *right(*arguments, **{**keywords, "training": other["training"]})[1:]

    used, place = ("running", "in training") if situation.keywords["training"] else ("batch", "at inference")
    yield Mistake(text=f"{used} statistics used {place}", function=lambda **arguments: only_y(**arguments))
    word = "not updated in training" if situation.keywords["training"] else "updated at inference"
    yield Mistake(text=f"running statistics {word}", function=lambda **arguments: only_statistics(**arguments))

    def constants(dy: Any, x: Any, scale: Any, offset: Any, running_mean: Any, running_variance: Any, **keywords: Any) -> Any:
        mean, variance = (moment(x, _batch_axes(x)).reshape((x.shape[1],)) for moment in (_mean, _variance))
        return vjp(dy, x, scale, offset, mean, variance, **{**keywords, "training": False})

    def unprojected(dy: Any, x: Any, scale: Any, offset: Any, *running: Any, epsilon: float = 1e-5, **keywords: Any) -> Any:
        found = vjp(dy, x, scale, offset, *running, epsilon=epsilon, **keywords)
        g = _affine(dy, _along(scale, x), None)
        axes = _batch_axes(x)
        return {**found, "x": (g - _mean(g, axes)) / np.sqrt(_variance(x, axes) + epsilon)}

    def from_input(dy: Any, x: Any, scale: Any, offset: Any, *running: Any, **keywords: Any) -> Any:
        found = vjp(dy, x, scale, offset, *running, **keywords)
        return {**found, "scale": None if scale is None else np.sum(dy * x, axis=_batch_axes(x))}

    if situation.keywords["training"]:
        yield Mistake(
            text="statistics taken for constants in the gradient", vjp=lambda dy, **arguments: constants(dy, **arguments)
        )
        yield Mistake(text="gradient through the variance left out", vjp=_positional(unprojected))
    yield Mistake(text="gradient of the scale by the input not normalized", vjp=_positional(from_input))
    yield Mistake(text="gradient without the scale", vjp=_unscaled(vjp))


def _positional(function: Callable[..., Any]) -> Callable[..., Any]:
    """A gradient whose inputs come by name, as ``(dy, x, scale, offset, running mean, running variance)``."""

    def gradient(dy: Any, x: Any, scale: Any, offset: Any, running_mean: Any, running_variance: Any, **keywords: Any) -> Any:
        return function(dy, x, scale, offset, running_mean, running_variance, **keywords)

    return gradient


def _unscaled(vjp: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(dy: Any, **arguments: Any) -> Any:
        found = vjp(dy, **arguments)
        return {**found, "x": vjp(dy, **{**arguments, "scale": None})["x"]}

    return gradient


def _offset_first(right: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, scale: Any, offset: Any, running_mean: Any, running_variance: Any, **keywords: Any) -> Any:
        y, *others = right(x, None, offset, running_mean, running_variance, **keywords)
        return (y if scale is None else y * _along(scale, x)), *others

    return function


def _layer(situation: Situation) -> Iterator[Mistake]:
    right, vjp = situation.operation.function, situation.operation.vjp
    assert vjp is not None

    for text, moments in MOMENTS.items():
        yield Mistake(text=text, function=_layer_with(moments), rough=text == ONE_PASS)

    def before(x: Any, scale: Any = None, offset: Any = None, **keywords: Any) -> Any:
        y = right(x, None, offset, **keywords)
        return y if scale is None else y * scale

    def unprojected(dy: Any, x: Any, scale: Any = None, offset: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-5) -> Any:
        found = vjp(dy, x, scale, offset, axes=axes, epsilon=epsilon)
        g = _affine(dy, scale, None)
        return {**found, "x": (g - _mean(g, tuple(axes))) / np.sqrt(_variance(x, tuple(axes)) + epsilon)}

    def constants(dy: Any, x: Any, scale: Any = None, offset: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-5) -> Any:
        found = vjp(dy, x, scale, offset, axes=axes, epsilon=epsilon)
        return {**found, "x": _affine(dy, scale, None) / np.sqrt(_variance(x, tuple(axes)) + epsilon)}

    yield Mistake(text="offset added before scaling", function=before)
    yield Mistake(text="gradient through the variance left out", vjp=unprojected)
    yield Mistake(text="statistics taken for constants in the gradient", vjp=constants)
    yield Mistake(text="gradient without the scale", vjp=_unscaled(vjp))
    ranks = situation.sample.inputs["x"].ndim
    for text, others in {"the last axis only": (-1,), "all axes but the first": tuple(range(1, ranks))}.items():
        if others and tuple(situation.keywords["axes"]) != others:
            yield Mistake(text=f"statistics over {text}", function=_layer_with(_right_moments, others))


def _right_moments(x: Any, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any]:
    return _mean(x, axes), np.sqrt(_variance(x, axes) + epsilon)


def _layer_with(moments: Moments, chosen: tuple[int, ...] = ()) -> Callable[..., Any]:
    """A layer norm with another center and deviation, or over other axes."""

    def function(x: Any, scale: Any = None, offset: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-5) -> Any:
        center, deviation = moments(x, chosen or tuple(axes), epsilon)
        return _affine((x - center) / deviation, scale, offset)

    return function
