"""Faults in attention with a cache: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, changed, reference, right_vjp

FAULTS = Faults()
CACHED = "cached_attention"


def _place(given: dict[str, Any], by: int) -> dict[str, Any]:
    """Written so many places later, or earlier, within the cache."""
    last = given["key_cache"].shape[2] - given["key"].shape[2]
    return {"lengths": np.clip(given["lengths"] + by, 0, max(last, 0))}


def _attends_with(changed_lengths: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    """The right caches, with an output as of other lengths."""

    def function(**given: Any) -> Any:
        _, keys, values = reference(CACHED, **given)
        new, slots = given["query"].shape[2], keys.shape[2]
        mask = np.arange(slots) <= np.clip(changed_lengths(given), 0, None)[:, None, None, None] + np.arange(new)[:, None]
        y = reference("grouped_query_attention", given["query"], keys, values, np.asarray(mask, bool), scale=given.get("scale"))
        return y, keys, values

    return function


def _stale_values(**given: Any) -> Any:
    """The output by the values from before the step."""
    _, keys, values = reference(CACHED, **given)
    before = reference(CACHED, **{**given, "value": np.zeros_like(given["value"])})[0]
    return before, keys, values


def _old_caches(**given: Any) -> Any:
    """The right output, with caches that were not written."""
    return reference(CACHED, **given)[0], given["key_cache"].copy(), given["value_cache"].copy()


def _first_of_a_chunk(**given: Any) -> Any:
    """A chunk of which each position sees what the last one sees."""
    new = given["query"].shape[2]
    return _attends_with(lambda given: given["lengths"] + new - 1)(**given)


VALUES: Sequence[Row] = (
    (CACHED, "plain", "written_one_place_early", changed(CACHED, lambda given: _place(given, -1))),
    (
        CACHED,
        "plain",
        "length_of_the_first_example_for_all",
        changed(CACHED, lambda given: {"lengths": np.full_like(given["lengths"], given["lengths"][0])}),
    ),
    (CACHED, "plain", "own_position_not_seen", _attends_with(lambda given: np.maximum(given["lengths"] - 1, 0))),
    (
        CACHED,
        "plain",
        "length_of_the_first_example_masks_all",
        _attends_with(lambda given: np.full_like(given["lengths"], given["lengths"][0])),
    ),
    (CACHED, "plain", "all_rows_seen", _attends_with(lambda given: np.full_like(given["lengths"], given["key_cache"].shape[2]))),
    (CACHED, "state", "a_chunk_is_not_causal", _first_of_a_chunk),
    (CACHED, "plain", "new_values_not_read", _stale_values),
    (CACHED, "plain", "caches_not_written", _old_caches),
)
"""Functions that are wrong."""


def _gradient_of_y_only(cotangents: Any, **given: Any) -> Any:
    dy, dkeys, dvalues = cotangents
    return right_vjp(CACHED, (dy, np.zeros_like(dkeys), np.zeros_like(dvalues)), **given)


def _overwritten_rows_have_gradients(cotangents: Any, **given: Any) -> Any:
    """Caches whose overwritten rows get the cotangents, as if the new rows were added."""
    right = right_vjp(CACHED, cotangents, **given)
    slots, new = given["key_cache"].shape[2], given["key"].shape[2]
    after = (np.arange(slots) - given["lengths"][:, None])[:, None, :, None]
    written = (after >= 0) & (after < new)
    return {**right, "key_cache": np.where(written, cotangents[1], right["key_cache"])}


GRADIENTS: Sequence[Row] = (
    (CACHED, "plain", "cotangents_of_the_caches_lost", _gradient_of_y_only),
    (CACHED, "plain", "overwritten_rows_have_gradients", _overwritten_rows_have_gradients),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
