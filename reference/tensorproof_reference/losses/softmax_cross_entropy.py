"""Cross-entropy from logits: see ``softmax_cross_entropy``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.losses import _draw
from tensorproof_reference.losses._labels import OUT_OF_RANGE, in_range, indicated, picked, replaced
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def softmax_cross_entropy(
    logits: Array,
    target: Array,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Array:
    r"""The negative log likelihood from logits x, through log-sum-exp: :math:`y = \sum_k t_k (\log \sum_j e^{x_j} - x_k)`.

    For an integer target l that is :math:`\log \sum_j e^{x_j} - x_l`. The largest logit is taken out of the sum of
    exponentials. ``label_smoothing`` a replaces t by (1 - a) t + a/K. A sample whose integer target is ``ignored_label``, which
    need not be in range, has loss 0 and does not count in the mean. ``out_of_range`` says what any other integer below 0 or above
    K - 1 does: ``"error"``; ``"zeros"``, its t is 0 before smoothing; ``"clamp"``, it becomes the nearest class; ``"nan"``, a
    loss of NaN.

    Shapes: ``logits`` are (…, K), classes last. ``target`` is (…), integers, or (…, K), soft targets. The result is the mean or
    sum over samples, or (…) for ``reduction="none"``.
    Special values: a logit of -∞ is a masked class: the loss is +∞ for its label, and does not see it otherwise (integer targets
    without smoothing). NaN, and +∞ in any logit, give NaN. The mean is NaN where all samples are ignored.
    Raises: ``ValueError`` if the shapes do not fit, if an integer target is not of integers or out of range with ``"error"``, if
    ``label_smoothing`` is not in [0, 1], if ``ignored_label`` is given with soft targets, or if a keyword is unknown.
    Source: Goodfellow, Bengio & Courville (2016), eq. 6.30; Szegedy et al. (2016), §7; the texts, 001 §4.4, 003 §4.2.
    """
    ignored, labels, outside, count = _labels(logits, target, label_smoothing, ignored_label, out_of_range)
    largest = np.max(logits, axis=-1, keepdims=True)
    log_sum = largest + np.log(np.sum(np.exp(logits - largest), axis=-1, keepdims=True))
    if labels is not None and label_smoothing == 0.0:
        losses = replaced(log_sum[..., 0] - picked(logits, labels), outside, out_of_range)
    else:
        weights = _weights(logits, target, labels, outside, label_smoothing, out_of_range)
        losses = np.sum(weights * (log_sum - logits), axis=-1)
    if ignored is not None:
        losses = np.where(ignored, 0.0, losses)
    return reduced(losses, reduction, count)


def vjp(
    dy: Array,
    logits: Array,
    target: Array,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dx_k = (\mathrm{softmax}(x)_k \sum_j t_j - t_k) \, dy`, which for targets of sum 1 is softmax minus target.

    Divided by the number of samples that count where the mean is taken, and 0 for ignored samples.
    """
    ignored, labels, outside, count = _labels(logits, target, label_smoothing, ignored_label, out_of_range)
    d_logits = logits - np.max(logits, axis=-1, keepdims=True)
    np.exp(d_logits, out=d_logits)
    d_logits /= np.sum(d_logits, axis=-1, keepdims=True)
    weights = _weights(logits, target, labels, outside, label_smoothing, out_of_range)
    d_logits *= np.sum(weights, axis=-1, keepdims=True)
    d_logits -= weights
    d_logits *= spread(dy, logits.shape[:-1], reduction, count)[..., None]
    return {"logits": d_logits if ignored is None else np.where(ignored[..., None], 0.0, d_logits)}


def _labels(
    logits: Array, target: Array, label_smoothing: float, ignored_label: int | None, out_of_range: str
) -> tuple[Array | None, Array | None, Array | None, int | None]:
    """Where samples are ignored, labels in range, where they were not, and how many samples count: the first and the last
    ``None`` if no label is ignored, all ``None`` for a soft target."""
    require(logits.ndim >= 1, "logits", "an array with at least 1 axis", f"shape {logits.shape}")
    require(0.0 <= label_smoothing <= 1.0, "label_smoothing", "a number from 0 to 1", label_smoothing)
    require_choice(out_of_range, "out_of_range", OUT_OF_RANGE)
    if target.ndim == logits.ndim:
        require_shape(target, "target", logits.shape)
        require(ignored_label is None, "ignored_label", "None, as the target is soft", ignored_label)
        return None, None, None, None
    require_shape(target, "target", logits.shape[:-1])
    ignored = np.zeros(target.shape, bool) if ignored_label is None else target == ignored_label
    labels, outside = in_range(np.where(ignored, 0, target), "target", logits.shape[-1], out_of_range)
    if ignored_label is None:
        return None, labels, outside, None
    return ignored, labels, outside, int(np.sum(~ignored))


