"""Faults in attention beyond that of the texts: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from small_backend import to_dtype, working_dtype

from tensorproof_reference.attention import grouped as grouped_page

FAULTS = Faults()
GROUPED = "grouped_query_attention"


def grouped(**given: Any) -> Any:
    """The right value."""
    return reference(GROUPED, **given)


def changed(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """Attention with some of its arguments changed before."""

    def function(
        query: Any, key: Any, value: Any, mask: Any = None, bias: Any = None, key_lengths: Any = None, **keywords: Any
    ) -> Any:
        given = {"query": query, "key": key, "value": value, "mask": mask, "bias": bias, "key_lengths": key_lengths, **keywords}
        return grouped(**{**given, **change(given)})

    return function


def pulled(change: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """Gradients of which some are changed: given the right ones, and the arguments."""

    def vjp(
        dy: Any, query: Any, key: Any, value: Any, mask: Any = None, bias: Any = None, key_lengths: Any = None, **keywords: Any
    ) -> Any:
        given = {"query": query, "key": key, "value": value, "mask": mask, "bias": bias, "key_lengths": key_lengths, **keywords}
        right = right_vjp(GROUPED, dy, **given)
        return {**right, **change(right, {"dy": dy, **given})}

    return vjp


def groups_in_turn(given: dict[str, Any]) -> dict[str, Any]:
    """Keys and values repeated as a whole: head h has those of group h modulo G."""
    times = given["query"].shape[1] // given["key"].shape[1]
    return {name: np.tile(given[name], (1, times, 1, 1)) for name in ("key", "value")}


def first_head(array: Any) -> Any:
    """What belongs to the first head, for all."""
    return array if array is None or array.ndim < 4 else np.broadcast_to(array[:, :1], array.shape)


def as_many_keys(given: dict[str, Any]) -> dict[str, Any]:
    """Causal attention of one query to all keys, as if it stood at the last one."""
    return {"alignment": "lower_right"} if given["query"].shape[2] == 1 else {}


def upper_left_of_fewer_keys(given: dict[str, Any]) -> dict[str, Any]:
    """Causal attention from the first key on, where there are fewer keys than queries."""
    return {"alignment": "upper_left"} if given["key"].shape[2] < given["query"].shape[2] else {}


def window(given: dict[str, Any], before: int, after: int) -> dict[str, Any]:
    """A window so much wider."""
    sizes = given.get("window")
    return {} if sizes is None else {"window": (max(sizes[0] + before, 0), max(sizes[1] + after, 0))}


def shorter(given: dict[str, Any], by: int) -> dict[str, Any]:
    """Other lengths of keys."""
    lengths = given["key_lengths"]
    return {} if lengths is None else {"key_lengths": np.clip(lengths - by, 1, given["key"].shape[2])}


def unless(condition: str, *names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Arguments that are left out where another is given."""
    return lambda given: {} if given.get(condition) in (None, False) else dict.fromkeys(names)


def large_for_infinite(given: dict[str, Any]) -> dict[str, Any]:
    """A bias whose -∞ is a large number."""
    bias = given["bias"]
    return {} if bias is None else {"bias": np.maximum(bias, np.asarray(-30000.0, bias.dtype))}


def scaled_bias(given: dict[str, Any]) -> dict[str, Any]:
    """A bias that is added before the scale is multiplied."""
    if given["bias"] is None:
        return {}
    scale = given.get("scale")
    factor = given["query"].shape[3] ** -0.5 if scale is None else scale
    return {"bias": given["bias"] * np.asarray(factor, given["bias"].dtype)}


