"""Convolution over one, two and three axes of positions, and pooling over one and two."""

import functools
from typing import Any

import paddle.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_paddle.table import Given, native


def _sides(of: Given) -> Any:
    """Padding as Paddle takes it: the name ``same``, nothing, or the number at each end of each axis."""
    if of.padding == "same_lower":
        raise Unsupported("Paddle has padding='same', whose odd one is at the end")
    return {"same": "same", "valid": 0}[of.padding] if isinstance(of.padding, str) else [n for pair in of.padding for n in pair]


def _convolved(convolve: Any, of: Given) -> Native:
    return convolve(of.x, of.weight, of.bias, of.stride, _sides(of), of.dilation, of.groups)


def _transposed(convolve: Any, of: Given) -> Native:
    options = {"output_padding": of.output_padding, "groups": of.groups, "dilation": of.dilation}
    return convolve(of.x, of.weight, of.bias, of.stride, _sides(of), **options)


def _maximum(pool: Any, of: Given) -> Native:
    return pool(of.x, of.window, of.stride, _sides(of), ceil_mode=of.ceil_mode)


def _average(pool: Any, of: Given) -> Native:
    return pool(of.x, of.window, of.stride, _sides(of), ceil_mode=of.ceil_mode, exclusive=not of.count_padding)


for axes in ("1d", "2d", "3d"):
    native(f"conv{axes}", functools.partial(_convolved, getattr(F, f"conv{axes}")))
    native(f"conv{axes}_transpose", functools.partial(_transposed, getattr(F, f"conv{axes}_transpose")))
for axes in ("1d", "2d"):
    native(f"max_pool{axes}", functools.partial(_maximum, getattr(F, f"max_pool{axes}")))
    native(f"average_pool{axes}", functools.partial(_average, getattr(F, f"avg_pool{axes}")))
