"""Categorical cross-entropy of integer labels from probabilities: see ``sparse_categorical_cross_entropy``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses import _draw
from tensorproof_reference.losses._labels import OUT_OF_RANGE, in_range, indicated, picked, replaced
from tensorproof_reference.losses._probabilities import (
    clipped,
    normalized,
    require_clipping,
    unclipped_cotangent,
    unnormalized_cotangent,
)
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import CLASSES, clipping_work, normalizing_work, reduction_work
from tensorproof_reference.operation import DTYPES, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def sparse_categorical_cross_entropy(
    probabilities: Array,
    labels: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Array:
    r"""The negative log likelihood of integer labels: :math:`y = -\log q_l` for label l, averaged over samples.

    ``normalize`` divides q by its sum over the classes first. Then ``clipping`` says what happens near q = 0 and q = 1:
    ``"none"``, IEEE arithmetic; ``"probability"``, q is brought into [ε, 1 - ε]. ``out_of_range`` says what a label below 0
    or above K - 1 does: ``"error"``; ``"zeros"``, a loss of 0; ``"clamp"``, it becomes the nearest class; ``"nan"``, a loss
    of NaN.

    Shapes: ``probabilities`` are (…, K), classes last, and ``labels`` (…), integers. The result is a scalar, or (…) for
    ``reduction="none"``.
    Special values: unclipped, a probability of 0 for the label gives +∞. Only the label's probability matters: NaN or 0 elsewhere
    changes nothing, unless ``normalize``.
    Raises: ``ValueError`` if the shapes do not fit, if ``labels`` are not integers, if a keyword is unknown, if ``epsilon`` is
    not in (0, 0.5), or for a label out of range with ``"error"``.
    Source: Bishop (2006), eq. 4.108; the texts, 000 §4, 003 §4.1, 004 §4.2.
    """
    labels, outside = _checked(probabilities, labels, clipping, out_of_range)
    q = clipped(normalized(probabilities, normalize), clipping, epsilon)
    return reduced(replaced(-np.log(picked(q, labels)), outside, out_of_range), reduction)


def vjp(
    dy: Array,
    probabilities: Array,
    labels: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dq_l = -dy / q_l` at the label and 0 elsewhere, zero outside [ε, 1 - ε] if clipped; if normalized by the sum s,
    :math:`dp = (dq - \sum_k dq_k q_k) / s`. A label out of range gives 0, or NaN with ``"nan"``.
    """
    labels, outside = _checked(probabilities, labels, clipping, out_of_range)
    q = normalized(probabilities, normalize)
    slope = replaced(-1.0 / picked(clipped(q, clipping, epsilon), labels), outside, out_of_range)
    per_label = (slope * spread(dy, labels.shape, reduction))[..., None]
    dq = np.where(indicated(labels, probabilities.shape[-1]), per_label, np.zeros_like(probabilities))
    return {"probabilities": unnormalized_cotangent(unclipped_cotangent(dq, q, clipping, epsilon), probabilities, normalize)}


def _checked(probabilities: Array, labels: Array, clipping: str, out_of_range: str) -> tuple[Array, Array]:
    require(probabilities.ndim >= 1, "probabilities", "an array with at least 1 axis", f"shape {probabilities.shape}")
    require_shape(labels, "labels", probabilities.shape[:-1])
    require_clipping(clipping)
    return in_range(labels, "labels", probabilities.shape[-1], out_of_range)


