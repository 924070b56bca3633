"""Faults in functions of one number: ranges, approximations, NaN, kinks, loops over vectors."""

import math
from typing import Any

import numpy as np
from faulty import Faults, reference, right_vjp
from scipy.special import erf
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


def vector_loop_without_tail(function: Any, x: Any) -> Any:
    """The function of all but the last elements, those beyond a multiple of 8."""
    y = np.array(function(x)).reshape(-1)
    whole = y.size - y.size % 8
    y[whole:] = x.reshape(-1)[whole:]
    return y.reshape(x.shape)


@FAULTS.value("sigmoid", "magnitude")
def quotient_of_exponentials_overflows(x):
    return np.exp(x) / (1.0 + np.exp(x))


@FAULTS.value("sigmoid", "magnitude")
def input_clamped_to_15(x):
    return reference("sigmoid", np.clip(x, -15.0, 15.0))


@FAULTS.gradient("sigmoid", "magnitude")
def gradient_flushed_in_the_tails(dy, x):
    return {"x": np.where(np.abs(x) > 9.0, 0.0, right_vjp("sigmoid", dy, x)["x"])}


@FAULTS.value("sigmoid", "width")
def tail_of_the_vector_loop_skipped(x):
    return vector_loop_without_tail(lambda x: reference("sigmoid", x), x)


@FAULTS.value("sigmoid", "size")
def kernel_for_large_arrays_computes_in_float16(x):
    if x.size <= 4096:
        return reference("sigmoid", x)
    return reference("sigmoid", x.astype(np.float16)).astype(x.dtype)


@FAULTS.value("sigmoid", "size")
def one_element_of_8192_is_wrong(x):
    y = np.array(reference("sigmoid", x))
    if y.size >= 8192:
        y.reshape(-1)[5000] *= 1.001
    return y


@FAULTS.value("sigmoid", "plain")
def rational_approximation_to_four_digits(x):
    y = reference("sigmoid", x)
    return np.rint(y * 2.0**13) * 2.0**-13


@FAULTS.value("sigmoid", "plain")
def one_percent_too_large(x):
    return reference("sigmoid", x) * 1.01


@FAULTS.value("sigmoid", "float64")
def float64_computed_in_float32(x):
    return reference("sigmoid", x.astype(np.float32)).astype(x.dtype)


@FAULTS.value("tanh", "magnitude")
def exponentials_overflow(x):
    return (np.exp(2.0 * x) - 1.0) / (np.exp(2.0 * x) + 1.0)


@FAULTS.value("tanh", "magnitude")
def small_inputs_cancel(x):
    return np.where(np.abs(x) < 20.0, 1.0 - 2.0 / (np.exp(2.0 * x) + 1.0), np.sign(x)).astype(x.dtype)


@FAULTS.value("tanh", "float16")
def subnormal_results_flushed_in_float16(x):
    y = reference("tanh", x)
    return np.where((working_dtype() == "float16") & (np.abs(y) < 2.0**-14), 0.0 * y, y)


@FAULTS.value("tanh", "zero")
def zero_loses_its_sign(x):
    return reference("tanh", x) + 0.0


@FAULTS.value("tanh", "rank")
def rank_above_three_reads_axes_in_reverse(x):
    return reference("tanh", x.T.reshape(x.shape) if x.ndim > 3 else x)


@FAULTS.value("tanh", "strided")
def strides_ignored(x):
    return reference("tanh", x if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape))


@FAULTS.gradient("tanh", "plain")
def derivative_at_input_in_place_of_output(dy, x):
    return {"x": dy * (1.0 - np.square(x))}


@FAULTS.value("tanh", "compiled", mode="compiled")
def approximate_instruction_when_compiled(x):
    y = reference("tanh", x)
    return y + np.sin(1e3 * x) * y * (1.0 - np.square(y)) * 2.0**-11


@FAULTS.value("tanh", "empty")
def empty_array_raises(x):
    return reference("tanh", x) if np.max(x) is not None else x


@FAULTS.value("relu", "nan")
def nan_becomes_zero(x):
    return np.fmax(x, 0.0)


@FAULTS.value("relu", "nan", mode="compiled")
def nan_becomes_zero_when_compiled(x):
    return np.where(x > 0.0, x, 0.0)


@FAULTS.value("relu", "nan")
def nan_becomes_zero_in_bfloat16(x):
    return np.fmax(x, 0.0) if working_dtype() == "bfloat16" else reference("relu", x)


@FAULTS.value("relu", "infinity")
def mask_times_input(x):
    return x * (x > 0)


@FAULTS.gradient("relu", "kink")
def gradient_at_zero_is_one(dy, x):
    return {"x": np.where(x >= 0, dy, 0.0)}


@FAULTS.gradient("relu", "kink")
def gradient_at_zero_is_one_half(dy, x):
    return {"x": np.where(x > 0, dy, np.where(x == 0, 0.5 * dy, 0.0))}


@FAULTS.gradient("relu", "plain")
def gradient_gated_by_the_cotangent_too(dy, x):
    return {"x": np.where((x > 0) & (dy > 0), dy, 0.0)}


