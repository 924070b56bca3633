"""Averages of weights, and steps of several gradients (profile ``extended``)."""

from collections.abc import Sequence

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.optimizers import Natives
from tensorproof_torch.table import operations


@operations.native
def exponential_moving_average(
    parameters: Sequence[Natives],
    accumulated: Natives | None = None,
    *,
    decay: float = 0.999,
    taken: int = 0,
    start: str = "first",
    warmup: bool = False,
) -> tuple[list[Native], list[Native]]:
    """``torch.optim.swa_utils.get_ema_multi_avg_fn``, which changes the averages in place: copies.

    Before it is called for the first time, ``AveragedModel`` copies the weights. Warm-up is a decay for each step.
    """
    if start != "first":
        raise Unsupported("torch.optim.swa_utils starts at the first weights")
    kept = [array.clone() for array in (parameters[0] if accumulated is None else accumulated)]
    copied = int(accumulated is None)
    for count, weights in enumerate(parameters[copied:], taken + copied + 1):
        rate = min(decay, (1.0 + count) / (10.0 + count)) if warmup else decay
        torch.optim.swa_utils.get_ema_multi_avg_fn(rate)(kept, list(weights), count - 1)
    return [array.clone() for array in kept], kept


@operations.composed
def gradient_accumulation(
    parameters: Natives,
    gradients: Sequence[Natives],
    accumulated: Natives | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    learning_rate: float = 0.01,
    kept: str = "shares",
) -> tuple[list[Native], list[Native]]:
    """``torch.autograd.backward``, which adds to gradients, of losses divided by the number of batches; ``torch.optim.SGD``."""
    if kept != "shares":
        raise Unsupported("what backward adds up are gradients of losses that users divide by the number of batches")
    leaves = [torch.nn.Parameter(parameter.clone()) for parameter in parameters]
    before = [torch.zeros_like(leaf) for leaf in leaves] if accumulated is None else accumulated
    for leaf, array in zip(leaves, before, strict=True):
        leaf.grad = array.clone()
    optimizer = torch.optim.SGD(leaves, lr=learning_rate)
    for count, of_batch in enumerate(gradients, taken + 1):
        torch.autograd.backward(leaves, [gradient / every for gradient in of_batch])
        if count % every == 0:
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
    return [leaf.detach() for leaf in leaves], [leaf.grad for leaf in leaves]


@operations.composed
def sharpness_aware_minimization(
    parameters: Natives,
    gradients: Sequence[Natives],
    origin: Natives | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    radius: float = 0.05,
    learning_rate: float = 0.01,
    epsilon: float = 0.0,
) -> tuple[list[Native], list[Native]]:
    """``torch.nn.utils.get_total_norm`` and ``torch.optim.SGD``, as users write it: PyTorch has no such optimizer."""
    leaves = [torch.nn.Parameter(parameter.clone()) for parameter in parameters]
    before = [array.clone() for array in (parameters if origin is None else origin)]
    optimizer = torch.optim.SGD(leaves, lr=learning_rate)
    for count, of_step in enumerate(gradients, taken):
        if count % every == 0:
            before = [leaf.detach().clone() for leaf in leaves]
        with torch.no_grad():
            if (count + 1) % every:
                factor = radius / (torch.nn.utils.get_total_norm(of_step) + epsilon)
                for leaf, gradient in zip(leaves, of_step, strict=True):
                    leaf.add_(gradient * factor)
                continue
            for leaf, gradient, array in zip(leaves, of_step, before, strict=True):
                leaf.copy_(array)
                leaf.grad = gradient.clone()
        optimizer.step()
    return [leaf.detach() for leaf in leaves], before
