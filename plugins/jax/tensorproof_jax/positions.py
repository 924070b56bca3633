"""Positions by sines and cosines (profile ``extended``)."""

from tensorproof.backend import Native
from tensorproof_jax.framework import jnp
from tensorproof_jax.table import operations


def _pairs(x: Native, columns: int, pairs: str) -> tuple[Native, Native, Native]:
    """The first of each pair of features, the second, and the features that are not turned."""
    turned, rest = x[..., : 2 * columns], x[..., 2 * columns :]
    if pairs == "halves":
        return turned[..., :columns], turned[..., columns:], rest
    return turned[..., ::2], turned[..., 1::2], rest


def _joined(first: Native, second: Native, rest: Native, pairs: str) -> Native:
    if pairs == "halves":
        return jnp.concatenate([first, second, rest], axis=-1)
    turned = jnp.reshape(jnp.stack([first, second], axis=-1), (*first.shape[:-1], 2 * first.shape[-1]))
    return jnp.concatenate([turned, rest], axis=-1)


@operations.composed
def rotary_embedding(
    x: Native, cosines: Native, sines: Native, positions: Native | None = None, *, pairs: str = "halves"
) -> Native:
    """The formula, as models in JAX write it: JAX has no function of its own."""
    if positions is None:
        cosines, sines = cosines[: x.shape[-2]], sines[: x.shape[-2]]
    else:
        shape = (x.shape[0], *(1,) * (x.ndim - 3), x.shape[-2], cosines.shape[1])
        cosines, sines = jnp.reshape(cosines[positions], shape), jnp.reshape(sines[positions], shape)
    first, second, rest = _pairs(x, cosines.shape[-1], pairs)
    return _joined(cosines * first - sines * second, cosines * second + sines * first, rest, pairs)


@operations.composed
def sinusoidal_positions(x: Native, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Native:
    """The formula with angles in float32 at least, as models in JAX write it: JAX has no function of its own."""
    half, wide = x.shape[-1] // 2, jnp.promote_types(x.dtype, jnp.float32)
    exponents = -jnp.arange(half, dtype=wide) / half
    positions = jnp.arange(start, start + x.shape[-2], dtype=wide)
    angles = positions[:, None] * jnp.power(jnp.asarray(base, wide), exponents)
    return x + _joined(jnp.sin(angles), jnp.cos(angles), angles[:, :0], pairs).astype(x.dtype)
