"""Moves of numbers: shapes, places and padding (profile ``extended``)."""

from typing import Any

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def reshape(x: Native, *, shape: Any) -> Native:
    """``torch.reshape``."""
    return torch.reshape(x, shape)


@operations.native
def permute(x: Native, *, axes: Any) -> Native:
    """``torch.permute``."""
    return torch.permute(x, axes)


@operations.native
def squeeze(x: Native, *, axis: Any) -> Native:
    """``torch.squeeze``."""
    return torch.squeeze(x, axis)


@operations.native
def expand_dims(x: Native, *, axis: int) -> Native:
    """``torch.unsqueeze``."""
    return torch.unsqueeze(x, axis)


@operations.native
def broadcast_to(x: Native, *, shape: Any) -> Native:
    """``torch.broadcast_to``."""
    return torch.broadcast_to(x, shape)


@operations.native
def tile(x: Native, *, repeats: Any) -> Native:
    """``torch.tile``."""
    return torch.tile(x, repeats)


@operations.native
def concatenate(arrays: Any, *, axis: int = 0) -> Native:
    """``torch.cat``."""
    return torch.cat(list(arrays), dim=axis)


@operations.native
def stack(arrays: Any, *, axis: int = 0) -> Native:
    """``torch.stack``."""
    return torch.stack(list(arrays), dim=axis)


@operations.native
def split_by_sizes(x: Native, *, sizes: Any, axis: int = 0) -> tuple[Native, ...]:
    """``torch.split``."""
    return tuple(torch.split(x, list(sizes), dim=axis))


@operations.native
def flip(x: Native, *, axis: Any) -> Native:
    """``torch.flip``."""
    return torch.flip(x, axis if isinstance(axis, tuple) else (axis,))


@operations.native
def roll(x: Native, *, shift: Any, axis: Any) -> Native:
    """``torch.roll``."""
    return torch.roll(x, shift, axis)


@operations.native
def strided_slice(x: Native, *, start: Any, stop: Any, step: Any) -> Native:
    """Indexing, whose steps are above 0."""
    if min(step) < 0:
        raise Unsupported("PyTorch has no step below 0")
    return x[tuple(slice(*ends) for ends in zip(start, stop, step, strict=True))]


@operations.native
def pad(x: Native, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Native:
    """``torch.nn.functional.pad``, which pads the last axes."""
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    used = [place for place, pair in enumerate(widths) if any(pair)] or [len(widths) - 1]
    padded = [width for pair in reversed(widths[used[0] :]) for width in pair]
    if mode != "constant" and len(widths) - used[0] > max(x.ndim - 1, 1):
        raise Unsupported("torch.nn.functional.pad has constants only for all axes")
    return torch.nn.functional.pad(x, padded, mode=names[mode], value=value if mode == "constant" else None)


@operations.native
def tril(x: Native, *, diagonal: int = 0) -> Native:
    """``torch.tril``."""
    return torch.tril(x, diagonal)


@operations.native
def triu(x: Native, *, diagonal: int = 0) -> Native:
    """``torch.triu``."""
    return torch.triu(x, diagonal)