def samples(stream: Stream) -> Iterator[Sample]:
    """Every class as a label, reductions, labels out of range, and the conventions, with exact 0 and 1 under each."""

    def pair(name: str, *shape: int) -> dict[str, Array]:
        return {"probabilities": _draw.distributions(stream(name), shape), "labels": _draw.labels(stream(name), shape)}

    keywords: dict[str, Any]
    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="labels_every_class", inputs={**pair("labels_every_class", 7, 7), "labels": np.arange(7)[::-1].copy()})
    yield Sample(name="labels_repeated", inputs={**pair("labels_repeated", 5, 7), "labels": np.full(5, 3)})
    many = {**pair("labels_of_many_classes", 2, 4099), "labels": np.asarray([4097, 257])}
    yield Sample(name="labels_of_many_classes", inputs=many, keywords=none)
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128), keywords=none)
    for width in (2, 3, 8, 9, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width), keywords=none)
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5), keywords=none)
    yield Sample(name="rank_four", inputs=pair("rank_four", 2, 3, 4, 5))
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_classes", inputs=pair("unit_classes", 5, 1), expected={"y": asarray(0.0)}, exact_zero=("y",))
    row = Sample(name="unit_batch", inputs=pair("unit_batch_with", 1, 7))
    yield from with_each(row, [{"reduction": "sum"}, none, {"normalize": True}, {"clipping": "probability"}])
    yield from long_samples(lambda name, length: pair(name, length, 3), "rows")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    small = np.full((5, 7), 2.0**-20)
    small[:, 3] = 1.0
    inputs = {"probabilities": small, "labels": np.asarray([0, 3, 6, 1, 4])}
    yield Sample(name="magnitude_small", inputs=inputs, keywords=none, dtypes=("float64", "float32", "bfloat16"))
    inputs = {"probabilities": pair("nan_each_lane", 9, 9)["probabilities"], "labels": np.arange(9)}
    np.fill_diagonal(inputs["probabilities"], np.nan)
    inputs["probabilities"][-1] = 1.0 / 8.0
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["probabilities"][2, 3] = np.nan
    inputs["labels"][2] = 3
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    rows = asarray([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    exact = {"probabilities": rows, "labels": np.asarray([0, 1, 2, 0])}
    yield Sample(name="zero_and_one", inputs=exact, keywords=none, expected={"y": asarray([0.0, np.inf, np.inf, np.log(2.0)])})
    inputs = {"probabilities": asarray([[np.inf, 0.5], [0.5, np.inf]]), "labels": np.asarray([0, 1])}
    yield Sample(name="infinity_probability", inputs=inputs, keywords=none, expected={"y": asarray([-np.inf, -np.inf])})

    above, below, both = np.asarray([0, 7, 3, 9, 6]), np.asarray([0, -1, 3, -7, 6]), np.asarray([0, 7, 3, -1, 6])
    rows = pair("bounds", 5, 7)["probabilities"]
    for word, labels in (("above", above), ("below", below)):
        inputs = {"probabilities": rows, "labels": labels}
        yield Sample(
            name=f"bounds_error_{word}",
            inputs=inputs,
            keywords={"out_of_range": "error"},
            required=False,
            gradient=False,
            raises=True,
            version=2,
        )
        keywords = {"out_of_range": "nan", "reduction": "none"}
        yield Sample(name=f"bounds_nan_{word}", inputs=inputs, keywords=keywords, required=False, gradient=False)
    for convention in ("zeros", "clamp"):
        for reduction in ("mean", "none"):
            name = f"bounds_{convention}_{reduction}"
            keywords = {"out_of_range": convention, "reduction": reduction}
            yield Sample(name=name, inputs={"probabilities": rows, "labels": both}, keywords=keywords, required=False)

    for clipping, normalize in (("probability", False), ("none", True), ("probability", True)):
        choice = {"clipping": clipping, "normalize": normalize}
        word = "_".join([clipping] * (clipping != "none") + ["normalized"] * normalize)
        for reduction in ("mean", "none"):
            name = f"convention_{word}_interior_{reduction}"
            yield Sample(name=name, inputs=pair(name, 5, 7), keywords={**choice, "reduction": reduction})
        if normalize:
            name = f"convention_{word}_rows_of_any_sum"
            inputs = {"probabilities": stream(name).uniform((5, 7), 0.1, 0.9), "labels": pair(name, 5, 7)["labels"]}
            yield Sample(name=name, inputs=inputs, keywords={**choice, "reduction": "none"})
        if clipping != "none":
            # 2^-7 and 1 - 2^-7 are numbers of every dtype, but a normalized 1 has an error; 1 - 1e-7 is one of float64 only.
            keywords = {**choice, "epsilon": 2.0**-7, "reduction": "none"}
            # Not required of both together: Keras clips before it normalizes on TensorFlow, and after on its other backends.
            dtypes, required = (("float64", "float32"), False) if normalize else (DTYPES, True)
            name = f"convention_{word}_zero_and_one"
            yield Sample(name=name, inputs=exact, keywords=keywords, dtypes=dtypes, required=required)
            name, keywords = f"{name}_1e_minus_7", {**choice, "reduction": "none"}
            yield Sample(name=name, inputs=exact, keywords=keywords, dtypes=("float64",), required=required)


def workload(stream: Stream, size: str) -> Sample:
    """Distributions over a thousand classes, and labels."""
    inputs = {"probabilities": _draw.distributions(stream, CLASSES[size]), "labels": _draw.labels(stream, CLASSES[size])}
    return Sample(name=size, inputs=inputs)


def work(
    probabilities: Array,
    labels: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Work:
    """A logarithm for each label; back, a quotient and a product. Unless normalized, only the label's probability is read."""
    numbers, rows = count(probabilities), count(labels)
    terms = Work(flops=0, transcendentals=rows, backward_flops=2 * rows, untouched=0 if normalize else numbers - rows)
    conventions = clipping_work(rows, clipping) + normalizing_work(numbers, rows, normalize)
    return terms + conventions + reduction_work(rows, reduction)


OPERATION = Operation(
    function=sparse_categorical_cross_entropy,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("probabilities",),
    conventions={"clipping": ("none", "probability"), "normalize": (False, True), "out_of_range": OUT_OF_RANGE},
    documents=("000 §4", "003 §4.1", "004 §4.2"),
    workload=workload,
    work=work,
)
