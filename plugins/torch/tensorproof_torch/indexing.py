"""Numbers taken from places, put there, and sorted (profile ``extended``)."""

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def take(x: Native, indices: Native, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error") -> Native:
    """Indexing, which counts from the end."""
    if negative == "error":
        raise Unsupported("indexing counts from the end")
    if out_of_range != "error":
        raise Unsupported("indexing raises IndexError beyond the end")
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


@operations.native
def take_along_axis(
    x: Native, indices: Native, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error"
) -> Native:
    """``torch.take_along_dim``."""
    if negative == "error":
        raise Unsupported("torch.take_along_dim counts from the end")
    if out_of_range != "error":
        raise Unsupported("torch.take_along_dim goes around beyond the end")
    return torch.take_along_dim(x, indices, axis)


@operations.native
def scatter_add(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``torch.index_add``."""
    if out_of_range != "error":
        raise Unsupported("torch.index_add raises an error beyond the end")
    return torch.index_add(x, 0, indices, updates)


@operations.native
def scatter_set(x: Native, indices: Native, updates: Native, *, out_of_range: str = "error") -> Native:
    """``torch.index_copy``."""
    if out_of_range != "error":
        raise Unsupported("torch.index_copy raises an error beyond the end")
    return torch.index_copy(x, 0, indices, updates)


@operations.native
def sort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``torch.sort``, stable."""
    return torch.sort(x, dim=axis, descending=descending, stable=True)[0]


@operations.native
def argsort(x: Native, *, axis: int = -1, descending: bool = False) -> Native:
    """``torch.argsort``, stable."""
    return torch.argsort(x, dim=axis, descending=descending, stable=True)


@operations.native
def top_k(x: Native, *, k: int, axis: int = -1) -> tuple[Native, ...]:
    """``torch.topk``."""
    return tuple(torch.topk(x, k, dim=axis))
