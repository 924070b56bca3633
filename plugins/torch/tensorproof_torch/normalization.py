"""Normalizations, of weights too, and dropout."""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations


@operations.native
def batch_norm(
    x: Native,
    scale: Native,
    offset: Native,
    running_mean: Native,
    running_variance: Native,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Native, Native, Native]:
    """``F.batch_norm``, which updates running statistics in place: those of a copy. Its momentum weighs the new value."""
    if training and running_variance_estimate != "unbiased":
        raise Unsupported("the running variance is the unbiased one")
    running_mean, running_variance = running_mean.clone(), running_variance.clone()
    y = F.batch_norm(x, running_mean, running_variance, scale, offset, training, 1.0 - momentum, epsilon)
    return y, running_mean, running_variance


@operations.native
def layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Native:
    """``F.layer_norm``, over the last axes."""
    first = x.ndim - len(axes)
    if sorted(axis % x.ndim for axis in axes) != list(range(first, x.ndim)):
        raise Unsupported("F.layer_norm takes the last axes only")
    return F.layer_norm(x, x.shape[first:], scale, offset, epsilon)


@operations.native
def dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``F.dropout``, after seeding the generator."""
    torch.manual_seed(seed)
    return F.dropout(x, rate, training)


DROPOUTS = {3: F.dropout1d, 4: F.dropout2d, 5: F.dropout3d}
"""By the number of axes."""


@operations.native
def channel_dropout(x: Native, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Native:
    """``F.dropout1d``, ``F.dropout2d`` and ``F.dropout3d``, after seeding the generator."""
    torch.manual_seed(seed)
    return DROPOUTS[x.ndim](x, rate, training)


@operations.native
def rms_norm(x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Native:
    """``F.rms_norm``, over the last axes."""
    return F.rms_norm(x, x.shape[x.ndim - len(axes) :], scale, epsilon)


@operations.native
def group_norm(
    x: Native, scale: Native | None = None, offset: Native | None = None, *, groups: int = 1, epsilon: float = 1e-5
) -> Native:
    """``F.group_norm``."""
    return F.group_norm(x, groups, scale, offset, epsilon)


@operations.native
def instance_norm(x: Native, scale: Native | None = None, offset: Native | None = None, *, epsilon: float = 1e-5) -> Native:
    """``F.instance_norm``."""
    return F.instance_norm(x, weight=scale, bias=offset, eps=epsilon)


@operations.native
def local_response_normalization(
    x: Native, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, even_window: str = "one_more_before"
) -> Native:
    """``F.local_response_norm``."""
    if size % 2 == 0 and even_window != "one_more_before":
        raise Unsupported("an even window of F.local_response_norm reaches one channel further before than after")
    return F.local_response_norm(x, size, alpha, beta, bias)


@operations.native
def weight_norm(direction: Native, scale: Native, *, axis: int | None = 0) -> Native:
    """``torch._weight_norm``, which ``torch.nn.utils.parametrizations.weight_norm`` calls; -1 stands for all axes there."""
    if axis is None:
        return torch._weight_norm(direction, scale, -1)
    place = axis % direction.ndim
    shape = [size if other == place else 1 for other, size in enumerate(direction.shape)]
    return torch._weight_norm(direction, scale.reshape(shape), place)


@functools.cache
def _build(rows: int, columns: int) -> Any:
    """A matrix with ``torch.nn.utils.parametrizations.spectral_norm``, without memory for its numbers.

    That begins an iteration with the vector along the columns of its matrix, which ``dim=1`` makes the rows.
    """
    module = torch.nn.Linear(columns, rows, bias=False, device="meta")
    return torch.nn.utils.parametrizations.spectral_norm(module, dim=1).parametrizations.weight


compiler: Any = torch.compiler
_spectral: Callable[..., Any] = compiler.disable(_build)
"""``_build``, at which Dynamo breaks the graph: it makes no parameters."""


@operations.native
def spectral_norm(weight: Native, vector: Native) -> tuple[Native, Native]:
    """``torch.nn.utils.parametrizations.spectral_norm``, which changes its vectors in place: those of a copy."""
    matrix = weight.flatten(1)
    vectors = {"0._u": vector.new_zeros(matrix.shape[1]), "0._v": vector.clone()}
    y = torch.func.functional_call(_spectral(*matrix.shape), {"original": matrix, **vectors}, ())
    return y.reshape(weight.shape), vectors["0._v"]
