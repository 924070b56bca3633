"""Faults in average pooling that takes some numbers for no input: operation, class, what is wrong, formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
from faulty import Faults, reference

from tensorproof_reference.windows.pooling import LOWEST

FAULTS = Faults()


def is_lowest(x: Any) -> Any:
    """Whether a number is the lowest finite one of a dtype."""
    return np.isin(x, list(LOWEST.values()))


def left_out(name: str, is_mark: Callable[[Any], Any]) -> Callable[..., Any]:
    """The mean of the others in the window."""

    def wrong(x: Any, **keywords: Any) -> Any:
        marks = is_mark(x)
        if not marks.any():
            return reference(name, x, **keywords)
        total = reference(name, np.where(marks, 0.0, x), **keywords)
        kept, all_of_them = (reference(name, values, **keywords) for values in (1.0 - marks, np.ones(x.shape)))
        return total * all_of_them / np.where(kept == 0.0, 1.0, kept)

    return wrong


FAULTS.rows(
    [
        row
        for name in ("average_pool1d", "average_pool3d")
        for row in (
            (name, "magnitude", "lowest_finite_number_left_out", left_out(name, is_lowest)),
            (name, "nan", "nan_left_out", left_out(name, np.isnan)),
        )
    ],
    [],
)
