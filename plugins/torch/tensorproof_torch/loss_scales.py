"""A loss scaled so that its gradients stay within range (profile ``extended``)."""

from collections.abc import Sequence

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.optimizers import Natives
from tensorproof_torch.table import operations


@operations.native
def dynamic_loss_scale(
    parameters: Natives,
    gradients: Sequence[Natives],
    scale: Native,
    *,
    finite: int = 0,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
    grows: str = "at_interval",
    learning_rate: float = 0.01,
) -> tuple[list[Native], Native]:
    """``torch.amp.GradScaler``, which takes no gradients of float16, with ``torch.optim.SGD``."""
    if grows != "at_interval":
        raise Unsupported("GradScaler grows at the last of so many finite steps")
    if scale.dtype == torch.float16:
        raise Unsupported("GradScaler raises ValueError: Attempting to unscale FP16 gradients.")
    leaves = [torch.nn.Parameter(parameter.clone()) for parameter in parameters]
    optimizer = torch.optim.SGD(leaves, lr=learning_rate)
    scaler = torch.amp.GradScaler(scale.device.type)
    state = {"scale": float(scale), "growth_factor": growth, "backoff_factor": backoff, "growth_interval": interval}
    scaler.load_state_dict({**state, "_growth_tracker": finite})
    scaler.scale(scale)  # the first loss makes the scale a tensor
    for of_step in gradients:
        for leaf, gradient in zip(leaves, of_step, strict=True):
            leaf.grad = gradient.clone()
        scaler.step(optimizer)
        scaler.update()
    return [leaf.detach() for leaf in leaves], scale.new_tensor(scaler.get_scale())
