"""Activations, products, normalization, attention and lookup."""

from typing import Any

import paddle
import paddle.nn.functional as F

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, composed, native, require

native("relu", lambda of: F.relu(of.x))
native("sigmoid", lambda of: F.sigmoid(of.x))
native("tanh", lambda of: paddle.tanh(of.x))
native("softplus", lambda of: F.softplus(of.x))
native("silu", lambda of: F.silu(of.x))
native("leaky_relu", lambda of: F.leaky_relu(of.x, of.negative_slope))
native("gelu", lambda of: F.gelu(of.x, approximate=of.approximation == "tanh"))
native("softmax", lambda of: F.softmax(of.x, of.axis))
native("log_softmax", lambda of: F.log_softmax(of.x, of.axis))
native("flatten", lambda of: paddle.flatten(of.x, 1), order="channels_first")
native("matmul", lambda of: paddle.matmul(of.a, of.b))
native("embedding", lambda of: F.embedding(of.indices, of.weight), out_of_range="error")
native("one_hot", lambda of: F.one_hot(of.labels, of.classes), out_of_range="error")
composed("linear_regression", lambda of: of.theta0 + paddle.matmul(of.x, of.theta))
composed("logistic_regression", lambda of: F.sigmoid(of.theta0 + paddle.matmul(of.x, of.theta)))

ACTIVATIONS: dict[str, Any] = {"linear": lambda x: x, "relu": F.relu, "sigmoid": F.sigmoid, "tanh": paddle.tanh}
native("dense", lambda of: ACTIVATIONS[of.activation](F.linear(of.x, of.weight, of.bias)))


def _batch_norm(of: Given) -> tuple[Native, Native, Native]:
    """``F.batch_norm``, which updates running statistics in place: those of a copy."""
    require(not of.training or of.running_variance_estimate == "biased", "the running variance is the biased one")
    running = of.running_mean.clone(), of.running_variance.clone()
    options = {"training": of.training, "momentum": of.momentum, "epsilon": of.epsilon}
    return F.batch_norm(of.x, *running, of.scale, of.offset, **options), *running


def _layer_norm(of: Given) -> Native:
    """``F.layer_norm``, which takes its weights as vectors."""
    first = of.x.ndim - len(of.axes)
    require(
        sorted(axis % of.x.ndim for axis in of.axes) == list(range(first, of.x.ndim)), "F.layer_norm takes the last axes only"
    )
    require(first > 0, "F.layer_norm keeps the first axis")
    require(of.epsilon <= 0.001, "F.layer_norm takes an epsilon of 0.001 at most")
    weights = [None if item is None else item.flatten() for item in (of.scale, of.offset)]
    return F.layer_norm(of.x, of.x.shape[first:], *weights, of.epsilon)


def _dropout(of: Given) -> Native:
    """``F.dropout``, after seeding the generator."""
    paddle.seed(of.seed)
    return F.dropout(of.x, of.rate, training=of.training)


def _attention(of: Given) -> Native:
    """``scaled_dot_product_attention`` as PyTorch has it, all leading axes taken together as its batch.

    It takes a mask or ``is_causal``: together they are made one mask.
    """
    *leading, rows, _ = of.query.shape
    columns, mask, causal = of.key.shape[-2], of.mask, of.causal and of.mask is None
    if mask is not None:
        mask = mask & paddle.ones([rows, columns], "bool").tril() if of.causal else mask
        mask = paddle.broadcast_to(mask, [*leading, rows, columns]).reshape([-1, 1, rows, columns])
    flat = [item.reshape([-1, 1, *item.shape[-2:]]) for item in (of.query, of.key, of.value)]
    attend = paddle.compat.nn.functional.scaled_dot_product_attention
    y = attend(*flat, attn_mask=mask, is_causal=causal, scale=of.scale)
    return y.reshape([*leading, rows, of.value.shape[-1]])


native("batch_norm", _batch_norm)
native("layer_norm", _layer_norm)
native("dropout", _dropout)
native("scaled_dot_product_attention", _attention, fully_masked_rows="nan")
