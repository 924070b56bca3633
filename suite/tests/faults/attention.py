"""Faults in attention, and in looking up and reshaping."""

import math

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()
ATTENTION = "scaled_dot_product_attention"


def attend(query, key, value, mask=None, **keywords):
    return reference(ATTENTION, query, key, value, mask, **keywords)


def lower(query, key, shift=0):
    """What a causal query may see."""
    return np.tril(np.ones((query.shape[-2], key.shape[-2]), bool), shift)


def causal_with(allowed):
    """Attention whose causal mask is ``allowed(query, key)``."""

    def attention(query, key, value, mask=None, *, causal=False, **keywords):
        if causal:
            seen = allowed(query, key)
            mask = seen if mask is None else seen & mask
        return attend(query, key, value, mask, **keywords)

    return attention


def plant(name, group, function):
    function.__name__ = name
    FAULTS.value(ATTENTION, group)(function)


plant("causal_mask_aligned_at_the_bottom_right", "mask", causal_with(lambda q, k: lower(q, k, k.shape[-2] - q.shape[-2])))
plant("causal_mask_hides_the_diagonal", "mask", causal_with(lambda q, k: lower(q, k, -1)))
plant("causal_mask_the_other_way_round", "mask", causal_with(lambda q, k: ~lower(q, k, -1)))


@FAULTS.value(ATTENTION, "plain")
def default_scale_is_one(query, key, value, mask=None, *, scale=None, **keywords):
    return attend(query, key, value, mask, scale=1.0 if scale is None else scale, **keywords)


@FAULTS.value(ATTENTION, "plain")
def scaled_by_the_features_of_the_values(query, key, value, mask=None, *, scale=None, **keywords):
    return attend(query, key, value, mask, scale=value.shape[-1] ** -0.5 if scale is None else scale, **keywords)


@FAULTS.value(ATTENTION, "optional")
def scale_multiplies_the_default(query, key, value, mask=None, *, scale=None, **keywords):
    return attend(query, key, value, mask, scale=(1.0 if scale is None else scale) / math.sqrt(query.shape[-1]), **keywords)


@FAULTS.value(ATTENTION, "mask")
def mask_inverted(query, key, value, mask=None, **keywords):
    return attend(query, key, value, None if mask is None else ~mask, **keywords)


@FAULTS.value(ATTENTION, "mask")
def causal_ignored_beside_a_mask(query, key, value, mask=None, *, causal=False, **keywords):
    return attend(query, key, value, mask, causal=causal and mask is None, **keywords)


@FAULTS.value(ATTENTION, "mask")
def mask_ignored_when_causal(query, key, value, mask=None, *, causal=False, **keywords):
    return attend(query, key, value, None if causal else mask, causal=causal, **keywords)


@FAULTS.value(ATTENTION, "mask")
def scale_ignored_beside_a_mask(query, key, value, mask=None, *, scale=None, **keywords):
    return attend(query, key, value, mask, scale=scale if mask is None else None, **keywords)


@FAULTS.value(ATTENTION, "mask")
def mask_of_the_first_example_for_all(query, key, value, mask=None, **keywords):
    if mask is not None and mask.ndim == query.ndim:
        mask = np.broadcast_to(mask[:1], mask.shape)
    return attend(query, key, value, mask, **keywords)


@FAULTS.value(ATTENTION, "mask")
def mask_of_the_first_head_for_all(query, key, value, mask=None, **keywords):
    if mask is not None and mask.ndim == 4:
        mask = np.broadcast_to(mask[:, :1], mask.shape)
    return attend(query, key, value, mask, **keywords)


@FAULTS.value(ATTENTION, "convention")
def masked_scores_are_minus_ten_thousand(query, key, value, mask=None, *, fully_masked_rows="nan", **keywords):
    return attend(query, key, value, mask, fully_masked_rows="uniform", **keywords)


@FAULTS.value(ATTENTION, "convention")
def fully_masked_rows_are_always_zero(query, key, value, mask=None, *, fully_masked_rows="nan", **keywords):
    return attend(query, key, value, mask, fully_masked_rows="zero", **keywords)


@FAULTS.gradient(ATTENTION, "convention")
def fully_masked_rows_have_a_gradient_of_nan(dy, query, key, value, mask=None, *, fully_masked_rows="nan", **keywords):
    return right_vjp(ATTENTION, dy, query, key, value, mask, fully_masked_rows="nan", **keywords)


def weights_of(query, key, scale):
    return np.matmul(query, np.swapaxes(key, -1, -2)) * (query.shape[-1] ** -0.5 if scale is None else scale)


@FAULTS.value(ATTENTION, "magnitude")
def softmax_without_shift(query, key, value, mask=None, *, causal=False, scale=None, **keywords):
    if mask is not None or causal or not query.size:
        return attend(query, key, value, mask, causal=causal, scale=scale, **keywords)
    exponentials = np.exp(4.0 * weights_of(query, key, scale)) ** np.asarray(0.25, query.dtype)
    return np.matmul(exponentials / np.sum(exponentials, axis=-1, keepdims=True), value)


