"""Networks of images, of graphs and of experts from functions of ``torch.nn``, as models in PyTorch write them."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.normalization import batch_norm
from tensorproof_torch.table import operations

Parameters = Mapping[str, Native]

LAYOUTS = {
    "graph_convolution": {"first_weight": "h c", "second_weight": "o h"},
    "mixture_of_experts": {"gate_weight": "k e"},
    "variational_autoencoder": {
        "encoder_weight": "h d",
        **dict.fromkeys(("mean_weight", "log_variance_weight"), "z h"),
        "decoder_weight": "h z",
        "output_weight": "d h",
    },
}
"""Weights of ``F.linear`` begin with what comes out."""


@operations.composed
def residual_block(
    x: Native,
    parameters: Parameters,
    statistics: Parameters,
    *,
    stride: int = 1,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, dict[str, Native]]:
    """``F.conv2d``, ``F.batch_norm`` and ``F.relu``."""

    def normalized(name: str, x: Native) -> Native:
        y, after[f"{name}_mean"], after[f"{name}_variance"] = batch_norm(
            x,
            *(parameters[f"{name}_{kind}"] for kind in ("scale", "offset")),
            *(statistics[f"{name}_{kind}"] for kind in ("mean", "variance")),
            training=training,
            epsilon=epsilon,
            momentum=momentum,
            running_variance_estimate=running_variance_estimate,
        )
        return y

    after: dict[str, Native] = {}
    active = F.relu(normalized("first", F.conv2d(x, parameters["first_weight"], stride=stride, padding=1)))
    y = normalized("second", F.conv2d(active, parameters["second_weight"], padding=1))
    if "shortcut_weight" in parameters:
        x = normalized("shortcut", F.conv2d(x, parameters["shortcut_weight"], stride=stride))
    return F.relu(y + x), after


@operations.composed
def graph_convolution(x: Native, adjacency: Native, parameters: Parameters) -> Native:
    """``F.linear``, ``torch.matmul`` and ``F.relu``."""
    joined = adjacency + torch.eye(len(x), dtype=x.dtype, device=x.device)
    factors = joined.sum(1).rsqrt()
    propagation = factors[:, None] * joined * factors

    def propagated(x: Native, name: str) -> Native:
        y = propagation @ F.linear(x, parameters[f"{name}_weight"])
        return y + parameters[f"{name}_bias"] if f"{name}_bias" in parameters else y

    return propagated(F.relu(propagated(x, "first")), "second")


@operations.composed
def mixture_of_experts(x: Native, parameters: Parameters, *, chosen: int = 2, softmax_over: str = "chosen") -> Native:
    """``torch.topk``, ``F.softmax``, and ``torch.einsum`` for all experts, of which ``torch.gather`` takes the chosen."""
    scores = F.linear(x, parameters["gate_weight"])
    if softmax_over == "all":
        weights, indices = torch.topk(F.softmax(scores, dim=-1), chosen)
    else:
        largest, indices = torch.topk(scores, chosen)
        weights = F.softmax(largest, dim=-1)
    active = F.relu(torch.einsum("ne,kef->nkf", x, parameters["up_weight"]) + parameters["up_bias"])
    narrow = torch.einsum("nkf,kfe->nke", active, parameters["down_weight"]) + parameters["down_bias"]
    picked = narrow.gather(1, indices[:, :, None].expand(-1, -1, x.shape[1]))
    return torch.einsum("nk,nke->ne", weights, picked)


@operations.composed
def variational_autoencoder(x: Native, parameters: Parameters, noise: Native | None = None) -> tuple[Native, Native]:
    """``F.linear``, ``torch.tanh``, ``torch.exp`` and ``torch.sigmoid``."""

    def linear(x: Native, name: str) -> Native:
        return F.linear(x, parameters[f"{name}_weight"], parameters[f"{name}_bias"])

    hidden = torch.tanh(linear(x, "encoder"))
    mean, log_variance = linear(hidden, "mean"), linear(hidden, "log_variance")
    latent = mean if noise is None else mean + torch.exp(0.5 * log_variance) * noise
    reconstruction = torch.sigmoid(linear(torch.tanh(linear(latent, "decoder")), "output"))
    return reconstruction, -0.5 * torch.sum(1.0 + log_variance - mean.square() - log_variance.exp(), dim=1)


@operations.composed
def u_net_step(x: Native, parameters: Parameters) -> Native:
    """``F.conv2d``, ``F.relu``, ``F.max_pool2d``, ``F.conv_transpose2d`` and ``torch.cat``."""

    def twice(x: Native, name: str) -> Native:
        for place in (f"{name}_first", f"{name}_second"):
            x = F.relu(F.conv2d(x, parameters[f"{place}_weight"], parameters.get(f"{place}_bias"), padding=1))
        return x

    passed = twice(x, "down")
    bottom = twice(F.max_pool2d(passed, 2), "bottom")
    raised = F.conv_transpose2d(bottom, parameters["up_weight"], parameters.get("up_bias"), stride=2)
    return twice(torch.cat([passed, raised], 1), "join")


@operations.composed
def federated_average(clients: Sequence[Sequence[Native]], examples: Native | None = None) -> list[Native]:
    """``torch.mean``, or ``torch.tensordot`` with the shares of examples."""
    stacked = [torch.stack(weights) for weights in zip(*clients, strict=True)]
    if examples is None:
        return [weights.mean(0) for weights in stacked]
    shares = examples / examples.sum()
    return [torch.tensordot(shares, weights, 1) for weights in stacked]
