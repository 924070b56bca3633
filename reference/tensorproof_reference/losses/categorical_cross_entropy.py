"""Categorical cross-entropy from probabilities: see ``categorical_cross_entropy``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._draw import distributions, one_hot_targets, soft_targets, targets_of_any_sum
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


def categorical_cross_entropy(
    probabilities: Array,
    target: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Array:
    r"""The negative log likelihood of one-hot or soft targets: :math:`y = -\sum_k t_k \log q_k`, averaged over samples.

    ``normalize`` divides q by its sum over the classes first. Then ``clipping`` says what happens near q = 0 and q = 1:
    ``"none"``, IEEE arithmetic; ``"probability"``, q is brought into [ε, 1 - ε].

    Shapes: ``probabilities`` and ``target`` are (…, K), classes last. The result is a scalar, or (…) for ``reduction="none"``.
    Special values: unclipped, probability 0 gives +∞ where the target is positive, and NaN where it is 0 (0 · log 0). NaN gives
    NaN for its sample.
    Raises: ``ValueError`` if the shapes differ or have rank 0, if ``clipping`` or ``reduction`` is unknown, or if ``epsilon`` is
    not in (0, 0.5).
    Source: Bishop (2006), eq. 4.108; the texts, 001 §4.3, 004 §4.3.
    """
    require(probabilities.ndim >= 1, "probabilities", "an array with at least 1 axis", f"shape {probabilities.shape}")
    require_shape(target, "target", probabilities.shape)
    require_clipping(clipping)
    q = clipped(normalized(probabilities, normalize), clipping, epsilon)
    return reduced(-np.sum(target * np.log(q), axis=-1), reduction)


def vjp(
    dy: Array,
    probabilities: Array,
    target: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dq_k = -t_k / q_k \, dy`, zero outside [ε, 1 - ε] if clipped; if normalized by the sum s,
    :math:`dp = (dq - \sum_k dq_k q_k) / s`.
    """
    q = normalized(probabilities, normalize)
    dq = -target / clipped(q, clipping, epsilon) * spread(dy, probabilities.shape[:-1], reduction)[..., None]
    return {"probabilities": unnormalized_cotangent(unclipped_cotangent(dq, q, clipping, epsilon), probabilities, normalize)}


def samples(stream: Stream) -> Iterator[Sample]:
    """One-hot and soft targets, reductions, and the conventions, with exact 0 and 1 under each."""

    def pair(name: str, *shape: int, soft: bool = False) -> dict[str, Array]:
        draw = soft_targets if soft else one_hot_targets
        return {"probabilities": distributions(stream(name), shape), "target": draw(stream(name), shape)}

    keywords: dict[str, Any]
    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="labels_soft", inputs=pair("labels_soft", 5, 7, soft=True))
    for reduction in ("mean", "none"):
        name = f"labels_of_any_sum_{reduction}"
        inputs = {**pair(name, 6, 7), "target": targets_of_any_sum(stream(name), (6, 7))}
        yield Sample(name=name, inputs=inputs, keywords={"reduction": reduction})
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7, soft=True), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128, soft=True), keywords=none)
    for width in (2, 3, 8, 9, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width), keywords=none)
    yield Sample(name="rank_one", inputs=pair("rank_one", 7))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5, soft=True), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_classes", inputs=pair("unit_classes", 5, 1), expected={"y": asarray(0.0)}, exact_zero=("y",))
    row = Sample(name="unit_batch", inputs=pair("unit_batch_with", 1, 7))
    yield from with_each(row, [{"reduction": "sum"}, none, {"normalize": True}, {"clipping": "probability"}])
    yield from long_samples(lambda name, length: pair(name, length, 3), "rows")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    small = np.full((5, 7), 2.0**-20)
    small[:, 3] = 1.0
    inputs = {"probabilities": small, "target": pair("magnitude_small", 5, 7, soft=True)["target"]}
    yield Sample(name="magnitude_small", inputs=inputs, keywords=none, dtypes=("float64", "float32", "bfloat16"))
    inputs = pair("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["probabilities"], np.nan)
    inputs["probabilities"][-1] = 1.0 / 8.0
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["probabilities"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    exact = {
        "probabilities": asarray([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]),
        "target": asarray([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.25, 0.25]]),
    }
    yield Sample(name="zero_and_one", inputs=exact, keywords=none, expected={"y": asarray([np.nan, np.nan, np.nan, np.inf])})
    inputs = {"probabilities": asarray([[np.inf, 0.5]] * 2), "target": asarray([[1.0, 0.0], [0.0, 1.0]])}
    yield Sample(name="infinity_probability", inputs=inputs, keywords=none, expected={"y": asarray([-np.inf, np.nan])})

    for clipping, normalize in (("probability", False), ("none", True), ("probability", True)):
        choice = {"clipping": clipping, "normalize": normalize}
        word = "_".join([clipping] * (clipping != "none") + ["normalized"] * normalize)
        for reduction in ("mean", "none"):
            name = f"convention_{word}_interior_{reduction}"
            inputs = pair(name, 5, 7, soft=reduction != "mean")
            yield Sample(name=name, inputs=inputs, keywords={**choice, "reduction": reduction})
        if normalize:
            name = f"convention_{word}_rows_of_any_sum"
            inputs = {"probabilities": stream(name).uniform((5, 7), 0.1, 0.9), "target": pair(name, 5, 7, soft=True)["target"]}
            yield Sample(name=name, inputs=inputs, keywords={**choice, "reduction": "none"})
        if clipping != "none":
            # 2^-7 and 1 - 2^-7 are numbers of every dtype, but a normalized 1 has an error; 1 - 1e-7 is one of float64 only.
            keywords = {**choice, "epsilon": 2.0**-7, "reduction": "none"}
            dtypes = ("float64", "float32") if normalize else DTYPES
            yield Sample(name=f"convention_{word}_zero_and_one", inputs=exact, keywords=keywords, dtypes=dtypes)
            name = f"convention_{word}_zero_and_one_1e_minus_7"
            yield Sample(name=name, inputs=exact, keywords={**choice, "reduction": "none"}, dtypes=("float64",))


def workload(stream: Stream, size: str) -> Sample:
    """Distributions over a thousand classes, and one-hot targets."""
    inputs = {"probabilities": distributions(stream, CLASSES[size]), "target": one_hot_targets(stream, CLASSES[size])}
    return Sample(name=size, inputs=inputs)


def work(
    probabilities: Array,
    target: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    normalize: bool = False,
    reduction: str = "mean",
) -> Work:
    """A logarithm, a product, and their sum, whatever the targets are; back, a quotient and a product."""
    numbers = count(probabilities)
    rows = numbers // probabilities.shape[-1]
    terms = Work(flops=2 * numbers - rows, transcendentals=numbers, backward_flops=2 * numbers)
    conventions = clipping_work(numbers, clipping) + normalizing_work(numbers, rows, normalize)
    return terms + conventions + reduction_work(rows, reduction)


OPERATION = Operation(
    function=categorical_cross_entropy,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("probabilities",),
    conventions={"clipping": ("none", "probability"), "normalize": (False, True)},
    documents=("001 §4.3", "004 §4.3"),
    workload=workload,
    work=work,
)
