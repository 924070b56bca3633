"""Activations, products, windows, normalization, attention and lookup, by ``keras.ops`` and ``keras.layers``."""

import functools
from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_keras.engines import keras
from tensorproof_keras.table import operations

ops = keras.ops
Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]
IMAGES = "n h w c"
LAYOUTS = {
    "conv2d": {"x": IMAGES, "weight": "h w i o", "y": "n h w o"},
    "conv2d_transpose": {"x": IMAGES, "weight": "h w o i", "y": "n h w o"},
    "max_pool2d": {"x": IMAGES, "y": IMAGES},
    "average_pool2d": {"x": IMAGES, "y": IMAGES},
    "batch_norm": {"x": "n ... c", "y": "n ... c"},
    "flatten": {"x": "n ... c"},
}


def dtype_of(x: Native) -> str:
    """Keras's name of the dtype."""
    return str(keras.backend.standardize_dtype(x.dtype))


@functools.cache
def _built(kind: str, shape: tuple[int, ...], dtype: str, bidirectional: bool, options: tuple[tuple[str, Any], ...]) -> Any:
    layer = getattr(keras.layers, kind)(**dict(options), dtype=dtype)
    layer = keras.layers.Bidirectional(layer, dtype=dtype) if bidirectional else layer
    layer.build(shape)
    return layer


def layer(
    kind: str, x: Native, weights: Sequence[Native], state: Sequence[Native] = (), bidirectional: bool = False, **options: Any
) -> Any:
    """What ``keras.layers.<kind>`` returns with these weights, and its state afterwards; ``call_…`` are for the call."""
    call = {name.removeprefix("call_"): value for name, value in options.items() if name.startswith("call_")}
    made = {name: value for name, value in options.items() if not name.startswith("call_")}
    built = _built(kind, tuple(x.shape), dtype_of(x), bidirectional, tuple(sorted(made.items())))
    state = list(state) or [variable.value for variable in built.non_trainable_variables]
    return built.stateless_call(list(weights), state, x, **call)


for function in (ops.relu, ops.sigmoid, ops.tanh, ops.softplus, ops.silu):
    operations.native(function)


@operations.native
def leaky_relu(x: Native, *, negative_slope: float = 0.2) -> Native:
    """``ops.leaky_relu``."""
    return ops.leaky_relu(x, negative_slope)


@operations.native
def gelu(x: Native, *, approximation: str = "none") -> Native:
    """``ops.gelu``."""
    return ops.gelu(x, approximate=approximation == "tanh")


@operations.native
def softmax(x: Native, *, axis: int = -1) -> Native:
    """``ops.softmax``."""
    return ops.softmax(x, axis)


@operations.native
def log_softmax(x: Native, *, axis: int = -1) -> Native:
    """``ops.log_softmax``."""
    return ops.log_softmax(x, axis)


@operations.native
def flatten(x: Native, *, order: str = "channels_first") -> Native:
    """``layers.Flatten``."""
    if order != "channels_last":
        raise Unsupported("layers.Flatten joins the axes of arrays with channels last in their order")
    return keras.layers.Flatten(dtype=dtype_of(x))(x)


@operations.native
def matmul(a: Native, b: Native) -> Native:
    """``ops.matmul``."""
    return ops.matmul(a, b)


@operations.native
def dense(x: Native, weight: Native, bias: Native | None = None, *, activation: str = "linear") -> Native:
    """``layers.Dense``."""
    weights = [weight] if bias is None else [weight, bias]
    return layer("Dense", x, weights, units=weight.shape[1], activation=activation, use_bias=bias is not None)[0]


@operations.composed
def linear_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """``ops.matmul`` and an addition."""
    return ops.matmul(x, theta) + theta0


@operations.composed
def logistic_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """``ops.sigmoid`` of the linear regression."""
    return ops.sigmoid(ops.matmul(x, theta) + theta0)


def _named(padding: Padding) -> str:
    """Padding in Keras's words; pairs are for ``ops.pad`` before the call."""
    return padding if isinstance(padding, str) else "valid"


def _padded(x: Native, padding: Padding) -> Native:
    return x if isinstance(padding, str) else ops.pad(x, ((0, 0), padding[0], padding[1], (0, 0)))


