"""Normalizations: the layers of Flax."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jnp, linen
from tensorproof_jax.table import operations

LAYOUTS = {name: {"x": "n ... c", "y": "n ... c"} for name in ("batch_norm", "group_norm", "instance_norm", "channel_dropout")}
LAYOUTS["spectral_norm"] = {"weight": "... a", "y": "... a"}
"""Channels are last; and so are the features of a kernel."""


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


class _Kernel(linen.Module):  # type: ignore[misc]
    """A layer that gives its kernel."""

    shape: tuple[int, ...]

    @linen.compact  # type: ignore[untyped-decorator]
    def __call__(self) -> Native:
        return self.param("kernel", linen.initializers.zeros, self.shape)


@operations.library
def weight_norm(direction: Native, scale: Native, *, axis: int | None = 0) -> Native:
    """``flax.linen.WeightNorm``, without its epsilon."""
    layer = linen.WeightNorm(_Kernel(direction.shape), epsilon=0.0, feature_axes=axis)
    return layer.apply({"params": {"layer_instance": {"kernel": direction}, "layer_instance/kernel/scale": scale}})


@operations.library
def spectral_norm(weight: Native, vector: Native) -> tuple[Native, Native]:
    """``flax.linen.SpectralNorm``, which iterates from the vector of the last axis."""
    layer = linen.SpectralNorm(_Kernel(weight.shape), epsilon=0.0)
    name = "layer_instance/kernel"
    stats = {f"{name}/u": vector[None], f"{name}/sigma": jnp.ones((), vector.dtype)}
    variables = {"params": {"layer_instance": {"kernel": weight}}, "batch_stats": stats}
    y, after = layer.apply(variables, update_stats=True, mutable=["batch_stats"])
    return y, after["batch_stats"][f"{name}/u"][0]
