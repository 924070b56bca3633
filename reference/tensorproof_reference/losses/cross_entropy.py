"""Cross-entropy of distributions: see ``cross_entropy``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_axis, require_shape
from tensorproof_reference.losses._draw import distributions, one_hot_targets, soft_targets, targets_of_any_sum
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def cross_entropy(probabilities: Array, target: Array, *, axis: int = -1, reduction: str = "mean") -> Array:
    r"""The cross-entropy of a distribution q relative to p, in nats: :math:`H(p, q) = -\sum_k p_k \log q_k`.

    q are the ``probabilities`` and p is the ``target``; neither is clipped, nor required to sum to one.

    Shapes: ``probabilities`` and ``target`` have the same shape, of rank ≥ 1; the classes lie along ``axis``, counted from
    either end. The result is the mean or sum over the other axes, or has the shape without ``axis`` for ``reduction="none"``.
    Special values: by IEEE arithmetic. Probability 0 gives +∞ where the target is positive and NaN where it is 0 (0 · log 0);
    NaN and negative probabilities give NaN.
    Raises: ``ValueError`` if the shapes differ, if ``axis`` is not an axis, or if ``reduction`` is unknown.
    Source: Goodfellow, Bengio & Courville (2016), eq. 3.51; the texts, 002 §3.3.2.
    """
    require_shape(target, "target", probabilities.shape)
    require_axis(probabilities, "axis", axis)
    return reduced(-np.sum(target * np.log(probabilities), axis=axis), reduction)


def vjp(dy: Array, probabilities: Array, target: Array, *, axis: int = -1, reduction: str = "mean") -> Gradients:
    r""":math:`dq_k = -p_k / q_k \, dy`, divided by the number of distributions where the mean is taken."""
    axis = axis % probabilities.ndim
    shape = probabilities.shape[:axis] + probabilities.shape[axis + 1 :]
    return {"probabilities": -target / probabilities * np.expand_dims(spread(dy, shape, reduction), axis)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Soft and one-hot targets, other axes, reductions, exact zeros."""

    def pair(name: str, *shape: int, hard: bool = False) -> dict[str, Array]:
        draw = one_hot_targets if hard else soft_targets
        return {"probabilities": distributions(stream(name), shape), "target": draw(stream(name), shape)}

    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="labels_one_hot", inputs=pair("labels_one_hot", 5, 7, hard=True))
    dense = distributions(stream("labels_dense"), (5, 7))
    yield Sample(name="labels_dense", inputs={"probabilities": pair("labels_dense_q", 5, 7)["probabilities"], "target": dense})
    yield Sample(name="labels_own_distribution", inputs={"probabilities": dense, "target": dense})
    for reduction in ("mean", "none"):
        name = f"labels_of_any_sum_{reduction}"
        inputs = {**pair(name, 6, 7), "target": targets_of_any_sum(stream(name), (6, 7))}
        yield Sample(name=name, inputs=inputs, keywords={"reduction": reduction})
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128), keywords=none)
    for width in (2, 3, 8, 9, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width), keywords=none)
    yield Sample(name="rank_one", inputs=pair("rank_one", 7))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_classes", inputs=pair("unit_classes", 5, 1), expected={"y": asarray(0.0)}, exact_zero=("y",))
    row = Sample(name="unit_batch", inputs=pair("unit_batch_with", 1, 7))
    yield from with_each(row, [{"reduction": "sum"}, none, {"axis": 1}])
    yield from long_samples(lambda name, length: pair(name, length, 3), "rows")
    yield Sample(name="empty_batch_none", inputs=pair("empty_batch_none", 0, 7), keywords=none)
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    for name, axis in (("axis_first", 0), ("axis_middle", 1), ("axis_negative", -2)):
        for reduction in ("mean", "none"):
            keywords = {"axis": axis, "reduction": reduction}
            inputs = {key: np.moveaxis(value, -1, axis) for key, value in pair(f"{name}_{reduction}", 3, 4, 5).items()}
            yield Sample(name=f"{name}_{reduction}", inputs=inputs, keywords=keywords)
    small = np.full((5, 7), 2.0**-20)
    small[:, 3] = 1.0
    inputs = {"probabilities": small, "target": pair("magnitude_small", 5, 7)["target"]}
    yield Sample(name="magnitude_small", inputs=inputs, keywords=none, dtypes=("float64", "float32", "bfloat16"))
    inputs = pair("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["probabilities"], np.nan)
    inputs["probabilities"][-1] = 1.0 / 8.0
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["probabilities"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    rows = [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
    inputs = {"probabilities": asarray(rows), "target": asarray([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25], [0.5, 0.5, 0.0]])}
    yield Sample(name="zero_probability", inputs=inputs, keywords=none, expected={"y": asarray([np.nan, np.inf, np.nan])})
    inputs = {"probabilities": asarray([[np.inf, 0.5]] * 2), "target": asarray([[1.0, 0.0], [0.0, 1.0]])}
    yield Sample(name="infinity_probability", inputs=inputs, keywords=none, expected={"y": asarray([-np.inf, np.nan])})


def workload(stream: Stream, size: str) -> Sample:
    """Distributions over a thousand classes."""
    inputs = {name: distributions(stream(name), CLASSES[size]) for name in ("probabilities", "target")}
    return Sample(name=size, inputs=inputs)


def work(probabilities: Array, target: Array, *, axis: int = -1, reduction: str = "mean") -> Work:
    """A logarithm, a product, and their sum; back, a quotient and a product."""
    numbers = count(probabilities)
    rows = numbers // probabilities.shape[axis]
    terms = Work(flops=2 * numbers - rows, transcendentals=numbers, backward_flops=2 * numbers)
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=cross_entropy,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("probabilities",),
    documents=("002 §3.3.2",),
    workload=workload,
    work=work,
)