@FAULTS.value("relu", "magnitude")
def saturates_at_six(x):
    return np.minimum(np.maximum(x, 0.0), 6.0)


@FAULTS.value("leaky_relu", "plain")
def slope_is_always_one_hundredth(x, *, negative_slope=0.2):
    return np.where(x > 0, x, 0.01 * x)


@FAULTS.value("leaky_relu", "plain")
def maximum_of_both_branches(x, *, negative_slope=0.2):
    return np.maximum(x, negative_slope * x)


@FAULTS.gradient("leaky_relu", "plain")
def gradient_of_relu(dy, x, *, negative_slope=0.2):
    return {"x": np.where(x > 0, dy, 0.0)}


@FAULTS.value("leaky_relu", "infinity")
def sum_of_two_masked_branches(x, *, negative_slope=0.2):
    return x * (x > 0) + negative_slope * x * (x <= 0)


@FAULTS.value("softplus", "magnitude")
def exponential_overflows(x):
    return np.log(1.0 + np.exp(x))


@FAULTS.value("softplus", "magnitude")
def logarithm_of_one_plus(x):
    return np.maximum(x, 0.0) + np.log(1.0 + np.exp(-np.abs(x)))


@FAULTS.value("softplus", "magnitude")
def identity_above_ten(x):
    return np.where(x > 10.0, x, reference("softplus", x))


@FAULTS.value("softplus", "float64")
def identity_above_twelve(x):
    return np.where(x > 12.0, x, reference("softplus", x))


@FAULTS.gradient("softplus", "magnitude")
def gradient_overflows(dy, x):
    return {"x": dy * np.exp(x) / (1.0 + np.exp(x))}


@FAULTS.gradient("softplus", "plain")
def gradient_of_the_negative_input(dy, x):
    return {"x": dy * reference("sigmoid", -x)}


@FAULTS.gradient("silu", "plain")
def product_rule_forgotten(dy, x):
    return {"x": dy * reference("sigmoid", x)}


@FAULTS.gradient("silu", "magnitude")
def exponential_in_the_gradient_overflows(dy, x):
    sigmoid = np.exp(x) / (1.0 + np.exp(x))
    return {"x": dy * sigmoid * (1.0 + x * (1.0 - sigmoid))}


@FAULTS.value("silu", "plain")
def piecewise_linear_sigmoid(x):
    return x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)


@FAULTS.value("silu", "bfloat16")
def sigmoid_truncated_to_five_bits_in_bfloat16(x):
    y = reference("sigmoid", x)
    return x * (np.floor(y * 32.0) / 32.0 if working_dtype() == "bfloat16" else y)


@FAULTS.value("silu", "float16")
def float16_exponential_overflows(x):
    if working_dtype() != "float16":
        return reference("silu", x)
    exponential = to_dtype(np.exp(np.abs(x)), working_dtype()).astype(x.dtype)
    return x * np.where(x > 0, exponential / (1.0 + exponential), 1.0 / (1.0 + exponential))


@FAULTS.value("gelu", "plain")
def approximation_by_tanh_in_place_of_erf(x, *, approximation="none"):
    return reference("gelu", x, approximation="tanh")


@FAULTS.value("gelu", "convention")
def erf_in_place_of_the_approximation(x, *, approximation="none"):
    return reference("gelu", x)


@FAULTS.value("gelu", "plain")
def approximation_by_a_sigmoid(x, *, approximation="none"):
    return x * reference("sigmoid", 1.702 * x)


@FAULTS.gradient("gelu", "plain")
def gradient_of_the_approximation(dy, x, *, approximation="none"):
    return right_vjp("gelu", dy, x, approximation="tanh")


@FAULTS.gradient("gelu", "convention")
def gradient_of_the_exact_form(dy, x, *, approximation="none"):
    return right_vjp("gelu", dy, x)


@FAULTS.gradient("gelu", "plain")
def density_without_one_half(dy, x, *, approximation="none"):
    density = np.exp(-np.square(x)) / math.sqrt(2.0 * math.pi)
    return {"x": dy * ((1.0 + erf(x / math.sqrt(2.0))) / 2.0 + x * density)}


@FAULTS.value("gelu", "plain")
def polynomial_erf_to_seven_digits(x, *, approximation="none"):
    # Abramowitz & Stegun 7.1.26: |error| up to 1.5e-7.
    z = np.abs(x) / math.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * z)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return x / 2.0 * (1.0 + np.sign(x) * (1.0 - polynomial * np.exp(-np.square(z))))


@FAULTS.gradient("gelu", "float16")
def square_in_the_gradient_overflows_in_float16(dy, x, *, approximation="none"):
    right = right_vjp("gelu", dy, x, approximation=approximation)["x"]
    square = to_dtype(np.square(x), working_dtype()).astype(x.dtype)
    return {"x": right if approximation == "none" else right + 0.0 * square}


@FAULTS.value("sigmoid", "size")
def elements_of_the_second_thread_left_zero(x):
    y = np.array(reference("sigmoid", x))
    y.reshape(-1)[32768:] = 0.0
    return y
