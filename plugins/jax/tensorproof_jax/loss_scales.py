"""A loss scaled so that its gradients stay within range (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

from flax.training.dynamic_scale import DynamicScale

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.optimizers import Natives
from tensorproof_jax.table import operations


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
    """``flax.training.dynamic_scale.DynamicScale``, of a loss that has these gradients once it is scaled."""
    if grows != "after_interval":
        raise Unsupported("DynamicScale grows at the step after so many finite ones")
    scaling = DynamicScale(growth_factor=growth, backoff_factor=backoff, growth_interval=interval, fin_steps=finite, scale=scale)
    moved = list(parameters)
    for of_step in gradients:

        def loss(arrays: list[Native], of_step: Natives = of_step, scaling: Any = scaling) -> Native:
            return sum(jnp.sum(array * (g / scaling.scale)) for array, g in zip(arrays, of_step, strict=True))

        scaling, is_finite, _, found = scaling.value_and_grad(loss)(moved)
        stepped = [array - (learning_rate * g).astype(array.dtype) for array, g in zip(moved, found, strict=True)]
        moved = jax.tree.map(lambda new, old, good=is_finite: jnp.where(good, new, old), stepped, moved)
    return moved, scaling.scale.astype(scale.dtype)
