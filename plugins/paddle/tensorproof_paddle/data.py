"""Data preparation and accuracies."""

import math

import paddle
import paddle.nn.functional as F

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, composed, native, require, require_eager

FILLS = {"constant": "zeros", "nearest": "border", "reflect": "reflection", "mirror": "reflection"}
"""``F.grid_sample``'s names; it reflects about the edge of the last pixel, or about its centre (``align_corners``)."""


def _resampled(of: Given, rows: list[list[Native]]) -> Native:
    """``F.affine_grid`` and ``F.grid_sample``."""
    require(of.fill in FILLS and of.fill_value == 0.0, "F.grid_sample fills with zeros, the border or reflections")
    corners = of.fill == "mirror"
    matrix = paddle.stack([paddle.stack(row) for row in rows]).expand([of.x.shape[0], 2, 3])
    grid = F.affine_grid(matrix, of.x.shape, align_corners=corners)
    return F.grid_sample(of.x, grid, mode=of.interpolation, padding_mode=FILLS[of.fill], align_corners=corners)


def _lengths(of: Given) -> tuple[int, int]:
    """Height and width of an image from -1 to 1: from edge to edge, or from the centre of a corner to that of the other."""
    height, width = of.x.shape[2:]
    require(
        of.fill != "mirror" or min(height, width) > 1, "align_corners counts in units of the size less 1, 0 for one row or column"
    )
    return (height - 1, width - 1) if of.fill == "mirror" else (height, width)


def _rotate(of: Given) -> Native:
    angle = paddle.deg2rad(of.degrees)
    cosine, sine, none = paddle.cos(angle), paddle.sin(angle), paddle.zeros_like(angle)
    height, width = _lengths(of)
    return _resampled(of, [[cosine, -sine * (height / width), none], [sine * (width / height), cosine, none]])


def _shift(of: Given) -> Native:
    height, width = _lengths(of)
    one, none = paddle.ones_like(of.vertical), paddle.zeros_like(of.vertical)
    return _resampled(of, [[one, none, -2 * of.horizontal / width], [none, one, -2 * of.vertical / height]])


def _pad_sequences(of: Given) -> Native:
    """Slices, filled up by ``paddle.full`` and ``paddle.concat``."""
    rows = []
    for sequence in of.sequences:
        kept = sequence[: of.maxlen] if of.truncating == "after" else sequence[max(sequence.shape[0] - of.maxlen, 0) :]
        filling = paddle.full([of.maxlen - kept.shape[0]], of.value, "int64")
        rows.append(paddle.concat([filling, kept] if of.padding == "before" else [kept, filling]))
    return paddle.stack(rows)


def _split(of: Given) -> tuple[Native, ...]:
    """``paddle.tensor_split`` at the row that a user counts."""
    return tuple(paddle.tensor_split(of.x, [math.floor(of.x.shape[0] * (1.0 - of.validation_fraction))]))


def _mini_batches(of: Given) -> list[Native]:
    """``paddle.io.DataLoader`` of a ``TensorDataset``, in order."""
    require_eager("a loader of data")
    rows = paddle.io.TensorDataset([of.x])
    return [batch for (batch,) in paddle.io.DataLoader(rows, batch_size=of.batch_size, drop_last=of.drop_remainder)]


def _accuracy(of: Given) -> Native:
    """``paddle.metric.accuracy``, which takes rows."""
    return paddle.metric.accuracy(of.scores.reshape([-1, of.scores.shape[-1]]), of.labels.reshape([-1, 1]))


def share(right: Native) -> Native:
    """The mean of the answers that are right, in float32."""
    return paddle.mean(right.astype("float32"))


composed("rescale", lambda of: paddle.scale(of.x, of.scale, of.offset))
native("horizontal_flip", lambda of: paddle.flip(of.x, 3))
native("rotate", _rotate)
native("shift", _shift)
composed("pad_sequences", _pad_sequences)
composed("split", _split)
native("mini_batches", _mini_batches)
native("sparse_categorical_accuracy", _accuracy)
composed("categorical_accuracy", lambda of: share(paddle.argmax(of.scores, -1) == paddle.argmax(of.target, -1)))
composed("binary_accuracy", lambda of: share((of.probabilities > of.threshold) == of.target.astype("bool")))
