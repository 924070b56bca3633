"""Activations, products, normalization, attention and lookup."""

import math
from typing import Any

import pytensor.tensor as pt
from pytensor.raise_op import Assert
from pytensor.tensor import special

from tensorproof.backend import Native
from tensorproof_pytensor.table import Given, composed, native, require, sizes


def relu(x: Native) -> Native:
    """PyTensor has none of its own since 3.0. ``pt.maximum`` alone has the gradient 1 at 0."""
    return pt.switch(x <= 0, pt.zeros_like(x), pt.maximum(x, 0.0))


def _gelu(of: Given) -> Native:
    if of.approximation == "tanh":
        near = pt.clip(of.x, -100.0, 100.0)  # Beyond, the tangent is ±1, and the cube may overflow.
        return of.x / 2.0 * (1.0 + pt.tanh(math.sqrt(2.0 / math.pi) * (near + 0.044715 * near**3)))
    return of.x / 2.0 * (1.0 + pt.erf(of.x / math.sqrt(2.0)))


def _over_axis(function: Any, of: Given) -> Native:
    require(sizes(of.x)[of.axis] > 0, "softmax takes the maximum over its axis, which is an error over an empty one")
    return function(of.x, of.axis)


ACTIVATIONS: dict[str, Any] = {"linear": lambda x: x, "relu": relu, "sigmoid": pt.sigmoid, "tanh": pt.tanh}


def affine(x: Native, weight: Native, bias: Native | None) -> Native:
    """The matrix product with the weight, and the bias if there is one."""
    product = pt.matmul(x, weight)
    return product if bias is None else product + bias


composed("relu", lambda of: relu(of.x))
native("sigmoid", lambda of: pt.sigmoid(of.x))
native("tanh", lambda of: pt.tanh(of.x))
native("softplus", lambda of: pt.softplus(of.x))
composed("silu", lambda of: of.x * pt.sigmoid(of.x))
composed("leaky_relu", lambda of: pt.switch(of.x > 0, of.x, of.negative_slope * of.x))
composed("gelu", _gelu)
native("softmax", lambda of: _over_axis(special.softmax, of))
native("log_softmax", lambda of: _over_axis(special.log_softmax, of))
native("flatten", lambda of: of.x.reshape((sizes(of.x)[0], math.prod(sizes(of.x)[1:]))), order="channels_first")
native("matmul", lambda of: pt.matmul(of.a, of.b))
composed("dense", lambda of: ACTIVATIONS[of.activation](affine(of.x, of.weight, of.bias)))
composed("linear_regression", lambda of: of.theta0 + pt.matmul(of.x, of.theta))
composed("logistic_regression", lambda of: pt.sigmoid(of.theta0 + pt.matmul(of.x, of.theta)))


def _normalized(x: Native, mean: Native, variance: Native, scale: Native | None, offset: Native | None, epsilon: float) -> Native:
    y = (x - mean) / pt.sqrt(variance + epsilon)
    y = y if scale is None else y * scale
    return y if offset is None else y + offset


def _batch_norm(of: Given) -> tuple[Native, Native, Native]:
    lengths = sizes(of.x)
    axes = tuple(axis for axis in range(len(lengths)) if axis != 1)
    along = (1, lengths[1], *(1 for _ in lengths[2:]))
    scale, offset = (None if item is None else item.reshape(along) for item in (of.scale, of.offset))
    if not of.training:
        mean, variance = of.running_mean, of.running_variance
        return _normalized(of.x, mean.reshape(along), variance.reshape(along), scale, offset, of.epsilon), mean, variance
    mean, variance = pt.mean(of.x, axes), pt.var(of.x, axes)
    y = _normalized(of.x, mean.reshape(along), variance.reshape(along), scale, offset, of.epsilon)
    count = math.prod(lengths[axis] for axis in axes)
    estimate = variance * (count / (count - 1)) if of.running_variance_estimate == "unbiased" else variance
    kept, taken = of.momentum, 1.0 - of.momentum
    return y, kept * of.running_mean + taken * mean, kept * of.running_variance + taken * estimate


def _layer_norm(of: Given) -> Native:
    mean, variance = pt.mean(of.x, of.axes, keepdims=True), pt.var(of.x, of.axes, keepdims=True)
    return _normalized(of.x, mean, variance, of.scale, of.offset, of.epsilon)


composed("batch_norm", _batch_norm)
composed("layer_norm", _layer_norm)


def _attention(of: Given) -> Native:
    scores = pt.matmul(of.query, pt.swapaxes(of.key, -1, -2))
    scores = scores * (1.0 / math.sqrt(sizes(of.query)[-1]) if of.scale is None else of.scale)
    allowed = pt.ones(sizes(scores)[-2:], "bool")
    allowed = pt.tril(allowed) if of.causal else allowed
    allowed = allowed if of.mask is None else allowed & of.mask
    some = pt.any(allowed, axis=-1, keepdims=True)
    scores = pt.switch(allowed, scores, -math.inf)
    if of.fully_masked_rows != "nan":
        scores = pt.switch(some, scores, 0.0)
    weights = special.softmax(scores, -1)
    return pt.matmul(pt.switch(some, weights, 0.0) if of.fully_masked_rows == "zero" else weights, of.value)


composed("scaled_dot_product_attention", _attention)


def in_range(labels: Native, count: int, out_of_range: str) -> tuple[Native, Native]:
    """Labels that name one of ``count`` things, and which of them were not so."""
    outside = (labels < 0) | (labels >= count)
    if out_of_range == "error":
        return Assert("a label out of range")(labels, pt.all(~outside)), outside
    return pt.clip(labels, 0, count - 1), outside


def replaced(values: Native, outside: Native, out_of_range: str) -> Native:
    """The values, with those of labels out of range as the convention says."""
    numbers = {"zeros": 0.0, "nan": math.nan}
    return pt.switch(outside, numbers[out_of_range], values) if out_of_range in numbers else values


def _embedding(of: Given) -> Native:
    indices, outside = in_range(of.indices, sizes(of.weight)[0], of.out_of_range)
    return replaced(of.weight[indices], outside[..., None], of.out_of_range)


def one_hot(labels: Native, classes: int, out_of_range: str) -> Native:
    """Rows of numbers, 1 at the label."""
    labels, outside = in_range(labels, classes, out_of_range)
    rows = pt.cast(pt.eq(labels[..., None], pt.arange(classes)), "floatX")
    return replaced(rows, outside[..., None], out_of_range)


native("embedding", _embedding)
composed("one_hot", lambda of: one_hot(of.labels, of.classes, of.out_of_range))
