"""Learning-rate schedules beyond those of the texts (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
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


@operations.library
def one_cycle_schedule(
    learning_rate: Native,
    step: Native,
    *,
    steps: int = 24,
    rising: float = 0.25,
    divisor: float = 25.0,
    final_divisor: float = 10_000.0,
    form: str = "cosine",
    phases: int = 2,
    ends: str = "last_step",
) -> Native:
    """``optax.cosine_onecycle_schedule`` and ``optax.linear_onecycle_schedule``; other phases by what both are made of."""
    if ends != "steps":
        raise Unsupported("Optax's cycle ends after all steps")
    if phases == 3 and form == "linear":
        schedule = optax.linear_onecycle_schedule(steps, learning_rate, rising, 2 * rising, divisor, final_divisor)
    elif phases == 2 and form == "cosine":
        schedule = optax.cosine_onecycle_schedule(steps, learning_rate, rising, divisor, final_divisor)
    else:
        back = {int(2 * rising * steps): 1.0 / divisor, steps: 1.0 / final_divisor}
        falling = back if phases == 3 else {steps: 1.0 / (divisor * final_divisor)}
        boundaries = {int(rising * steps): divisor, **falling}
        schedule = optax.piecewise_interpolate_schedule(form, learning_rate / divisor, boundaries)
    return jax.vmap(schedule)(step)


PARTS = {
    "constant": lambda rate, length: optax.constant_schedule(rate),
    "exponential": lambda rate, length: optax.exponential_decay(rate, 1, 0.9),
    "linear": lambda rate, length: optax.linear_schedule(rate, 0.0, length),
    "warmup": lambda rate, length: optax.warmup_constant_schedule(0.0, rate, length),
}
"""The schedules that are joined."""


@operations.library
def joined_schedules(
    learning_rate: Native,
    step: Native,
    *,
    schedules: tuple[str, ...] = ("warmup", "linear"),
    lengths: tuple[int, ...] = (8, 16),
    boundaries: tuple[int, ...] = (8,),
) -> Native:
    """``optax.join_schedules``."""
    parts = [PARTS[name](learning_rate, length) for name, length in zip(schedules, lengths, strict=True)]
    return jax.vmap(optax.join_schedules(parts, boundaries))(step)
