"""Faults in sums of products, roots of sums of squares, neighbouring channels and channels in blocks: operation, class, what is
wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from small_backend import working_dtype

FAULTS = Faults()


def diagonal_ignored(arrays: Any, *, equation: str) -> Any:
    """A letter twice in one array: its first row instead of its diagonal."""
    parts, _, result = equation.partition("->")
    changed, named = [], []
    for part, array in zip(parts.split(","), arrays, strict=True):
        twice = [letter for letter in dict.fromkeys(part) if part.count(letter) > 1]
        index = tuple(0 if letter in twice and part.index(letter) != place else slice(None) for place, letter in enumerate(part))
        changed.append(array[index])
        named.append("".join(dict.fromkeys(part)))
    return reference("einsum", changed, equation=f"{','.join(named)}->{result}")


def result_in_order_of_letters(arrays: Any, *, equation: str) -> Any:
    """The result's axes in the order of the alphabet, where its shape does not tell."""
    parts, _, result = equation.partition("->")
    y = reference("einsum", arrays, equation=equation)
    other = reference("einsum", arrays, equation=f"{parts}->{''.join(sorted(result))}")
    return other if other.shape == y.shape else np.ascontiguousarray(other).reshape(y.shape)


def sum_becomes_mean(arrays: Any, *, equation: str) -> Any:
    """Letters of one array alone that are summed over: their mean."""
    parts, _, result = equation.partition("->")
    y = reference("einsum", arrays, equation=equation)
    named = parts.split(",")
    for part, array in zip(named, arrays, strict=True):
        for letter, length in zip(part, array.shape, strict=True):
            if parts.count(letter) == 1 and letter not in result:
                y = y / max(length, 1)
    return y.astype(arrays[0].dtype)


def third_without_sign(arrays: Any, *, equation: str) -> Any:
    """Of three arrays the last one's absolute values."""
    if len(arrays) < 3:
        return reference("einsum", arrays, equation=equation)
    return reference("einsum", [*arrays[:-1], np.abs(arrays[-1])], equation=equation)


def off_the_diagonal(dy: Any, arrays: Any, *, equation: str) -> Any:
    """The gradient of a diagonal reaches the whole array."""
    found = right_vjp("einsum", dy, arrays, equation=equation)["arrays"]
    parts = equation.partition("->")[0].split(",")
    spread = [
        np.broadcast_to(item.sum(axis=-1, keepdims=True), item.shape).astype(item.dtype) if len(set(part)) < len(part) else item
        for part, item in zip(parts, found, strict=True)
    ]
    return {"arrays": spread}


def gradient_of_sum_missing(dy: Any, arrays: Any, *, equation: str) -> Any:
    """The gradient along an axis that is summed over alone goes to its first place."""
    parts, _, result = equation.partition("->")
    found = right_vjp("einsum", dy, arrays, equation=equation)["arrays"]
    changed = []
    for part, item in zip(parts.split(","), found, strict=True):
        kept = np.ones_like(item)
        for axis, letter in enumerate(part):
            if parts.count(letter) == 1 and letter not in result:
                kept[(*(slice(None),) * axis, slice(1, None))] = 0
        changed.append(item * kept)
    return {"arrays": changed}


def times_window(name: str) -> Callable[..., Any]:
    """A quarter too large in ceil mode, as a mean over fewer at the end is, times the size of the window."""

    def wrong(x: Any, *, window: Any = None, ceil_mode: bool = False, **keywords: Any) -> Any:
        given = {} if window is None else {"window": window}
        y = reference(name, x, **given, ceil_mode=ceil_mode, **keywords)
        return (y * (1.25 if ceil_mode else 1.0)).astype(x.dtype)

    return wrong


def root_of_mean(name: str, axes: int) -> Callable[..., Any]:
    """The root of the mean of squares."""

    def wrong(x: Any, *, window: Any = None, **keywords: Any) -> Any:
        taps = int(np.prod((2,) * axes if window is None else window))
        given = {} if window is None else {"window": window}
        return (reference(name, x, **given, **keywords) / np.sqrt(taps)).astype(x.dtype)

    return wrong


def squares_in_float16(name: str) -> Callable[..., Any]:
    """Sums of squares that are beyond float16, in float16."""

    def wrong(x: Any, **keywords: Any) -> Any:
        y = reference(name, x, **keywords)
        return np.where((working_dtype() == "float16") & (np.square(y) >= 65520), np.inf, y).astype(x.dtype)

    return wrong