@FAULTS.value(ATTENTION, "plain")
def softmax_over_the_queries(query, key, value, mask=None, *, causal=False, scale=None, **keywords):
    if mask is not None or causal or not query.size:
        return attend(query, key, value, mask, causal=causal, scale=scale, **keywords)
    return np.matmul(reference("softmax", weights_of(query, key, scale), axis=-2), value)


@FAULTS.value(ATTENTION, "long")
def keys_beyond_a_block_are_dropped(query, key, value, mask=None, **keywords):
    whole = key.shape[-2] // 64 * 64 if key.shape[-2] > 64 and mask is None else key.shape[-2]
    return attend(query, key[..., :whole, :], value[..., :whole, :], mask, **keywords)


@FAULTS.value(ATTENTION, "bfloat16")
def weighted_values_added_in_16_bits(query, key, value, mask=None, **keywords):
    if working_dtype() not in ("float16", "bfloat16"):
        return attend(query, key, value, mask, **keywords)
    identity = np.broadcast_to(np.eye(key.shape[-2], dtype=query.dtype), (*key.shape[:-1], key.shape[-2]))
    weights = attend(query, key, identity, mask, **keywords)
    total = 0.0
    for k in range(key.shape[-2]):
        total = to_dtype(total + weights[..., k : k + 1] * value[..., k : k + 1, :], working_dtype()).astype(query.dtype)
    return total


@FAULTS.value(ATTENTION, "plain")
def heads_and_examples_mixed_up(query, key, value, mask=None, **keywords):
    if key.ndim == 4 and mask is None:
        key = np.swapaxes(key, 0, 1).reshape(key.shape)
    return attend(query, key, value, mask, **keywords)


@FAULTS.value(ATTENTION, "nan")
def nan_in_values_skipped(query, key, value, mask=None, **keywords):
    return attend(query, key, np.nan_to_num(value, posinf=np.inf, neginf=-np.inf), mask, **keywords)


@FAULTS.gradient(ATTENTION, "plain")
def key_gradient_without_the_scale(dy, query, key, value, mask=None, *, scale=None, **keywords):
    right = right_vjp(ATTENTION, dy, query, key, value, mask, scale=scale, **keywords)
    return {**right, "key": right["key"] / (query.shape[-1] ** -0.5 if scale is None else scale)}


@FAULTS.gradient(ATTENTION, "mask")
def value_gradient_without_the_mask(dy, query, key, value, mask=None, *, causal=False, **keywords):
    right = right_vjp(ATTENTION, dy, query, key, value, mask, causal=causal, **keywords)
    return {**right, "value": right_vjp(ATTENTION, dy, query, key, value, **keywords)["value"]}


@FAULTS.gradient(ATTENTION, "mask")
def causal_ignored_in_the_query_gradient(dy, query, key, value, mask=None, *, causal=False, **keywords):
    right = right_vjp(ATTENTION, dy, query, key, value, mask, causal=causal, **keywords)
    return {**right, "query": right_vjp(ATTENTION, dy, query, key, value, mask, **keywords)["query"]}


@FAULTS.value(ATTENTION, "optional")
def scale_ignored_when_causal(query, key, value, mask=None, *, causal=False, scale=None, **keywords):
    return attend(query, key, value, mask, causal=causal, scale=None if causal else scale, **keywords)


@FAULTS.gradient(ATTENTION, "plain")
def inner_sum_of_softmax_gradient_left_out(dy, query, key, value, mask=None, *, causal=False, scale=None, **keywords):
    right = right_vjp(ATTENTION, dy, query, key, value, mask, causal=causal, scale=scale, **keywords)
    if mask is None and not causal:
        factor = query.shape[-1] ** -0.5 if scale is None else scale
        weights = reference("softmax", weights_of(query, key, scale))
        right["query"] = np.matmul(weights * np.matmul(dy, np.swapaxes(value, -1, -2)), key) * factor
    return right


@FAULTS.gradient("embedding", "repeated")
def gradient_overwrites_for_repeated_indices(dy, indices, weight, *, out_of_range="error"):
    right = right_vjp("embedding", dy, indices, weight, out_of_range=out_of_range)["weight"]
    gradient = np.zeros_like(weight)
    gradient[np.clip(indices, 0, len(weight) - 1)] = dy
    return {"weight": np.where(right == 0.0, right, gradient)}


@FAULTS.gradient("embedding", "repeated")
def gradient_averaged_for_repeated_indices(dy, indices, weight, *, out_of_range="error"):
    right = right_vjp("embedding", dy, indices, weight, out_of_range=out_of_range)["weight"]
    counts = np.bincount(np.clip(indices, 0, len(weight) - 1).ravel(), minlength=len(weight))
    return {"weight": (right / np.maximum(counts, 1)[:, None]).astype(right.dtype)}


@FAULTS.gradient("embedding", "plain")
def row_zero_is_padding(dy, indices, weight, *, out_of_range="error"):
    right = np.array(right_vjp("embedding", dy, indices, weight, out_of_range=out_of_range)["weight"])
    right[0] = 0.0
    return {"weight": right}


