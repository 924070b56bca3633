"""Faults in matrix products, dense layers and the two regressions."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


@FAULTS.value("matmul", "float64")
def float64_product_in_float32(a, b):
    return reference("matmul", a.astype(np.float32), b.astype(np.float32)).astype(a.dtype)


@FAULTS.value("matmul", "float32")
def operands_rounded_to_ten_bits(a, b):
    if a.dtype != np.float32 or working_dtype() != "float32":
        return reference("matmul", a, b)
    return reference("matmul", *(np.rint(v * 2.0**10 / s) / 2.0**10 * s for v in (a, b) for s in (_binade(v),)))


def _binade(values):
    return np.ldexp(np.ones_like(values), np.frexp(np.where(np.isfinite(values), values, 1.0))[1])


@FAULTS.value("matmul", "bfloat16")
def partial_sums_in_16_bits(a, b):
    if working_dtype() not in ("float16", "bfloat16"):
        return reference("matmul", a, b)
    total = np.zeros_like(reference("matmul", a, b))
    for k in range(a.shape[-1]):
        total = to_dtype(total + a[..., k : k + 1] * b[..., k : k + 1, :], working_dtype()).astype(np.float32)
    return total


@FAULTS.value("matmul", "float16", mode="compiled")
def partial_sums_of_long_axes_in_float16_when_compiled(a, b):
    if working_dtype() != "float16" or min(a.ndim, b.ndim) < 2 or a.shape[-1] < 64:
        return reference("matmul", a, b)
    return partial_sums_in_16_bits(a, b)


@FAULTS.gradient("matmul", "broadcast")
def broadcast_gradient_not_summed(dy, a, b):
    return {"a": np.matmul(dy, np.swapaxes(b, -1, -2)), "b": np.matmul(np.swapaxes(a, -1, -2), dy)}


@FAULTS.gradient("matmul", "broadcast")
def broadcast_gradient_takes_the_first(dy, a, b):
    gradients = {"a": np.matmul(dy, np.swapaxes(b, -1, -2)), "b": np.matmul(np.swapaxes(a, -1, -2), dy)}
    for name, operand in (("a", a), ("b", b)):
        while gradients[name].ndim > operand.ndim:
            gradients[name] = gradients[name][0]
        for axis, size in enumerate(operand.shape):
            gradients[name] = gradients[name].take([0], axis) if size == 1 else gradients[name]
    return gradients


@FAULTS.gradient("matmul", "broadcast")
def gradient_of_a_matrix_beside_a_stack_takes_the_first(dy, a, b):
    right = right_vjp("matmul", dy, a, b)
    if not b.ndim > a.ndim == 2 or dy.ndim != 3 or not len(dy):
        return right
    return {**right, "a": np.matmul(dy[0], np.swapaxes(b[0], -1, -2))}


@FAULTS.gradient("matmul", "plain")
def gradients_of_the_operands_exchanged_for_squares(dy, a, b):
    right = right_vjp("matmul", dy, a, b)
    return {"a": right["b"], "b": right["a"]} if a.shape == b.shape else {**right, "a": np.zeros_like(a)}


@FAULTS.value("matmul", "strided")
def transposed_operand_read_straight(a, b):
    return reference("matmul", *(v if v.flags.c_contiguous else v.ravel(order="K").reshape(v.shape) for v in (a, b)))


@FAULTS.value("matmul", "empty")
def empty_inner_axis_leaves_ones(a, b):
    y = reference("matmul", a, b)
    return y + 1.0 if a.shape[-1] == 0 else y


@FAULTS.value("matmul", "width")
def tail_of_the_inner_axis_dropped(a, b):
    whole = a.shape[-1] - a.shape[-1] % 8 if a.shape[-1] > 8 else a.shape[-1]
    return reference("matmul", a[..., :whole], b[..., :whole, :])


@FAULTS.value("matmul", "rank")
def first_matrix_for_all_of_a_stack(a, b):
    if b.ndim < 3 or b.shape[0] == 0:
        return reference("matmul", a, b)
    return reference("matmul", a, np.broadcast_to(b[:1], b.shape))


@FAULTS.value("matmul", "size")
def last_block_of_a_large_product_missing(a, b):
    y = np.array(reference("matmul", a, b))
    if y.ndim == 2 and y.shape[0] >= 64:
        y[-1, -16:] = 0.0
    return y


@FAULTS.value("matmul", "infinity")
def zeros_skipped_before_infinity(a, b):
    return np.nan_to_num(reference("matmul", a, b), nan=0.0, posinf=np.inf, neginf=-np.inf)


@FAULTS.value("matmul", "magnitude")
def overflow_saturates(a, b):
    with np.errstate(all="ignore"):
        return np.nan_to_num(reference("matmul", a, b), nan=np.nan)


@FAULTS.value("dense", "plain")
def bias_after_the_activation(x, weight, bias=None, *, activation="linear"):
    y = reference("dense", x, weight, activation=activation)
    return y if bias is None else y + bias


@FAULTS.value("dense", "plain")
def activation_ignored(x, weight, bias=None, *, activation="linear"):
    return reference("dense", x, weight, bias)


@FAULTS.value("dense", "optional")
def missing_bias_raises(x, weight, bias=None, *, activation="linear"):
    return reference("dense", x, weight, bias[:], activation=activation)


@FAULTS.gradient("dense", "plain")
def bias_gradient_averaged(dy, x, weight, bias=None, *, activation="linear"):
    right = right_vjp("dense", dy, x, weight, bias, activation=activation)
    rows = max(int(np.prod(x.shape[:-1])), 1)
    return {**right, "bias": None if bias is None else right["bias"] / rows}


@FAULTS.gradient("dense", "plain")
def bias_gradient_is_none(dy, x, weight, bias=None, *, activation="linear"):
    return {**right_vjp("dense", dy, x, weight, bias, activation=activation), "bias": None}


@FAULTS.gradient("dense", "rank")
def weight_gradient_of_the_first_example_only(dy, x, weight, bias=None, *, activation="linear"):
    right = right_vjp("dense", dy, x, weight, bias, activation=activation)
    if x.ndim >= 3:
        right["weight"] = right_vjp("dense", dy[0], x[0], weight, bias, activation=activation)["weight"]
    return right


@FAULTS.gradient("dense", "plain")
def activation_left_out_of_the_gradient(dy, x, weight, bias=None, *, activation="linear"):
    return right_vjp("dense", dy, x, weight, bias)


@FAULTS.gradient("dense", "plain")
def gradient_forgets_the_bias_inside_the_activation(dy, x, weight, bias=None, *, activation="linear"):
    right = right_vjp("dense", dy, x, weight, bias, activation=activation)
    return {**right, "x": right_vjp("dense", dy, x, weight, activation=activation)["x"]}


@FAULTS.value("dense", "nan")
def relu_swallows_nan(x, weight, bias=None, *, activation="linear"):
    y = reference("dense", x, weight, bias, activation=activation)
    return np.where(np.isnan(y), 0.0, y) if activation == "relu" else y


@FAULTS.value("dense", "unit")
def one_row_broadcasts_the_bias_wrongly(x, weight, bias=None, *, activation="linear"):
    if bias is not None and x.shape[0] == 1:
        bias = np.broadcast_to(bias[:1], bias.shape)
    return reference("dense", x, weight, bias, activation=activation)


@FAULTS.value("linear_regression", "plain")
def intercept_scaled_by_the_features(x, theta0, theta):
    return np.matmul(x, theta) + theta0 * x.shape[-1]


@FAULTS.gradient("linear_regression", "plain")
def intercept_gradient_averaged(dy, x, theta0, theta):
    right = right_vjp("linear_regression", dy, x, theta0, theta)
    return {**right, "theta0": np.mean(dy) if dy.size else right["theta0"]}


@FAULTS.value("linear_regression", "plain")
def result_has_a_trailing_axis(x, theta0, theta):
    return reference("linear_regression", x, theta0, theta)[..., None]


@FAULTS.value("linear_regression", "nan")
def nan_skipped_in_the_sum(x, theta0, theta):
    return np.nansum(x * theta, axis=-1) + theta0


@FAULTS.gradient("logistic_regression", "plain")
def derivative_of_the_sigmoid_forgotten(dy, x, theta0, theta):
    return right_vjp("linear_regression", dy, x, theta0, theta)


@FAULTS.value("logistic_regression", "plain")
def intercept_ignored(x, theta0, theta):
    return reference("logistic_regression", x, np.zeros_like(theta0), theta)


@FAULTS.value("logistic_regression", "magnitude")
def logits_clamped_to_thirty(x, theta0, theta):
    return reference("sigmoid", np.clip(np.matmul(x, theta) + theta0, -30.0, 30.0))


@FAULTS.gradient("logistic_regression", "plain")
def gradient_of_the_intercept_for_each_feature(dy, x, theta0, theta):
    right = right_vjp("logistic_regression", dy, x, theta0, theta)
    return {**right, "theta": right["theta"] + right["theta0"] * 1e-3}


def straight(array):
    """The numbers in the order in which they lie in memory."""
    return array.ravel(order="K").reshape(array.shape)


@FAULTS.value("matmul", "strided")
def transposition_ignored_beside_a_contiguous_operand(a, b):
    mixed = a.flags.c_contiguous != b.flags.c_contiguous
    return reference("matmul", *((straight(a), straight(b)) if mixed else (a, b)))
