"""Faults in numbers on the grid of an integer: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

FAULTS = Faults()


def with_keywords(**changed: Any) -> Callable[..., Any]:
    """Quantizing with other keywords."""

    def wrong(x: Any, **keywords: Any) -> Any:
        return reference("fake_quantize", x, **{**keywords, **changed})

    return wrong


def rounded_down(x: Any, *, scale: float = 0.125, **keywords: Any) -> Any:
    """Rounded down, not to the nearest."""
    return reference("fake_quantize", np.floor(x / scale) * scale, scale=scale, **keywords).astype(x.dtype)


def zero_point_not_taken_away(x: Any, *, scale: float = 0.125, zero_point: int = 0, **keywords: Any) -> Any:
    """The zero point stays in the result."""
    y = reference("fake_quantize", x, scale=scale, zero_point=zero_point, **keywords)
    return (y + zero_point * scale).astype(x.dtype)


def symmetric(x: Any, *, lowest: int = -128, highest: int = 127, **keywords: Any) -> Any:
    """The lowest number left out, as if it were narrow."""
    return reference("fake_quantize", x, lowest=lowest + (lowest == -128), highest=highest, **keywords)


VALUES: Sequence[Row] = (
    ("fake_quantize", "plain", "rounded_down", rounded_down),
    ("fake_quantize", "plain", "of_seven_bits", with_keywords(lowest=-64, highest=63)),
    ("fake_quantize", "bounds", "zero_point_stays", zero_point_not_taken_away),
    ("fake_quantize", "plain", "lowest_left_out", symmetric),
)
"""Functions whose values are wrong."""


def of_steps(dy: Any, x: Any, **keywords: Any) -> Any:
    """The gradient of steps: 0."""
    return {"x": np.zeros_like(dy)}


def beyond_too(dy: Any, x: Any, **keywords: Any) -> Any:
    """The gradient beyond the ends too."""
    return {"x": dy.copy()}


def not_at_the_highest(dy: Any, x: Any, **keywords: Any) -> Any:
    """No gradient where the result is the highest of all."""
    found = right_vjp("fake_quantize", dy, x, **keywords)["x"]
    y = reference("fake_quantize", x, **keywords)
    return {"x": np.where(y == (y.max() if y.size else 0), 0.0, found).astype(x.dtype)}


GRADIENTS: Sequence[Row] = (
    ("fake_quantize", "plain", "gradient_of_steps", of_steps),
    ("fake_quantize", "plain", "gradient_beyond_the_ends", beyond_too),
    ("fake_quantize", "bounds", "no_gradient_at_the_highest", not_at_the_highest),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