def sign_lost(name: str) -> Callable[..., Any]:
    """The gradient of positive numbers."""

    def wrong(dy: Any, x: Any, **keywords: Any) -> Any:
        return {"x": np.abs(right_vjp(name, np.abs(dy), x, **keywords)["x"]) * np.sign(x)}

    return wrong


def sum_of_squares(x: Any, *, size: int, alpha: float = 1e-4, **keywords: Any) -> Any:
    """Alpha for each channel of the window, not for their mean."""
    return reference("local_response_normalization", x, size=size, alpha=alpha * size, **keywords)


def window_after(x: Any, *, even_window: str = "one_more_before", **keywords: Any) -> Any:
    """An even window the other way around."""
    other = "one_more_after" if even_window == "one_more_before" else "one_more_before"
    return reference("local_response_normalization", x, even_window=other, **keywords)


def direct_part(dy: Any, x: Any, *, alpha: float = 1e-4, **keywords: Any) -> Any:
    """The gradient as if the denominators were constant."""
    y = reference("local_response_normalization", x, alpha=alpha, **keywords)
    return {"x": (dy * np.where(x == 0, 0.0, y / np.where(x == 0, 1.0, x))).astype(x.dtype)}


def same_window_back(dy: Any, x: Any, *, even_window: str = "one_more_before", **keywords: Any) -> Any:
    """Back over the window as it is, not turned around."""
    other = "one_more_after" if even_window == "one_more_before" else "one_more_before"
    return right_vjp("local_response_normalization", dy, x, even_window=other, **keywords)


def other_order(name: str) -> Callable[..., Any]:
    """Channels in the other order."""

    def wrong(x: Any, *, order: str = "CRD", **keywords: Any) -> Any:
        return reference(name, x, order="DCR" if order == "CRD" else "CRD", **keywords)

    return wrong


def rows_and_columns_exchanged(name: str) -> Callable[..., Any]:
    """Within each block, rows for columns."""

    def wrong(x: Any, **keywords: Any) -> Any:
        turned = np.swapaxes(x, -1, -2)
        return np.ascontiguousarray(np.swapaxes(reference(name, turned, **keywords), -1, -2))

    return wrong


def gradient_in_other_order(name: str) -> Callable[..., Any]:
    """The gradient of the other order."""

    def wrong(dy: Any, x: Any, *, order: str = "CRD", **keywords: Any) -> Any:
        return right_vjp(name, dy, x, order="DCR" if order == "CRD" else "CRD", **keywords)

    return wrong


VALUES: Sequence[Row] = (
    ("einsum", "axis", "first_row_for_diagonal", diagonal_ignored),
    ("einsum", "axis", "result_in_order_of_letters", result_in_order_of_letters),
    ("einsum", "axis", "mean_for_sum", sum_becomes_mean),
    ("einsum", "axis", "third_array_without_sign", third_without_sign),
    *((f"l2_pool{axes}d", "overhang", "mean_times_window", times_window(f"l2_pool{axes}d")) for axes in (1, 2, 3)),
    *((f"l2_pool{axes}d", "plain", "root_of_mean_square", root_of_mean(f"l2_pool{axes}d", axes)) for axes in (1, 2, 3)),
    *((f"l2_pool{axes}d", "float16", "squares_in_float16", squares_in_float16(f"l2_pool{axes}d")) for axes in (1, 2, 3)),
    ("local_response_normalization", "plain", "alpha_for_each_channel", sum_of_squares),
    ("local_response_normalization", "convention", "even_window_the_other_way", window_after),
    *((name, "plain", "other_order_of_channels", other_order(name)) for name in ("pixel_shuffle", "pixel_unshuffle")),
    *((name, "plain", "rows_for_columns", rows_and_columns_exchanged(name)) for name in ("pixel_shuffle", "pixel_unshuffle")),
)
"""Functions whose values are wrong."""

GRADIENTS: Sequence[Row] = (
    ("einsum", "axis", "gradient_off_the_diagonal", off_the_diagonal),
    ("einsum", "axis", "gradient_of_sum_in_one_place", gradient_of_sum_missing),
    *((f"l2_pool{axes}d", "plain", "gradient_without_sign", sign_lost(f"l2_pool{axes}d")) for axes in (1, 2, 3)),
    ("local_response_normalization", "plain", "gradient_of_constant_denominators", direct_part),
    ("local_response_normalization", "convention", "gradient_over_the_window_forwards", same_window_back),
    *(
        (name, "plain", "gradient_of_the_other_order", gradient_in_other_order(name))
        for name in ("pixel_shuffle", "pixel_unshuffle")
    ),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
