"""Learning-rate schedules of Keras, and clipping of TensorFlow."""

from collections.abc import Sequence

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

Natives = Sequence[Native]


@operations.native
def clip_by_value(gradients: Natives, *, limit: float) -> list[Native]:
    """``tf.clip_by_value``."""
    return [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]


def require_no_guard(epsilon: float) -> None:
    """TensorFlow divides by the norm itself."""
    if epsilon:
        raise Unsupported("TensorFlow adds nothing to the norm")


@operations.native
def clip_by_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native]:
    """``tf.clip_by_norm``."""
    require_no_guard(epsilon)
    return [tf.clip_by_norm(gradient, limit) for gradient in gradients]


@operations.native
def clip_by_global_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native]:
    """``tf.clip_by_global_norm``."""
    require_no_guard(epsilon)
    return list(tf.clip_by_global_norm(list(gradients), limit)[0])


@operations.composed
def constant_schedule(learning_rate: Native, step: Native) -> Native:
    """A number, which is what Keras takes for a constant rate."""
    return tf.fill(tf.shape(step), learning_rate)


@operations.library
def step_schedule(
    learning_rate: Native,
    step: Native,
    *,
    boundaries: tuple[int, ...] = (8, 16),
    factor: float = 0.1,
    at_boundary: str = "new",
) -> Native:
    """``keras.optimizers.schedules.PiecewiseConstantDecay``."""
    if at_boundary != "old":
        raise Unsupported("PiecewiseConstantDecay changes the rate after the boundary")
    values = [learning_rate * factor**count for count in range(len(boundaries) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(list(boundaries), values)(step)


@operations.library
def exponential_schedule(
    learning_rate: Native, step: Native, *, rate: float = 0.9, every: int = 8, staircase: bool = False
) -> Native:
    """``keras.optimizers.schedules.ExponentialDecay``."""
    return keras.optimizers.schedules.ExponentialDecay(learning_rate, every, rate, staircase=staircase)(step)


@operations.library
def cosine_schedule(learning_rate: Native, step: Native, *, steps: int = 16, final: float = 0.0, beyond: str = "final") -> Native:
    """``keras.optimizers.schedules.CosineDecay``."""
    if beyond != "final":
        raise Unsupported("CosineDecay stays at its final rate")
    return keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=final)(step)


@operations.library
def warmup_schedule(learning_rate: Native, step: Native, *, steps: int = 8, start: float = 0.0) -> Native:
    """``keras.optimizers.schedules.PolynomialDecay`` of power 1, upwards."""
    schedule = keras.optimizers.schedules.PolynomialDecay(start * learning_rate, steps, end_learning_rate=learning_rate)
    return schedule(step)
