"""Faults in grouped convolution: operation, class, what is wrong, formula. Compilers may put zeros between the groups."""

from collections.abc import Callable
from typing import Any

import numpy as np
from faulty import Faults, reference, right_vjp

FAULTS = Faults()
OPERATIONS = ("conv1d", "conv3d", "conv1d_transpose", "conv3d_transpose")


def of_all_channels(weight: Any, groups: int) -> Any:
    """The kernels of one group that has zeros where channels are of another."""
    rows, columns = weight.shape[0] // groups, weight.shape[1]
    whole = np.zeros((weight.shape[0], columns * groups, *weight.shape[2:]))
    for group in range(groups):
        place = slice(group * rows, (group + 1) * rows)
        whole[place, group * columns : (group + 1) * columns] = weight[place]
    return whole


def zeros_between_groups(name: str) -> Callable[..., Any]:
    """NaN and infinity meet the zeros."""

    def wrong(x: Any, weight: Any, bias: Any = None, *, groups: int = 1, **keywords: Any) -> Any:
        return reference(name, x, of_all_channels(weight, groups), bias, **keywords)

    return wrong


def other_groups_times_zero(name: str) -> Callable[..., Any]:
    """The gradient of the kernels of all channels, times a mask, in a sum over groups."""

    def wrong(dy: Any, x: Any, weight: Any, bias: Any = None, *, groups: int = 1, **keywords: Any) -> Any:
        right = right_vjp(name, dy, x, weight, bias, groups=groups, **keywords)
        whole = right_vjp(name, dy, x, of_all_channels(weight, groups), bias, **keywords)["weight"]
        mask = of_all_channels(np.ones_like(weight), groups)
        blocks = (mask * whole).reshape(weight.shape[0], groups, *weight.shape[1:])
        return {**right, "weight": np.sum(blocks, axis=1)}

    return wrong


FAULTS.rows(
    [
        (name, group, f"zeros_between_groups_{group}", zeros_between_groups(name))
        for name in OPERATIONS
        for group in ("nan", "infinity")
    ],
    [(name, "nan", "other_groups_times_zero_in_the_gradient", other_groups_times_zero(name)) for name in OPERATIONS],
)
