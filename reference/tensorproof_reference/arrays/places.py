"""Moves of numbers to other places: reversal, rotation, slices, padding and triangles. All are exact."""

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.arrays._moves import Cases, moving
from tensorproof_reference.operation import Operation
from tensorproof_reference.trees import Array

MODES = ("constant", "reflect", "edge", "wrap")


def flip(x: Array, *, axis: int | tuple[int, ...]) -> Array:
    """The numbers in reverse along one axis or several, counted from either end.

    Shapes: any of rank ≥ 1.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``.
    Source: the Python array API standard, 2024.12.
    """
    return np.flip(x, axis)


def roll(x: Array, *, shift: int | tuple[int, ...], axis: int | tuple[int, ...]) -> Array:
    r"""The numbers moved along axes, those beyond an end to the other end: :math:`y_i = x_{(i - s) \bmod n}`.

    ``shift``: by how many places, as many shifts as axes; below 0 towards the start, and any number of times around.

    Shapes: any of rank ≥ 1.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or there are more or fewer shifts than axes.
    Source: the Python array API standard, 2024.12.
    """
    shifts, axes = (item if isinstance(item, tuple) else (item,) for item in (shift, axis))
    require(len(shifts) == len(axes), "shift", f"{len(axes)} numbers", shift)
    return np.roll(x, shift, axis)


def strided_slice(x: Array, *, start: tuple[int | None, ...], stop: tuple[int | None, ...], step: tuple[int, ...]) -> Array:
    """A part of each axis: from ``start`` on, by ``step``, up to before ``stop``.

    As in Python: places below 0 count from the end, those beyond an end stop there, and ``None`` is the end that ``step``
    begins at or goes to. With ``step`` below 0 it goes towards the start.

    Shapes: any with as many axes as there are starts.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` for a step of 0, or more or fewer starts, stops or steps than axes.
    Source: the Python array API standard, 2024.12 (indexing).
    """
    require(len(start) == len(stop) == len(step) == x.ndim, "start", f"{x.ndim} of starts, stops and steps", start)
    require(0 not in step, "step", "no 0", step)
    return x[tuple(slice(*ends) for ends in zip(start, stop, step, strict=True))]


def pad(x: Array, *, widths: tuple[tuple[int, int], ...], mode: str = "constant", value: float = 0.0) -> Array:
    """More numbers at both ends of each axis, or with widths below 0 fewer.

    ``widths``: for each axis how many before and after. ``mode``: ``constant`` has ``value`` there; ``reflect`` the numbers in
    reverse, without the one at the end; ``edge`` the one at the end; ``wrap`` those at the other end. Axes that become shorter
    are cropped first.

    Shapes: any with as many axes as ``widths`` has pairs.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. The value is exact.
    Raises: ``ValueError`` for more or fewer pairs than axes, or another word.
    Source: NumPy's ``pad``; widths below 0: ONNX operator ``Pad``, opset 19.
    """
    require_choice(mode, "mode", MODES)
    require(len(widths) == x.ndim, "widths", f"{x.ndim} pairs", widths)
    lengths = zip(x.shape, widths, strict=True)
    x = x[tuple(slice(max(-before, 0), max(length + min(after, 0), 0)) for length, (before, after) in lengths)]
    added = [(max(before, 0), max(after, 0)) for before, after in widths]
    if mode == "constant":
        return np.pad(x, added, mode="constant", constant_values=value)
    return np.pad(x, added, mode=mode)  # type: ignore[call-overload]


def tril(x: Array, *, diagonal: int = 0) -> Array:
    """The lower triangles of the last two axes: 0 above a diagonal.

    ``diagonal``: which, counted upwards from the one that begins at the first number.

    Shapes: any of rank ≥ 2.
    Special values: NaN and infinities above the diagonal leave no trace, in the gradient neither. Exact.
    Raises: ``ValueError`` if ``x`` has fewer than two axes.
    Source: the Python array API standard, 2024.12.
    """
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")
    return np.tril(x, diagonal)


def triu(x: Array, *, diagonal: int = 0) -> Array:
    """The upper triangles of the last two axes: 0 below a diagonal.

    ``diagonal``: which, counted upwards from the one that begins at the first number.

    Shapes: any of rank ≥ 2.
    Special values: NaN and infinities below the diagonal leave no trace, in the gradient neither. Exact.
    Raises: ``ValueError`` if ``x`` has fewer than two axes.
    Source: the Python array API standard, 2024.12.
    """
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")
    return np.triu(x, diagonal)