VALUES: Sequence[Row] = (
    (GROUPED, "plain", "groups_in_turn", changed(groups_in_turn)),
    (GROUPED, "optional", "alignment_ignored", changed(lambda given: {"alignment": "upper_left"})),
    (GROUPED, "optional", "causal_by_the_lower_right_corner", changed(lambda given: {"alignment": "lower_right"})),
    (GROUPED, "unit", "one_causal_query_sees_all_keys", changed(as_many_keys)),
    (GROUPED, "optional", "window_without_keys_after", changed(lambda given: window(given, 0, -1))),
    (GROUPED, "optional", "window_one_key_longer_before", changed(lambda given: window(given, 1, 0))),
    (
        GROUPED,
        "mask",
        "window_one_key_longer_before_where_causal",
        changed(lambda given: window(given, 1, 0) if given.get("causal") else {}),
    ),
    (GROUPED, "convention", "alignment_ignored_with_fewer_keys", changed(upper_left_of_fewer_keys)),
    (GROUPED, "mask", "window_ignored_where_causal", changed(unless("causal", "window"))),
    (GROUPED, "optional", "one_key_fewer_than_the_length", changed(lambda given: shorter(given, 1))),
    (GROUPED, "optional", "lengths_in_the_wrong_order", changed(lambda given: {"key_lengths": _reversed(given["key_lengths"])})),
    (GROUPED, "mask", "lengths_ignored_beside_a_mask", changed(lambda given: _without_lengths(given, "mask"))),
    (GROUPED, "mask", "lengths_ignored_beside_a_bias", changed(lambda given: _without_lengths(given, "bias"))),
    (GROUPED, "optional", "bias_scaled_too", changed(scaled_bias)),
    (GROUPED, "mask", "bias_of_the_first_head_for_all", changed(lambda given: {"bias": first_head(given["bias"])})),
    (GROUPED, "mask", "bias_ignored_where_causal", changed(unless("causal", "bias"))),
    (GROUPED, "mask", "scale_ignored_beside_a_window", changed(unless("window", "scale"))),
    (GROUPED, "convention", "infinite_bias_taken_for_a_large_number", changed(large_for_infinite)),
    (GROUPED, "nan", "nan_in_a_bias_taken_for_zero", changed(lambda given: {"bias": _numbers(given["bias"])})),
    (GROUPED, "optional", "soft_cap_ignored", changed(lambda given: {"soft_cap": None})),
    (GROUPED, "mask", "soft_cap_ignored_where_causal", changed(unless("causal", "soft_cap"))),
    (GROUPED, "unit", "bias_ignored_for_one_query", changed(lambda given: {} if given["query"].shape[2] > 1 else {"bias": None})),
)
"""Functions that are wrong."""


def _reversed(lengths: Any) -> Any:
    return None if lengths is None else lengths[::-1].copy()


def _without_lengths(given: dict[str, Any], beside: str) -> dict[str, Any]:
    return {} if given[beside] is None else {"key_lengths": None}


def _numbers(bias: Any) -> Any:
    return None if bias is None else np.where(np.isnan(bias), np.zeros_like(bias), bias)


