"""Faults in moves of numbers, in tables: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

FAULTS = Faults()


def other(name: str, **changes: Callable[..., Any]) -> Callable[..., Any]:
    """The right function with other keywords: each change makes one of them of the array and its value."""

    def moved(x: Any, **keywords: Any) -> Any:
        changed = {key: changes[key](x, value) if key in changes else value for key, value in keywords.items()}
        return reference(name, x, **changed)

    return moved


def in_fortran_order(x: Any, *, shape: Any) -> Any:
    return np.reshape(x, shape, order="F")


def inverted(x: Any, axes: Any) -> Any:
    """The permutation that undoes this one."""
    return tuple(np.argsort([axis % x.ndim for axis in axes]))


def all_of_length_one(x: Any, *, axis: Any) -> Any:
    return np.squeeze(x)


def counted_as_for_the_input(x: Any, axis: Any) -> Any:
    """A negative place counted among the axes of the array, not of the result."""
    return axis - 1 if -x.ndim - 1 < axis < 0 else axis


def each_number_repeated(x: Any, *, repeats: Any) -> Any:
    for axis, times in enumerate(repeats):
        x = np.repeat(x, times, axis)
    return x


def zeros_but_the_first(x: Any, *, shape: Any) -> Any:
    """The numbers are written once, and what is beside them along the last axis stays zero."""
    y = np.broadcast_to(x, shape).copy()
    if y.size and x.shape[-1:] == (1,) != shape[-1:]:
        y[..., 1:] = 0.0
    return y


def last_axis_always(name: str) -> Callable[..., Any]:
    """Arrays are joined along the last axis where that is possible."""

    def joined(arrays: Any, *, axis: int = 0) -> Any:
        if len({array.shape for array in arrays}) == 1 and arrays[0].ndim:
            return reference(name, arrays, axis=-1)
        return reference(name, arrays, axis=axis)

    return joined


def in_reverse(name: str) -> Callable[..., Any]:
    return lambda arrays, *, axis=0: reference(name, list(arrays)[::-1], axis=axis)


def empty_ones_left_out(arrays: Any, *, axis: int = 0) -> Any:
    """As many as there are of the first length."""
    return np.concatenate([array[: len(arrays[0])] if axis == 0 else array for array in arrays], axis=axis)


def equal_parts(x: Any, *, sizes: Any, axis: int = 0) -> Any:
    whole = sum(sizes)
    each = (whole // 3, whole // 3, whole - 2 * (whole // 3))
    return reference("split_by_sizes", x, sizes=each if sizes[0] < sizes[2] else sizes, axis=axis)


def first_of(x: Any, axis: Any) -> Any:
    return axis[0] if isinstance(axis, tuple) else axis


def absolute(x: Any, step: Any) -> Any:
    return tuple(abs(item) for item in step)


def within_bounds_only(x: Any, start: Any) -> Any:
    """Places below 0 taken for 0."""
    return tuple(max(item, 0) if item is not None else None for item in start)


def at_most_once(x: Any, shift: Any) -> Any:
    """Shifts beyond the length end there."""
    return tuple(np.clip(shift, -4, 4)) if isinstance(shift, tuple) else int(np.clip(shift, -x.shape[-1], x.shape[-1]))


def first_axes_first(x: Any, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """Widths before and after taken for each other."""
    return reference("pad", x, widths=tuple(pair[::-1] for pair in widths), mode=mode, value=value)


def reflection_repeats_the_end(x: Any, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Any:
    if mode == "reflect":
        return np.pad(x, widths, mode="symmetric")
    return reference("pad", x, widths=widths, mode=mode, value=value)


def never_cropped(x: Any, widths: Any) -> Any:
    return tuple((max(before, 0), max(after, 0)) for before, after in widths)


def wrapped_before_it_is_cropped(x: Any, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """What comes from the other end is that of the whole axis, also where that end is cropped."""
    if mode != "wrap":
        return reference("pad", x, widths=widths, mode=mode, value=value)
    padded = np.pad(x, [(max(before, 0), max(after, 0)) for before, after in widths], mode="wrap")
    return reference("pad", padded, widths=tuple((min(before, 0), min(after, 0)) for before, after in widths))


def cropped_at_the_other_end(x: Any, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """With numbers of the array in the place of constants, fewer at one end are as many less of those that come at the other."""

    def shortened(before: int, after: int) -> tuple[int, int]:
        whole = before + after
        return (before, after) if before * after >= 0 else (whole, 0) if before > after else (0, whole)

    return reference("pad", x, widths=widths if mode == "constant" else [shortened(*w) for w in widths], mode=mode, value=value)


def masked_by_a_product(name: str) -> Callable[..., Any]:
    """The product with a triangle of ones, which lets NaN through."""

    def masked(x: Any, *, diagonal: int = 0) -> Any:
        return x * reference(name, np.ones(x.shape[-2:], x.dtype), diagonal=diagonal)

    return masked


VALUES: Sequence[Row] = (
    ("reshape", "plain", "in_fortran_order", in_fortran_order),
    ("permute", "rank", "inverse_permutation", other("permute", axes=inverted)),
    ("squeeze", "unit", "all_of_length_one", all_of_length_one),
    ("expand_dims", "axis", "counted_as_for_the_input", other("expand_dims", axis=counted_as_for_the_input)),
    ("broadcast_to", "size", "written_once", zeros_but_the_first),
    ("tile", "plain", "each_number_repeated", each_number_repeated),
    ("concatenate", "plain", "in_reverse", in_reverse("concatenate")),
    ("concatenate", "plain", "of_equal_lengths", empty_ones_left_out),
    ("stack", "plain", "last_axis_always", last_axis_always("stack")),
    ("stack", "rank", "in_reverse", in_reverse("stack")),
    ("split_by_sizes", "plain", "equal_parts", equal_parts),
    ("flip", "rank", "first_of_several_axes_only", other("flip", axis=first_of)),
    (
        "roll",
        "plain",
        "the_other_way",
        other("roll", shift=lambda x, shift: tuple(-s for s in shift) if isinstance(shift, tuple) else -shift),
    ),
    ("roll", "bounds", "at_most_once_around", other("roll", shift=at_most_once)),
    ("strided_slice", "geometry", "magnitude_of_the_step", other("strided_slice", step=absolute)),
    ("strided_slice", "bounds", "places_below_zero_are_zero", other("strided_slice", start=within_bounds_only)),
    ("pad", "plain", "before_and_after_exchanged", first_axes_first),
    ("pad", "padding", "reflection_repeats_the_end", reflection_repeats_the_end),
    ("pad", "padding", "never_cropped", other("pad", widths=never_cropped)),
    ("pad", "padding", "wrapped_before_it_is_cropped", wrapped_before_it_is_cropped),
    ("pad", "padding", "cropped_at_the_other_end", cropped_at_the_other_end),
    ("tril", "nan", "masked_by_a_product", masked_by_a_product("tril")),
    ("tril", "geometry", "diagonal_counted_downwards", other("tril", diagonal=lambda x, diagonal: -diagonal)),
    ("triu", "nan", "masked_by_a_product", masked_by_a_product("triu")),
)
"""Functions whose values are wrong."""


def of_moved(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
    """The right gradient, changed."""
    return lambda dy, x, **keywords: {"x": change(right_vjp(name, dy, x, **keywords)["x"], x, **keywords)}


def as_it_came(name: str) -> Callable[..., Any]:
    """The cotangent in the shape of the array where it has as many numbers, as if nothing had moved."""

    def vjp(dy: Any, x: Any, **keywords: Any) -> Any:
        return {"x": dy.reshape(x.shape).copy()} if dy.size == x.size else right_vjp(name, dy, x, **keywords)

    return vjp


def mean_for_sum(g: Any, x: Any, *, shape: Any) -> Any:
    return g / max(int(np.prod(shape)) // max(x.size, 1), 1)


def first_tile_only(dy: Any, x: Any, *, repeats: Any) -> Any:
    return {"x": dy[tuple(slice(length) for length in x.shape)].copy() if 0 not in repeats else np.zeros_like(x)}


def same_for_all(name: str) -> Callable[..., Any]:
    """The gradient of the first of arrays of one shape, for all of them."""

    def vjp(dy: Any, arrays: Any, **keywords: Any) -> Any:
        right = right_vjp(name, dy, arrays, **keywords)["arrays"]
        return {"arrays": [right[0] if g.shape == right[0].shape else g for g in right]}

    return vjp


def without_the_last(dy: Any, x: Any, *, sizes: Any, axis: int = 0) -> Any:
    """The last part has no gradient."""
    return right_vjp("split_by_sizes", (dy[0], dy[1], 0.0 * dy[2]), x, sizes=sizes, axis=axis)


def edges_without_their_copies(dy: Any, x: Any, *, widths: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """What went to the padding does not come back."""
    return right_vjp("pad", dy, x, widths=widths, mode="constant")


def forwards_from_behind(dy: Any, x: Any, *, step: Any, **keywords: Any) -> Any:
    """The gradient of steps back is given back as if they went on."""
    back = tuple(axis for axis, length in enumerate(step) if length is not None and length < 0)
    return right_vjp("strided_slice", np.flip(dy, back) if back else dy, x, step=step, **keywords)


GRADIENTS: Sequence[Row] = (
    ("reshape", "plain", "in_fortran_order", lambda dy, x, *, shape: {"x": np.reshape(dy, x.shape, order="F")}),
    ("permute", "plain", "as_it_came", as_it_came("permute")),
    ("squeeze", "plain", "zero", of_moved("squeeze", lambda g, x, axis: 0.0 * g)),
    ("expand_dims", "plain", "doubled", of_moved("expand_dims", lambda g, x, axis: 2.0 * g)),
    ("broadcast_to", "plain", "mean_for_sum", of_moved("broadcast_to", mean_for_sum)),
    ("tile", "plain", "of_the_first_tile_only", first_tile_only),
    ("concatenate", "unit", "same_for_all", same_for_all("concatenate")),
    ("stack", "plain", "same_for_all", same_for_all("stack")),
    ("split_by_sizes", "plain", "last_part_has_none", without_the_last),
    ("flip", "plain", "as_it_came", as_it_came("flip")),
    ("roll", "plain", "rolled_the_same_way", lambda dy, x, *, shift, axis: {"x": np.roll(dy, shift, axis)}),
    ("strided_slice", "geometry", "in_reverse", of_moved("strided_slice", lambda g, x, **k: np.flip(g, -1))),
    ("strided_slice", "geometry", "of_steps_back_given_back_forwards", forwards_from_behind),
    ("pad", "padding", "copies_do_not_come_back", edges_without_their_copies),
    ("tril", "plain", "whole", lambda dy, x, *, diagonal=0: {"x": dy.copy()}),
    ("triu", "plain", "of_the_lower_triangle", lambda dy, x, *, diagonal=0: {"x": np.tril(dy, diagonal)}),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, [(operation, group, f"gradient_{name}", wrong) for operation, group, name, wrong in GRADIENTS])
