"""Networks of images, of graphs and of experts from functions of TensorFlow and the layers of Keras."""

from collections.abc import Mapping, Sequence

from tensorproof.backend import Native
from tensorproof_tensorflow.elementwise import relu
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.normalization import batch_norm
from tensorproof_tensorflow.products import dense
from tensorproof_tensorflow.table import operations
from tensorproof_tensorflow.windows import conv2d, conv2d_transpose, max_pool2d

Parameters = Mapping[str, Native]

AROUND = ((1, 1), (1, 1))
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
    """``tf.nn.conv2d``, ``keras.layers.BatchNormalization`` and ``tf.nn.relu``."""

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
    strides = (stride, stride)
    active = relu(normalized("first", conv2d(x, parameters["first_weight"], stride=strides, padding=AROUND)))
    y = normalized("second", conv2d(active, parameters["second_weight"], padding=AROUND))
    if "shortcut_weight" in parameters:
        x = normalized("shortcut", conv2d(x, parameters["shortcut_weight"], stride=strides))
    return relu(y + x), after


@operations.composed
def graph_convolution(x: Native, adjacency: Native, parameters: Parameters) -> Native:
    """``keras.layers.Dense``, ``tf.linalg.matmul`` and ``tf.nn.relu``."""
    joined = adjacency + tf.eye(x.shape[0], dtype=x.dtype)
    factors = tf.math.rsqrt(tf.reduce_sum(joined, 1))
    propagation = factors[:, None] * joined * factors

    def propagated(x: Native, name: str) -> Native:
        y = tf.linalg.matmul(propagation, dense(x, parameters[f"{name}_weight"]))
        return y + parameters[f"{name}_bias"] if f"{name}_bias" in parameters else y

    return propagated(relu(propagated(x, "first")), "second")


@operations.composed
def mixture_of_experts(x: Native, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Native:
    """``tf.math.top_k``, ``tf.nn.softmax``, and ``tf.einsum`` for all experts, of which ``tf.gather`` takes the chosen."""
    scores = dense(x, parameters["gate_weight"])
    if softmax_over == "all":
        weights, indices = tf.math.top_k(tf.nn.softmax(scores), chosen)
    else:
        largest, indices = tf.math.top_k(scores, chosen)
        weights = tf.nn.softmax(largest)
    active = relu(tf.einsum("ne,kef->nkf", x, parameters["up_weight"]) + parameters["up_bias"])
    narrow = tf.einsum("nkf,kfe->nke", active, parameters["down_weight"]) + parameters["down_bias"]
    picked = tf.gather(narrow, indices, axis=1, batch_dims=1)
    return tf.einsum("nk,nke->ne", weights, picked)


@operations.composed
def variational_autoencoder(x: Native, parameters: Parameters, noise: Native | None = None) -> tuple[Native, Native]:
    """``keras.layers.Dense`` and ``tf.math.exp``."""

    def layer(x: Native, name: str, activation: str) -> Native:
        return dense(x, parameters[f"{name}_weight"], parameters[f"{name}_bias"], activation=activation)

    hidden = layer(x, "encoder", "tanh")
    mean, log_variance = layer(hidden, "mean", "linear"), layer(hidden, "log_variance", "linear")
    latent = mean if noise is None else mean + tf.math.exp(0.5 * log_variance) * noise
    reconstruction = layer(layer(latent, "decoder", "tanh"), "output", "sigmoid")
    return reconstruction, -0.5 * tf.reduce_sum(1.0 + log_variance - tf.square(mean) - tf.math.exp(log_variance), axis=1)


@operations.composed
def u_net_step(x: Native, parameters: Parameters) -> Native:
    """``tf.nn.conv2d``, ``tf.nn.relu``, ``tf.nn.max_pool2d``, ``tf.nn.conv2d_transpose`` and ``tf.concat``."""

    def twice(x: Native, name: str) -> Native:
        for place in (f"{name}_first", f"{name}_second"):
            x = relu(conv2d(x, parameters[f"{place}_weight"], parameters.get(f"{place}_bias"), padding=AROUND))
        return x

    passed = twice(x, "down")
    bottom = twice(max_pool2d(passed), "bottom")
    raised = conv2d_transpose(bottom, parameters["up_weight"], parameters.get("up_bias"), stride=(2, 2))
    return twice(tf.concat([passed, raised], -1), "join")


@operations.composed
def federated_average(clients: Sequence[Sequence[Native]], examples: Native | None = None) -> list[Native]:
    """``keras.ops.average`` of each weight."""
    return [keras.ops.average(tf.stack(weights), 0, examples) for weights in zip(*clients, strict=True)]
