"""Faults in softmax and log_softmax: shifts, axes, masked rows, sums in few bits."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


def sum_in_few_bits(terms, axis):
    """The sum along an axis, every partial sum rounded to the dtype of the arrays."""
    terms = np.moveaxis(terms, axis, 0)
    total = np.zeros_like(terms[0]) if len(terms) else np.zeros(terms.shape[1:], terms.dtype)
    for term in terms:
        total = to_dtype(total + term, working_dtype()).astype(terms.dtype)
    return np.expand_dims(total, axis)


@FAULTS.value("softmax", "magnitude")
def maximum_not_subtracted(x, *, axis=-1):
    exponentials = np.exp(x)
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


@FAULTS.value("softmax", "magnitude", mode="compiled")
def maximum_not_subtracted_when_compiled(x, *, axis=-1):
    return maximum_not_subtracted(x, axis=axis)


@FAULTS.value("softmax", "magnitude")
def maximum_of_the_whole_array_subtracted(x, *, axis=-1):
    if x.size == 0:
        return x
    exponentials = np.exp(x - np.max(x))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


@FAULTS.value("softmax", "axis")
def axis_ignored(x, *, axis=-1):
    return reference("softmax", x)


@FAULTS.value("softmax", "axis")
def negative_axis_off_by_one(x, *, axis=-1):
    return reference("softmax", x, axis=axis if axis in (-1, *range(x.ndim)) else axis + 1)


@FAULTS.value("softmax", "rank")
def rank_four_normalized_over_channels(x, *, axis=-1):
    return reference("softmax", x, axis=1 if x.ndim > 3 else axis)


@FAULTS.gradient("softmax", "plain")
def sum_over_cotangents_left_out(dy, x, *, axis=-1):
    return {"x": reference("softmax", x, axis=axis) * dy}


@FAULTS.gradient("softmax", "plain")
def right_for_uniform_cotangents_only(dy, x, *, axis=-1):
    return {"x": reference("softmax", x, axis=axis) * (dy - np.mean(dy, axis=axis, keepdims=True))}


@FAULTS.gradient("softmax", "axis")
def gradient_along_the_last_axis(dy, x, *, axis=-1):
    y = reference("softmax", x, axis=axis)
    return {"x": y * (dy - np.sum(dy * y, axis=-1, keepdims=True))}


@FAULTS.gradient("softmax", "gradient")
def gradient_two_percent_too_small(dy, x, *, axis=-1):
    return {"x": 0.98 * right_vjp("softmax", dy, x, axis=axis)["x"]}


@FAULTS.value("softmax", "bfloat16")
def sum_in_16_bits(x, *, axis=-1):
    if x.size == 0:
        return x
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / sum_in_few_bits(exponentials, axis)


@FAULTS.value("softmax", "width")
def sum_skips_the_tail_of_a_row(x, *, axis=-1):
    if x.shape[axis] < 8:
        return reference("softmax", x, axis=axis)
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    whole = x.shape[axis] - x.shape[axis] % 8
    return exponentials / np.sum(np.take(exponentials, range(whole), axis=axis), axis=axis, keepdims=True)


@FAULTS.value("softmax", "infinity")
def row_of_minus_infinity_becomes_uniform(x, *, axis=-1):
    y = reference("softmax", x, axis=axis)
    masked = np.all(x == -np.inf, axis=axis, keepdims=True)
    return np.where(masked, np.asarray(1.0 / max(x.shape[axis], 1), x.dtype), y)


@FAULTS.value("softmax", "infinity")
def plus_infinity_takes_all(x, *, axis=-1):
    infinite = x == np.inf
    any_infinite = np.any(infinite, axis=axis, keepdims=True)
    return np.where(any_infinite, infinite.astype(x.dtype), reference("softmax", x, axis=axis))


@FAULTS.value("softmax", "nan")
def nan_counts_as_zero(x, *, axis=-1):
    return reference("softmax", np.where(np.isnan(x), -np.inf, x), axis=axis)


@FAULTS.value("softmax", "unit")
def axis_of_size_one_gives_zero(x, *, axis=-1):
    y = reference("softmax", x, axis=axis)
    return y - y if x.shape[axis] == 1 else y


@FAULTS.value("softmax", "empty")
def empty_axis_raises(x, *, axis=-1):
    return np.exp(x - np.max(x, axis=axis, keepdims=True)) if x.size == 0 else reference("softmax", x, axis=axis)


@FAULTS.value("softmax", "strided")
def transposed_rows_read_as_columns(x, *, axis=-1):
    return reference("softmax", x if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape), axis=axis)


@FAULTS.value("softmax", "size")
def only_the_first_block_of_rows(x, *, axis=-1):
    y = np.array(reference("softmax", x, axis=axis))
    if x.ndim == 2 and len(x) > 32:
        y[32:] = reference("softmax", x[32:], axis=axis)[::-1]
    return y


@FAULTS.value("softmax", "long")
def exponential_in_four_digits(x, *, axis=-1):
    y = reference("softmax", x, axis=axis)
    return y * (1.0 + 1e-4 * np.sign(y - np.mean(y)))


@FAULTS.value("softmax", "compiled", mode="compiled")
def axis_lost_when_compiled(x, *, axis=-1):
    return reference("softmax", x, axis=-1)


@FAULTS.value("log_softmax", "magnitude")
def logarithm_of_softmax(x, *, axis=-1):
    return np.log(reference("softmax", x, axis=axis))


@FAULTS.value("log_softmax", "magnitude")
def sum_of_exponentials_without_shift(x, *, axis=-1):
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


@FAULTS.value("log_softmax", "cancellation")
def shift_added_back_before_subtracting(x, *, axis=-1):
    if x.size == 0:
        return x
    largest = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True))
    return x - to_dtype(largest + total, "float16" if working_dtype() == "float32" else working_dtype()).astype(x.dtype)


@FAULTS.value("log_softmax", "plain")
def logarithm_clamped_at_minus_four(x, *, axis=-1):
    return np.maximum(reference("log_softmax", x, axis=axis), -4.0)


@FAULTS.gradient("log_softmax", "plain")
def gradient_without_the_sum(dy, x, *, axis=-1):
    return {"x": dy - np.exp(reference("log_softmax", x, axis=axis)) * dy}


@FAULTS.gradient("log_softmax", "plain")
def gradient_with_output_not_exponentiated(dy, x, *, axis=-1):
    return {"x": dy - reference("log_softmax", x, axis=axis) * np.sum(dy, axis=axis, keepdims=True)}


@FAULTS.gradient("log_softmax", "infinity")
def gradient_at_masked_entries_multiplied_out(dy, x, *, axis=-1):
    y = reference("log_softmax", x, axis=axis)
    return {"x": dy - np.exp(y) * np.sum(dy + 0.0 * y, axis=axis, keepdims=True)}


@FAULTS.value("log_softmax", "ties")
def repeated_maximum_counts_once(x, *, axis=-1):
    if x.size == 0:
        return x
    shifted = x - np.max(x, axis=axis, keepdims=True)
    rest = np.where(shifted == 0.0, 0.0, np.exp(shifted))
    return shifted - np.log1p(np.sum(rest, axis=axis, keepdims=True))
