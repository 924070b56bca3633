"""Learning-rate schedules beyond those of the texts (profile ``extended``)."""

from tensorproof.backend import Native
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations


@operations.library
def polynomial_schedule(
    learning_rate: Native, step: Native, *, steps: int = 16, power: float = 1.0, final: float = 0.0
) -> Native:
    """``keras.optimizers.schedules.PolynomialDecay``."""
    return keras.optimizers.schedules.PolynomialDecay(learning_rate, steps, final * learning_rate, power)(step)


@operations.library
def cosine_restarts_schedule(
    learning_rate: Native, step: Native, *, steps: int = 8, growth: int = 1, peak: float = 1.0, final: float = 0.0
) -> Native:
    """``keras.optimizers.schedules.CosineDecayRestarts``, for one step at a time, as optimizers call it."""
    schedule = keras.optimizers.schedules.CosineDecayRestarts(learning_rate, steps, growth, peak, final)
    return tf.map_fn(schedule, step)


operations.unsupported("one_cycle_schedule", "Keras has no schedule of one cycle")
operations.unsupported("joined_schedules", "Keras has no schedule made of others")
