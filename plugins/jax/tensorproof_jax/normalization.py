"""Normalizations: the layers of Flax."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import linen
from tensorproof_jax.table import operations

LAYOUTS = {name: {"x": "n ... c", "y": "n ... c"} for name in ("batch_norm", "group_norm", "instance_norm")}


def _given(scale: Native | None, offset: Native | None) -> dict[str, Native]:
    named = {"scale": scale, "bias": offset}
    return {name: value for name, value in named.items() if value is not None}


@operations.library
def batch_norm(
    x: Native,
    scale: Native,
    offset: Native,
    running_mean: Native,
    running_variance: Native,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, Native, Native]:
    """``flax.linen.BatchNorm``, whose running variance is the biased one.

    Flax works its running statistics out in float32 at least; here they keep the dtype in which they came.
    """
    if training and running_variance_estimate != "biased":
        raise Unsupported("the running variance of flax.linen.BatchNorm is the biased one")
    layer = linen.BatchNorm(
        use_running_average=not training,
        momentum=momentum,
        epsilon=epsilon,
        use_bias=offset is not None,
        use_scale=scale is not None,
    )
    variables = {"params": _given(scale, offset), "batch_stats": {"mean": running_mean, "var": running_variance}}
    y, after = layer.apply(variables, x, mutable=["batch_stats"])
    mean, variance = after["batch_stats"]["mean"], after["batch_stats"]["var"]
    return y, mean.astype(running_mean.dtype), variance.astype(running_variance.dtype)


@operations.library
def layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Native:
    """``flax.linen.LayerNorm``."""
    layer = linen.LayerNorm(
        epsilon=epsilon,
        use_bias=offset is not None,
        use_scale=scale is not None,
        reduction_axes=tuple(axes),
        feature_axes=tuple(axes),
    )
    return layer.apply({"params": _given(scale, offset)}, x)


@operations.library
def rms_norm(x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Native:
    """``flax.linen.RMSNorm``."""
    layer = linen.RMSNorm(epsilon=epsilon, use_scale=scale is not None, reduction_axes=tuple(axes), feature_axes=tuple(axes))
    return layer.apply({"params": _given(scale, None)}, x)


@operations.library
def group_norm(
    x: Native, scale: Native | None = None, offset: Native | None = None, *, groups: int = 1, epsilon: float = 1e-5
) -> Native:
    """``flax.linen.GroupNorm``."""
    layer = linen.GroupNorm(num_groups=groups, epsilon=epsilon, use_bias=offset is not None, use_scale=scale is not None)
    return layer.apply({"params": _given(scale, offset)}, x)


@operations.library
def instance_norm(x: Native, scale: Native | None = None, offset: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """``flax.linen.InstanceNorm``."""
    layer = linen.InstanceNorm(epsilon=epsilon, use_bias=offset is not None, use_scale=scale is not None)
    return layer.apply({"params": _given(scale, offset)}, x)


operations.unsupported("local_response_normalization", "neither JAX nor Flax normalizes by neighbouring channels")
