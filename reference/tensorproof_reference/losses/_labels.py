"""What losses with integer labels share: labels out of range, picking by label, and its adjoint."""

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.trees import Array

OUT_OF_RANGE = ("error", "zeros", "clamp", "nan")


def in_range(labels: Array, argument: str, classes: int, out_of_range: str) -> tuple[Array, Array]:
    """Labels that are all in range, and where they were not and the convention replaces the result.

    Raises: ``ValueError`` if ``out_of_range`` is unknown, if the labels are not integers, or, with ``"error"``, if a label is
    negative or not less than ``classes``.
    """
    require_choice(out_of_range, "out_of_range", OUT_OF_RANGE)
    require(np.issubdtype(labels.dtype, np.integer), argument, "integers", f"dtype {labels.dtype}")
    outside = (labels < 0) | (labels >= classes)
    if out_of_range == "error":
        require(not outside.any(), argument, f"labels from 0 to {classes - 1}", labels[outside].tolist())
    if out_of_range == "clamp":
        return np.clip(labels, 0, classes - 1), np.zeros_like(outside)
    return np.where(outside, 0, labels), outside


def picked(x: Array, labels: Array) -> Array:
    """The element of each row of ``x`` (its last axis) that the label names."""
    return np.take_along_axis(x, labels[..., None], axis=-1)[..., 0]


def indicated(labels: Array, classes: int) -> Array:
    """Booleans with one more axis, true at each row's label."""
    return labels[..., None] == np.arange(classes)


def replaced(losses: Array, outside: Array, out_of_range: str) -> Array:
    """The losses with those of labels out of range replaced as the convention says."""
    return np.where(outside, np.nan if out_of_range == "nan" else 0.0, losses)
