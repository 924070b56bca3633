"""Faults in activations beyond those of the texts, and in limits: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from scipy.special import expit

from tensorproof_reference.activations.smooth import SELU_ALPHA, SELU_SCALE

FAULTS = Faults()


def halves(x: Any, axis: int) -> tuple[Any, Any]:
    """Both halves of an axis."""
    first, second = np.split(x, 2, axis)
    return first, second


def softplus(x: Any) -> Any:
    """The logarithm of one and the exponential."""
    return np.logaddexp(x, 0.0)


def clipped_with_nan(x: Any, *, low: float | None = -0.5, high: float | None = 2.0) -> Any:
    """NaN is the lower limit, or the upper one where there is no other."""
    return np.fmin(np.fmax(x, -np.inf if low is None else low), np.inf if high is None else high)


VALUES: Sequence[Row] = (
    ("elu", "plain", "alpha_ignored", lambda x, *, alpha=1.0: reference("elu", x)),
    ("elu", "nan", "larger_of_number_and_exponential", lambda x, *, alpha=1.0: np.fmax(x, alpha * np.expm1(np.fmin(x, 0.0)))),
    ("selu", "plain", "scale_forgotten", lambda x: reference("elu", x, alpha=SELU_ALPHA)),
    ("selu", "plain", "constants_of_four_digits", lambda x: np.where(x > 0, 1.0507 * x, 1.7581 * np.expm1(np.minimum(x, 0.0)))),
    (
        "selu",
        "infinity",
        "exponential_times_mask",
        lambda x: SELU_SCALE * (np.maximum(x, 0.0) + SELU_ALPHA * (x <= 0) * np.expm1(x)),
    ),
    ("celu", "plain", "alpha_outside_the_exponential_only", lambda x, *, alpha=1.0: reference("elu", x, alpha=alpha)),
    (
        "mish",
        "magnitude",
        "exponential_overflows",
        lambda x: x * np.tanh(np.log(1.0 + np.where(x > 80, np.inf, np.exp(x))) - 0.0 * np.exp(x)),
    ),
    ("mish", "plain", "sigmoid_for_the_tangent", lambda x: x * expit(softplus(x))),
    ("softsign", "plain", "square_root_of_squares", lambda x: x / np.sqrt(1.0 + np.square(x))),
    ("softsign", "magnitude", "epsilon_in_the_denominator", lambda x: x / (1.0 + np.abs(x) + 1e-5)),
    ("relu6", "kink", "without_the_upper_bound_at_six_tenths_more", lambda x: np.where(x > 6.125, 6.0, np.maximum(x, 0.0))),
    ("relu6", "nan", "nan_is_clipped_to_zero", lambda x: np.fmin(np.fmax(x, 0.0), 6.0)),
    ("hard_sigmoid", "plain", "slope_of_a_fifth", lambda x, *, slope="sixth": reference("hard_sigmoid", x, slope="fifth")),
    ("hard_sigmoid", "nan", "nan_is_clipped_to_zero", lambda x, *, slope="sixth": np.fmin(np.fmax(x + 3.0, 0.0), 6.0) / 6.0),
    ("hard_swish", "plain", "not_divided_by_six", lambda x: x * np.minimum(np.maximum(x + 3.0, 0.0), 6.0) * 0.16),
    ("hard_swish", "magnitude", "clipped_above_too", lambda x: np.minimum(reference("hard_swish", x), 1e5)),
    ("hard_tanh", "nan", "nan_is_clipped_to_the_lower_bound", lambda x, *, low=-1.0, high=1.0: np.fmin(np.fmax(x, low), high)),
    ("hard_tanh", "bounds", "bounds_ignored", lambda x, *, low=-1.0, high=1.0: np.clip(x, -1.0, 1.0)),
    ("clip", "nan", "nan_is_clipped_to_the_lower_limit", clipped_with_nan),
    (
        "clip",
        "bounds",
        "upper_limit_on_both_sides",
        lambda x, *, low=-0.5, high=2.0: reference("clip", x, low=-abs(high or low), high=high),
    ),
    ("clip", "optional", "no_limit_is_zero", lambda x, *, low=-0.5, high=2.0: np.clip(x, low or 0.0, high or 0.0)),
    ("threshold", "kink", "threshold_itself_passes", lambda x, *, threshold=1.0, value=0.0: np.where(x < threshold, value, x)),
    ("threshold", "plain", "value_is_zero_always", lambda x, *, threshold=1.0, value=0.0: np.where(x <= threshold, 0.0, x)),
    ("prelu", "plain", "first_slope_for_all_channels", lambda x, slope: reference("prelu", x, slope[:1])),
    (
        "prelu",
        "plain",
        "larger_of_number_and_product",
        lambda x, slope: np.maximum(x, slope.reshape(-1, *(1,) * (x.ndim - 2)) * x),
    ),
    (
        "prelu",
        "rank",
        "slopes_along_the_last_axis",
        lambda x, slope: np.where(x > 0, x, slope * x) if slope.size == x.shape[-1] else reference("prelu", x, np.roll(slope, 1)),
    ),
    ("glu", "plain", "halves_exchanged", lambda x, *, axis=-1: halves(x, axis)[1] * expit(halves(x, axis)[0])),
    (
        "glu",
        "plain",
        "even_and_odd_places_for_halves",
        lambda x, *, axis=-1: np.moveaxis(np.moveaxis(x, axis, 0)[::2] * expit(np.moveaxis(x, axis, 0)[1::2]), 0, axis),
    ),
    (
        "glu",
        "axis",
        "axis_ignored",
        lambda x, *, axis=-1: reference("glu", x) if x.shape[-1] % 2 == 0 else reference("glu", x, axis=axis),
    ),
    (
        "swiglu",
        "plain",
        "gate_of_the_second_half",
        lambda x, *, axis=-1: halves(x, axis)[0] * reference("silu", halves(x, axis)[1]),
    ),
    ("swiglu", "plain", "sigmoid_for_silu", lambda x, *, axis=-1: expit(halves(x, axis)[0]) * halves(x, axis)[1]),
)
"""Functions whose values are wrong."""


def changed(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
    """The right vector-Jacobian product, with the gradient of x changed by a function of it, the cotangent and x."""

    def vjp(dy: Any, x: Any, *others: Any, **keywords: Any) -> Any:
        right = right_vjp(name, dy, x, *others, **keywords)
        return {**right, "x": change(right["x"], dy, x)}

    return vjp


def _one_slope_for_all(dy: Any, x: Any, slope: Any) -> Any:
    right = right_vjp("prelu", dy, x, slope)
    return {**right, "slope": np.full_like(slope, right["slope"].sum())}


def _slope_counts_positive(dy: Any, x: Any, slope: Any) -> Any:
    axes = tuple(axis for axis in range(x.ndim) if axis != 1 or slope.size == 1)
    return {**right_vjp("prelu", dy, x, slope), "slope": (dy * x).sum(axes).reshape(slope.shape)}


def _glu_without_the_gate(dy: Any, x: Any, *, axis: int = -1) -> Any:
    right = halves(right_vjp("glu", dy, x, axis=axis)["x"], axis)
    return {"x": np.concatenate([right[0], np.zeros_like(right[1])], axis)}


def _swiglu_gate_of_sigmoid(dy: Any, x: Any, *, axis: int = -1) -> Any:
    gate, value = halves(x, axis)
    right = halves(right_vjp("swiglu", dy, x, axis=axis)["x"], axis)
    return {"x": np.concatenate([dy * value * expit(gate), right[1]], axis)}


GRADIENTS: Sequence[Row] = (
    (
        "elu",
        "plain",
        "exponential_without_alpha",
        changed("elu", lambda dx, dy, x: np.where(x > 0, dy, dy * np.exp(np.minimum(x, 0.0)))),
    ),
    ("elu", "kink", "slope_from_above_at_zero", changed("elu", lambda dx, dy, x: np.where(x == 0, dy, dx))),
    ("selu", "plain", "scale_of_the_gradient_forgotten", changed("selu", lambda dx, dy, x: dx / SELU_SCALE)),
    ("celu", "plain", "gradient_of_elu", lambda dy, x, *, alpha=1.0: right_vjp("elu", dy, x, alpha=alpha)),
    ("mish", "plain", "tangent_only", changed("mish", lambda dx, dy, x: dy * np.tanh(softplus(x)))),
    ("softsign", "plain", "square_forgotten", changed("softsign", lambda dx, dy, x: dy / (1.0 + np.abs(x)))),
    ("relu6", "kink", "passes_at_six", changed("relu6", lambda dx, dy, x: np.where(x == 6, dy, dx))),
    ("relu6", "plain", "gradient_of_relu", changed("relu6", lambda dx, dy, x: np.where(x > 0, dy, 0.0))),
    (
        "hard_sigmoid",
        "plain",
        "gradient_not_divided_by_six",
        changed("hard_sigmoid", lambda dx, dy, x: np.where(dx != 0, dy, 0.0)),
    ),
    (
        "hard_swish",
        "plain",
        "slope_of_the_sigmoid_forgotten",
        changed("hard_swish", lambda dx, dy, x: dy * reference("hard_sigmoid", x)),
    ),
    ("hard_tanh", "plain", "straight_through", changed("hard_tanh", lambda dx, dy, x: dy)),
    ("hard_tanh", "infinity", "passes_at_infinity", changed("hard_tanh", lambda dx, dy, x: np.where(np.isinf(x), dy, dx))),
    ("clip", "plain", "straight_through", lambda dy, x, *, low=-0.5, high=2.0: {"x": dy}),
    ("clip", "bounds", "gradient_between_the_usual_limits", lambda dy, x, **limits: right_vjp("clip", dy, x)),
    ("threshold", "kink", "passes_at_the_threshold", changed("threshold", lambda dx, dy, x: np.where(x == 1, dy, dx))),
    ("prelu", "plain", "slopes_gradient_summed_over_channels", _one_slope_for_all),
    ("prelu", "plain", "slopes_gradient_counts_positive_numbers", _slope_counts_positive),
    ("glu", "plain", "no_gradient_through_the_gate", _glu_without_the_gate),
    ("swiglu", "plain", "gate_differentiated_as_a_factor", _swiglu_gate_of_sigmoid),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
