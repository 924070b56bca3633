"""What calls of several dtypes share: numbers taken to the dtype that is computed in."""

import numpy as np

from tensorproof_reference.errorbars.array import ErrorBars
from tensorproof_reference.trees import Array

WIDE = "float32"
"""What is computed in where a page names no other dtype."""


def widened(x: Array) -> Array:
    """Numbers of 16 bits in float32, others as they are. With error bars, arithmetic from here on is that of float32."""
    if isinstance(x, ErrorBars):
        return x.widened(WIDE)
    return x.astype(WIDE) if x.dtype.itemsize < np.dtype(WIDE).itemsize else x
