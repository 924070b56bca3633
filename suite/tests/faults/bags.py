"""Faults in bags of rows: where they begin, empty ones, scales, and which row has a maximum's gradient."""

from typing import Any

import numpy as np
from faulty import Faults, right_vjp

FAULTS = Faults()
BAG = "embedding_bag"


def _sizes(given: dict[str, Any]) -> Any:
    """How many rows each bag has."""
    indices, offsets = given["indices"], given.get("offsets")
    if offsets is None:
        return np.full(indices.shape[0], indices.shape[1])
    return np.diff([*offsets, indices.size])


def _with_offsets(change: Any) -> Any:
    """The bags with other beginnings."""
    return lambda right, offsets=None, **given: right(**given, offsets=None if offsets is None else change(offsets, given))


def _bags_begin_one_row_late(offsets: Any, given: dict[str, Any]) -> Any:
    return np.where(np.arange(offsets.size) > 0, np.minimum(offsets + 1, given["indices"].size), 0)


def _last_bag_has_one_row(right: Any, **given: Any) -> Any:
    """What follows the first row of the last bag is dropped."""
    if given.get("offsets") is None or not given["indices"].size:
        return right(**given)
    end = int(given["offsets"][-1]) + 1
    scales = given.get("scales")
    return right(**{**given, "indices": given["indices"][:end], "scales": None if scales is None else scales[:end]})


def _mean_of_all_bags_sizes(right: Any, **given: Any) -> Any:
    """The sum divided by the size of the largest bag."""
    if given.get("mode", "mean") != "mean":
        return right(**given)
    return (right(**{**given, "mode": "sum"}) / max(int(np.max(_sizes(given))), 1)).astype(given["weight"].dtype)


def _empty_bags_take_the_row_before(right: Any, **given: Any) -> Any:
    """As segment reductions do that look at the row where a bag begins."""
    y = right(**given)
    return np.where((_sizes(given) == 0)[:, None], np.roll(y, 1, axis=0), y)


def _maximum_not_below_zero(right: Any, **given: Any) -> Any:
    y = right(**given)
    return np.maximum(y, 0.0).astype(y.dtype) if given.get("mode") == "max" else y


FAULTS.planted(BAG, "plain", "bags_begin_one_row_late", _with_offsets(_bags_begin_one_row_late))
FAULTS.planted(BAG, "plain", "last_bag_has_one_row", _last_bag_has_one_row)
FAULTS.planted(BAG, "plain", "mean_by_the_largest_bag", _mean_of_all_bags_sizes)
FAULTS.planted(BAG, "plain", "empty_bags_take_the_row_before", _empty_bags_take_the_row_before)
FAULTS.planted(BAG, "plain", "maximum_not_below_zero", _maximum_not_below_zero)
FAULTS.planted(BAG, "optional", "scales_ignored", lambda right, scales=None, **given: right(**given))
FAULTS.planted(
    *(BAG, "repeated", "repeated_rows_count_once"),
    lambda right, **given: right(**given) if len(set(given["indices"].flat)) == given["indices"].size else _once(right, **given),
)


def _once(right: Any, **given: Any) -> Any:
    """Later occurrences of a row add nothing to a sum."""
    if given.get("mode", "mean") != "sum":
        return right(**given)
    flat = given["indices"].reshape(-1)
    first = np.zeros(flat.size, given["weight"].dtype)
    first[np.unique(flat, return_index=True)[1]] = 1.0
    scales = first.reshape(given["indices"].shape)
    return right(**{**given, "scales": scales if given.get("scales") is None else given["scales"] * scales})


@FAULTS.gradient(BAG, "plain")
def every_row_has_the_gradient_of_a_maximum(dy: Any, **given: Any) -> Any:
    return right_vjp(BAG, dy, **{**given, "mode": "sum" if given.get("mode") == "max" else given.get("mode", "mean")})


@FAULTS.gradient(BAG, "plain")
def gradient_of_a_mean_not_divided(dy: Any, **given: Any) -> Any:
    return right_vjp(BAG, dy, **{**given, "mode": "sum" if given.get("mode", "mean") == "mean" else given["mode"]})


@FAULTS.gradient(BAG, "repeated")
def gradients_of_repeated_rows_overwrite(dy: Any, **given: Any) -> Any:
    right = right_vjp(BAG, dy, **given)
    flat = given["indices"].reshape(-1)
    return {**right, "weight": right["weight"] / np.maximum(np.bincount(flat, minlength=len(right["weight"])), 1)[:, None]}


@FAULTS.gradient(BAG, "optional")
def scales_get_no_gradient(dy: Any, **given: Any) -> Any:
    return {**right_vjp(BAG, dy, **given), "scales": None}


@FAULTS.gradient(BAG, "optional")
def gradient_of_the_table_without_scales(dy: Any, **given: Any) -> Any:
    return {**right_vjp(BAG, dy, **given), "weight": right_vjp(BAG, dy, **{**given, "scales": None})["weight"]}
