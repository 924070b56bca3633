"""Moves of numbers that change shapes: reshaping, axes, repetition, joining and splitting. All are exact."""

from collections.abc import Sequence

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.arrays._moves import Cases, moving
from tensorproof_reference.operation import Operation
from tensorproof_reference.trees import Array


def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same numbers, in C order, in another shape.

    ``shape``: the new lengths, of which one may be -1 for what is left.

    Shapes: any of as many numbers.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if the numbers do not fit.
    Source: the Python array API standard, 2024.12.
    """
    return x.reshape(shape)


def permute(x: Array, *, axes: tuple[int, ...]) -> Array:
    """The axes in another order: axis k of the result is axis ``axes[k]`` of ``x``.

    Shapes: any.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if ``axes`` does not name each axis once.
    Source: the Python array API standard, 2024.12 (``permute_dims``).
    """
    return np.transpose(x, axes)


def squeeze(x: Array, *, axis: int | tuple[int, ...]) -> Array:
    """Without axes of length 1.

    ``axis``: one of them or several, counted from either end.

    Shapes: any with length 1 along these axes.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if an axis is not of length 1.
    Source: the Python array API standard, 2024.12.
    """
    return np.squeeze(x, axis)


def expand_dims(x: Array, *, axis: int) -> Array:
    """With one more axis of length 1, at the place ``axis`` of the result, counted from either end.

    Shapes: any.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if the result has no such axis.
    Source: the Python array API standard, 2024.12.
    """
    return np.expand_dims(x, axis)


def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The numbers repeated along axes of length 1, and along new ones before the first. Gradients are summed over those.

    Shapes: any that broadcasts to ``shape``.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. The value is exact.
    Raises: ``ValueError`` if ``x`` does not broadcast to ``shape``.
    Source: the Python array API standard, 2024.12.
    """
    return np.broadcast_to(x, shape).copy()


def tile(x: Array, *, repeats: tuple[int, ...]) -> Array:
    """The whole array, repeated side by side along each axis. Gradients are summed over the repetitions.

    ``repeats``: how often, by axis.

    Shapes: any with as many axes as ``repeats`` has numbers.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. The value is exact.
    Raises: ``ValueError`` for more or fewer repeats than axes.
    Source: the Python array API standard, 2024.12.
    """
    require(len(repeats) == x.ndim, "repeats", f"{x.ndim} numbers", repeats)
    return np.tile(x, repeats)


