"""A loss scaled so that its gradients stay within range (profile ``extended``)."""

import functools
from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.optimizers import Arrays, Natives, arrays_of, floats_of
from tensorproof_tensorflow.table import operations


@functools.cache
def _built(arrays: Arrays, interval: int, learning_rate: float) -> tuple[Any, list[Any]]:
    """An optimizer and the variables that it trains, outside of any graph being traced."""
    with floats_of(arrays), tf.init_scope():
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(learning_rate), dynamic_growth_steps=interval)
        variables = [keras.Variable(tf.zeros(shape, dtype), dtype=dtype) for shape, dtype in arrays]
        optimizer.build(variables)
    return optimizer, variables


@operations.library
def dynamic_loss_scale(
    parameters: Natives,
    gradients: Sequence[Natives],
    scale: Native,
    *,
    finite: int = 0,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
    grows: str = "at_interval",
    learning_rate: float = 0.01,
) -> tuple[list[Native], Native]:
    """``keras.optimizers.LossScaleOptimizer`` of ``keras.optimizers.SGD``."""
    if (growth, backoff) != (2.0, 0.5):
        raise Unsupported("LossScaleOptimizer doubles and halves the scale")
    if grows != "at_interval":
        raise Unsupported("LossScaleOptimizer grows at the last of so many finite steps")
    optimizer, variables = _built(arrays_of(parameters), interval, learning_rate)
    for variable, parameter in zip(variables, parameters, strict=True):
        variable.assign(parameter)
    optimizer.step_counter.assign(finite)
    optimizer.dynamic_scale.assign(tf.cast(scale, tf.float32))
    for of_step in gradients:
        optimizer.apply(list(of_step), variables)
    return [tf.identity(variable.value) for variable in variables], tf.cast(
        tf.identity(optimizer.dynamic_scale.value), scale.dtype
    )