def _weights(
    logits: Array, target: Array, labels: Array | None, outside: Array | None, label_smoothing: float, out_of_range: str
) -> Array:
    """The target as one smoothed row of weights for each sample."""
    if labels is not None and outside is not None:
        one = replaced(np.ones_like(logits[..., :1]), outside[..., None], out_of_range)
        target = np.where(indicated(labels, logits.shape[-1]), one, np.zeros_like(logits[..., :1]))
    if label_smoothing == 0.0:
        return target
    return (1.0 - label_smoothing) * target + label_smoothing / logits.shape[-1]


def samples(stream: Stream) -> Iterator[Sample]:
    """Integer, one-hot and soft targets; smoothing and ignored labels, alone and together; wide spreads; masked classes."""

    def logits(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> dict[str, Array]:
        return {"logits": stream(name)("logits").normal(shape, mean, deviation)}

    def integer(name: str, *shape: int, deviation: float = 1.0) -> dict[str, Array]:
        return {**logits(name, *shape, deviation=deviation), "target": _draw.labels(stream(name), shape)}

    def soft(name: str, *shape: int) -> dict[str, Array]:
        return {**logits(name, *shape), "target": _draw.soft_targets(stream(name), shape)}

    def one_hot(name: str, *shape: int) -> dict[str, Array]:
        return {**logits(name, *shape), "target": _draw.one_hot_targets(stream(name), shape)}

    def ignoring(name: str, label: int, *shape: int) -> dict[str, Array]:
        """Every third sample ignored, and at least one sample that counts."""
        target = _draw.labels(stream(name), shape).reshape(-1)
        target[target == label] = label + 1
        target[1::3] = label
        return {**logits(name, *shape), "target": target.reshape(shape[:-1])}

    keywords: dict[str, Any]
    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=integer("plain_rows", 5, 7))
    yield Sample(name="reduction_sum", inputs=integer("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=integer("reduction_none", 5, 7), keywords=none)
    yield Sample(name="labels_one_hot", inputs=one_hot("labels_one_hot", 5, 7))
    for reduction in ("mean", "none"):
        name = f"labels_soft_{reduction}"
        yield Sample(name=name, inputs=soft(name, 5, 7), keywords={"reduction": reduction})
    for reduction in ("mean", "none"):
        name = f"labels_smoothing_{reduction}"
        yield Sample(name=name, inputs=integer(name, 8, 5), keywords={"label_smoothing": 0.1, "reduction": reduction})
    yield Sample(name="labels_smoothing_soft", inputs=soft("labels_smoothing_soft", 8, 5), keywords={"label_smoothing": 0.1})
    name = "labels_smoothing_one_hot"
    yield Sample(name=name, inputs=one_hot(name, 8, 5), keywords={"label_smoothing": 0.3})

    def any_sum(name: str, *shape: int) -> dict[str, Array]:
        return {**logits(name, *shape), "target": _draw.targets_of_any_sum(stream(name), shape)}

    for reduction in ("mean", "none"):
        name = f"labels_of_any_sum_{reduction}"
        yield Sample(name=name, inputs=any_sum(name, 6, 7), keywords={"reduction": reduction})
    name = "labels_of_any_sum_smoothing"
    yield Sample(name=name, inputs=any_sum(name, 6, 5), keywords={"label_smoothing": 0.25, "reduction": "none"})
    yield Sample(name="labels_of_any_sum_rank_three", inputs=any_sum("labels_of_any_sum_rank_three", 3, 4, 5))
    for word, draw in (("integer", integer), ("one_hot", one_hot)):
        name = f"bounds_smoothing_one_{word}"
        yield Sample(name=name, inputs=draw(name, 8, 5), keywords={"label_smoothing": 1.0})
    for reduction in ("mean", "sum", "none"):
        name = f"mask_ignored_{reduction}"
        keywords = {"ignored_label": -100, "reduction": reduction}
        yield Sample(name=name, inputs=ignoring(name, -100, 8, 5), keywords=keywords)
        name = f"mask_ignored_smoothing_{reduction}"
        yield Sample(name=name, inputs=ignoring(name, -100, 8, 5), keywords={**keywords, "label_smoothing": 0.1})
    for word, label in (("in_range", 2), ("minus_one", -1)):
        name = f"mask_ignored_{word}"
        yield Sample(name=name, inputs=ignoring(name, label, 8, 5), keywords={"ignored_label": label})
    name = "mask_ignored_rank_three"
    yield Sample(name=name, inputs=ignoring(name, 2, 3, 4, 5), keywords={"ignored_label": 2})
    name = "mask_ignored_smoothing_rank_three"
    yield Sample(name=name, inputs=ignoring(name, -1, 3, 4, 5), keywords={"ignored_label": -1, "label_smoothing": 0.1})
    name = "mask_no_label_is_ignored"
    yield Sample(name=name, inputs=integer(name, 8, 5), keywords={"ignored_label": -100})
    inputs = ignoring("mask_ignored_row_of_nan", -100, 8, 5)
    inputs["logits"][1::3] = np.nan
    yield Sample(name="mask_ignored_row_of_nan", inputs=inputs, keywords={"ignored_label": -100}, gradient=False)
    for word, others in (("none", none), ("smoothing", {"label_smoothing": 0.1}), ("sum", {"reduction": "sum"})):
        name = f"mask_ignored_row_of_nan_{word}"
        inputs = ignoring(name, -100, 8, 5)
        inputs["logits"][1::3] = np.nan
        yield Sample(name=name, inputs=inputs, keywords={"ignored_label": -100, **others}, gradient=False)
    inputs = {**logits("mask_all_ignored", 8, 5), "target": np.full(8, -100)}
    yield Sample(
        name="mask_all_ignored_none",
        inputs=inputs,
        keywords={"ignored_label": -100, "reduction": "none"},
        expected={"y": np.zeros(8), "d_logits": np.zeros((8, 5))},
        exact_zero=("y", "d_logits"),
    )
    yield Sample(
        name="mask_all_ignored_mean",
        inputs=inputs,
        keywords={"ignored_label": -100},
        expected={"y": asarray(np.nan)},
        required=False,
        gradient=False,
    )
    yield Sample(name="size_large", inputs=integer("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=integer("size_large_none", 64, 128), keywords=none)
    for width in (2, 3, 8, 9, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=integer(f"width_{width}", 2, width), keywords=none)
    many = {**logits("long_classes", 2, 4099), "target": np.asarray([4097, 257])}
    yield Sample(name="long_classes", inputs=many, keywords=none)
    yield from long_samples(lambda name, length: integer(name, length, 3), "rows")
    yield from long_samples(lambda name, length: integer(name, 2, length), "classes", keywords=none)
    equal = {"logits": np.full((2, 131_072), 0.5), "target": np.asarray([131_071, 65_536])}
    yield Sample(name="long_classes_equal_131072", inputs=equal, keywords=none, dtypes=("bfloat16", "float16"))
    yield Sample(name="rank_three", inputs=integer("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=integer("rank_three_none", 3, 4, 5), keywords=none)
    yield Sample(name="rank_three_soft", inputs=soft("rank_three_soft", 3, 4, 5))
    yield Sample(name="rank_three_smoothing", inputs=integer("rank_three_smoothing", 3, 4, 5), keywords={"label_smoothing": 0.1})
    yield Sample(name="unit_batch", inputs=integer("unit_batch", 1, 7))
    reductions = [{"reduction": "sum"}, none]
    smoothed, ignored = {"label_smoothing": 0.25}, {"ignored_label": -100}
    row = Sample(name="unit_batch", inputs=integer("unit_batch_with", 1, 7))
    yield from with_each(row, [*reductions, smoothed, ignored, {**smoothed, **ignored}])
    yield Sample(name="unit_batch_of_any_sum", inputs=any_sum("unit_batch_of_any_sum", 1, 7))
    one = Sample(name="unit_classes", inputs=integer("unit_classes_with", 5, 1), exact_zero=("y", "d_logits"))
    yield from with_each(one, [smoothed, ignored])
    yield Sample(
        name="unit_classes",
        inputs=integer("unit_classes", 5, 1),
        keywords=none,
        expected={"y": np.zeros(5), "d_logits": np.zeros((5, 1))},
        exact_zero=("y", "d_logits"),
    )
    yield Sample(name="empty_batch_none", inputs=integer("empty_batch_none", 0, 7), keywords=none)
    yield Sample(name="strided_transposed", inputs=integer("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=integer("strided_sliced", 5, 7), memory="sliced")
    yield Sample(name="strided_sliced_soft", inputs=soft("strided_sliced_soft", 5, 7), memory="sliced")
    yield Sample(name="magnitude_spread_60", inputs=integer("magnitude_spread_60", 5, 7, deviation=20.0), keywords=none)
    yield Sample(name="magnitude_spread_1000", inputs=integer("magnitude_spread_1000", 5, 7, deviation=300.0), keywords=none)
    name = "magnitude_1000"
    signs = np.where(stream(name).permutation(35).reshape(5, 7) < 17, -1000.0, 1000.0)
    signs[:3, 0], signs[:, 1] = -1000.0, 1000.0
    target = np.concatenate([np.zeros(3, np.int64), _draw.labels(stream(name), (2, 7))])
    yield Sample(name=name, inputs={"logits": signs, "target": target}, keywords=none)
    name = "cancellation_mean_1000"
    inputs = {**logits(name, 5, 7, mean=1e3), "target": _draw.labels(stream(name), (5, 7))}
    yield Sample(name=name, inputs=inputs, dtypes=("float64", "float32"))
    inputs = {"logits": np.full((3, 4), 0.5), "target": np.asarray([0, 2, 3])}
    yield Sample(name="ties_constant", inputs=inputs, keywords=none)
    inputs = integer("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["logits"], np.nan)
    inputs["logits"][-1] = 0.0
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = soft("nan_each_lane_soft", 9, 9)
    np.fill_diagonal(inputs["logits"], np.nan)
    yield Sample(name="nan_each_lane_soft", inputs=inputs, keywords=none)
    inputs = integer("nan_mean", 5, 7)
    inputs["logits"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    masked = integer("infinity_masked", 5, 7)
    masked["logits"][:, ::2] = -np.inf
    masked["target"] = np.asarray([1, 3, 5, 3, 1])
    yield Sample(name="infinity_masked", inputs=masked, keywords=none)
    inputs = {"logits": np.where(np.isinf(masked["logits"]), -np.inf, 0.5), "target": np.asarray([0, 2, 4, 6, 1])}
    yield Sample(name="infinity_masked_label", inputs=inputs, keywords=none)

    above, below, both = np.asarray([0, 7, 3, 9, 6]), np.asarray([0, -1, 3, -7, 6]), np.asarray([0, 7, 3, -1, 6])
    rows = logits("bounds", 5, 7)
    for word, labels in (("above", above), ("below", below)):
        inputs = {**rows, "target": labels}
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
            yield Sample(name=name, inputs={**rows, "target": both}, keywords=keywords, required=False)


def workload(stream: Stream, size: str) -> Sample:
    """Logits of a thousand classes, and labels."""
    inputs = {"logits": ordinary(stream("logits"), CLASSES[size]), "target": _draw.labels(stream, CLASSES[size])}
    return Sample(name=size, inputs=inputs)


def work(
    logits: Array,
    target: Array,
    *,
    label_smoothing: float = 0.0,
    ignored_label: int | None = None,
    out_of_range: str = "error",
    reduction: str = "mean",
) -> Work:
    """Maximum, difference, exponential and sum; for each sample a logarithm, the maximum added, and the label's logit taken away.

    Soft or smoothed targets: a difference, a product and their sum instead of the last; smoothing: a product and a sum for each
    weight. Back, the exponentials divided by their sum, the label's one less (or a difference for each weight), and a product
    with the cotangent.
    """
    numbers = count(logits)
    rows = numbers // logits.shape[-1]
    soft = len(target.shape) == len(logits.shape)
    weighted = soft or label_smoothing > 0
    of_loss = 3 * numbers - rows if weighted else rows
    smoothing = 2 * numbers if label_smoothing > 0 else 0
    terms = Work(
        flops=3 * numbers - rows + of_loss + smoothing,
        transcendentals=numbers + rows,
        backward_flops=3 * numbers if weighted else 2 * numbers + rows,
    )
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=softmax_cross_entropy,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("logits",),
    conventions={"out_of_range": OUT_OF_RANGE},
    documents=("001 §4.4", "003 §4.2"),
    workload=workload,
    work=work,
)