def _of_the_last_head(right: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The gradient of keys by the last head of each group only."""
    heads, groups = given["query"].shape[1], given["key"].shape[1]
    last = (np.arange(heads) % (heads // groups) == heads // groups - 1).astype(given["dy"].dtype)
    others = {name: item for name, item in given.items() if name != "dy"}
    return {"key": right_vjp(GROUPED, given["dy"] * last[:, None, None], **others)["key"]}


def _mean_over_heads(right: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {"value": right["value"] / np.asarray(given["query"].shape[1] // given["key"].shape[1], right["value"].dtype)}


def _scaled_bias_gradient(right: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    bias = right["bias"]
    return {} if bias is None else {"bias": bias * np.asarray(given["query"].shape[3] ** -0.5, bias.dtype)}


def _bias_of_the_first_example(right: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The gradient of a bias that examples share, by the first of them only."""
    if given["bias"] is None or not given["query"].size:
        return {}
    arrays = {name: given[name][:1] for name in ("query", "key", "value", "dy")}
    own = {
        name: item if item is None or len(item) == 1 or item.ndim not in (1, 4) else item[:1]
        for name, item in given.items()
        if name in ("mask", "bias", "key_lengths")
    }
    others = {name: item for name, item in given.items() if name not in (*arrays, *own)}
    first = right_vjp(GROUPED, arrays.pop("dy"), **arrays, **own, **others)["bias"]
    return {"bias": first if first.shape == given["bias"].shape else right["bias"]}


def _uncapped(dy: Any, query: Any, key: Any, value: Any, *others: Any, soft_cap: Any = None, **keywords: Any) -> Any:
    """Gradients as if there were no soft cap."""
    return right_vjp(GROUPED, dy, query, key, value, *others, **keywords)


def _cap_without_slope(*arguments: Any, **given: Any) -> Any:
    """Gradients by the weights that a soft cap makes, as if it had the slope 1."""
    right = grouped_page._weights

    def weights(*inputs: Any) -> Any:
        found, passing, squashed = right(*inputs)
        return found, passing, None if squashed is None else np.zeros_like(squashed)

    with mock.patch.object(grouped_page, "_weights", weights):
        return right_vjp(GROUPED, *arguments, **given)


GRADIENTS: Sequence[Row] = (
    (GROUPED, "optional", "gradient_without_the_soft_cap", _uncapped),
    (GROUPED, "optional", "gradient_without_the_slope_of_the_soft_cap", _cap_without_slope),
    (GROUPED, "plain", "key_gradient_of_the_last_head_of_a_group", pulled(_of_the_last_head)),
    (GROUPED, "plain", "value_gradient_averaged_over_a_group", pulled(_mean_over_heads)),
    (GROUPED, "optional", "bias_gradient_scaled", pulled(_scaled_bias_gradient)),
    (GROUPED, "optional", "bias_gradient_of_the_first_example", pulled(_bias_of_the_first_example)),
)
"""Vector-Jacobian products that are wrong."""


def _rotary(change: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """The turn with some of its arguments changed before."""

    def function(x: Any, cosines: Any, sines: Any, positions: Any = None, **keywords: Any) -> Any:
        given = {"x": x, "cosines": cosines, "sines": sines, "positions": positions, **keywords}
        return reference("rotary_embedding", **{**given, **change(**given)})

    return function


def _rotary_gradient(change: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """The gradient of the turn with some of its arguments changed before."""

    def vjp(dy: Any, x: Any, cosines: Any, sines: Any, positions: Any = None, **keywords: Any) -> Any:
        given = {"x": x, "cosines": cosines, "sines": sines, "positions": positions, **keywords}
        return right_vjp("rotary_embedding", dy, **{**given, **change(**given)})

    return vjp


def _other_pairs(pairs: str = "halves", **given: Any) -> dict[str, Any]:
    return {"pairs": "interleaved" if pairs == "halves" else "halves"}


def _of_the_first_example(positions: Any = None, **given: Any) -> dict[str, Any]:
    return {"positions": None if positions is None else np.broadcast_to(positions[:1], positions.shape)}


def _one_position_later(x: Any, cosines: Any, sines: Any, **given: Any) -> dict[str, Any]:
    return {"cosines": np.roll(cosines, -1, 0), "sines": np.roll(sines, -1, 0)}


def _interleaved_turned_on(sines: Any, pairs: str = "halves", **given: Any) -> dict[str, Any]:
    return {"sines": -sines} if pairs == "interleaved" else {}


def _sinusoidal(change: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    return lambda x, **keywords: reference("sinusoidal_positions", x, **{**keywords, **change(x, **keywords)})


def _rounded_positions(dtype: str) -> Callable[..., Any]:
    """The formula with positions rounded to the dtype of x before they become angles, where that is ``dtype``."""

    def wrong(x: Any, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Any:
        right = reference("sinusoidal_positions", x, start=start, base=base, pairs=pairs)
        if working_dtype() != dtype:
            return right
        positions = np.arange(start, start + x.shape[-2])
        rounded = to_dtype(positions.astype(np.float32), dtype).astype(np.int64)
        rows = reference("sinusoidal_positions", np.zeros((int(rounded.max()) + 1, x.shape[-1]), x.dtype), base=base, pairs=pairs)
        return x + rows[rounded]

    return wrong


POSITIONS: Sequence[Row] = (
    ("rotary_embedding", "plain", "turned_the_other_way", _rotary(lambda sines, **given: {"sines": -sines})),
    ("rotary_embedding", "plain", "other_pairs", _rotary(_other_pairs)),
    ("rotary_embedding", "optional", "positions_ignored", _rotary(lambda **given: {"positions": None})),
    ("rotary_embedding", "optional", "positions_of_the_first_example", _rotary(_of_the_first_example)),
    ("rotary_embedding", "plain", "positions_from_one", _rotary(_one_position_later)),
    ("sinusoidal_positions", "plain", "positions_from_one", _sinusoidal(lambda x, start=0, **others: {"start": start + 1})),
    ("sinusoidal_positions", "optional", "base_ignored", _sinusoidal(lambda x, **others: {"base": 10000.0})),
    ("sinusoidal_positions", "bfloat16", "positions_rounded_to_bfloat16", _rounded_positions("bfloat16")),
    ("sinusoidal_positions", "float16", "positions_rounded_to_float16", _rounded_positions("float16")),
    (
        "sinusoidal_positions",
        "plain",
        "sines_and_cosines_in_halves",
        _sinusoidal(lambda x, pairs="interleaved", **others: {"pairs": "halves"}),
    ),
)
"""Functions of positions that are wrong."""

POSITION_GRADIENTS: Sequence[Row] = (
    ("rotary_embedding", "plain", "gradient_turned_like_the_value", _rotary_gradient(lambda sines, **given: {"sines": -sines})),
    ("rotary_embedding", "optional", "gradient_without_positions", _rotary_gradient(lambda **given: {"positions": None})),
    (
        "rotary_embedding",
        "convention",
        "gradient_of_interleaved_pairs_turned_like_the_value",
        _rotary_gradient(_interleaved_turned_on),
    ),
    (
        "sinusoidal_positions",
        "plain",
        "gradient_scaled_by_the_root_of_features",
        lambda dy, x, **keywords: {"x": dy * np.asarray(x.shape[-1] ** 0.5, dy.dtype)},
    ),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows((*VALUES, *POSITIONS), (*GRADIENTS, *POSITION_GRADIENTS))
