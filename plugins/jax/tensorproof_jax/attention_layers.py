"""The layer of heads with projections: that of Flax."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jnp, linen
from tensorproof_jax.table import operations

UNIFORM = "Flax masks with a large negative number, so a fully masked row gives the mean of all values"


def _parameters(weights: tuple[Native, ...], biases: tuple[Native | None, ...]) -> dict[str, Any]:
    """The parameters of the layer as Flax names them."""
    return {
        name: {"kernel": weight} if bias is None else {"kernel": weight, "bias": bias}
        for name, weight, bias in zip(("query", "key", "value", "out"), weights, biases, strict=True)
    }


def attend(
    arrays: tuple[Native, Native, Native],
    weights: tuple[Native, ...],
    biases: tuple[Native | None, ...],
    mask: Native | None,
    causal: bool,
    need_weights: bool = False,
) -> Any:
    """``flax.linen.MultiHeadDotProductAttention``, whose masks have the axes of scores."""
    heads, width = weights[0].shape[1:]
    if weights[2].shape[2] != width:
        raise Unsupported("the values of Flax's heads are as wide as their keys")
    if mask is not None:
        mask = jnp.expand_dims(mask, tuple(range(4 - mask.ndim)))
    if causal:
        near = jnp.tril(jnp.ones((1, 1, arrays[0].shape[1], arrays[1].shape[1]), bool))
        mask = linen.combine_masks(mask, near, dtype=bool)
    layer = linen.MultiHeadDotProductAttention(
        heads, qkv_features=heads * width, out_features=weights[3].shape[2], use_bias=biases[0] is not None
    )
    variables = {"params": _parameters(weights, biases)}
    if not need_weights:
        return layer.apply(variables, *arrays, mask=mask)
    y, state = layer.apply(variables, *arrays, mask=mask, sow_weights=True, mutable=["intermediates"])
    return y, state["intermediates"]["attention_weights"][0]


@operations.library
def multi_head_attention(
    query: Native,
    key: Native,
    value: Native,
    query_weight: Native,
    key_weight: Native,
    value_weight: Native,
    output_weight: Native,
    query_bias: Native | None = None,
    key_bias: Native | None = None,
    value_bias: Native | None = None,
    output_bias: Native | None = None,
    mask: Native | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> Native:
    """The layer's output.

    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if fully_masked_rows == "zero":
        raise Unsupported(UNIFORM)
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    return attend((query, key, value), weights, biases, mask, causal)


@operations.library
def multi_head_attention_weights(
    query: Native,
    key: Native,
    value: Native,
    query_weight: Native,
    key_weight: Native,
    value_weight: Native,
    output_weight: Native,
    query_bias: Native | None = None,
    key_bias: Native | None = None,
    value_bias: Native | None = None,
    output_bias: Native | None = None,
    mask: Native | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> tuple[Native, Native]:
    """The layer's output, and the weights that it sows."""
    if fully_masked_rows == "zero":
        raise Unsupported(UNIFORM)
    weights = (query_weight, key_weight, value_weight, output_weight)
    biases = (query_bias, key_bias, value_bias, output_bias)
    y, attended = attend((query, key, value), weights, biases, mask, causal, need_weights=True)
    return y, attended
