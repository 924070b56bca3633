"""Faults in losses and penalties: reductions, smoothing, ignored labels, clipping, ranges."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


def reduced(losses, reduction):
    return losses if reduction == "none" else np.sum(losses) if reduction == "sum" else np.mean(losses)


@FAULTS.value("mean_squared_error", "reduction")
def sum_and_mean_exchanged(prediction, target, *, reduction="mean"):
    other = {"mean": "sum", "sum": "mean", "none": "none"}[reduction]
    return reference("mean_squared_error", prediction, target, reduction=other)


@FAULTS.value("mean_squared_error", "plain")
def half_the_square(prediction, target, *, reduction="mean"):
    return 0.5 * reference("mean_squared_error", prediction, target, reduction=reduction)


@FAULTS.value("mean_squared_error", "plain")
def mean_over_examples_only(prediction, target, *, reduction="mean"):
    y = reference("mean_squared_error", prediction, target, reduction=reduction)
    return y * (prediction.size // max(len(prediction), 1)) if reduction == "mean" else y


@FAULTS.value("mean_squared_error", "cancellation")
def square_multiplied_out(prediction, target, *, reduction="mean"):
    return reduced(prediction * prediction - 2.0 * prediction * target + target * target, reduction)


@FAULTS.gradient("mean_squared_error", "plain")
def gradient_without_the_factor_two(dy, prediction, target, *, reduction="mean"):
    right = right_vjp("mean_squared_error", dy, prediction, target, reduction=reduction)
    return {name: value / 2.0 for name, value in right.items()}


@FAULTS.gradient("mean_squared_error", "plain")
def target_gets_no_gradient(dy, prediction, target, *, reduction="mean"):
    return {**right_vjp("mean_squared_error", dy, prediction, target, reduction=reduction), "target": None}


@FAULTS.gradient("mean_squared_error", "plain")
def cotangent_taken_as_one(dy, prediction, target, *, reduction="mean"):
    return right_vjp("mean_squared_error", np.ones_like(dy), prediction, target, reduction=reduction)


@FAULTS.gradient("mean_squared_error", "reduction")
def gradient_of_the_mean_for_the_sum(dy, prediction, target, *, reduction="mean"):
    other = "mean" if reduction == "sum" else reduction
    return right_vjp("mean_squared_error", dy, prediction, target, reduction=other)


@FAULTS.value("mean_squared_error", "reduction")
def mean_keeps_an_axis(prediction, target, *, reduction="mean"):
    y = reference("mean_squared_error", prediction, target, reduction=reduction)
    return y if reduction == "none" else y[None]


@FAULTS.value("cross_entropy", "magnitude")
def epsilon_inside_the_logarithm(probabilities, target, **keywords):
    return reference("cross_entropy", probabilities + 1e-7, target, **keywords)


@FAULTS.value("cross_entropy", "axis")
def classes_always_last(probabilities, target, *, axis=-1, reduction="mean"):
    y = reference("cross_entropy", probabilities, target, reduction=reduction)
    return (
        y
        if reduction != "none"
        else y.reshape(reference("cross_entropy", probabilities, target, axis=axis, reduction="none").shape)
    )


@FAULTS.value("cross_entropy", "plain")
def mean_over_classes_too(probabilities, target, *, axis=-1, reduction="mean"):
    y = reference("cross_entropy", probabilities, target, axis=axis, reduction=reduction)
    return y / probabilities.shape[axis] if reduction == "mean" else y


@FAULTS.value("cross_entropy", "labels")
def argmax_of_the_target(probabilities, target, *, axis=-1, reduction="mean"):
    hard = (target == np.max(target, axis=axis, keepdims=True)).astype(target.dtype) if target.size else target
    return reference("cross_entropy", probabilities, hard, axis=axis, reduction=reduction)


@FAULTS.gradient("cross_entropy", "plain")
def gradient_not_divided_by_the_count(dy, probabilities, target, *, axis=-1, reduction="mean"):
    other = "sum" if reduction == "mean" else reduction
    return right_vjp("cross_entropy", dy, probabilities, target, axis=axis, reduction=other)


@FAULTS.value("binary_cross_entropy", "convention")
def clipping_ignored(probabilities, target, *, clipping="none", **keywords):
    return reference("binary_cross_entropy", probabilities, target, **keywords)


@FAULTS.value("binary_cross_entropy", "magnitude")
def always_clipped(probabilities, target, *, clipping="none", epsilon=1e-7, **keywords):
    chosen = "probability" if clipping == "none" else clipping
    return reference("binary_cross_entropy", probabilities, target, clipping=chosen, epsilon=1e-3, **keywords)


@FAULTS.value("binary_cross_entropy", "plain")
def positive_term_only(probabilities, target, *, reduction="mean", **keywords):
    return reduced(-target * np.log(probabilities), reduction)


@FAULTS.gradient("binary_cross_entropy", "labels")
def gradient_for_hard_labels_only(dy, probabilities, target, **keywords):
    return right_vjp("binary_cross_entropy", dy, probabilities, np.rint(target), **keywords)


@FAULTS.gradient("binary_cross_entropy", "convention")
def gradient_of_the_unclipped(dy, probabilities, target, *, clipping="none", **keywords):
    return right_vjp("binary_cross_entropy", dy, probabilities, target, **keywords)


@FAULTS.value("binary_cross_entropy_with_logits", "magnitude")
def logarithm_of_the_sigmoid(logits, target, *, reduction="mean"):
    q = reference("sigmoid", logits)
    return reduced(-(target * np.log(q) + (1.0 - target) * np.log(1.0 - q)), reduction)


@FAULTS.value("binary_cross_entropy_with_logits", "magnitude")
def sigmoid_clipped_as_probability(logits, target, *, reduction="mean"):
    q = np.clip(reference("sigmoid", logits), 1e-7, 1.0 - 1e-7)
    return reduced(-(target * np.log(q) + (1.0 - target) * np.log(1.0 - q)), reduction)


@FAULTS.value("binary_cross_entropy_with_logits", "plain")
def absolute_value_forgotten(logits, target, *, reduction="mean"):
    return reduced((1.0 - target) * logits + np.maximum(-logits, 0.0) + np.log1p(np.exp(-logits)), reduction)


@FAULTS.gradient("binary_cross_entropy_with_logits", "magnitude")
def gradient_overflows(dy, logits, target, *, reduction="mean"):
    q = np.exp(logits) / (1.0 + np.exp(logits))
    return {"logits": (q - target) * dy / (logits.size if reduction == "mean" else 1)}


@FAULTS.value("categorical_cross_entropy", "fused")
def always_normalized(probabilities, target, *, normalize=False, **keywords):
    return reference("categorical_cross_entropy", probabilities, target, normalize=True, **keywords)


@FAULTS.gradient("categorical_cross_entropy", "convention")
def gradient_of_the_normalization_left_out(dy, probabilities, target, *, normalize=False, **keywords):
    return right_vjp("categorical_cross_entropy", dy, probabilities, target, **keywords)


@FAULTS.gradient("categorical_cross_entropy", "convention")
def gradient_passes_where_clipped(dy, probabilities, target, *, clipping="none", **keywords):
    return right_vjp("categorical_cross_entropy", dy, probabilities, target, **keywords)


@FAULTS.value("categorical_cross_entropy", "plain")
def logarithm_to_base_two(probabilities, target, **keywords):
    return reference("categorical_cross_entropy", probabilities, target, **keywords) * 1.4426950408889634


@FAULTS.value("categorical_cross_entropy", "convention")
def clipped_before_normalizing(probabilities, target, *, clipping="none", epsilon=1e-7, normalize=False, reduction="mean"):
    q = np.clip(probabilities, epsilon, 1.0 - epsilon) if clipping == "probability" else probabilities
    return reference("categorical_cross_entropy", q, target, normalize=normalize, reduction=reduction)


@FAULTS.value("sparse_categorical_cross_entropy", "labels")
def labels_count_from_one(probabilities, labels, **keywords):
    return reference("sparse_categorical_cross_entropy", np.roll(probabilities, 1, axis=-1), labels, **keywords)


@FAULTS.value("sparse_categorical_cross_entropy", "bounds")
def label_out_of_range_clamped(probabilities, labels, *, out_of_range="error", **keywords):
    return reference("sparse_categorical_cross_entropy", probabilities, labels, out_of_range="clamp", **keywords)


@FAULTS.value("sparse_categorical_cross_entropy", "rank")
def mean_over_the_first_axis_only(probabilities, labels, *, reduction="mean", **keywords):
    y = reference("sparse_categorical_cross_entropy", probabilities, labels, reduction=reduction, **keywords)
    return y * (labels.size // max(len(labels), 1)) if reduction == "mean" else y


@FAULTS.gradient("sparse_categorical_cross_entropy", "labels")
def gradient_to_all_classes(dy, probabilities, labels, *, reduction="mean", **keywords):
    right = right_vjp("sparse_categorical_cross_entropy", dy, probabilities, labels, reduction=reduction, **keywords)
    return {"probabilities": right["probabilities"] - 1e-3 * np.mean(right["probabilities"], axis=-1, keepdims=True)}


@FAULTS.value("sparse_categorical_cross_entropy", "labels")
def labels_of_many_classes_cast_to_the_working_dtype(probabilities, labels, **keywords):
    cast = to_dtype(labels.astype(np.float64), working_dtype()).astype(np.int64)
    cast = np.minimum(cast, max(probabilities.shape[-1] - 1, labels.max(initial=0)))
    return reference("sparse_categorical_cross_entropy", probabilities, cast, **keywords)


CROSS_ENTROPY = "softmax_cross_entropy"


@FAULTS.value(CROSS_ENTROPY, "labels")
def smoothing_over_the_other_classes(logits, target, *, label_smoothing=0.0, **keywords):
    classes = logits.shape[-1]
    smoothing = label_smoothing * classes / max(classes - 1, 1)
    return reference(CROSS_ENTROPY, logits, target, label_smoothing=smoothing, **keywords)


@FAULTS.value(CROSS_ENTROPY, "labels")
def smoothing_ignored_for_soft_targets(logits, target, *, label_smoothing=0.0, **keywords):
    smoothing = 0.0 if target.ndim == logits.ndim else label_smoothing
    return reference(CROSS_ENTROPY, logits, target, label_smoothing=smoothing, **keywords)


@FAULTS.gradient(CROSS_ENTROPY, "labels")
def gradient_without_smoothing(dy, logits, target, *, label_smoothing=0.0, **keywords):
    return right_vjp(CROSS_ENTROPY, dy, logits, target, **keywords)


def _with_ignored(change, gradient=False):
    """A loss, or its gradient, multiplied by a number where some labels are ignored: ``change(labels, ignored)``."""

    def loss(*cotangent, logits, target, ignored_label=None, reduction="mean", **keywords):
        keywords |= {"ignored_label": ignored_label, "reduction": reduction}
        right = (right_vjp if gradient else reference)(CROSS_ENTROPY, *cotangent, logits, target, **keywords)
        if ignored_label is None or reduction != "mean":
            return right
        factor = np.asarray(change(target, target == ignored_label), logits.dtype)
        return {"logits": right["logits"] * factor} if gradient else right * factor

    return loss


count_of_all = _with_ignored(lambda labels, ignored: np.sum(~ignored) / labels.size)
count_of_all.__name__ = "ignored_labels_counted_in_the_mean"
FAULTS.value(CROSS_ENTROPY, "mask")(count_of_all)
gradient_of_all = _with_ignored(lambda labels, ignored: np.sum(~ignored) / labels.size, gradient=True)
gradient_of_all.__name__ = "ignored_labels_counted_in_the_gradient"
FAULTS.gradient(CROSS_ENTROPY, "mask")(gradient_of_all)


@FAULTS.value(CROSS_ENTROPY, "mask")
def smoothing_part_of_ignored_labels_kept(
    logits, target, *, label_smoothing=0.0, ignored_label=None, reduction="mean", **keywords
):
    y = reference(
        CROSS_ENTROPY,
        logits,
        target,
        label_smoothing=label_smoothing,
        ignored_label=ignored_label,
        reduction=reduction,
        **keywords,
    )
    if ignored_label is None or label_smoothing == 0.0:
        return y
    ignored = target == ignored_label
    part = -np.mean(reference("log_softmax", logits), axis=-1) * ignored * label_smoothing
    return y + (part if reduction == "none" else np.sum(part) / (np.sum(~ignored) if reduction == "mean" else 1)).astype(y.dtype)


@FAULTS.value(CROSS_ENTROPY, "bounds")
def minus_one_is_always_ignored(logits, target, *, ignored_label=None, **keywords):
    if target.ndim < logits.ndim and np.any(target == -1):
        ignored_label = -1
    return reference(CROSS_ENTROPY, logits, target, ignored_label=ignored_label, **keywords)


@FAULTS.value(CROSS_ENTROPY, "mask")
def ignored_row_multiplied_by_zero(logits, target, *, ignored_label=None, **keywords):
    y = reference(CROSS_ENTROPY, logits, target, ignored_label=ignored_label, **keywords)
    return y + 0.0 * np.sum(logits) if ignored_label is not None else y


@FAULTS.gradient(CROSS_ENTROPY, "mask")
def ignored_rows_get_a_gradient(dy, logits, target, *, ignored_label=None, **keywords):
    right = right_vjp(CROSS_ENTROPY, dy, logits, target, ignored_label=ignored_label, **keywords)["logits"]
    if ignored_label is None:
        return {"logits": right}
    ignored = (target == ignored_label)[..., None]
    return {"logits": np.where(ignored, reference("softmax", logits) * (np.sum(dy) / target.size), right)}


@FAULTS.value(CROSS_ENTROPY, "mask")
def mean_of_nothing_is_zero(logits, target, **keywords):
    y = reference(CROSS_ENTROPY, logits, target, **keywords)
    everything = keywords.get("ignored_label") is not None and bool(np.all(target == keywords["ignored_label"]))
    return np.zeros_like(y) if everything else y


@FAULTS.value(CROSS_ENTROPY, "magnitude")
def sum_of_exponentials_without_shift(logits, target, **keywords):
    return reference(CROSS_ENTROPY, logits, target, **keywords) + 0.0 * np.sum(np.exp(logits))


@FAULTS.value(CROSS_ENTROPY, "long")
def classes_beyond_the_first_block_left_out(logits, target, **keywords):
    short = np.concatenate([logits[..., :1024], np.full_like(logits[..., 1024:], -np.inf)], axis=-1)
    return reference(CROSS_ENTROPY, short if logits.shape[-1] > 1024 else logits, target, **keywords)


@FAULTS.value(CROSS_ENTROPY, "long")
def labels_cast_to_the_working_dtype(logits, target, **keywords):
    if target.ndim < logits.ndim:
        cast = to_dtype(target.astype(np.float64), working_dtype()).astype(np.int64)
        target = np.minimum(cast, max(logits.shape[-1] - 1, target.max(initial=0)))
    return reference(CROSS_ENTROPY, logits, target, **keywords)


@FAULTS.value(CROSS_ENTROPY, "rank")
def labels_of_rank_two_transposed(logits, target, **keywords):
    if target.ndim == 2 and logits.ndim == 3:
        target = target.T.reshape(target.shape)
    return reference(CROSS_ENTROPY, logits, target, **keywords)


@FAULTS.value("hinge", "plain")
def hinge_squared(scores, labels, *, reduction="mean"):
    return reduced(np.square(np.maximum(0.0, 1.0 - labels * scores)), reduction)


@FAULTS.value("hinge", "labels")
def labels_taken_as_zero_and_one(scores, labels, *, reduction="mean"):
    return reference("hinge", scores, 2.0 * labels - 1.0, reduction=reduction)


@FAULTS.gradient("hinge", "kink")
def margin_itself_has_a_gradient(dy, scores, labels, *, reduction="mean"):
    dy = np.broadcast_to(dy / (scores.size if reduction == "mean" else 1), scores.shape)
    return {"scores": np.where(1.0 - labels * scores >= 0.0, -labels * dy, 0.0).astype(scores.dtype)}


@FAULTS.value("hinge", "nan")
def hinge_swallows_nan(scores, labels, *, reduction="mean"):
    return reduced(np.fmax(0.0, 1.0 - labels * scores), reduction)


@FAULTS.value("l1_penalty", "plain")
def sum_before_the_absolute_value(w, *, strength=0.01):
    return strength * np.abs(np.sum(w))


@FAULTS.value("l1_penalty", "bfloat16")
def weights_added_in_16_bits(w, *, strength=0.01):
    total = np.zeros_like(w, shape=())
    for value in np.abs(w).ravel():
        total = to_dtype(total + value, working_dtype()).astype(w.dtype)
    return strength * total


@FAULTS.gradient("l1_penalty", "kink")
def sign_of_zero_is_one(dy, w, *, strength=0.01):
    return {"w": dy * strength * np.where(w >= 0, 1.0, -1.0).astype(w.dtype)}


@FAULTS.value("l2_penalty", "plain")
def half_the_sum_of_squares(w, *, strength=0.01):
    return 0.5 * reference("l2_penalty", w, strength=strength)


@FAULTS.value("l2_penalty", "plain")
def strength_ignored(w, *, strength=0.01):
    return reference("l2_penalty", w)


@FAULTS.value("l2_penalty", "size")
def mean_of_squares(w, *, strength=0.01):
    return reference("l2_penalty", w, strength=strength) / max(w.size, 1)


@FAULTS.gradient("l2_penalty", "plain")
def penalty_gradient_without_two(dy, w, *, strength=0.01):
    return {"w": dy * strength * w}
