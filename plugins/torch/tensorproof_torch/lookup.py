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