@operations.native
def conv2d(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``ops.conv``, which finds the number of groups from the shapes, after ``ops.pad`` for pairs."""
    if stride != (1, 1) and dilation != (1, 1):
        raise Unsupported("keras.layers.Conv2D has a stride or a dilation, not both")
    y = ops.conv(_padded(x, padding), weight, stride, _named(padding), "channels_last", dilation)
    return y if bias is None else y + bias


@operations.native
def conv2d_transpose(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``ops.conv_transpose``."""
    if groups != 1:
        raise Unsupported("ops.conv_transpose has no groups")
    if not isinstance(padding, str):
        raise Unsupported("ops.conv_transpose takes padding by name only")
    if stride != (1, 1) and dilation != (1, 1):
        raise Unsupported("ops.conv_transpose has a stride or a dilation, not both")
    if any(kernel < step for kernel, step in zip(weight.shape[:2], stride, strict=True)):
        raise Unsupported("ops.conv_transpose appends rows where the kernel is smaller than the stride")
    extra = None if output_padding == (0, 0) else output_padding
    y = ops.conv_transpose(x, weight, stride, padding, extra, "channels_last", dilation)
    return y if bias is None else y + bias


def _pooled(pool: Any, x: Native, window: Pair, stride: Pair | None, padding: Padding, ceil_mode: bool) -> Native:
    if ceil_mode:
        raise Unsupported("Keras has no ceil mode")
    if not isinstance(padding, str):
        raise Unsupported("Keras's pooling takes padding by name only")
    return pool(x, window, stride or window, padding, "channels_last")


@operations.native
def max_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``ops.max_pool``."""
    return _pooled(ops.max_pool, x, window, stride, padding, ceil_mode)


@operations.native
def average_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``ops.average_pool``, which does not count its padding."""
    if padding == "same" and count_padding:
        raise Unsupported("ops.average_pool does not count the padding that it adds")
    return _pooled(ops.average_pool, x, window, stride, padding, ceil_mode)


def _given(*weights: Native | None) -> list[Native]:
    return [weight for weight in weights if weight is not None]


@operations.native
def batch_norm(
    x: Native,
    scale: Native | None,
    offset: Native | None,
    running_mean: Native,
    running_variance: Native,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, Native, Native]:
    """``layers.BatchNormalization``, whose running variance is the biased one."""
    if training and running_variance_estimate != "biased":
        raise Unsupported("Keras updates the running variance with the biased variance of the batch")
    options: dict[str, Any] = {"scale": scale is not None, "center": offset is not None, "momentum": momentum}
    state = [running_mean, running_variance]
    weights = _given(scale, offset)
    y, (mean, variance) = layer("BatchNormalization", x, weights, state, call_training=training, epsilon=epsilon, **options)
    return y, mean, variance


@operations.native
def layer_norm(
    x: Native, scale: Native | None = None, offset: Native | None = None, *, axes: Sequence[int] = (-1,), epsilon: float = 1e-5
) -> Native:
    """``layers.LayerNormalization``."""
    options: dict[str, Any] = {"scale": scale is not None, "center": offset is not None}
    return layer("LayerNormalization", x, _given(scale, offset), axis=tuple(axes), epsilon=epsilon, **options)[0]


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
    """``ops.dot_product_attention`` of one head, all leading axes taken together as its batch.

    On JAX it takes features and values of one width: the narrower ones are filled up with zeros, which change nothing.
    """
    if fully_masked_rows != "uniform":
        raise Unsupported("ops.dot_product_attention adds a large negative number where the mask is false")
    *leading, rows, features = query.shape
    columns, results = value.shape[-2:]
    if mask is not None:
        mask = ops.reshape(ops.broadcast_to(mask, [*leading, rows, columns]), [-1, 1, rows, columns])
    flat = [ops.reshape(item, [-1, item.shape[-2], 1, item.shape[-1]]) for item in (query, key, value)]
    if features != results and keras.backend.backend() == "jax":
        missing = [max(features, results) - item.shape[-1] for item in flat]
        flat = [ops.pad(item, [(0, 0), (0, 0), (0, 0), (0, count)]) for item, count in zip(flat, missing, strict=True)]
        scale = features**-0.5 if scale is None else scale
    y = ops.dot_product_attention(*flat, mask=mask, scale=scale, is_causal=causal)
    return ops.reshape(y[..., :results], [*leading, rows, results])


OUT_OF_RANGE = {
    "embedding": {"tensorflow": "error", "torch": "error", "jax": "nan"},
    "one_hot": {"tensorflow": "zeros", "torch": "error", "jax": "zeros"},
    "softmax_cross_entropy": {"tensorflow": "error", "torch": "error", "jax": "zeros"},
    "sparse_categorical_cross_entropy": {"tensorflow": "error", "torch": "error", "jax": "nan"},
}
"""What an index or a label does that is out of range, by operation and backend of Keras."""


def require_convention(operation: str, out_of_range: str) -> None:
    """Refuse another convention than that of the backend of Keras.

    Raises:
        Unsupported: it is another one.
    """
    here = OUT_OF_RANGE[operation][keras.backend.backend()]
    if out_of_range != here:
        raise Unsupported(f"on {keras.backend.backend()} an index out of range gives {here!r}")


@operations.native
def embedding(indices: Native, weight: Native, *, out_of_range: str = "error") -> Native:
    """``ops.take``, which counts negative indices from the end."""
    require_convention("embedding", out_of_range)
    return ops.take(weight, indices, axis=0)


@operations.native
def one_hot(labels: Native, *, classes: int, out_of_range: str = "error") -> Native:
    """``ops.one_hot``."""
    require_convention("one_hot", out_of_range)
    return ops.one_hot(labels, classes)


@operations.native
def dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``keras.random.dropout``."""
    return keras.random.dropout(x, rate, seed=seed) if training and rate > 0 else ops.copy(x)
