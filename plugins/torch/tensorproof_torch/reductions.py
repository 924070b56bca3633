"""Reductions over axes (profile ``extended``)."""

from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reduce_sum(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.sum``."""
    return torch.sum(x, dim=axis, keepdim=keepdims)


@operations.native
def reduce_mean(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.mean``."""
    return torch.mean(x, dim=axis, keepdim=keepdims)


@operations.native
def reduce_max(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``torch.amax``, which shares the gradient among ties."""
    if empty == "identity":
        raise Unsupported("torch.amax of nothing is an error")
    return torch.amax(x, dim=() if axis is None else axis, keepdim=keepdims)


@operations.native
def reduce_min(x: Native, *, axis: Any = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Native:
    """``torch.amin``, which shares the gradient among ties."""
    if empty == "identity":
        raise Unsupported("torch.amin of nothing is an error")
    return torch.amin(x, dim=() if axis is None else axis, keepdim=keepdims)


@operations.native
def reduce_prod(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.prod``."""
    if axis is None and not keepdims:
        return torch.prod(x)
    if not isinstance(axis, int):
        raise Unsupported("torch.prod takes one axis, or none to reduce all and keep none")
    return torch.prod(x, dim=axis, keepdim=keepdims)


@operations.native
def variance(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``torch.var``."""
    return torch.var(x, dim=axis, correction=correction, keepdim=keepdims)


@operations.native
def standard_deviation(x: Native, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Native:
    """``torch.std``."""
    return torch.std(x, dim=axis, correction=correction, keepdim=keepdims)


@operations.native
def norm(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.linalg.vector_norm``."""
    return torch.linalg.vector_norm(x, dim=axis, keepdim=keepdims)


@operations.native
def logsumexp(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.logsumexp``."""
    return torch.logsumexp(x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims)


@operations.native
def any(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.any``."""
    return torch.any(x, dim=axis, keepdim=keepdims)


@operations.native
def all(x: Native, *, axis: Any = None, keepdims: bool = False) -> Native:
    """``torch.all``."""
    return torch.all(x, dim=axis, keepdim=keepdims)


@operations.native
def argmax(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``torch.argmax``."""
    if nan == "ignored":
        raise Unsupported("torch.argmax takes NaN for the largest")
    return torch.argmax(x, dim=axis, keepdim=keepdims)


@operations.native
def argmin(x: Native, *, axis: Any = None, keepdims: bool = False, nan: str = "first") -> Native:
    """``torch.argmin``."""
    if nan == "ignored":
        raise Unsupported("torch.argmin takes NaN for the smallest")
    return torch.argmin(x, dim=axis, keepdim=keepdims)


@operations.native
def cumulative_sum(x: Native, *, axis: int = -1) -> Native:
    """``torch.cumsum``."""
    return torch.cumsum(x, dim=axis)
