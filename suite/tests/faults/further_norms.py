"""Faults in normalizations of profile ``extended``: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

from tensorproof_reference.operations._channels import beside_channels

FAULTS = Faults()


def affine(normalized: Any, scale: Any, offset: Any) -> Any:
    """Each channel scaled and shifted, where it is."""
    scaled = normalized * (1.0 if scale is None else beside_channels(scale, normalized))
    return scaled + (0.0 if offset is None else beside_channels(offset, normalized))


def epsilon_outside(x: Any, scale: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-6) -> Any:
    """Epsilon added to the root."""
    y = x / (np.sqrt(np.mean(np.square(x), axis=tuple(axes), keepdims=True)) + epsilon)
    return y if scale is None else y * scale


def centred(x: Any, scale: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-6) -> Any:
    """As layer norm: the mean is taken off."""
    return reference("layer_norm", x, scale, None, axes=axes, epsilon=epsilon)


def scale_of_one_more(x: Any, scale: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-6) -> Any:
    """The scale is one more than it is (as in Gemma, whose weights are kept less one)."""
    return reference("rms_norm", x, None if scale is None else 1.0 + scale, axes=axes, epsilon=epsilon)


def interleaved(x: Any, scale: Any = None, offset: Any = None, *, groups: int = 1, epsilon: float = 1e-5) -> Any:
    """Groups of every so many channels instead of neighbours."""
    order = np.arange(x.shape[1]).reshape(-1, groups).T.reshape(-1)
    back = np.argsort(order)
    y = reference("group_norm", x[:, order], None, None, groups=groups, epsilon=epsilon)[:, back]
    return affine(y, scale, offset)


def one_group(x: Any, scale: Any = None, offset: Any = None, *, groups: int = 1, epsilon: float = 1e-5) -> Any:
    """The number of groups is not seen."""
    return reference("group_norm", x, scale, offset, epsilon=epsilon)


def unbiased(x: Any, scale: Any = None, offset: Any = None, *, groups: int = 1, epsilon: float = 1e-5) -> Any:
    """The variance divided by one less than the count."""
    together = x.reshape(x.shape[0], groups, int(np.prod(x.shape[1:])) // groups)
    mean, variance = together.mean(-1, keepdims=True), together.var(-1, keepdims=True, ddof=1)
    y = ((together - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    return affine(y, scale, offset)


def in_one_pass(x: Any, scale: Any = None, offset: Any = None, *, groups: int = 1, epsilon: float = 1e-5) -> Any:
    """The variance as the difference of two means."""
    together = x.reshape(x.shape[0], groups, int(np.prod(x.shape[1:])) // groups)
    mean = together.mean(-1, keepdims=True)
    variance = np.maximum(np.square(together).mean(-1, keepdims=True) - np.square(mean), 0.0)
    y = ((together - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    return affine(y, scale, offset)


def channels_in_one_pass(x: Any, scale: Any = None, offset: Any = None, *, epsilon: float = 1e-5) -> Any:
    """The variance of each channel as the difference of two means."""
    if not x.size:
        return reference("instance_norm", x, scale, offset, epsilon=epsilon)
    return in_one_pass(x, scale, offset, groups=x.shape[1], epsilon=epsilon)


def over_the_batch(x: Any, scale: Any = None, offset: Any = None, *, epsilon: float = 1e-5) -> Any:
    """As batch norm: examples share their statistics."""
    axes = (0, *range(2, x.ndim))
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return affine(y, scale, offset)


def first_scale_for_all(x: Any, scale: Any = None, offset: Any = None, *, epsilon: float = 1e-5) -> Any:
    """One scale for all channels."""
    return reference("instance_norm", x, None if scale is None else np.full_like(scale, scale[0]), offset, epsilon=epsilon)


def offset_without_scale_is_lost(x: Any, scale: Any = None, offset: Any = None, *, epsilon: float = 1e-5) -> Any:
    """The offset is added only where there is a scale."""
    return reference("instance_norm", x, scale, None if scale is None else offset, epsilon=epsilon)


VALUES: Sequence[Row] = (
    ("rms_norm", "epsilon", "epsilon_outside_the_root", epsilon_outside),
    ("rms_norm", "plain", "mean_taken_off", centred),
    ("rms_norm", "plain", "scale_of_one_more", scale_of_one_more),
    ("group_norm", "plain", "groups_interleaved", interleaved),
    ("group_norm", "plain", "one_group_always", one_group),
    ("group_norm", "plain", "variance_unbiased", unbiased),
    ("group_norm", "cancellation", "variance_in_one_pass", in_one_pass),
    ("instance_norm", "plain", "statistics_of_the_batch", over_the_batch),
    ("instance_norm", "plain", "first_scale_for_all_channels", first_scale_for_all),
    ("instance_norm", "optional", "offset_without_scale_is_lost", offset_without_scale_is_lost),
    ("instance_norm", "cancellation", "variance_in_one_pass", channels_in_one_pass),
)
"""Functions whose values are wrong."""


def constant_root(dy: Any, x: Any, scale: Any = None, *, axes: Any = (-1,), epsilon: float = 1e-6) -> Any:
    """The gradient as if the root were a constant."""
    root = np.sqrt(np.mean(np.square(x), axis=tuple(axes), keepdims=True) + epsilon)
    right = right_vjp("rms_norm", dy, x, scale, axes=axes, epsilon=epsilon)
    return {**right, "x": ((dy if scale is None else dy * scale) / root).astype(x.dtype)}


def scale_not_in_x(name: str) -> Callable[..., Any]:
    """The gradient of x does not see the scale."""

    def vjp(dy: Any, x: Any, scale: Any = None, *others: Any, **keywords: Any) -> Any:
        right = right_vjp(name, dy, x, scale, *others, **keywords)
        return {**right, "x": right_vjp(name, dy, x, None, *others, **keywords)["x"]}

    return vjp


def scale_not_in_groups_of_one(
    dy: Any, x: Any, scale: Any = None, offset: Any = None, *, groups: int = 1, epsilon: Any = 1e-5
) -> Any:
    """The gradient of x does not see the scale where each channel is a group."""
    vjp = scale_not_in_x("group_norm") if groups == x.shape[1] else partial(right_vjp, "group_norm")
    return vjp(dy, x, scale, offset, groups=groups, epsilon=epsilon)


def first_example_only(dy: Any, x: Any, scale: Any = None, offset: Any = None, *, epsilon: float = 1e-5) -> Any:
    """The gradients of scale and offset are those of the first example."""
    right = right_vjp("instance_norm", dy, x, scale, offset, epsilon=epsilon)
    first = right_vjp("instance_norm", dy[:1], x[:1], scale, offset, epsilon=epsilon)
    return {**first, "x": right["x"]}


GRADIENTS: Sequence[Row] = (
    ("rms_norm", "plain", "root_taken_for_a_constant", constant_root),
    ("rms_norm", "plain", "gradient_of_x_without_the_scale", scale_not_in_x("rms_norm")),
    ("group_norm", "plain", "gradient_of_x_without_the_scale", scale_not_in_x("group_norm")),
    ("group_norm", "plain", "gradient_of_x_without_the_scale_of_groups_of_one_channel", scale_not_in_groups_of_one),
    ("instance_norm", "plain", "gradients_of_the_first_example_only", first_example_only),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
