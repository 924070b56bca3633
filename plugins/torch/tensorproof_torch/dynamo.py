"""How functions are given to ``torch.compile``, what Dynamo cannot trace as one graph, and how often it compiled."""

import types
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_torch import blocks, initializers, schedules
from tensorproof_torch.table import operations

GRAPH_BREAKS = (
    "",
    *blocks.GRAPH_BREAKS,
    *initializers.GRAPH_BREAKS,
    *schedules.GRAPH_BREAKS,
    "attention_dropout",
    "channel_dropout",
    "dropout",
    "dynamic_loss_scale",
    "gaussian_nll",
    "gradient_accumulation",
    "gru",
    "lbfgs",
    "lstm",
    "padded_gru",
    "padded_lstm",
    "padded_simple_rnn",
    "sharpness_aware_minimization",
    "simple_rnn",
    "spectral_norm",
)
"""What Dynamo cannot trace as one graph: seeding, layers of ``torch.nn`` with recurrence, compositions that may hold them, a loss
that looks for negative variances, and a parametrization that is made where it is first called."""


def own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a function with a code object of its own, since ``torch.compile`` limits compilations per code object."""
    return types.FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def compiled_step(step: Callable[[], None], dynamic: bool) -> Callable[[], None]:
    """The step of an optimizer, compiled; in a function of its own, since all optimizers of a kind share their method's code."""

    def call() -> None:
        step()

    compiled: Callable[[], None] = torch.compile(own_code(call), dynamic=dynamic)
    return compiled


def compilations() -> Counter[str]:
    """How often Dynamo compiled functions, and how often anew because a guard had failed, since it was last reset.

    It counts attempts: also those that it gave up.
    """
    dynamo: Any = torch._dynamo.convert_frame
    counts = dynamo.FRAME_COMPILE_COUNTER.values()
    return Counter({"attempts": sum(counts), "recompiles": sum(counts) - len(counts)})


def breaks_graph(operation: str) -> bool:
    """Whether Dynamo cannot trace an operation, or a model for one of its layers, as one graph."""
    model = operations.specification[operation].model if operation else None
    players = () if model is None else model.players().values() if isinstance(model, Adversaries) else (model,)
    parts = [layer.operation for player in players for layer in player.layers.values()] or [operation]
    return any(part in GRAPH_BREAKS for part in parts)
