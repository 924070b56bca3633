"""Flattening, look-up and indicator rows."""

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations


def require_error(out_of_range: str) -> None:
    """Only ``error`` is what PyTorch does with an index out of range."""
    if out_of_range != "error":
        raise Unsupported("an index out of range raises an error")


@operations.native
def flatten(x: Native, *, order: str = "channels_first") -> Native:
    """``torch.flatten``, which keeps the order of the axes."""
    if order != "channels_first":
        raise Unsupported("torch.flatten keeps the order of the axes")
    return torch.flatten(x, 1)


@operations.native
def embedding(indices: Native, weight: Native, *, out_of_range: str = "error") -> Native:
    """``F.embedding``."""
    require_error(out_of_range)
    return F.embedding(indices, weight)


@operations.native
def one_hot(labels: Native, *, classes: int, out_of_range: str = "error") -> Native:
    """``F.one_hot``, in int64."""
    require_error(out_of_range)
    return F.one_hot(labels, classes)


@operations.native
def embedding_bag(
    indices: Native, weight: Native, offsets: Native | None = None, scales: Native | None = None, *, mode: str = "mean"
) -> Native:
    """``F.embedding_bag``."""
    return F.embedding_bag(indices, weight, offsets, mode=mode, per_sample_weights=scales)


@operations.native
def padded_embedding(indices: Native, weight: Native, *, padding_index: int = 0) -> Native:
    """``F.embedding``."""
    return F.embedding(indices, weight, padding_idx=padding_index)


@operations.native
def one_hot_with_values(
    labels: Native,
    *,
    classes: int,
    on: float = 1.0,
    off: float = 0.0,
    axis: int = -1,
    dtype: str = "float32",
    out_of_range: str = "error",
    negative: str = "error",
) -> Native:
    """``F.one_hot``, of which the numbers, the axis and the dtype are fixed."""
    if (on, off, axis, dtype) != (1, 0, -1, "int64"):
        raise Unsupported("F.one_hot gives 1 and 0 along a last axis, in int64")
    if out_of_range != "error" or negative != "error":
        raise Unsupported("a label out of range raises an error")
    return F.one_hot(labels, classes)
