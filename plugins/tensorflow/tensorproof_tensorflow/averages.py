"""Averages of weights, and steps of several gradients (profile ``extended``)."""

import functools
from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.optimizers import Arrays, Natives, arrays_of, optimizer_steps
from tensorproof_tensorflow.table import operations


@functools.cache
def _built(arrays: Arrays, decay: float, warmup: bool) -> tuple[Any, list[Any], Any]:
    """An average, the variables that it is of, and the count of updates, outside of any graph being traced."""
    with tf.init_scope():
        count = tf.Variable(0.0)
        average = tf.train.ExponentialMovingAverage(decay, num_updates=count if warmup else None)
        variables = [tf.Variable(tf.zeros(shape, dtype)) for shape, dtype in arrays]
        average.apply(variables)
    return average, variables, count


@operations.native
def exponential_moving_average(
    parameters: Sequence[Natives],
    accumulated: Natives | None = None,
    *,
    decay: float = 0.999,
    taken: int = 0,
    start: str = "first",
    warmup: bool = False,
) -> tuple[list[Native], list[Native]]:
    """``tf.train.ExponentialMovingAverage``, which starts at the values that its variables have."""
    if start != "first":
        raise Unsupported("tf.train.ExponentialMovingAverage starts at the first values of its variables")
    average, variables, count = _built(arrays_of(parameters[0]), decay, warmup)
    kept = [average.average(variable) for variable in variables]
    for shadow, array in zip(kept, parameters[0] if accumulated is None else accumulated, strict=True):
        shadow.assign(array)
    copied = int(accumulated is None)
    for number, weights in enumerate(parameters[copied:], taken + copied + 1):
        count.assign(number)
        for variable, array in zip(variables, weights, strict=True):
            variable.assign(array)
        average.apply(variables)
    return [tf.identity(shadow) for shadow in kept], [tf.identity(shadow) for shadow in kept]


@operations.library
def gradient_accumulation(
    parameters: Natives,
    gradients: Sequence[Natives],
    accumulated: Natives | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    learning_rate: float = 0.01,
    kept: str = "shares",
) -> tuple[list[Native], ...]:
    """``keras.optimizers.SGD`` with ``gradient_accumulation_steps``, at least 2, which keeps the sum."""
    if kept != "sum":
        raise Unsupported("Keras's optimizers keep the sum of gradients")
    if every == 1:
        moved = optimizer_steps("SGD", parameters, gradients, {}, learning_rate)[0]
        return moved, [tf.zeros_like(parameter) for parameter in parameters]
    slots = {"_accumulated_gradients": accumulated}
    return optimizer_steps("SGD", parameters, gradients, slots, learning_rate, taken, gradient_accumulation_steps=every)


@operations.composed
def sharpness_aware_minimization(
    parameters: Natives,
    gradients: Sequence[Natives],
    origin: Natives | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    radius: float = 0.05,
    learning_rate: float = 0.01,
    epsilon: float = 0.0,
) -> tuple[list[Native], list[Native]]:
    """``tf.linalg.global_norm`` and ``keras.optimizers.SGD``, as users write it: neither has such an optimizer."""
    moved, before = list(parameters), list(parameters if origin is None else origin)
    for count, of_step in enumerate(gradients, taken):
        if count % every == 0:
            before = moved
        if (count + 1) % every:
            factor = radius / (tf.linalg.global_norm(list(of_step)) + epsilon)
            moved = [parameter + gradient * factor for parameter, gradient in zip(moved, of_step, strict=True)]
        else:
            moved = optimizer_steps("SGD", before, [of_step], {}, learning_rate)[0]
    return [tf.identity(array) for array in moved], [tf.identity(array) for array in before]
