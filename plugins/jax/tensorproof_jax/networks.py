"""Networks of images, of graphs and of experts from the layers of Flax, as models in JAX write them."""

from collections.abc import Mapping, Sequence

from tensorproof.backend import Native
from tensorproof_jax.elementwise import relu
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.normalization import batch_norm
from tensorproof_jax.products import dense
from tensorproof_jax.table import operations

Parameters = Mapping[str, Native]

KERNELS = dict.fromkeys(("first_weight", "second_weight", "shortcut_weight"), "h w c o")
STAGES = [f"{name}_{place}" for name in ("down", "bottom", "join") for place in ("first", "second")]
LAYOUTS = {
    "residual_block": {"x": "n h w c", **KERNELS, "y": "n h w o"},
    "u_net_step": {
        "x": "n h w c",
        **{f"{name}_weight": "h w c o" for name in STAGES},
        "up_weight": "h w o c",
        "y": "n h w o",
    },
}
"""Channels are last."""


@operations.composed
def residual_block(
    x: Native,
    parameters: Parameters,
    statistics: Parameters,
    *,
    stride: int = 1,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, dict[str, Native]]:
    """``flax.linen.Conv``, ``BatchNorm`` and ``jax.nn.relu``."""

    def normalized(name: str, x: Native) -> Native:
        y, after[f"{name}_mean"], after[f"{name}_variance"] = batch_norm(
            x,
            *(parameters[f"{name}_{kind}"] for kind in ("scale", "offset")),
            *(statistics[f"{name}_{kind}"] for kind in ("mean", "variance")),
            training=training,
            epsilon=epsilon,
            momentum=momentum,
            running_variance_estimate=running_variance_estimate,
        )
        return y

    after: dict[str, Native] = {}

    def maps(name: str, x: Native, stride: int, padding: int) -> Native:
        weight = parameters[f"{name}_weight"]
        layer = linen.Conv(weight.shape[-1], weight.shape[:2], stride, ((padding, padding),) * 2, use_bias=False)
        return layer.apply({"params": {"kernel": weight}}, x)

    active = relu(normalized("first", maps("first", x, stride, 1)))
    y = normalized("second", maps("second", active, 1, 1))
    if "shortcut_weight" in parameters:
        x = normalized("shortcut", maps("shortcut", x, stride, 0))
    return relu(y + x), after


@operations.composed
def graph_convolution(x: Native, adjacency: Native, parameters: Parameters) -> Native:
    """``flax.linen.Dense``, ``jnp.matmul`` and ``jax.nn.relu``."""
    joined = adjacency + jnp.eye(len(x), dtype=x.dtype)
    factors = jax.lax.rsqrt(joined.sum(1))
    propagation = factors[:, None] * joined * factors

    def propagated(x: Native, name: str) -> Native:
        y = propagation @ dense(x, parameters[f"{name}_weight"])
        return y + parameters[f"{name}_bias"] if f"{name}_bias" in parameters else y

    return propagated(relu(propagated(x, "first")), "second")


@operations.composed
def mixture_of_experts(x: Native, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Native:
    """``jax.lax.top_k``, ``jax.nn.softmax``, and ``jnp.einsum`` for all experts, of which the chosen are taken."""
    scores = dense(x, parameters["gate_weight"])
    if softmax_over == "all":
        weights, indices = jax.lax.top_k(jax.nn.softmax(scores), chosen)
    else:
        largest, indices = jax.lax.top_k(scores, chosen)
        weights = jax.nn.softmax(largest)
    active = relu(jnp.einsum("ne,kef->nkf", x, parameters["up_weight"]) + parameters["up_bias"])
    narrow = jnp.einsum("nkf,kfe->nke", active, parameters["down_weight"]) + parameters["down_bias"]
    picked = jnp.take_along_axis(narrow, indices[:, :, None], 1)
    return jnp.einsum("nk,nke->ne", weights, picked)


@operations.composed
def variational_autoencoder(x: Native, parameters: Parameters, noise: Native | None = None) -> tuple[Native, Native]:
    """``flax.linen.Dense``, ``jnp.tanh``, ``jnp.exp`` and ``jax.nn.sigmoid``."""

    def layer(x: Native, name: str, activation: str) -> Native:
        return dense(x, parameters[f"{name}_weight"], parameters[f"{name}_bias"], activation=activation)

    hidden = layer(x, "encoder", "tanh")
    mean, log_variance = layer(hidden, "mean", "linear"), layer(hidden, "log_variance", "linear")
    latent = mean if noise is None else mean + jnp.exp(0.5 * log_variance) * noise
    reconstruction = layer(layer(latent, "decoder", "tanh"), "output", "sigmoid")
    return reconstruction, -0.5 * jnp.sum(1.0 + log_variance - jnp.square(mean) - jnp.exp(log_variance), axis=1)


@operations.composed
def u_net_step(x: Native, parameters: Parameters) -> Native:
    """``flax.linen.Conv``, ``jax.nn.relu``, ``flax.linen.max_pool`` and ``ConvTranspose``, and ``jnp.concatenate``."""

    def given(name: str) -> dict[str, Native]:
        kernel, bias = parameters[f"{name}_weight"], parameters.get(f"{name}_bias")
        return {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}

    def twice(x: Native, name: str) -> Native:
        for place in (f"{name}_first", f"{name}_second"):
            found = given(place)
            layer = linen.Conv(found["kernel"].shape[-1], (3, 3), padding=1, use_bias="bias" in found)
            x = relu(layer.apply({"params": found}, x))
        return x

    passed = twice(x, "down")
    bottom = twice(linen.max_pool(passed, (2, 2), (2, 2)), "bottom")
    up = given("up")
    layer = linen.ConvTranspose(up["kernel"].shape[2], (2, 2), (2, 2), use_bias="bias" in up, transpose_kernel=True)
    raised = layer.apply({"params": up}, bottom)
    return twice(jnp.concatenate([passed, raised], -1), "join")


@operations.composed
def federated_average(clients: Sequence[Sequence[Native]], examples: Native | None = None) -> list[Native]:
    """``jnp.average`` of each weight."""
    return [jnp.average(jnp.stack(weights), 0, examples) for weights in zip(*clients, strict=True)]
