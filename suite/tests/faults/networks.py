"""Faults in networks of images, graphs and experts: operation, class, what is wrong, formula."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, changed, reference, right_vjp

from faults.transformer_blocks import halved, nothing, parameters, pulled

FAULTS = Faults()
RESIDUAL, GRAPH, EXPERTS, AUTOENCODER = "residual_block", "graph_convolution", "mixture_of_experts", "variational_autoencoder"
U_NET, FEDERATED = "u_net_step", "federated_average"

EXPERTS_FIRST = ("gate_weight", "up_weight", "up_bias", "down_weight", "down_bias")


def _nothing_passes(x: Any, parameters: Any, statistics: Any, **given: Any) -> Any:
    """As if x passed through kernels of zeros."""
    weight = parameters["first_weight"]
    channels = weight[:, 0, 0, 0]
    shortcut = {f"shortcut_{kind}": np.zeros_like(channels) for kind in ("scale", "offset")}
    passed = {**parameters, **shortcut, "shortcut_weight": np.zeros_like(weight[:, :, :1, :1])}
    known = {**statistics, **{f"shortcut_{kind}": np.ones_like(channels) for kind in ("mean", "variance")}}
    y, after = reference(RESIDUAL, x=x, parameters=passed, statistics=known, **given)
    return y, {name: after[name] for name in statistics}


def _scales_swapped(given: dict[str, Any]) -> dict[str, Any]:
    found = dict(given["parameters"])
    found["first_scale"], found["second_scale"] = found["second_scale"], found["first_scale"]
    return {"parameters": found}


def _turned(x: Any) -> Any:
    return x[:, :, ::-1, ::-1].copy()


def _from_the_other_end(x: Any, parameters: Any, **given: Any) -> Any:
    """Strides that begin at the last row and column."""
    kernels = {name: _turned(weight) if weight.ndim == 4 else weight for name, weight in parameters.items()}
    y, after = reference(RESIDUAL, x=_turned(x), parameters=kernels, **given)
    return _turned(y), after


def _statistics_of_the_batch(given: dict[str, Any]) -> dict[str, Any]:
    return {} if given.get("training", True) else {"training": True, "momentum": 1.0}


def _by_rows(x: Any, adjacency: Any, parameters: Any) -> Any:
    """Edges divided by the degree of one end, as a mean over neighbours."""
    joined = adjacency + np.eye(len(x), dtype=x.dtype)
    propagation = joined / joined.sum(1, keepdims=True)
    wide = propagation @ (x @ parameters["first_weight"]) + parameters.get("first_bias", x.dtype.type(0))
    return propagation @ (np.maximum(wide, 0) @ parameters["second_weight"]) + parameters.get("second_bias", x.dtype.type(0))


def _not_itself(given: dict[str, Any]) -> dict[str, Any]:
    adjacency = given["adjacency"]
    return {"adjacency": adjacency - np.eye(len(adjacency), dtype=adjacency.dtype)}


def _one_more(given: dict[str, Any]) -> dict[str, Any]:
    return {"chosen": min(given.get("chosen", 2) + 1, len(given["parameters"]["up_bias"]))}


def _experts_reversed(*names: str) -> Any:
    """These parameters with the last expert first."""
    return parameters(**{name: lambda x, axis=int(name == "gate_weight"): np.flip(x, axis).copy() for name in names})


def _deviation_is_variance(x: Any, parameters: Any, noise: Any = None) -> Any:
    """Noise times the variance."""
    doubled = {name: x * x.dtype.type(2 if name.startswith("log_variance") else 1) for name, x in parameters.items()}
    found, _ = reference(AUTOENCODER, x=x, parameters=doubled, noise=noise)
    return found, reference(AUTOENCODER, x=x, parameters=parameters, noise=noise)[1]


def _twice_as_far(**given: Any) -> Any:
    """Divergence without the half."""
    found, divergence = reference(AUTOENCODER, **given)
    return found, divergence * divergence.dtype.type(2)


def _raised_comes_first(given: dict[str, Any]) -> dict[str, Any]:
    """As if what comes up stood before what passes at the side."""
    return parameters(join_first_weight=lambda weight: np.roll(weight, weight.shape[1] // 2, 1))(given)


def _kernel_turned(given: dict[str, Any]) -> dict[str, Any]:
    return parameters(up_weight=_turned)(given)


def _nothing_at_the_side(given: dict[str, Any]) -> dict[str, Any]:
    def kept(weight: Any) -> Any:
        return np.where(np.arange(weight.shape[1])[:, None, None] < weight.shape[1] // 2, np.zeros_like(weight), weight)

    return parameters(join_first_weight=kept)(given)


def _examples_reversed(given: dict[str, Any]) -> dict[str, Any]:
    examples = given.get("examples")
    return {} if examples is None else {"examples": examples[::-1].copy()}


def _first_client_only(clients: Any, examples: Any = None) -> Any:
    """As if nobody else answered, where no examples are given."""
    return reference(FEDERATED, clients=clients[:1] if examples is None else clients, examples=examples)


def _momentum_of_the_new(given: dict[str, Any]) -> dict[str, Any]:
    return {"momentum": 1.0 - given.get("momentum", 0.9)}


VALUES: Sequence[Row] = (
    (RESIDUAL, "plain", "residual_connection_lost", _nothing_passes),
    (RESIDUAL, "plain", "scales_of_norms_swapped", changed(RESIDUAL, _scales_swapped)),
    (RESIDUAL, "geometry", "strides_from_the_other_end", _from_the_other_end),
    (RESIDUAL, "statistics", "statistics_of_the_batch_at_inference", changed(RESIDUAL, _statistics_of_the_batch)),
    (RESIDUAL, "statistics", "momentum_of_the_new", changed(RESIDUAL, _momentum_of_the_new)),
    (RESIDUAL, "optional", "epsilon_ignored", changed(RESIDUAL, lambda given: {"epsilon": 1e-5})),
    (GRAPH, "plain", "nodes_not_joined_with_themselves", changed(GRAPH, _not_itself)),
    (GRAPH, "plain", "divided_by_one_degree", _by_rows),
    (GRAPH, "plain", "edges_the_other_way", changed(GRAPH, lambda given: {"adjacency": given["adjacency"].T.copy()})),
    (GRAPH, "plain", "weights_of_edges_ignored", changed(GRAPH, lambda given: {"adjacency": np.sign(given["adjacency"])})),
    (EXPERTS, "plain", "one_expert_too_many", changed(EXPERTS, _one_more)),
    (EXPERTS, "plain", "experts_in_reverse", changed(EXPERTS, _experts_reversed("gate_weight"))),
    (EXPERTS, "plain", "down_bias_left_out", changed(EXPERTS, parameters(down_bias=nothing))),
    (EXPERTS, "optional", "always_softmax_over_the_chosen", changed(EXPERTS, lambda given: {"softmax_over": "chosen"})),
    (EXPERTS, "ties", "last_of_equal_scores", changed(EXPERTS, _experts_reversed(*EXPERTS_FIRST))),
    (AUTOENCODER, "plain", "noise_times_the_variance", _deviation_is_variance),
    (AUTOENCODER, "plain", "divergence_without_the_half", _twice_as_far),
    (AUTOENCODER, "plain", "noise_ignored", changed(AUTOENCODER, lambda given: {"noise": None})),
    (FEDERATED, "plain", "examples_ignored", changed(FEDERATED, lambda given: {"examples": None})),
    (FEDERATED, "plain", "examples_in_reverse", changed(FEDERATED, _examples_reversed)),
    (FEDERATED, "optional", "first_client_only_without_examples", _first_client_only),
    (U_NET, "plain", "raised_channels_come_first", changed(U_NET, _raised_comes_first)),
    (U_NET, "plain", "kernel_of_the_way_up_turned", changed(U_NET, _kernel_turned)),
    (U_NET, "plain", "nothing_passes_at_the_side", changed(U_NET, _nothing_at_the_side)),
    (U_NET, "plain", "bias_of_the_way_up_left_out", changed(U_NET, parameters(up_bias=nothing))),
)
"""Functions that are wrong."""


def _without_residual(dy: Any, x: Any, parameters: Any, **given: Any) -> Any:
    """The gradient of x without what passes both convolutions unchanged."""
    right = right_vjp(RESIDUAL, dy, x=x, parameters=parameters, **given)
    if "shortcut_weight" in parameters:
        return right
    y, _ = reference(RESIDUAL, x=x, parameters=parameters, **given)
    return {**right, "x": right["x"] - np.where(y > 0, dy, np.zeros_like(dy))}


def _reconstruction_only(cotangents: Any, **given: Any) -> Any:
    """Gradients without those of the divergence."""
    of_reconstruction, of_divergence = cotangents
    return right_vjp(AUTOENCODER, (of_reconstruction, np.zeros_like(of_divergence)), **given)


GRADIENTS: Sequence[Row] = (
    (RESIDUAL, "plain", "gradient_past_both_convolutions_lost", _without_residual),
    (RESIDUAL, "plain", "gradient_of_the_projection_halved", pulled(RESIDUAL, halved("shortcut_weight"))),
    (RESIDUAL, "plain", "gradient_of_the_first_offset_halved", pulled(RESIDUAL, halved("first_offset"))),
    (GRAPH, "plain", "gradient_of_edges_turned", pulled(GRAPH, lambda dy, right: {"adjacency": right["adjacency"].T.copy()})),
    (GRAPH, "plain", "gradient_of_the_first_weight_halved", pulled(GRAPH, halved("first_weight"))),
    (EXPERTS, "plain", "gradient_of_the_gate_halved", pulled(EXPERTS, halved("gate_weight"))),
    (EXPERTS, "plain", "gradient_of_the_up_weight_halved", pulled(EXPERTS, halved("up_weight"))),
    (AUTOENCODER, "plain", "gradient_of_the_divergence_lost", _reconstruction_only),
    (AUTOENCODER, "plain", "gradient_of_the_log_variance_halved", pulled(AUTOENCODER, halved("log_variance_weight"))),
    (U_NET, "plain", "gradient_of_the_way_up_halved", pulled(U_NET, halved("up_weight"))),
    (U_NET, "plain", "gradient_of_the_second_bias_halved", pulled(U_NET, halved("down_second_bias"))),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
