"""Faults that show only where two things meet: a size of one with a keyword, NaN with a mask, lengths beyond what a block holds,
hyperparameters at the ends of their range."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import working_dtype

FAULTS = Faults()
ATTENTION = "scaled_dot_product_attention"


# Size one with keywords


@FAULTS.value(ATTENTION, "unit")
def causal_mask_lets_a_single_query_see_every_key(query, key, value, mask=None, *, causal=False, **keywords):
    return reference(ATTENTION, query, key, value, mask, causal=causal and query.shape[-2] > 1, **keywords)


@FAULTS.value(ATTENTION, "unit")
def scale_forgotten_for_a_single_query(query, key, value, mask=None, *, scale=None, **keywords):
    return reference(ATTENTION, query, key, value, mask, scale=None if query.shape[-2] == 1 else scale, **keywords)


@FAULTS.value(ATTENTION, "optional", mode="compiled")
def scale_dropped_when_compiled(query, key, value, mask=None, *, scale=None, **keywords):
    return reference(ATTENTION, query, key, value, mask, **keywords)


@FAULTS.value("softmax_cross_entropy", "unit")
def smoothing_left_out_for_a_batch_of_one(logits, target, *, label_smoothing=0.0, **keywords):
    smoothing = 0.0 if len(logits) == 1 else label_smoothing
    return reference("softmax_cross_entropy", logits, target, label_smoothing=smoothing, **keywords)


@FAULTS.value("softmax_cross_entropy", "mask")
def mean_beside_smoothing_counts_ignored_labels(
    logits, target, *, label_smoothing=0.0, ignored_label=None, reduction="mean", **keywords
):
    options = {"label_smoothing": label_smoothing, "ignored_label": ignored_label, "reduction": reduction, **keywords}
    right = reference("softmax_cross_entropy", logits, target, **options)
    if ignored_label is None or not label_smoothing or reduction != "mean":
        return right
    return (right * np.mean(target != ignored_label)).astype(logits.dtype)


@FAULTS.value("gru", "unit")
def reset_before_the_product_for_one_step(x, parameters, hidden=None, *, reset="before", **keywords):
    return reference("gru", x, parameters, hidden, reset="before" if x.shape[1] == 1 else reset, **keywords)


@FAULTS.value("shift", "unit")
def one_row_filled_with_zeros(x, vertical, horizontal, *, fill="constant", **keywords):
    return reference("shift", x, vertical, horizontal, fill="constant" if x.shape[2] == 1 else fill, **keywords)


@FAULTS.value("rmsprop", "unit")
def centering_left_out_for_one_number(parameters, gradients, *others, centered=False, **keywords):
    alone = all(parameter.size == 1 for parameter in parameters)
    return reference("rmsprop", parameters, gradients, *others, centered=centered and not alone, **keywords)


# Normalization of one element, and far from zero


def folded(x, scale, offset, mean, deviation):
    """The affine form that costs one product and one sum for each number."""
    slope = np.asarray(1.0, x.dtype) / deviation * (1.0 if scale is None else scale)
    return x * slope + ((0.0 if offset is None else offset) - mean * slope)


@FAULTS.value("layer_norm", "cancellation")
def one_element_multiplied_out(x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    if x.size == 0 or np.prod([x.shape[axis] for axis in axes]) != 1:
        return reference("layer_norm", x, scale, offset, axes=axes, epsilon=epsilon)
    return folded(x, scale, offset, x, np.sqrt(np.asarray(epsilon, x.dtype)))


@FAULTS.gradient("layer_norm", "cancellation")
def scale_of_one_element_has_a_gradient(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    if x.size and scale is not None and scale.size == 1:
        right["scale"] = right["scale"] + np.sum(dy * (x * np.float32(1.1) - x - x * np.float32(0.1))).astype(x.dtype)
    return right


@FAULTS.value("batch_norm", "cancellation")
def running_statistics_folded_into_one_product(
    x, scale, offset, running_mean, running_variance, *, training=True, epsilon=1e-5, **keywords
):
    arrays = (scale, offset, running_mean, running_variance)
    right = reference("batch_norm", x, *arrays, training=training, epsilon=epsilon, **keywords)
    if training:
        return right
    shaped = [None if v is None else v.reshape((1, -1, *(1,) * (x.ndim - 2))) for v in arrays]
    deviation = np.sqrt(shaped[3] + np.asarray(epsilon, x.dtype))
    return (folded(x, shaped[0], shaped[1], shaped[2], deviation).astype(x.dtype), *right[1:])


# NaN with a mask, NaN in scores


@FAULTS.value(ATTENTION, "nan")
def mask_added_to_the_scores(query, key, value, mask=None, *, causal=False, **keywords):
    right = reference(ATTENTION, query, key, value, mask, causal=causal, **keywords)
    undefined = np.isnan(np.matmul(query, np.swapaxes(key, -1, -2))).any(axis=-1, keepdims=True)
    return np.where(undefined & (causal or mask is not None), np.nan, right).astype(right.dtype)


def highest_number(scores):
    """The position of the largest score that is a number."""
    return np.argmax(np.where(np.isnan(scores), -np.inf, scores), axis=-1)


@FAULTS.value("categorical_accuracy", "nan")
def maximum_ignores_nan(scores, target):
    right = highest_number(scores) == np.argmax(target, axis=-1)
    return np.mean(np.ones_like(scores[..., 0]) * right)


@FAULTS.value("sparse_categorical_accuracy", "nan")
def maximum_skips_nan(scores, labels):
    return np.mean(np.ones_like(scores[..., 0]) * (highest_number(scores) == labels))


# Lengths


@FAULTS.value("sparse_categorical_accuracy", "long")
def rows_beyond_32768_not_counted(scores, labels):
    counted = slice(2**15) if labels.ndim else ...
    return reference("sparse_categorical_accuracy", scores[counted], labels[counted])


@FAULTS.value("categorical_accuracy", "long")
def classes_beyond_512_not_seen(scores, target):
    return reference("categorical_accuracy", scores[..., :512], target[..., :512])


@FAULTS.gradient("embedding", "repeated")
def gradient_of_indices_beyond_768_left_out(dy, indices, weight, *, out_of_range="error"):
    flat, rows = indices.reshape(-1)[:768], dy.reshape(-1, dy.shape[-1])[:768]
    return right_vjp("embedding", rows, flat, weight, out_of_range=out_of_range)


@FAULTS.value("log_softmax", "long")
def exponentials_summed_in_float16(x, *, axis=-1):
    right = reference("log_softmax", x, axis=axis)
    if working_dtype() != "float16" or not x.size:
        return right
    total = np.sum(np.exp(x - np.max(x, axis=axis, keepdims=True)), axis=axis, keepdims=True)
    return np.where(total > 65504.0, -np.inf, right).astype(right.dtype)


@FAULTS.value("mean_squared_error", "long")
def mean_through_a_sum_in_float16(prediction, target, *, reduction="mean"):
    right = reference("mean_squared_error", prediction, target, reduction=reduction)
    overflows = working_dtype() == "float16" and reduction == "mean" and right * prediction.size > 65504.0
    return np.full_like(right, np.inf) if overflows else right


@FAULTS.value("softmax", "long")
def remainder_of_16384_left_out(x, *, axis=-1):
    right = reference("softmax", x, axis=axis)
    size = x.shape[axis]
    if size <= 16384 or size % 16384 == 0:
        return right
    inside = np.moveaxis(right, axis, -1).copy()
    inside[..., size - size % 16384 :] *= 0.5
    return np.moveaxis(inside, -1, axis)


@FAULTS.value("matmul", "long")
def rows_beyond_a_partition_of_the_last_one(a, b):
    y = np.array(reference("matmul", a, b))
    if a.ndim == 2 and len(a) > 2**15:
        y[2**15 :] = y[2**15 - 1]
    return y


# Targets


@FAULTS.gradient("softmax_cross_entropy", "labels")
def targets_taken_to_sum_to_one(dy, logits, target, *, reduction="mean", **keywords):
    right = right_vjp("softmax_cross_entropy", dy, logits, target, reduction=reduction, **keywords)
    if target.ndim < logits.ndim:
        return right
    rows = max(target[..., 0].size, 1) if reduction == "mean" else 1
    share = dy if reduction == "none" else np.broadcast_to(dy / rows, target.shape[:-1])
    lacking = (1.0 - np.sum(target, axis=-1, keepdims=True)) * (1.0 - keywords.get("label_smoothing", 0.0))
    return {"logits": (right["logits"] + reference("softmax", logits) * lacking * share[..., None]).astype(logits.dtype)}


@FAULTS.value("categorical_cross_entropy", "labels")
def targets_brought_to_a_sum_of_one(probabilities, target, **keywords):
    total = np.sum(target, axis=-1, keepdims=True)
    even = target / np.where(total > 0, total, 1).astype(target.dtype)
    return reference("categorical_cross_entropy", probabilities, even, **keywords)


# Ends of hyperparameters, and squares that overflow


@FAULTS.value("momentum", "bounds")
def decay_forgotten_where_the_coefficient_is_zero(parameters, gradients, velocity=None, *, coefficient=0.9, **keywords):
    if coefficient == 0:
        keywords["weight_decay"] = 0.0
    return reference("momentum", parameters, gradients, velocity, coefficient=coefficient, **keywords)


@FAULTS.value("momentum", "state")
def velocity_fades_without_a_gradient(parameters, gradients, velocity=None, *, coefficient=0.9, **keywords):
    moved, last = reference("momentum", parameters, gradients, velocity, coefficient=coefficient, **keywords)
    absent = [g is None for g in gradients[-1]] if gradients and velocity is not None else [False] * len(last)
    faded = [v * np.asarray(coefficient, v.dtype) if nothing else v for v, nothing in zip(last, absent, strict=True)]
    return moved, faded if coefficient else last


@FAULTS.value("adagrad", "optional")
def initial_accumulator_of_the_first_parameter_only(
    parameters, gradients, sum_of_squares=None, *, initial_accumulator=0.0, **keywords
):
    if sum_of_squares is None and initial_accumulator and len(parameters) > 1:
        sum_of_squares = [np.full_like(p, 0.0 if place else initial_accumulator) for place, p in enumerate(parameters)]
    return reference("adagrad", parameters, gradients, sum_of_squares, initial_accumulator=initial_accumulator, **keywords)


@FAULTS.value("sgd", "bounds")
def decay_goes_on_where_the_rate_is_zero(parameters, gradients, *, learning_rate=0.01, weight_decay=0.0):
    moved = reference("sgd", parameters, gradients, learning_rate=learning_rate, weight_decay=weight_decay)
    return [(1.0 - weight_decay) * p if learning_rate == 0 else p for p in moved]


@FAULTS.value("adam", "bounds")
def default_where_the_second_coefficient_is_zero(parameters, gradients, *states, beta2=0.999, **keywords):
    return reference("adam", parameters, gradients, *states, beta2=beta2 or 0.999, **keywords)


@FAULTS.value(ATTENTION, "bounds")
def default_where_the_scale_is_zero(query, key, value, mask=None, *, scale=None, **keywords):
    return reference(ATTENTION, query, key, value, mask, scale=scale or None, **keywords)


@FAULTS.value("clip_by_global_norm", "float16")
def sum_of_squares_overflows_in_float16(gradients, *, limit, epsilon=0.0):
    right = reference("clip_by_global_norm", gradients, limit=limit, epsilon=epsilon)
    total = sum(np.sum(np.square(g.astype(np.float16)), dtype=np.float16) for g in gradients if g is not None)
    lost = working_dtype() == "float16" and np.isinf(total)
    return [g if g is None or not lost else np.zeros_like(g) for g in right]


@FAULTS.value("clip_by_global_norm", "bounds")
def zero_by_zero_where_limit_and_norm_are_zero(gradients, *, limit, epsilon=0.0):
    right = reference("clip_by_global_norm", gradients, limit=limit, epsilon=epsilon)
    return [np.full_like(g, np.nan) for g in right] if limit == 0 and not any(np.any(g) for g in gradients) else right


@FAULTS.value("clip_by_norm", "magnitude")
def norm_of_squares_in_32_bits(gradients, *, limit, epsilon=0.0):
    right = reference("clip_by_norm", gradients, limit=limit, epsilon=epsilon)
    overflows = [bool(np.isinf(np.sum(np.square(g.astype(np.float32))))) for g in gradients]
    return [g * np.asarray(0.0, g.dtype) if lost else g for g, lost in zip(right, overflows, strict=True)]


@FAULTS.value("softmax_cross_entropy", "bounds")
def smoothing_of_one_taken_for_none(logits, target, *, label_smoothing=0.0, **keywords):
    return reference("softmax_cross_entropy", logits, target, label_smoothing=label_smoothing % 1.0, **keywords)


@FAULTS.value("batch_norm", "bounds")
def epsilon_of_zero_taken_for_the_default(x, *arrays, epsilon=1e-5, **keywords):
    return reference("batch_norm", x, *arrays, epsilon=epsilon or 1e-5, **keywords)
