"""Calls whose arrays have different dtypes, and quantization (profile ``extended``)."""

from collections.abc import Sequence

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jnp, linen
from tensorproof_jax.optimizers import Natives, adamw
from tensorproof_jax.table import operations

operations.implementations["mixed_adamw"] = operations.implementations["adamw"]


@operations.native
def mixed_matmul(a: Native, b: Native, *, dtype: str = "float32") -> Native:
    """``jnp.matmul`` with ``preferred_element_type``; a product of float32 is rounded after it."""
    if jnp.float32 in (a.dtype, b.dtype):
        return jnp.matmul(a, b).astype(dtype)
    return jnp.matmul(a, b, preferred_element_type=dtype)


@operations.library
def mixed_layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
    dtype: str = "bfloat16",
) -> Native:
    """``flax.linen.LayerNorm`` with a dtype."""
    layer = linen.LayerNorm(
        epsilon=epsilon,
        dtype=dtype,
        use_bias=offset is not None,
        use_scale=scale is not None,
        reduction_axes=tuple(axes),
        feature_axes=tuple(axes),
    )
    given = {"scale": scale, "bias": offset}
    return layer.apply({"params": {name: array for name, array in given.items() if array is not None}}, x)


@operations.library
def mixed_rms_norm(
    x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6, dtype: str = "bfloat16"
) -> Native:
    """``flax.linen.RMSNorm`` with a dtype."""
    places = {"reduction_axes": tuple(axes), "feature_axes": tuple(axes)}
    layer = linen.RMSNorm(epsilon=epsilon, dtype=dtype, use_scale=scale is not None, **places)
    return layer.apply({"params": {} if scale is None else {"scale": scale}}, x)


@operations.composed
def master_adamw(
    master: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    weight_decay: float = 0.01,
) -> tuple[list[Native], ...]:
    """``optax.adamw`` over the master weights, of which copies in bfloat16 are made."""
    moved, first, second, _ = adamw(
        master,
        [[None if gradient is None else gradient.astype(jnp.float32) for gradient in step] for step in gradients],
        first_moment,
        second_moment,
        taken=taken,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        epsilon_placement=epsilon_placement,
        weight_decay=weight_decay,
    )
    return [weight.astype(jnp.bfloat16) for weight in moved], moved, first, second


def _along(scale: Native, axis: int | None, rank: int) -> Native:
    """A scale that broadcasts along an axis."""
    return scale if axis is None else scale.reshape([-1 if place == axis % rank else 1 for place in range(rank)])


@operations.library
def quantize(
    x: Native, scale: Native, zero_point: Native | None = None, *, dtype: str = "int8", axis: int | None = None
) -> Native:
    """``flax.linen.fp8_ops.quantize``, of floats only."""
    if not dtype.startswith("float8"):
        raise Unsupported("neither JAX nor Flax quantizes to integers")
    return linen.fp8_ops.quantize(x, getattr(jnp, dtype), _along(scale, axis, x.ndim), jnp.float32)


@operations.library
def dequantize(
    q: Native, scale: Native, zero_point: Native | None = None, *, axis: int | None = None, dtype: str = "float32"
) -> Native:
    """``flax.linen.fp8_ops.dequantize``, of floats only."""
    if not jnp.issubdtype(q.dtype, jnp.floating):
        raise Unsupported("neither JAX nor Flax has integers with a scale")
    return linen.fp8_ops.dequantize(q, jnp.float32, _along(scale, axis, q.ndim)).astype(dtype)
