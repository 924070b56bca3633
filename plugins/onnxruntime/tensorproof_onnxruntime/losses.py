"""Losses and penalties: ``SoftmaxCrossEntropyLoss`` where ONNX has the loss, and the formulas in its operators elsewhere."""

from onnx import TensorProto

from tensorproof.backend import Unsupported
from tensorproof_onnxruntime.graph import Symbol, indices, node
from tensorproof_onnxruntime.table import operations


def _reduced(losses: Symbol, reduction: str) -> Symbol:
    if reduction == "none":
        return losses
    return node({"mean": "ReduceMean", "sum": "ReduceSum"}[reduction], losses, keepdims=0)


def _sum_of(x: Symbol, axis: int, keepdims: bool = False) -> Symbol:
    return node("ReduceSum", x, indices(x, [axis]), keepdims=int(keepdims))


def _prepared(probabilities: Symbol, clipping: str, epsilon: float, normalize: bool) -> Symbol:
    """Probabilities rescaled over the classes and clipped, as asked for."""
    if normalize:
        probabilities = probabilities / _sum_of(probabilities, -1, keepdims=True)
    return node("Clip", probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities


@operations.composed
def mean_squared_error(prediction: Symbol, target: Symbol, *, reduction: str = "mean") -> Symbol:
    """``Sub``, ``Mul`` and the reduction."""
    difference = prediction - target
    return _reduced(difference * difference, reduction)


@operations.composed
def binary_cross_entropy(
    probabilities: Symbol, target: Symbol, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Symbol:
    """The formula."""
    q = _prepared(probabilities, clipping, epsilon, False)
    likely, unlikely = node("Log", q), node("Log", 1.0 - q)
    if clipping == "log":
        likely, unlikely = node("Max", likely, -100.0), node("Max", unlikely, -100.0)
    return _reduced(-(target * likely + (1.0 - target) * unlikely), reduction)


@operations.composed
def binary_cross_entropy_with_logits(logits: Symbol, target: Symbol, *, reduction: str = "mean") -> Symbol:
    """The formula with ``Softplus``."""
    return _reduced((1.0 - target) * logits + node("Softplus", -logits), reduction)


@operations.composed
def categorical_cross_entropy(
    probabilities: Symbol,
    target: Symbol,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Symbol:
    """The formula."""
    q = _prepared(probabilities, clipping, epsilon, normalize)
    return _reduced(-_sum_of(target * node("Log", q), -1), reduction)


@operations.composed
def cross_entropy(probabilities: Symbol, target: Symbol, *, axis: int = -1, reduction: str = "mean") -> Symbol:
    """The formula."""
    return _reduced(-_sum_of(target * node("Log", probabilities), axis), reduction)


def _picked(values: Symbol, labels: Symbol) -> Symbol:
    """The value at each label."""
    there = node("Unsqueeze", labels, indices(labels, [-1]))
    return node("Squeeze", node("GatherElements", values, there, axis=-1), indices(labels, [-1]))


@operations.composed
def sparse_categorical_cross_entropy(
    probabilities: Symbol,
    labels: Symbol,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Symbol:
    """The formula with ``GatherElements``."""
    if out_of_range != "error":
        raise Unsupported("GatherElements raises for labels out of range")
    q = _prepared(probabilities, clipping, epsilon, normalize)
    return _reduced(-node("Log", _picked(q, labels)), reduction)


@operations.native
def softmax_cross_entropy(
    logits: Symbol,
    target: Symbol,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Symbol:
    """``SoftmaxCrossEntropyLoss`` of labels, where classes are the second axis; the formula elsewhere."""
    if out_of_range != "error":
        raise Unsupported("labels out of range are an error")
    soft = target.dtype != TensorProto.INT64
    if not soft and not label_smoothing and target.shape is not None and len(target.shape) == 1:
        ignored = {} if ignored_label is None else {"ignore_index": ignored_label}
        return node("SoftmaxCrossEntropyLoss", logits, target, reduction=reduction, **ignored)
    if ignored_label is not None:
        raise Unsupported("SoftmaxCrossEntropyLoss ignores labels of arrays of rank 1, without smoothing")
    log = node("LogSoftmax", logits, axis=-1)
    if not soft and not label_smoothing:
        return _reduced(-_picked(log, target), reduction)
    count = node("Cast", node("Shape", logits, dtype=TensorProto.INT64, start=-1), dtype=logits.dtype, to=logits.dtype)
    share = node("Div", count.graph.constant(label_smoothing, count.dtype), count)
    if not soft:
        return _reduced(-(_picked(log, target) * (1.0 - label_smoothing) + _sum_of(log * share, -1)), reduction)
    return _reduced(-_sum_of((target * (1.0 - label_smoothing) + share) * log, -1), reduction)


@operations.composed
def hinge(scores: Symbol, labels: Symbol, *, reduction: str = "mean") -> Symbol:
    """The formula."""
    return _reduced(node("Relu", 1.0 - labels * scores), reduction)


@operations.native
def l1_penalty(w: Symbol, *, strength: float = 0.01) -> Symbol:
    """``ReduceL1``."""
    return node("ReduceL1", w, keepdims=0) * strength


@operations.native
def l2_penalty(w: Symbol, *, strength: float = 0.01) -> Symbol:
    """``ReduceSumSquare``."""
    return node("ReduceSumSquare", w, keepdims=0) * strength
