"""Learning-rate schedules and clipping of Optax."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, optax
from tensorproof_jax.table import operations

Natives = Sequence[Native]


def _clipped(clipping: Any, gradients: Natives) -> list[Native]:
    return list(clipping.update(list(gradients), clipping.init(list(gradients)))[0])


@operations.library
def clip_by_value(gradients: Natives, *, limit: float) -> list[Native]:
    """``optax.clip``."""
    return _clipped(optax.clip(limit), gradients)


def require_no_guard(epsilon: float) -> None:
    """Optax divides by the norm itself."""
    if epsilon:
        raise Unsupported("Optax adds nothing to the norm")


@operations.library
def clip_by_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native]:
    """``optax.clip_by_global_norm`` of each gradient on its own."""
    require_no_guard(epsilon)
    return [_clipped(optax.clip_by_global_norm(limit), [gradient])[0] for gradient in gradients]


@operations.library
def clip_by_global_norm(gradients: Natives, *, limit: float, epsilon: float = 0.0) -> list[Native]:
    """``optax.clip_by_global_norm``."""
    require_no_guard(epsilon)
    return _clipped(optax.clip_by_global_norm(limit), gradients)


@operations.library
def constant_schedule(learning_rate: Native, step: Native) -> Native:
    """``optax.constant_schedule``."""
    return jax.vmap(optax.constant_schedule(learning_rate))(step)


@operations.library
def step_schedule(
    learning_rate: Native,
    step: Native,
    *,
    boundaries: tuple[int, ...] = (8, 16),
    factor: float = 0.1,
    at_boundary: str = "new",
) -> Native:
    """``optax.piecewise_constant_schedule``."""
    if at_boundary != "new":
        raise Unsupported("optax.piecewise_constant_schedule changes the rate at the boundary")
    return jax.vmap(optax.piecewise_constant_schedule(learning_rate, dict.fromkeys(boundaries, factor)))(step)


@operations.library
def exponential_schedule(
    learning_rate: Native, step: Native, *, rate: float = 0.9, every: int = 8, staircase: bool = False
) -> Native:
    """``optax.exponential_decay``."""
    return jax.vmap(optax.exponential_decay(learning_rate, every, rate, staircase=staircase))(step)


@operations.library
def cosine_schedule(learning_rate: Native, step: Native, *, steps: int = 16, final: float = 0.0, beyond: str = "final") -> Native:
    """``optax.cosine_decay_schedule``."""
    if beyond != "final":
        raise Unsupported("optax.cosine_decay_schedule stays at its final rate")
    return jax.vmap(optax.cosine_decay_schedule(learning_rate, steps, final))(step)


@operations.library
def warmup_schedule(learning_rate: Native, step: Native, *, steps: int = 8, start: float = 0.0) -> Native:
    """``optax.warmup_constant_schedule``."""
    return jax.vmap(optax.warmup_constant_schedule(start * learning_rate, learning_rate, steps))(step)
