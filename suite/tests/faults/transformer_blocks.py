"""Faults in blocks of transformers: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Change, Faults, Row, changed, reference, right_vjp

FAULTS = Faults()
ENCODER, GPT2, VISION, LLAMA = "encoder_block", "gpt2_block", "vision_transformer_block", "llama_block"


def parameters(**functions: Callable[[Any], Any]) -> Change:
    """Some parameters changed, by name."""
    return lambda given: {
        "parameters": {name: functions[name](x) if name in functions else x for name, x in given["parameters"].items()}
    }


def nothing(x: Any) -> Any:
    """Zeros in place of an array."""
    return np.zeros_like(x)


def _norms_swapped(given: dict[str, Any]) -> dict[str, Any]:
    """The scales of both normalizations in each other's place."""
    found = dict(given["parameters"])
    found["attention_scale"], found["network_scale"] = found["network_scale"], found["attention_scale"]
    return {"parameters": found}


def _other_block(operation: str, **keywords: Any) -> Callable[..., Any]:
    """Another block with the same parameters."""

    def function(x: Any, parameters: Any, mask: Any = None, epsilon: float | None = None) -> Any:
        given = keywords if epsilon is None else {"epsilon": epsilon}
        return reference(operation, x=x, parameters=parameters, **given)

    return function


def _residual_lost(operation: str) -> Callable[..., Any]:
    """Without the input that is added to attention."""

    def function(**given: Any) -> Any:
        return reference(operation, **given) - given["x"]

    return function


def _last_group(given: dict[str, Any]) -> dict[str, Any]:
    """Groups of keys and values in reverse."""
    found = dict(given["parameters"])
    for name in ("key_weight", "value_weight"):
        found[name] = found[name][:, ::-1].copy()
    return {"parameters": found}


VALUES: Sequence[Row] = (
    (ENCODER, "plain", "normalized_before", _other_block(VISION, epsilon=1e-5)),
    (ENCODER, "mask", "mask_ignored", changed(ENCODER, lambda given: {"mask": None})),
    (ENCODER, "plain", "output_bias_left_out", changed(ENCODER, parameters(output_bias=nothing))),
    (ENCODER, "optional", "epsilon_ignored", changed(ENCODER, lambda given: {"epsilon": 1e-5})),
    (GPT2, "plain", "not_causal", _other_block(VISION, epsilon=1e-5)),
    (GPT2, "plain", "residual_connection_lost", _residual_lost(GPT2)),
    (GPT2, "plain", "scales_of_norms_swapped", changed(GPT2, _norms_swapped)),
    (VISION, "plain", "causal", _other_block(GPT2, epsilon=1e-6)),
    (VISION, "plain", "network_offset_left_out", changed(VISION, parameters(network_offset=nothing))),
    (LLAMA, "plain", "groups_in_reverse", changed(LLAMA, _last_group)),
    (LLAMA, "plain", "turned_the_other_way", changed(LLAMA, lambda given: {"sines": -given["sines"]})),
    (LLAMA, "plain", "not_turned", changed(LLAMA, lambda given: {"sines": nothing(given["sines"])})),
    (LLAMA, "plain", "residual_connection_lost", _residual_lost(LLAMA)),
    (LLAMA, "plain", "scales_of_norms_swapped", changed(LLAMA, _norms_swapped)),
)
"""Functions that are wrong."""


def pulled(operation: str, change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """Gradients of which some are changed: given those of the output, and the right ones."""

    def vjp(dy: Any, **given: Any) -> Any:
        right = right_vjp(operation, dy, **given)
        return {**right, **change(dy, right)}

    return vjp


def _without_residual(dy: Any, right: dict[str, Any]) -> dict[str, Any]:
    """The gradient of x without what flows past both parts."""
    return {"x": right["x"] - dy}


def halved(name: str) -> Callable[[Any, dict[str, Any]], dict[str, Any]]:
    """Half the gradient of a parameter, where there is one of that name."""

    def change(dy: Any, right: dict[str, Any]) -> dict[str, Any]:
        half = {key: x * np.asarray(0.5, x.dtype) for key, x in right["parameters"].items() if key == name}
        return {"parameters": {**right["parameters"], **half}}

    return change


GRADIENTS: Sequence[Row] = (
    (ENCODER, "plain", "gradient_of_a_scale_halved", pulled(ENCODER, halved("attention_scale"))),
    (GPT2, "plain", "gradient_past_both_parts_lost", pulled(GPT2, _without_residual)),
    (GPT2, "plain", "gradient_of_key_weights_halved", pulled(GPT2, halved("key_weight"))),
    (VISION, "plain", "gradient_past_both_parts_lost", pulled(VISION, _without_residual)),
    (LLAMA, "plain", "gradient_past_both_parts_lost", pulled(LLAMA, _without_residual)),
    (LLAMA, "plain", "gradient_of_value_weights_halved", pulled(LLAMA, halved("value_weight"))),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