FLIPS: Cases = {
    "plain_rows": ((4, 5), {"axis": 1}),
    "size_large": ((64, 129), {"axis": 1}),
    "rank_one": ((7,), {"axis": 0}),
    "rank_four_two_axes": ((2, 3, 4, 5), {"axis": (1, 3)}),
    "rank_three_all": ((2, 3, 4), {"axis": (0, 1, 2)}),
    "axis_first": ((4, 5), {"axis": 0}),
    "axis_negative": ((2, 3, 4), {"axis": -2}),
    "axis_negative_two": ((2, 3, 4), {"axis": (-1, 0)}),
    "unit_axis": ((4, 1), {"axis": 1}),
    "empty_batch": ((0, 5), {"axis": 1}),
    **{f"width_{width}": ((2, width), {"axis": -1}) for width in (2, 3, 8, 9, 16, 17)},
}
ROLLS: Cases = {
    "plain_columns": ((4, 5), {"shift": 2, "axis": 1}),
    "size_large": ((64, 129), {"shift": 65, "axis": 1}),
    "rank_one": ((7,), {"shift": 3, "axis": 0}),
    "rank_three_two_axes": ((2, 3, 4), {"shift": (1, -1), "axis": (1, 2)}),
    "axis_first": ((4, 5), {"shift": 1, "axis": 0}),
    "axis_negative": ((2, 3, 4), {"shift": 1, "axis": -2}),
    "bounds_negative": ((4, 5), {"shift": -2, "axis": 1}),
    "bounds_zero": ((4, 5), {"shift": 0, "axis": 1}),
    "bounds_once_around": ((4, 5), {"shift": 5, "axis": 1}),
    "bounds_beyond": ((4, 5), {"shift": 13, "axis": 1}),
    "bounds_beyond_negative": ((4, 5), {"shift": -8, "axis": 1}),
    "unit_axis": ((4, 1), {"shift": 3, "axis": 1}),
    "empty_batch": ((0, 5), {"shift": 1, "axis": 1}),
    "empty_axis": ((5, 0), {"shift": 1, "axis": 1}),
}
SLICES: Cases = {
    "plain_middle": ((6, 7), {"start": (1, 2), "stop": (5, 6), "step": (1, 1)}),
    "size_large": ((64, 129), {"start": (3, 0), "stop": (60, 129), "step": (2, 3)}),
    "rank_one": ((9,), {"start": (1,), "stop": (8,), "step": (3,)}),
    "rank_four": ((2, 5, 4, 6), {"start": (0, 1, 0, 2), "stop": (2, 4, 3, 6), "step": (1, 2, 1, 2)}),
    "geometry_stride": ((7, 8), {"start": (0, 1), "stop": (None, None), "step": (2, 3)}),
    "geometry_stride_beyond": ((7, 8), {"start": (0, 1), "stop": (None, None), "step": (9, 8)}),
    "geometry_negative_step": ((7, 8), {"start": (None, None), "stop": (None, None), "step": (-1, -1)}),
    "geometry_negative_step_within": ((7, 8), {"start": (5, -2), "stop": (1, 0), "step": (-2, -3)}),
    "bounds_from_the_end": ((7, 8), {"start": (-5, -6), "stop": (-1, -2), "step": (1, 2)}),
    "bounds_beyond": ((7, 8), {"start": (-20, 3), "stop": (20, 100), "step": (1, 1)}),
    "unit_single": ((7, 8), {"start": (3, 4), "stop": (4, 5), "step": (1, 1)}),
    "empty_of_nothing": ((7, 8), {"start": (4, 0), "stop": (4, 8), "step": (1, 1)}),
    "empty_stop_before_start": ((7, 8), {"start": (5, 0), "stop": (2, 8), "step": (1, 1)}),
    "empty_batch": ((0, 8), {"start": (0, 2), "stop": (None, 6), "step": (1, 2)}),
}
PADS: Cases = {
    "plain_zeros": ((4, 5), {"widths": ((1, 2), (3, 0))}),
    "size_large": ((33, 65), {"widths": ((1, 1), (2, 3))}),
    "rank_one": ((7,), {"widths": ((2, 3),)}),
    "rank_four_images": ((2, 3, 4, 5), {"widths": ((0, 0), (0, 0), (1, 2), (2, 1))}),
    "optional_value": ((4, 5), {"widths": ((1, 2), (3, 0)), "value": -1.5}),
    "infinity_value": ((4, 5), {"widths": ((1, 2), (3, 0)), "value": float("-inf")}),
    "unit_axes": ((1, 1), {"widths": ((1, 1), (2, 0))}),
    "padding_of_nothing": ((4, 5), {"widths": ((0, 0), (0, 0))}),
    "padding_crop": ((4, 5), {"widths": ((-1, 0), (-2, -1))}),
    "padding_crop_and_more": ((4, 5), {"widths": ((-1, 2), (2, -3))}),
    "padding_crop_images": ((2, 3, 6, 6), {"widths": ((0, 0), (0, 0), (-1, -2), (-3, -1))}),
    "empty_batch": ((0, 5), {"widths": ((0, 0), (1, 2))}),
    "empty_axis_filled": ((4, 0), {"widths": ((0, 0), (1, 2))}),
    **{f"padding_{mode}_row": ((3, 7), {"widths": ((0, 0), (2, 3)), "mode": mode}) for mode in MODES[1:]},
    **{f"padding_{mode}_one_side": ((3, 7), {"widths": ((0, 0), (0, 4)), "mode": mode}) for mode in MODES[1:]},
    **{
        f"padding_{mode}_images": ((2, 3, 4, 5), {"widths": ((0, 0), (0, 0), (1, 2), (3, 1)), "mode": mode}) for mode in MODES[1:]
    },
    **{f"padding_{mode}_whole": ((3, 5), {"widths": ((0, 0), (4, 4)), "mode": mode}) for mode in MODES[1:]},
    **{f"padding_{mode}_all_axes": ((3, 5), {"widths": ((2, 1), (1, 2)), "mode": mode}) for mode in MODES[1:]},
    **{f"padding_{mode}_crop": ((3, 7), {"widths": ((0, 0), (-1, -2)), "mode": mode}) for mode in MODES[1:]},
    # What comes at one end does not depend on what was cropped at the other but for "wrap".
    **{f"padding_{mode}_crop_before": ((3, 7), {"widths": ((0, 0), (-2, 3)), "mode": mode}) for mode in MODES[1:]},
    **{f"padding_{mode}_crop_after": ((3, 7), {"widths": ((0, 0), (3, -2)), "mode": mode}) for mode in MODES[1:]},
    **{
        f"padding_{mode}_crop_images": ((2, 3, 6, 5), {"widths": ((0, 0), (0, 0), (-1, 2), (1, -2)), "mode": mode})
        for mode in MODES[1:]
    },
}
TRIANGLES: Cases = {
    "plain_square": ((5, 5), {}),
    "size_large": ((65, 65), {}),
    "rank_three": ((3, 4, 4), {}),
    "rank_four": ((2, 3, 4, 4), {"diagonal": 1}),
    "geometry_wide": ((4, 7), {}),
    "geometry_tall": ((7, 4), {}),
    "geometry_diagonal_above": ((5, 5), {"diagonal": 1}),
    "geometry_diagonal_below": ((5, 5), {"diagonal": -1}),
    "geometry_wide_diagonal": ((4, 7), {"diagonal": 2}),
    "geometry_tall_diagonal": ((7, 4), {"diagonal": -3}),
    "bounds_beyond_above": ((4, 5), {"diagonal": 7}),
    "bounds_beyond_below": ((4, 5), {"diagonal": -6}),
    "unit_single": ((1, 1), {}),
    "unit_row": ((1, 5), {}),
    "unit_column": ((5, 1), {}),
    "empty_batch": ((0, 4, 4), {}),
}
OPERATIONS: tuple[Operation, ...] = (
    moving(flip, FLIPS, lambda rows, columns: {"axis": 1}),
    moving(roll, ROLLS, lambda rows, columns: {"shift": columns // 3, "axis": 1}),
    moving(strided_slice, SLICES, lambda rows, columns: {"start": (0, 1), "stop": (None, None), "step": (1, 2)}),
    moving(pad, PADS, lambda rows, columns: {"widths": ((1, 1), (2, 2))}),
    moving(tril, TRIANGLES, lambda rows, columns: {}),
    moving(triu, TRIANGLES, lambda rows, columns: {}),
)
