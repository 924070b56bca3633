"""Learning-rate schedules beyond those of the texts (profile ``extended``)."""

from tensorproof.backend import Native
from tensorproof_jax.framework import jax, optax
from tensorproof_jax.table import operations

LAST = 256
"""The step up to which cycles are listed: ``optax.join_schedules`` takes each of them, and stays at the end of the last."""


@operations.library
def polynomial_schedule(
    learning_rate: Native, step: Native, *, steps: int = 16, power: float = 1.0, final: float = 0.0
) -> Native:
    """``optax.polynomial_schedule``."""
    return jax.vmap(optax.polynomial_schedule(learning_rate, final * learning_rate, power, steps))(step)


@operations.library
def cosine_restarts_schedule(
    learning_rate: Native, step: Native, *, steps: int = 8, growth: int = 1, peak: float = 1.0, final: float = 0.0
) -> Native:
    """``optax.join_schedules`` of ``optax.cosine_decay_schedule``, one for each cycle up to the last step."""
    schedules, boundaries, start, length, height = [], [], 0, steps, 1.0
    while start <= LAST:
        top = final + (1.0 - final) * height
        schedules.append(optax.cosine_decay_schedule(top * learning_rate, length, final / top))
        start, length, height = start + length, length * growth, height * peak
        boundaries.append(start)
    return jax.vmap(optax.join_schedules(schedules, boundaries[:-1]))(step)