@FAULTS.gradient("embedding", "bfloat16")
def repeated_gradients_added_in_16_bits(dy, indices, weight, *, out_of_range="error"):
    if out_of_range != "error":
        return right_vjp("embedding", dy, indices, weight, out_of_range=out_of_range)
    gradient = np.zeros_like(weight)
    for index, row in zip(indices.ravel(), dy.reshape(-1, weight.shape[1]), strict=True):
        gradient[index] = to_dtype(gradient[index] + row, working_dtype())
    return {"weight": gradient}


@FAULTS.value("embedding", "bounds")
def negative_indices_count_from_the_end(indices, weight, *, out_of_range="error"):
    return reference("embedding", np.where(indices < 0, indices + len(weight), indices), weight, out_of_range=out_of_range)


@FAULTS.value("embedding", "bounds")
def indices_out_of_range_clamp_silently(indices, weight, *, out_of_range="error"):
    return reference("embedding", indices, weight, out_of_range="clamp")


@FAULTS.gradient("embedding", "bounds")
def gradient_of_zeroed_rows_goes_to_a_neighbour(dy, indices, weight, *, out_of_range="error"):
    return right_vjp("embedding", dy, indices, weight, out_of_range="clamp")


@FAULTS.value("embedding", "bounds")
def indices_in_16_bits(indices, weight, *, out_of_range="error"):
    return reference("embedding", np.where(indices >= 2**16, indices % 2**16, indices), weight, out_of_range=out_of_range)


@FAULTS.value("embedding", "bounds")
def indices_cast_to_the_working_dtype(indices, weight, *, out_of_range="error"):
    cast = to_dtype(indices.astype(np.float64), working_dtype()).astype(np.int64)
    return reference(
        "embedding", np.minimum(cast, max(len(weight) - 1, indices.max(initial=0))), weight, out_of_range=out_of_range
    )


@FAULTS.value("embedding", "rank")
def indices_of_rank_three_in_another_order(indices, weight, *, out_of_range="error"):
    order = indices.T.reshape(indices.shape) if indices.ndim > 2 else indices
    return reference("embedding", order, weight, out_of_range=out_of_range)


@FAULTS.value("embedding", "nan")
def lookup_by_a_product_with_one_hot(indices, weight, *, out_of_range="error"):
    y = reference("embedding", indices, weight, out_of_range=out_of_range)
    return y + 0.0 * np.sum(weight, axis=0)


@FAULTS.value("embedding", "zero")
def rows_lose_the_sign_of_zero(indices, weight, *, out_of_range="error"):
    return reference("embedding", indices, weight, out_of_range=out_of_range) + 0.0


@FAULTS.value("one_hot", "bounds")
def first_class_is_one(labels, *, classes, out_of_range="error"):
    y = reference("one_hot", labels, classes=classes, out_of_range=out_of_range)
    return np.roll(y, -1, axis=-1)


@FAULTS.value("one_hot", "bounds")
def negative_label_wraps(labels, *, classes, out_of_range="error"):
    return reference("one_hot", np.where(labels < 0, labels % classes, labels), classes=classes, out_of_range=out_of_range)


@FAULTS.value("one_hot", "bounds")
def labels_in_eight_bits(labels, *, classes, out_of_range="error"):
    return reference("one_hot", np.where(labels >= 256, labels % 256, labels), classes=classes, out_of_range=out_of_range)


@FAULTS.value("one_hot", "rank")
def classes_on_the_first_axis(labels, *, classes, out_of_range="error"):
    return np.moveaxis(reference("one_hot", labels, classes=classes, out_of_range=out_of_range), -1, 0)


@FAULTS.value("one_hot", "bounds")
def as_many_classes_as_labels_seen(labels, *, classes, out_of_range="error"):
    return reference("one_hot", labels, classes=int(np.max(labels, initial=0)) + 1, out_of_range=out_of_range)


@FAULTS.value("flatten", "plain")
def columns_before_rows(x, *, order="channels_first"):
    swapped = np.swapaxes(x, -1, -2) if x.ndim > 3 else x
    return reference("flatten", swapped, order=order)


@FAULTS.value("flatten", "convention")
def order_ignored(x, *, order="channels_first"):
    return reference("flatten", x)


@FAULTS.gradient("flatten", "convention")
def gradient_in_the_order_of_channels_first(dy, x, *, order="channels_first"):
    return {"x": dy.reshape(x.shape)}


@FAULTS.value("flatten", "unit")
def axes_of_size_one_squeezed_away(x, *, order="channels_first"):
    return np.squeeze(reference("flatten", x, order=order))


@FAULTS.value("flatten", "empty")
def size_inferred_for_an_empty_batch(x, *, order="channels_first"):
    ordered = np.moveaxis(x, 1, -1) if order == "channels_last" else x
    return ordered.reshape(x.shape[0], -1)


@FAULTS.value("flatten", "strided")
def copied_in_memory_order(x, *, order="channels_first"):
    return reference("flatten", x, order=order) if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape[0], -1)
