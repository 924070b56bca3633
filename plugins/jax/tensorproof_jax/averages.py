"""Averages of weights, and steps of several gradients (profile ``extended``)."""

from collections.abc import Sequence

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jnp, optax
from tensorproof_jax.optimizers import Natives
from tensorproof_jax.table import operations


@operations.library
def exponential_moving_average(
    parameters: Sequence[Natives],
    accumulated: Natives | None = None,
    *,
    decay: float = 0.999,
    taken: int = 0,
    start: str = "first",
    warmup: bool = False,
) -> tuple[list[Native], list[Native]]:
    """``optax.ema`` from zero, and ``optax.incremental_update`` from the first weights on. Warm-up is a decay for each step."""
    if start == "zero":
        transformation = optax.ema(decay)
        state = transformation.init(list(parameters[0]))
        given = state.ema if accumulated is None else list(accumulated)
        state = state._replace(count=jnp.asarray(taken, jnp.int32), ema=given)
        for weights in parameters:
            average, state = transformation.update(list(weights), state)
        return average, state.ema
    copied = int(accumulated is None)
    kept = list(parameters[0] if accumulated is None else accumulated)
    for count, weights in enumerate(parameters[copied:], taken + copied + 1):
        rate = min(decay, (1.0 + count) / (10.0 + count)) if warmup else decay
        kept = optax.incremental_update(list(weights), kept, 1.0 - rate)
    return kept, kept


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
) -> tuple[list[Native], list[Native]]:
    """``optax.MultiSteps`` of ``optax.sgd``, which keeps what it accumulates in the parameters' dtype."""
    if kept != "mean":
        raise Unsupported("optax.MultiSteps keeps the mean so far")
    moved = list(parameters)
    steps = optax.MultiSteps(optax.sgd(learning_rate), every, accumulator_dtype=moved[0].dtype)
    state = steps.init(moved)._replace(mini_step=jnp.asarray(taken % every, jnp.int32))
    if accumulated is not None:
        state = state._replace(acc_grads=list(accumulated))
    for of_batch in gradients:
        updates, state = steps.update(list(of_batch), state, moved)
        moved = optax.apply_updates(moved, updates)
    return moved, state.acc_grads


@operations.library
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
    """``optax.contrib.sam`` of ``optax.sgd``, climbing by ``optax.contrib.normalize`` and ``optax.sgd``."""
    if epsilon:
        raise Unsupported("optax.contrib.normalize adds nothing to the norm")
    moved = list(parameters)
    climbing = optax.chain(optax.contrib.normalize(), optax.sgd(radius))
    optimizer = optax.contrib.sam(optax.sgd(learning_rate), climbing, sync_period=every)
    count, cache = jnp.asarray(taken % every, jnp.int32), moved if origin is None else list(origin)
    state = optimizer.init(moved)._replace(steps_since_sync=count, cache=cache)
    for of_step in gradients:
        updates, state = optimizer.update(list(of_step), state, moved)
        moved = optax.apply_updates(moved, updates)
    return moved, state.cache
