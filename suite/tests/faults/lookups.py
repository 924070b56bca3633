"""Faults in look-ups with a row of padding, and in one-hot rows of any two numbers."""

from typing import Any

import numpy as np
from faulty import Faults, right_vjp

FAULTS = Faults()
LOOK_UP, ONE_HOT = "padded_embedding", "one_hot_with_values"


def _padding(given: dict[str, Any]) -> int:
    """The row of padding, counted from the beginning."""
    return int(given.get("padding_index", 0)) % len(given["weight"])


def _padding_is_zero(right: Any, **given: Any) -> Any:
    """What is looked up at padding is zero, whatever the row holds."""
    there = given["indices"] == _padding(given)
    return np.where(there[..., None], 0.0, right(**given)).astype(given["weight"].dtype)


def _padding_is_multiplied_by_zero(right: Any, **given: Any) -> Any:
    """A mask multiplies the rows of padding by 0, where a row that is not finite becomes NaN, and others stay."""
    y = right(**given)
    there = (given["indices"] == _padding(given))[..., None]
    return np.where(there & ~np.isfinite(y), 0.0 * y, y).astype(y.dtype)


FAULTS.planted(LOOK_UP, "plain", "padding_is_zero", _padding_is_zero)
FAULTS.planted(LOOK_UP, "nan", "padding_is_multiplied_by_zero", _padding_is_multiplied_by_zero)


@FAULTS.gradient(LOOK_UP, "plain")
def padding_has_a_gradient(dy: Any, **given: Any) -> Any:
    return right_vjp("embedding", dy, given["indices"], given["weight"])


@FAULTS.gradient(LOOK_UP, "bounds")
def negative_row_of_padding_has_a_gradient(dy: Any, **given: Any) -> Any:
    if given.get("padding_index", 0) < 0:
        return right_vjp("embedding", dy, given["indices"], given["weight"])
    return right_vjp(LOOK_UP, dy, **given)


@FAULTS.gradient(LOOK_UP, "bounds")
def first_row_always_stands_for_padding(dy: Any, **given: Any) -> Any:
    return right_vjp(LOOK_UP, dy, given["indices"], given["weight"])


@FAULTS.gradient(LOOK_UP, "repeated")
def repeated_rows_overwrite(dy: Any, **given: Any) -> Any:
    right = right_vjp(LOOK_UP, dy, **given)["weight"]
    times = np.bincount(given["indices"].reshape(-1), minlength=len(right))
    return {"weight": right / np.maximum(times, 1)[:, None]}


def _last_axis(right: Any, *, axis: int = -1, **given: Any) -> Any:
    return right(**given)


def _negative_axis_counted_in_the_labels(right: Any, *, axis: int = -1, **given: Any) -> Any:
    """-2 is the place before the last axis of the labels, and not of the result."""
    places = given["labels"].ndim + 1
    return right(**given, axis=max(axis - 1, -places) if axis < -1 else axis)


def _exchanged(right: Any, *, on: float = 1.0, off: float = 0.0, **given: Any) -> Any:
    return right(**given, on=off, off=on)


def _off_is_zero(right: Any, *, off: float = 0.0, **given: Any) -> Any:
    return right(**given)


def _added_to_off(right: Any, *, on: float = 1.0, off: float = 0.0, **given: Any) -> Any:
    """``on`` is added where ``off`` is already."""
    return right(**given, on=on + off, off=off)


def _integers_always(right: Any, **given: Any) -> Any:
    """Both numbers lose what is behind the point, whatever the dtype."""
    y = right(**given)
    return np.trunc(y) if y.dtype.kind == "f" else y


def _clamped(right: Any, **given: Any) -> Any:
    """A label beyond the range is the last, unless that is an error."""
    labels = given["labels"]
    if given.get("out_of_range", "error") == "off":
        labels = np.minimum(labels, given["classes"] - 1)
    return right(**{**given, "labels": labels})


def _negative_from_the_end(right: Any, **given: Any) -> Any:
    return right(**{**given, "negative": "from_the_end" if given.get("negative") == "off" else given.get("negative", "error")})


def _negative_wraps_always(right: Any, **given: Any) -> Any:
    """Below the range labels are counted from the end again and again."""
    labels = given["labels"]
    if given.get("negative") == "from_the_end":
        labels = np.where(labels < 0, labels % given["classes"], labels)
    return right(**{**given, "labels": labels})


def _no_error_beyond(right: Any, **given: Any) -> Any:
    return right(**{**given, "out_of_range": "off"})


FAULTS.planted(ONE_HOT, "axis", "always_along_the_last_axis", _last_axis)
FAULTS.planted(ONE_HOT, "axis", "negative_axis_counted_in_the_labels", _negative_axis_counted_in_the_labels)
FAULTS.planted(ONE_HOT, "plain", "on_and_off_exchanged", _exchanged)
FAULTS.planted(ONE_HOT, "plain", "off_is_zero", _off_is_zero)
FAULTS.planted(ONE_HOT, "plain", "on_added_to_off", _added_to_off)
FAULTS.planted(ONE_HOT, "optional", "numbers_are_integers", _integers_always)
FAULTS.planted(ONE_HOT, "bounds", "beyond_the_range_is_the_last", _clamped)
FAULTS.planted(ONE_HOT, "bounds", "below_zero_counted_from_the_end_where_it_is_off", _negative_from_the_end)
FAULTS.planted(ONE_HOT, "bounds", "below_the_range_counted_from_the_end_again", _negative_wraps_always)
FAULTS.planted(ONE_HOT, "bounds", "no_error_beyond_the_range", _no_error_beyond)
