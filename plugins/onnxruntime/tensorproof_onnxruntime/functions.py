"""Activations, products, normalization, attention, lookup and data, by ONNX operators of the same meaning."""

from collections.abc import Mapping, Sequence
from typing import Any

from onnx import TensorProto

from tensorproof.backend import Unsupported
from tensorproof_onnxruntime.graph import Symbol, indices, node, nodes
from tensorproof_onnxruntime.table import operations

Axes = Sequence[int]


@operations.native
def relu(x: Symbol) -> Symbol:
    """``Relu``."""
    return node("Relu", x)


@operations.native
def leaky_relu(x: Symbol, *, negative_slope: float = 0.2) -> Symbol:
    """``LeakyRelu``."""
    return node("LeakyRelu", x, alpha=negative_slope)


@operations.native
def sigmoid(x: Symbol) -> Symbol:
    """``Sigmoid``."""
    return node("Sigmoid", x)


@operations.native
def tanh(x: Symbol) -> Symbol:
    """``Tanh``."""
    return node("Tanh", x)


@operations.native
def softplus(x: Symbol) -> Symbol:
    """``Softplus``."""
    return node("Softplus", x)


@operations.native
def gelu(x: Symbol, *, approximation: str = "none") -> Symbol:
    """``Gelu``."""
    return node("Gelu", x, approximate=approximation)


@operations.composed
def silu(x: Symbol) -> Symbol:
    """The formula, as exporters write it: ``Swish`` is younger than this opset."""
    return x * node("Sigmoid", x)


@operations.native
def softmax(x: Symbol, *, axis: int = -1) -> Symbol:
    """``Softmax``."""
    return node("Softmax", x, axis=axis)


@operations.native
def log_softmax(x: Symbol, *, axis: int = -1) -> Symbol:
    """``LogSoftmax``."""
    return node("LogSoftmax", x, axis=axis)


@operations.native
def flatten(x: Symbol, *, order: str = "channels_first") -> Symbol:
    """``Flatten``."""
    if order != "channels_first":
        raise Unsupported("Flatten joins the axes in their order")
    return node("Flatten", x, axis=1)


@operations.native
def matmul(a: Symbol, b: Symbol) -> Symbol:
    """``MatMul``."""
    return node("MatMul", a, b)


