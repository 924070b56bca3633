"""Preparing data, and accuracies."""

import math

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

PADDING_MODES = {"constant": "zeros", "nearest": "border", "reflect": "reflection", "mirror": "reflection"}
"""``F.grid_sample``'s names of fills; it reflects about the edge of the last pixel, or about its centre (``align_corners``)."""


@operations.composed
def rescale(x: Native, *, scale: float = 1 / 255, offset: float = 0.0) -> Native:
    """A product and a sum."""
    return x * scale + offset


@operations.native
def horizontal_flip(x: Native) -> Native:
    """``torch.flip``."""
    return torch.flip(x, (3,))


def resample(x: Native, matrix: Native, interpolation: str, fill: str, fill_value: float) -> Native:
    """``F.affine_grid`` and ``F.grid_sample``: ``matrix`` takes places in the result to places in ``x``, in units that
    ``align_corners`` sets."""
    if fill not in PADDING_MODES or (fill == "constant" and fill_value != 0.0):
        raise Unsupported("F.grid_sample fills with zeros, the border or reflections")
    corners = fill == "mirror"
    grid = F.affine_grid(matrix.expand(x.shape[0], 2, 3), list(x.shape), align_corners=corners)
    return F.grid_sample(x, grid, mode=interpolation, padding_mode=PADDING_MODES[fill], align_corners=corners)


def lengths(x: Native, fill: str) -> tuple[int, int]:
    """Height and width of an image from -1 to 1: from edge to edge, or from the centre of a corner to that of the other."""
    height, width = x.shape[2:]
    return (height - 1, width - 1) if fill == "mirror" else (height, width)


@operations.native
def rotate(
    x: Native,
    degrees: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``F.affine_grid`` and ``F.grid_sample``."""
    angle = torch.deg2rad(degrees)
    cosine, sine, none = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    height, width = lengths(x, fill)
    matrix = [torch.stack([cosine, -sine * (height / width), none]), torch.stack([sine * (width / height), cosine, none])]
    return resample(x, torch.stack(matrix), interpolation, fill, fill_value)


@operations.native
def shift(
    x: Native,
    vertical: Native,
    horizontal: Native,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Native:
    """``F.affine_grid`` and ``F.grid_sample``."""
    height, width = lengths(x, fill)
    one, none = torch.ones_like(vertical), torch.zeros_like(vertical)
    matrix = [torch.stack([one, none, -2 * horizontal / width]), torch.stack([none, one, -2 * vertical / height])]
    return resample(x, torch.stack(matrix), interpolation, fill, fill_value)


@operations.composed
def pad_sequences(
    sequences: Native, *, maxlen: int, padding: str = "before", truncating: str = "before", value: int = 0
) -> Native:
    """``torch.nn.utils.rnn.pad_sequence``, which pads to the longest, of sequences cut to length and one of the whole length."""
    kept = [sequence[:maxlen] if truncating == "after" else sequence[max(len(sequence) - maxlen, 0) :] for sequence in sequences]
    whole = torch.full((maxlen,), value, dtype=torch.int64, device=sequences[0].device)
    side = {"before": "left", "after": "right"}[padding]
    rows = torch.nn.utils.rnn.pad_sequence([*kept, whole], batch_first=True, padding_value=value, padding_side=side)
    return rows[:-1]


@operations.composed
def split(x: Native, *, validation_fraction: float = 0.2) -> Native:
    """``torch.tensor_split`` at the row that a user counts."""
    return torch.tensor_split(x, [math.floor(len(x) * (1.0 - validation_fraction))])


@operations.native
def mini_batches(x: Native, *, batch_size: int, drop_remainder: bool = False) -> Native:
    """``torch.utils.data.DataLoader`` of a ``TensorDataset``, in order."""
    rows = torch.utils.data.TensorDataset(x)
    loader = torch.utils.data.DataLoader(rows, batch_size=batch_size, drop_last=drop_remainder)
    return [batch for (batch,) in loader]


@operations.composed
def binary_accuracy(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """The mean of the answers that are right, in float32."""
    return ((probabilities > threshold) == target.bool()).float().mean()


@operations.composed
def categorical_accuracy(scores: Native, target: Native) -> Native:
    """The mean of the answers that are right, in float32."""
    return (scores.argmax(-1) == target.argmax(-1)).float().mean()


@operations.composed
def sparse_categorical_accuracy(scores: Native, labels: Native) -> Native:
    """The mean of the answers that are right, in float32."""
    return (scores.argmax(-1) == labels).float().mean()