def concatenate(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    """Arrays one after the other along an axis, counted from either end.

    Shapes: equal but for that axis.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if other lengths differ, or ``axis`` is no axis.
    Source: the Python array API standard, 2024.12 (``concat``).
    """
    return np.concatenate(list(arrays), axis=axis)


def stack(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    """Arrays of one shape, side by side along a new axis at the place ``axis`` of the result, counted from either end.

    Shapes: all equal.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if shapes differ, or the result has no such axis.
    Source: the Python array API standard, 2024.12.
    """
    return np.stack(list(arrays), axis=axis)


def split_by_sizes(x: Array, *, sizes: tuple[int, int, int], axis: int = 0) -> tuple[Array, Array, Array]:
    """Three parts along an axis, one after the other.

    ``sizes``: their lengths, which may be 0 and together have that of the axis. ``axis`` counts from either end.

    Shapes: any of rank ≥ 1.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if the lengths do not add up, or ``axis`` is no axis.
    Source: the texts of ``torch.split`` and ``tf.split``.
    """
    require(len(sizes) == 3 and sum(sizes) == x.shape[axis], "sizes", f"three that add up to {x.shape[axis]}", sizes)
    first, second, third = np.split(x, [sizes[0], sizes[0] + sizes[1]], axis=axis)
    return first, second, third


RESHAPES: Cases = {
    "plain_rows": ((6, 4), {"shape": (3, 8)}),
    "size_large": ((64, 128), {"shape": (32, 256)}),
    "rank_zero": ((1,), {"shape": ()}),
    "rank_from_zero": ((), {"shape": (1, 1)}),
    "rank_from_four_to_one": ((2, 3, 4, 5), {"shape": (120,)}),
    "rank_from_one_to_five": ((48,), {"shape": (2, 3, 2, 2, 2)}),
    "unit_axes_left_out": ((1, 6, 1, 4), {"shape": (6, 4)}),
    "unit_axes_put_in": ((6, 4), {"shape": (6, 1, 4, 1)}),
    "empty_batch": ((0, 4), {"shape": (2, 0, 3)}),
    "axis_that_is_left": ((6, 4), {"shape": (2, -1)}),
    "axis_that_is_left_in_the_middle": ((6, 4), {"shape": (2, -1, 3)}),
    "axis_that_is_left_alone": ((2, 3, 4), {"shape": (-1,)}),
}
PERMUTATIONS: Cases = {
    "plain_transposed": ((6, 4), {"axes": (1, 0)}),
    "size_large": ((33, 65), {"axes": (1, 0)}),
    "size_large_to_channels_last": ((4, 16, 16, 8), {"axes": (0, 2, 3, 1)}),
    "rank_one": ((7,), {"axes": (0,)}),
    "rank_three_rotated": ((2, 3, 4), {"axes": (2, 0, 1)}),
    "rank_three_rotated_back": ((2, 3, 4), {"axes": (1, 2, 0)}),
    "rank_four_to_channels_first": ((2, 5, 4, 3), {"axes": (0, 3, 1, 2)}),
    "rank_five": ((2, 3, 2, 4, 3), {"axes": (3, 0, 4, 2, 1)}),
    "axis_negative": ((2, 3, 4), {"axes": (-1, 0, -2)}),
    "unit_axes": ((1, 5, 1), {"axes": (1, 2, 0)}),
    "empty_batch": ((0, 4, 3), {"axes": (2, 0, 1)}),
}
SQUEEZES: Cases = {
    "plain_middle": ((5, 1, 4), {"axis": 1}),
    "size_large": ((64, 1, 128), {"axis": 1}),
    "rank_to_zero": ((1,), {"axis": 0}),
    "rank_five_two_axes": ((1, 3, 1, 4, 1), {"axis": (0, 2)}),
    "axis_negative": ((5, 4, 1), {"axis": -1}),
    "axis_negative_two": ((1, 5, 1, 4), {"axis": (-2, 0)}),
    "unit_axis_is_left": ((1, 1, 4), {"axis": 0}),
    "empty_batch": ((0, 1, 4), {"axis": 1}),
}
EXPANSIONS: Cases = {
    "plain_middle": ((5, 4), {"axis": 1}),
    "size_large": ((64, 128), {"axis": 1}),
    "rank_zero": ((), {"axis": 0}),
    "rank_four": ((2, 3, 4, 5), {"axis": 2}),
    "axis_first": ((5, 4), {"axis": 0}),
    "axis_last": ((5, 4), {"axis": 2}),
    "axis_negative": ((5, 4), {"axis": -1}),
    "axis_farthest": ((5, 4), {"axis": -3}),
    "unit_beside": ((1, 4), {"axis": 1}),
    "empty_batch": ((0, 4), {"axis": 1}),
}
BROADCASTS: Cases = {
    "plain_row": ((5,), {"shape": (6, 5)}),
    "size_large_column": ((64, 1), {"shape": (64, 128)}),
    "size_large_row": ((128,), {"shape": (513, 128)}),
    "rank_zero": ((), {"shape": (3, 4)}),
    "rank_of_both_ends": ((3, 1, 5, 1), {"shape": (2, 3, 4, 5, 6)}),
    "rank_middle": ((3, 1, 5), {"shape": (3, 4, 5)}),
    "unit_to_everything": ((1, 1), {"shape": (6, 5)}),
    "unit_stays": ((1, 5), {"shape": (1, 5)}),
    "unit_as_it_is": ((6, 5), {"shape": (6, 5)}),
    "empty_batch": ((1, 5), {"shape": (0, 5)}),
    "long_sum": ((2, 1), {"shape": (2, 16_385)}),
}
TILES: Cases = {
    "plain_both": ((3, 4), {"repeats": (2, 3)}),
    "size_large": ((33, 65), {"repeats": (3, 2)}),
    "rank_one": ((7,), {"repeats": (5,)}),
    "rank_four": ((2, 3, 1, 2), {"repeats": (1, 2, 3, 2)}),
    "unit_repeats": ((3, 4), {"repeats": (1, 1)}),
    "unit_axis": ((3, 1), {"repeats": (1, 17)}),
    "empty_batch": ((0, 4), {"repeats": (2, 2)}),
    "empty_of_repeats": ((3, 4), {"repeats": (0, 2)}),
}
JOINED: Cases = {
    "plain_rows": ([(3, 4), (2, 4)], {"axis": 0}),
    "size_large": ([(33, 64), (33, 65), (33, 1)], {"axis": 1}),
    "rank_one": ([(3,), (5,)], {"axis": 0}),
    "rank_four_middle": ([(2, 3, 4, 5), (2, 1, 4, 5), (2, 2, 4, 5)], {"axis": 1}),
    "axis_negative": ([(3, 4), (3, 2)], {"axis": -1}),
    "axis_farthest": ([(3, 4, 2), (1, 4, 2)], {"axis": -3}),
    "unit_alone": ([(3, 4)], {"axis": 0}),
    "unit_axes": ([(1, 4), (1, 4), (1, 4)], {"axis": 0}),
    "empty_among_others": ([(3, 4), (0, 4), (2, 4)], {"axis": 0}),
    "empty_batch": ([(0, 4), (0, 2)], {"axis": 1}),
    "width_many": ([(2, width) for width in (1, 2, 3, 7, 8, 9, 15, 16, 17)], {"axis": 1}),
}
STACKED: Cases = {
    "plain_first": ([(3, 4), (3, 4)], {"axis": 0}),
    "size_large": ([(33, 65)] * 3, {"axis": 1}),
    "rank_zero": ([(), (), ()], {"axis": 0}),
    "rank_four": ([(2, 3, 4), (2, 3, 4)], {"axis": 2}),
    "axis_middle": ([(3, 4), (3, 4), (3, 4)], {"axis": 1}),
    "axis_last": ([(3, 4), (3, 4)], {"axis": -1}),
    "axis_farthest": ([(3, 4), (3, 4)], {"axis": -3}),
    "unit_alone": ([(3, 4)], {"axis": 0}),
    "empty_batch": ([(0, 4), (0, 4)], {"axis": 1}),
}
SPLITS: Cases = {
    "plain_columns": ((4, 12), {"sizes": (5, 3, 4), "axis": 1}),
    "size_large": ((64, 129), {"sizes": (64, 1, 64), "axis": 1}),
    "rank_one": ((9,), {"sizes": (2, 3, 4), "axis": 0}),
    "rank_four_middle": ((2, 6, 3, 2), {"sizes": (1, 2, 3), "axis": 1}),
    "axis_first": ((6, 4), {"sizes": (2, 2, 2), "axis": 0}),
    "axis_negative": ((4, 6), {"sizes": (3, 1, 2), "axis": -1}),
    "unit_parts": ((4, 3), {"sizes": (1, 1, 1), "axis": 1}),
    "empty_part": ((4, 6), {"sizes": (4, 0, 2), "axis": 1}),
    "empty_batch": ((0, 6), {"sizes": (3, 1, 2), "axis": 1}),
}
OPERATIONS: tuple[Operation, ...] = (
    moving(reshape, RESHAPES, lambda rows, columns: {"shape": (2 * rows, columns // 2)}),
    moving(permute, PERMUTATIONS, lambda rows, columns: {"axes": (1, 0)}),
    moving(squeeze, SQUEEZES, lambda rows, columns: {"axis": 1}, timed_shape=lambda rows, columns: (rows, 1, columns)),
    moving(expand_dims, EXPANSIONS, lambda rows, columns: {"axis": 1}),
    moving(
        broadcast_to,
        BROADCASTS,
        lambda rows, columns: {"shape": (rows, 2 * columns)},
        timed_shape=lambda rows, columns: (rows, 1),
    ),
    moving(tile, TILES, lambda rows, columns: {"repeats": (2, 1)}),
    moving(concatenate, JOINED, lambda rows, columns: {"axis": 1}, argument="arrays"),
    moving(stack, STACKED, lambda rows, columns: {"axis": 1}, argument="arrays"),
    moving(
        split_by_sizes,
        SPLITS,
        lambda rows, columns: {"sizes": (columns // 4, columns // 4, columns // 2), "axis": 1},
        outputs=("first", "second", "third"),
    ),
)
