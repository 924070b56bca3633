"""Data preparation and accuracies."""

import math
from typing import Any

import numpy as np
import pytensor.tensor as pt

from tensorproof.backend import Native
from tensorproof_pytensor.table import Given, composed, native, sizes


def _folded(index: Native, size: int, fill: str) -> Native:
    """The pixels that stand for those outside of the image."""
    if fill == "wrap":
        return index % size
    if fill in ("reflect", "mirror") and size > 1:
        period = 2 * size if fill == "reflect" else 2 * size - 2
        within = index % period
        return pt.minimum(within, (period - 1 if fill == "reflect" else period) - within)
    return pt.clip(index, 0, max(size - 1, 0))


def _pixels(of: Given, rows: Native, columns: Native) -> Native:
    """The pixels at whole places, (n, c, h, w)."""
    height, width = sizes(of.x)[2:]
    found = of.x[:, :, _folded(rows, height, of.fill), _folded(columns, width, of.fill)]
    if of.fill != "constant":
        return found
    return pt.switch((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width), found, of.fill_value)


def _whole(places: Native) -> Native:
    return pt.cast(places, "int64")


def _resampled(of: Given, rows: Native, columns: Native, row_share: Native, column_share: Native) -> Native:
    """The images at places (h, w), by the pixels before each, and how far it is from these."""
    if of.interpolation == "nearest":
        return _pixels(of, rows + _whole(row_share >= 0.5), columns + _whole(column_share >= 0.5))
    down, right = (1.0 - row_share, row_share), (1.0 - column_share, column_share)
    return sum(_pixels(of, rows + i, columns + j) * (down[i] * right[j]) for i in (0, 1) for j in (0, 1))


def _rotate(of: Given) -> Native:
    height, width = sizes(of.x)[2:]
    angle, centre = of.degrees * (np.pi / 180), ((height - 1) / 2, (width - 1) / 2)
    down = (np.arange(height) - centre[0]).astype(of.x.dtype)[:, None]
    right = (np.arange(width) - centre[1]).astype(of.x.dtype)[None, :]
    rows = centre[0] + (down * pt.cos(angle) + right * pt.sin(angle))
    columns = centre[1] + (right * pt.cos(angle) - down * pt.sin(angle))
    above, left = pt.floor(rows), pt.floor(columns)
    return _resampled(of, _whole(above), _whole(left), rows - above, columns - left)


def _shift(of: Given) -> Native:
    height, width = sizes(of.x)[2:]
    down, right = pt.floor(-of.vertical), pt.floor(-of.horizontal)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    shares = -of.vertical - down, -of.horizontal - right
    return _resampled(of, rows + _whole(down), columns + _whole(right), *shares)


def _pad_sequences(of: Given) -> Native:
    rows = []
    for sequence in of.sequences:
        count = sizes(sequence)[0]
        kept = sequence[: of.maxlen] if of.truncating == "after" else sequence[max(count - of.maxlen, 0) :]
        filling = pt.full((of.maxlen - min(count, of.maxlen),), of.value, dtype="int64")
        rows.append(pt.concatenate([filling, kept] if of.padding == "before" else [kept, filling]))
    return pt.stack(rows)


def _split(of: Given) -> tuple[Native, Native]:
    count = math.floor(sizes(of.x)[0] * (1.0 - of.validation_fraction))
    return of.x[:count], of.x[count:]


def _mini_batches(of: Given) -> list[Native]:
    rows = sizes(of.x)[0]
    end = rows - rows % of.batch_size if of.drop_remainder else rows
    return [of.x[start : start + of.batch_size] for start in range(0, end, of.batch_size)]


def _share(right: Native) -> Any:
    """The mean of the answers that are right."""
    return pt.mean(pt.cast(right, "floatX"))


native("horizontal_flip", lambda of: pt.flip(of.x, 3))
composed("rescale", lambda of: of.x * of.scale + of.offset)
composed("rotate", _rotate)
composed("shift", _shift)
composed("pad_sequences", _pad_sequences)
composed("split", _split)
composed("mini_batches", _mini_batches)
composed("sparse_categorical_accuracy", lambda of: _share(pt.eq(pt.argmax(of.scores, -1), of.labels)))
composed("categorical_accuracy", lambda of: _share(pt.eq(pt.argmax(of.scores, -1), pt.argmax(of.target, -1))))
composed("binary_accuracy", lambda of: _share(pt.eq(pt.cast(of.probabilities > of.threshold, of.target.dtype), of.target)))
