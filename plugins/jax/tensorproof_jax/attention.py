"""Scaled dot-product attention."""

import math

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations


@operations.native
def scaled_dot_product_attention(
    query: Native,
    key: Native,
    value: Native,
    mask: Native | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Native:
    """``jax.nn.dot_product_attention`` of one head, all leading axes taken together as its batch.

    JAX wants features and values of one width: the narrower ones are filled up with zeros, which change nothing.
    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if fully_masked_rows == "zero":
        raise Unsupported("JAX masks with a large negative number, so a fully masked row gives the mean of all values")
    *leading, rows, features = query.shape
    columns, results = value.shape[-2:]
    batch, width = math.prod(leading), max(features, results)
    if mask is not None:
        mask = jnp.broadcast_to(mask, (*leading, rows, columns)).reshape(batch, 1, rows, columns)

    def one_head(x: Native) -> Native:
        x = x.reshape(batch, x.shape[-2], 1, x.shape[-1])
        return x if x.shape[-1] == width else jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, width - x.shape[-1])))

    y = jax.nn.dot_product_attention(
        *(one_head(query), one_head(key), one_head(value)),
        mask=mask,
        scale=features**-0.5 if scale is None and width > features else scale,
        is_causal=causal,
    )
    return y[..., :results].reshape(*leading, rows, results)
