"""Arrays of channels beside arrays (N, C, …) whose second axis they belong to."""

import numpy as np

from tensorproof_reference.trees import Array


def beside_channels(values: Array, x: Array) -> Array:
    """One number for each channel, shaped to broadcast against ``x`` (N, C, …)."""
    return np.reshape(values, (-1, *(1,) * (x.ndim - 2)))


def over_channels(x: Array) -> tuple[int, ...]:
    """All axes of ``x`` (N, C, …) but that of the channels."""
    return (0, *range(2, x.ndim))