@operations.native
def dense(x: Symbol, weight: Symbol, bias: Symbol | None = None, *, activation: str = "linear") -> Symbol:
    """``MatMul``, ``Add`` and the activation, which ONNX Runtime fuses."""
    y = node("MatMul", x, weight)
    y = y if bias is None else y + bias
    return y if activation == "linear" else node({"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}[activation], y)


@operations.composed
def linear_regression(x: Symbol, theta0: Symbol, theta: Symbol) -> Symbol:
    """``MatMul`` and ``Add``."""
    return node("MatMul", x, theta) + theta0


@operations.composed
def logistic_regression(x: Symbol, theta0: Symbol, theta: Symbol) -> Symbol:
    """``MatMul``, ``Add`` and ``Sigmoid``."""
    return node("Sigmoid", node("MatMul", x, theta) + theta0)


def _filled(x: Symbol, start: int, end: int | None, value: float) -> Symbol:
    """A constant array of the shape of some axes of ``x``."""
    span = {} if end is None else {"end": end}
    shape = node("Shape", x, dtype=TensorProto.INT64, start=start, **span)
    ones = node("ConstantOfShape", shape, dtype=TensorProto.FLOAT)
    return node("Cast", ones, dtype=x.dtype, to=x.dtype) + value


@operations.native
def layer_norm(
    x: Symbol, scale: Symbol | None = None, offset: Symbol | None = None, *, axes: Axes = (-1,), epsilon: float = 1e-5
) -> Symbol:
    """``LayerNormalization``."""
    first = -len(axes)
    weight = _filled(x, first, None, 1.0) if scale is None else scale
    return node("LayerNormalization", x, weight, offset, axis=first, epsilon=epsilon)


@operations.native
def batch_norm(
    x: Symbol,
    scale: Symbol | None,
    offset: Symbol | None,
    running_mean: Symbol,
    running_variance: Symbol,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Symbol, Symbol, Symbol]:
    """``BatchNormalization`` at inference."""
    if training:
        raise Unsupported("ONNX Runtime's CPU provider computes BatchNormalization at inference only")
    weight = _filled(running_mean, 0, None, 1.0) if scale is None else scale
    shift = _filled(running_mean, 0, None, 0.0) if offset is None else offset
    y = node("BatchNormalization", x, weight, shift, running_mean, running_variance, epsilon=epsilon)
    return y, running_mean, running_variance


def _rank_four(value: Symbol, kind: str) -> Symbol:
    """The array with two leading axes, as ``Attention`` takes it."""
    if value.shape is None or len(value.shape) > 4:
        raise Unsupported("Attention takes arrays of rank 4")
    missing = 4 - len(value.shape)
    axes = list(range(missing)) if kind == "mask" or missing != 1 else [1]
    return node("Unsqueeze", value, indices(value, axes)) if missing else value


@operations.native
def scaled_dot_product_attention(
    query: Symbol,
    key: Symbol,
    value: Symbol,
    mask: Symbol | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Symbol:
    """``Attention``."""
    if fully_masked_rows != "zero":
        raise Unsupported("Attention gives zeros for a query that may see no key")
    rank = len(query.shape or ())
    given = [_rank_four(item, "array") for item in (query, key, value)]
    if mask is not None:
        given.append(_rank_four(mask, "array" if len(mask.shape or ()) == rank else "mask"))
    factor: dict[str, Any] = {} if scale is None else {"scale": scale}
    y = node("Attention", *given, is_causal=int(causal), **factor)
    removed: list[int] = {4: [], 3: [1], 2: [0, 1]}[rank]
    return node("Squeeze", y, indices(y, removed)) if removed else y


@operations.native
def embedding(indices: Symbol, weight: Symbol, *, out_of_range: str = "error") -> Symbol:
    """``Gather``, which counts negative indices from the end."""
    if out_of_range != "error":
        raise Unsupported("Gather raises for indices out of range")
    return node("Gather", weight, indices)


@operations.native
def one_hot(labels: Symbol, *, classes: int, out_of_range: str = "error") -> Symbol:
    """``OneHot``, which gives a row of zeros for labels out of range, and counts negative ones from the end."""
    if out_of_range != "zeros":
        raise Unsupported("OneHot gives zeros for labels out of range")
    values = labels.graph.constant([0.0, 1.0], TensorProto.FLOAT)
    return node("OneHot", labels, indices(labels, classes), values, dtype=TensorProto.FLOAT)


@operations.native
def dropout(x: Symbol, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Symbol:
    """``Dropout``."""
    ratio = x.graph.constant(rate, TensorProto.FLOAT)
    return node("Dropout", x, ratio, x.graph.constant(training, TensorProto.BOOL), seed=seed)


def _drawn(kind: str, like: Symbol, seed: int, **attributes: float) -> Symbol:
    return node(kind, like, dtype=like.dtype, seed=float(seed), **attributes)


@operations.native
def normal(like: Symbol, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Symbol:
    """``RandomNormalLike``."""
    return _drawn("RandomNormalLike", like, seed, mean=mean, scale=deviation)


@operations.native
def uniform(like: Symbol, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Symbol:
    """``RandomUniformLike``."""
    return _drawn("RandomUniformLike", like, seed, low=low, high=high)


@operations.composed
def rescale(x: Symbol, *, scale: float = 1 / 255, offset: float = 0.0) -> Symbol:
    """``Mul`` and ``Add``."""
    return x * scale + offset


@operations.native
def horizontal_flip(x: Symbol) -> Symbol:
    """``Slice`` with a step of -1."""
    starts, ends, axes, steps = (indices(x, [number]) for number in (-1, -(2**62), 3, -1))
    return node("Slice", x, starts, ends, axes, steps)


def _share(right: Symbol) -> Symbol:
    """The mean of booleans."""
    return node("ReduceMean", node("Cast", right, dtype=TensorProto.FLOAT, to=TensorProto.FLOAT), keepdims=0)


@operations.composed
def binary_accuracy(probabilities: Symbol, target: Symbol, *, threshold: float = 0.5) -> Symbol:
    """``Greater``, ``Equal`` and ``ReduceMean``."""
    answer = node("Greater", probabilities, threshold, dtype=TensorProto.BOOL)
    return _share(node("Equal", node("Cast", answer, dtype=target.dtype, to=target.dtype), target, dtype=TensorProto.BOOL))


def _largest(scores: Symbol) -> Symbol:
    return node("ArgMax", scores, dtype=TensorProto.INT64, axis=-1, keepdims=0)


@operations.composed
def categorical_accuracy(scores: Symbol, target: Symbol) -> Symbol:
    """``ArgMax``, ``Equal`` and ``ReduceMean``."""
    return _share(node("Equal", _largest(scores), _largest(target), dtype=TensorProto.BOOL))


@operations.composed
def sparse_categorical_accuracy(scores: Symbol, labels: Symbol) -> Symbol:
    """``ArgMax``, ``Equal`` and ``ReduceMean``."""
    return _share(node("Equal", _largest(scores), labels, dtype=TensorProto.BOOL))


Weights = Mapping[str, Symbol]


def _gates(x: Symbol, hidden: Symbol, parameters: Weights, count: int) -> tuple[list[Symbol], list[Symbol]]:
    """What the input and the state give to each gate."""
    from_input = dense(x, parameters["input_weights"], parameters.get("bias"))
    from_hidden = dense(hidden, parameters["recurrent_weights"], parameters.get("recurrent_bias"))
    split = [nodes("Split", part, dtypes=[x.dtype] * count, axis=-1, num_outputs=count) for part in (from_input, from_hidden)]
    return list(split[0]), list(split[1])


@operations.composed
def lstm_gates(x: Symbol, hidden: Symbol, cell: Symbol, parameters: Weights) -> tuple[Symbol, ...]:
    """The formulas: ``LSTM`` does not show its gates."""
    given, kept = _gates(x, hidden, parameters, 4)
    kinds = ("Sigmoid", "Sigmoid", "Tanh", "Sigmoid")
    return tuple(node(kind, first + second) for kind, first, second in zip(kinds, given, kept, strict=True))


@operations.composed
def gru_gates(x: Symbol, hidden: Symbol, parameters: Weights, *, reset: str = "before") -> tuple[Symbol, Symbol, Symbol]:
    """The formulas: ``GRU`` does not show its gates."""
    if reset != "after":
        raise Unsupported("the gates are composed with the reset after the product")
    (x_z, x_r, x_n), (h_z, h_r, h_n) = _gates(x, hidden, parameters, 3)
    z, r = node("Sigmoid", x_z + h_z), node("Sigmoid", x_r + h_r)
    return z, r, node("Tanh", x_n + r * h_n)
