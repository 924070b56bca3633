"""Faults in layers of attention: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Change, Faults, Row, changed, reference, right_vjp

FAULTS = Faults()
LAYER, WEIGHTS = "multi_head_attention", "multi_head_attention_weights"


def _times(given: dict[str, Any], factor: float, *names: str) -> dict[str, Any]:
    """Arrays multiplied by a number; none stays none."""
    arrays = {name: given.get(name) for name in names}
    return {name: None if x is None else x * np.asarray(factor, x.dtype) for name, x in arrays.items()}


def _features_before_heads(given: dict[str, Any]) -> dict[str, Any]:
    """Projections whose results are cut into heads as if the features of a head were far apart."""
    found = {}
    for name in ("query_weight", "key_weight"):
        features, heads, width = given[name].shape
        found[name] = np.swapaxes(given[name].reshape(features, width, heads), 1, 2)
    return found


def _scale_of_all_heads(given: dict[str, Any]) -> dict[str, Any]:
    heads = given["query_weight"].shape[1]
    return _times(given, heads**-0.5, "query_weight", "query_bias")


def _mask_of_the_first_head(given: dict[str, Any]) -> dict[str, Any]:
    mask = given.get("mask")
    return {} if mask is None or mask.ndim < 3 else {"mask": np.broadcast_to(mask[..., :1, :, :], mask.shape)}


def _mask_of_the_first_example(given: dict[str, Any]) -> dict[str, Any]:
    mask = given.get("mask")
    return {} if mask is None or mask.ndim < 4 else {"mask": mask[:1]}


def _unless_masked(name: str, value: Any) -> Change:
    return lambda given: {} if given.get("mask") is None else {name: value}


def _weights_before_the_mask(**given: Any) -> Any:
    """The right output, with weights of all keys."""
    _, all_keys = reference(WEIGHTS, **{**given, "mask": None, "causal": False})
    return reference(WEIGHTS, **given)[0], all_keys


def _mean_of_heads(**given: Any) -> Any:
    y, weights = reference(WEIGHTS, **given)
    return y, np.broadcast_to(np.mean(weights, axis=1, keepdims=True), weights.shape).astype(weights.dtype)


VALUES: Sequence[Row] = (
    (LAYER, "plain", "features_before_heads", changed(LAYER, _features_before_heads)),
    (LAYER, "plain", "scale_of_all_heads", changed(LAYER, _scale_of_all_heads)),
    (LAYER, "plain", "output_bias_left_out", changed(LAYER, lambda given: {"output_bias": None})),
    (LAYER, "mask", "causal_ignored_beside_a_mask", changed(LAYER, _unless_masked("causal", False))),
    (LAYER, "mask", "mask_of_the_first_head_for_all", changed(LAYER, _mask_of_the_first_head)),
    (LAYER, "mask", "mask_of_the_first_example_for_all", changed(LAYER, _mask_of_the_first_example)),
    (LAYER, "mask", "value_bias_ignored_beside_a_mask", changed(LAYER, _unless_masked("value_bias", None))),
    (WEIGHTS, "mask", "weights_before_the_mask", _weights_before_the_mask),
    (WEIGHTS, "plain", "weights_are_the_mean_of_heads", _mean_of_heads),
)
"""Functions that are wrong."""


def pulled(operation: str, change: Change) -> Callable[..., Any]:
    """Gradients of which some are changed."""

    def vjp(cotangents: Any, **given: Any) -> Any:
        right = right_vjp(operation, cotangents, **given)
        return {**right, **change(right)}

    return vjp


def _without_the_gradient_of_weights(cotangents: Any, **given: Any) -> Any:
    return right_vjp(WEIGHTS, (cotangents[0], np.zeros_like(cotangents[1])), **given)


def _halves_the_gradient_of_keys(cotangents: Any, **given: Any) -> Any:
    right = right_vjp(WEIGHTS, cotangents, **given)
    return {**right, **_times(right, 0.5, "key", "key_weight")}


GRADIENTS: Sequence[Row] = (
    (LAYER, "plain", "query_bias_gradient_scaled_twice", pulled(LAYER, lambda right: _times(right, 0.5, "query_bias"))),
    (LAYER, "plain", "output_bias_gradient_halved", pulled(LAYER, lambda right: _times(right, 0.5, "output_bias"))),
    (LAYER, "plain", "value_weight_gradient_negative", pulled(LAYER, lambda right: _times(right, -1.0, "value_weight"))),
    (WEIGHTS, "plain", "gradient_of_the_weights_left_out", _without_the_gradient_of_weights),
    (WEIGHTS, "plain", "key_gradient_halved", _halves_the_gradient_of_keys),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
