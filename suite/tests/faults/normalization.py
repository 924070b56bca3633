"""Faults in batch and layer normalization: statistics, epsilon, running averages, axes, gradients, low precision."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


def others(x):
    """The axes that batch statistics are taken over."""
    return (0, *range(2, x.ndim))


def along(vector, x):
    return vector.reshape((1, -1, *(1,) * (x.ndim - 2)))


def batch(x, scale, offset, mean, variance, **keywords):
    return reference("batch_norm", x, scale, offset, mean, variance, **keywords)


def normalized(x, scale, offset, center, deviation):
    y = (x - along(center, x)) / along(deviation, x)
    y = y if scale is None else y * along(scale, x)
    return y if offset is None else y + along(offset, x)


def in_training(change):
    """A batch norm whose y in training is ``change(x, epsilon)``: a center and a deviation."""

    def batch_norm(x, scale, offset, running_mean, running_variance, *, training=True, epsilon=1e-5, **keywords):
        y, *statistics = batch(x, scale, offset, running_mean, running_variance, training=training, epsilon=epsilon, **keywords)
        if training:
            y = normalized(x, scale, offset, *(np.asarray(v, x.dtype) for v in change(x, epsilon)))
        return y, *statistics

    return batch_norm


def moments(x):
    return np.mean(x, axis=others(x)), np.var(x, axis=others(x))


def plant(name, group, change):
    function = in_training(change)
    function.__name__ = name
    FAULTS.value("batch_norm", group)(function)


def unbiased(x, epsilon):
    mean, variance = moments(x)
    count = x.size // max(x.shape[1], 1)
    return mean, np.sqrt(variance * (count / max(count - 1, 1)) + epsilon)


def one_pass(x, epsilon):
    mean = np.mean(x, axis=others(x))
    return mean, np.sqrt(np.maximum(np.mean(x * x, axis=others(x)) - mean * mean, 0.0) + epsilon)


def squares_in_16_bits(x, epsilon):
    mean = np.mean(x, axis=others(x))
    squares = to_dtype(np.square(x - along(mean, x)), working_dtype()).astype(x.dtype)
    return mean, np.sqrt(np.mean(squares, axis=others(x)) + epsilon)


def sum_in_16_bits(x, epsilon):
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    if working_dtype() not in ("float16", "bfloat16"):
        return np.mean(rows, axis=0), np.sqrt(moments(x)[1] + epsilon)
    total = np.zeros_like(rows[0])
    for row in rows:
        total = to_dtype(total + row, working_dtype()).astype(x.dtype)
    return to_dtype(total / (x.size // x.shape[1]), working_dtype()).astype(x.dtype), np.sqrt(moments(x)[1] + epsilon)


plant("variance_divided_by_count_minus_one", "plain", unbiased)
plant("epsilon_added_to_the_deviation", "epsilon", lambda x, e: (moments(x)[0], np.sqrt(moments(x)[1]) + e))
plant("epsilon_as_lower_bound_of_the_variance", "epsilon", lambda x, e: (moments(x)[0], np.sqrt(np.maximum(moments(x)[1], e))))
plant("epsilon_ignored", "epsilon", lambda x, e: (moments(x)[0], np.sqrt(moments(x)[1] + 1e-5)))
plant("variance_in_one_pass", "cancellation", one_pass)
plant("squares_overflow_in_float16", "float16", squares_in_16_bits)
plant("mean_accumulated_in_16_bits", "bfloat16", sum_in_16_bits)
plant("statistics_of_the_first_example_only", "plain", lambda x, e: (moments(x[:1])[0], np.sqrt(moments(x[:1])[1] + e)))


def last_axis(x, epsilon):
    if x.ndim != 3 or x.shape[1] > x.shape[2]:
        mean, variance = moments(x)
    else:
        mean, variance = moments(x[:, :, : x.shape[1]])
    return mean, np.sqrt(variance + epsilon)


plant("part_of_a_sequence_left_out_of_the_statistics", "rank", last_axis)


def spread_of_nan(x, epsilon):
    mean, variance = moments(x)
    return mean + 0.0 * np.sum(mean), np.sqrt(variance + epsilon)


plant("nan_spreads_to_all_channels", "nan", spread_of_nan)


@FAULTS.value("batch_norm", "statistics")
def momentum_exchanged(x, scale, offset, running_mean, running_variance, *, momentum=0.9, **keywords):
    return batch(x, scale, offset, running_mean, running_variance, momentum=1.0 - momentum, **keywords)


@FAULTS.value("batch_norm", "plain")
def biased_running_variance(
    x, scale, offset, running_mean, running_variance, *, running_variance_estimate="unbiased", **keywords
):
    flipped = "biased" if running_variance_estimate == "unbiased" else "unbiased"
    return batch(x, scale, offset, running_mean, running_variance, running_variance_estimate=flipped, **keywords)


@FAULTS.value("batch_norm", "rank")
def unbiased_running_variance_counts_examples_only(
    x, scale, offset, running_mean, running_variance, *, momentum=0.9, running_variance_estimate="unbiased", **keywords
):
    arrays = (x, scale, offset, running_mean, running_variance)
    y, mean, biased = batch(*arrays, momentum=momentum, running_variance_estimate="biased", **keywords)
    if running_variance_estimate == "biased" or not keywords.get("training", True) or len(x) < 2:
        return batch(*arrays, momentum=momentum, running_variance_estimate=running_variance_estimate, **keywords)
    kept = momentum * running_variance
    return y, mean, kept + (biased - kept) * (len(x) / (len(x) - 1))


@FAULTS.value("batch_norm", "statistics")
def running_statistics_updated_at_inference(x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    y, mean, variance = batch(x, scale, offset, running_mean, running_variance, training=training, **keywords)
    if not training and x.size:
        _, mean, variance = batch(x, scale, offset, running_mean, running_variance, training=True, **keywords)
    return y, mean, variance


@FAULTS.value("batch_norm", "purity")
def running_statistics_updated_in_place(x, scale, offset, running_mean, running_variance, **keywords):
    y, mean, variance = batch(x, scale, offset, running_mean, running_variance, **keywords)
    running_mean[...], running_variance[...] = mean, variance
    return y, running_mean, running_variance


@FAULTS.value("batch_norm", "statistics")
def batch_statistics_used_at_inference(x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    y, mean, variance = batch(x, scale, offset, running_mean, running_variance, training=training, **keywords)
    if not training and x.size:
        y, _, _ = batch(x, scale, offset, running_mean, running_variance, training=True, **keywords)
    return y, mean, variance


@FAULTS.value("batch_norm", "plain")
def running_mean_of_the_second_channel_for_all(x, scale, offset, running_mean, running_variance, **keywords):
    y, mean, variance = batch(x, scale, offset, running_mean, running_variance, **keywords)
    return y, np.broadcast_to(mean[-1:], mean.shape), variance


@FAULTS.value("batch_norm", "plain")
def running_deviation_in_place_of_variance(x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    y, mean, variance = batch(x, scale, offset, running_mean, running_variance, training=training, **keywords)
    return y, mean, np.sqrt(variance) if training else variance


@FAULTS.value("batch_norm", "optional")
def missing_scale_is_zero(x, scale, offset, running_mean, running_variance, **keywords):
    return batch(x, np.zeros_like(running_mean) if scale is None else scale, offset, running_mean, running_variance, **keywords)


@FAULTS.gradient("batch_norm", "plain")
def statistics_taken_as_constants(
    dy, x, scale, offset, running_mean, running_variance, *, training=True, epsilon=1e-5, **keywords
):
    mean, variance = moments(x) if training and x.size else (running_mean, running_variance)
    keywords |= {"training": False, "epsilon": epsilon}
    return right_vjp("batch_norm", dy, x, scale, offset, mean.astype(x.dtype), variance.astype(x.dtype), **keywords)


@FAULTS.gradient("batch_norm", "epsilon")
def gradient_with_the_default_epsilon(dy, x, scale, offset, running_mean, running_variance, *, epsilon=1e-5, **keywords):
    return right_vjp("batch_norm", dy, x, scale, offset, running_mean, running_variance, **keywords)


@FAULTS.gradient("batch_norm", "plain")
def projection_left_out_of_the_gradient(dy, x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    right = right_vjp("batch_norm", dy, x, scale, offset, running_mean, running_variance, training=training, **keywords)
    if training:
        root = np.sqrt(moments(x)[1] + keywords.get("epsilon", 1e-5)).astype(x.dtype)
        g = dy if scale is None else dy * along(scale, x)
        right["x"] = (g - np.mean(g, axis=others(x), keepdims=True)) / along(root, x)
    return right


@FAULTS.gradient("batch_norm", "statistics")
def inference_gradient_of_training(dy, x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    training = training or x.size > 0
    return right_vjp("batch_norm", dy, x, scale, offset, running_mean, running_variance, training=training, **keywords)


@FAULTS.gradient("batch_norm", "statistics")
def inference_gradient_of_training_for_rows(dy, x, scale, offset, running_mean, running_variance, *, training=True, **keywords):
    arrays = (x, scale, offset, running_mean, running_variance)
    right = right_vjp("batch_norm", dy, *arrays, training=training, **keywords)
    if training or x.ndim > 2 or len(x) < 2:
        return right
    return {**right, "x": right_vjp("batch_norm", dy, *arrays, training=True, **keywords)["x"]}


@FAULTS.gradient("batch_norm", "plain")
def scale_gradient_of_the_input_not_normalized(dy, x, scale, offset, running_mean, running_variance, **keywords):
    right = right_vjp("batch_norm", dy, x, scale, offset, running_mean, running_variance, **keywords)
    return {**right, "scale": None if scale is None else np.sum(dy * x, axis=others(x))}


def layer(x, scale=None, offset=None, **keywords):
    return reference("layer_norm", x, scale, offset, **keywords)


def over(axes, change):
    """A layer norm with another center and deviation."""

    def layer_norm(x, scale=None, offset=None, *, axes=axes, epsilon=1e-5):
        layer(x, scale, offset, axes=axes, epsilon=epsilon)
        center, deviation = (np.asarray(v, x.dtype) for v in change(x, tuple(axes), epsilon))
        y = (x - center) / deviation
        y = y if scale is None else y * scale
        return y if offset is None else y + offset

    return layer_norm


def plant_layer(name, group, change):
    function = over((-1,), change)
    function.__name__ = name
    FAULTS.value("layer_norm", group)(function)


def mean(x, axes):
    return np.mean(x, axis=axes, keepdims=True)


def variance(x, axes):
    return np.var(x, axis=axes, keepdims=True)


def several(x, axes):
    return tuple(range(1, x.ndim)) if x.ndim > 2 else axes


def whole_blocks(x, axes):
    """The input without the tail of its last axis."""
    return x[..., : x.shape[-1] - x.shape[-1] % 8] if x.shape[-1] > 8 else x


plant_layer(
    "deviation_divided_by_count_minus_one",
    "plain",
    lambda x, a, e: (mean(x, a), np.sqrt(variance(x, a) * (1.0 + 1.0 / max(x.shape[-1] - 1, 1)) + e)),
)
plant_layer("epsilon_outside_the_root", "epsilon", lambda x, a, e: (mean(x, a), np.sqrt(variance(x, a)) + e))
plant_layer(
    "epsilon_outside_the_root_for_several_axes",
    "axis",
    lambda x, a, e: (mean(x, a), np.sqrt(variance(x, a)) + e if len(a) > 1 else np.sqrt(variance(x, a) + e)),
)
plant_layer(
    "epsilon_of_another_default", "epsilon", lambda x, a, e: (mean(x, a), np.sqrt(variance(x, a) + (1e-3 if e == 1e-5 else e)))
)
plant_layer(
    "variance_in_one_pass",
    "cancellation",
    lambda x, a, e: (mean(x, a), np.sqrt(np.maximum(mean(x * x, a) - mean(x, a) ** 2, 0.0) + e)),
)
plant_layer("only_the_last_axis", "axis", lambda x, a, e: (mean(x, (-1,)), np.sqrt(variance(x, (-1,)) + e)))
plant_layer(
    "all_axes_but_the_first_of_rank_three",
    "rank",
    lambda x, a, e: (mean(x, several(x, a)), np.sqrt(variance(x, several(x, a)) + e)),
)
plant_layer(
    "tail_of_a_row_left_out_of_the_mean", "width", lambda x, a, e: (mean(whole_blocks(x, a), a), np.sqrt(variance(x, a) + e))
)
plant_layer("root_to_four_digits", "plain", lambda x, a, e: (mean(x, a), np.sqrt(variance(x, a) + e) * (1.0 + 1e-4)))
plant_layer(
    "squares_overflow_in_float16",
    "float16",
    lambda x, a, e: (mean(x, a), np.sqrt(mean(to_dtype(np.square(x - mean(x, a)), working_dtype()).astype(x.dtype), a) + e)),
)
plant_layer(
    "constant_row_divides_by_zero",
    "epsilon",
    lambda x, a, e: (mean(x, a), np.where(np.ptp(x, axis=a, keepdims=True) == 0, 0.0, np.sqrt(variance(x, a) + e))),
)
plant_layer(
    "rows_of_a_long_axis_in_float16",
    "long",
    lambda x, a, e: (mean(x.astype(np.float16) if x.shape[-1] > 256 else x, a), np.sqrt(variance(x, a) + e)),
)


@FAULTS.value("layer_norm", "plain")
def offset_before_scale(x, scale=None, offset=None, **keywords):
    y = layer(x, None, offset, **keywords)
    return y if scale is None else y * scale


@FAULTS.gradient("layer_norm", "plain")
def gradient_without_projection(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    g = dy if scale is None else dy * scale
    return {**right, "x": (g - mean(g, tuple(axes))) / np.sqrt(variance(x, tuple(axes)) + epsilon)}


@FAULTS.gradient("layer_norm", "plain")
def gradient_forgets_the_scale(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    return {**right, "x": right_vjp("layer_norm", dy, x, axes=axes, epsilon=epsilon)["x"]}


@FAULTS.gradient("layer_norm", "rank")
def scale_gradient_of_the_first_example(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    if scale is not None and x.ndim - len(axes) > 1:
        right["scale"] = right_vjp("layer_norm", dy[0], x[0], scale, offset, axes=axes, epsilon=epsilon)["scale"]
    return right


@FAULTS.gradient("layer_norm", "size")
def offset_gradient_loses_a_block_of_rows(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    if offset is not None and x.ndim == 2 and len(axes) == 1 and len(x) > 32:
        right["offset"] = np.sum(dy[: len(x) // 32 * 32 - 1], axis=0)
    return right
