"""Activations beyond those of the texts (profile ``extended``)."""

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations


@operations.native
def elu(x: Native, *, alpha: float = 1.0) -> Native:
    """``F.elu``."""
    return F.elu(x, alpha)


@operations.native
def selu(x: Native) -> Native:
    """``F.selu``."""
    return F.selu(x)


@operations.native
def celu(x: Native, *, alpha: float = 1.0) -> Native:
    """``F.celu``."""
    return F.celu(x, alpha)


@operations.native
def mish(x: Native) -> Native:
    """``F.mish``."""
    return F.mish(x)


@operations.native
def softsign(x: Native) -> Native:
    """``F.softsign``."""
    return F.softsign(x)


@operations.native
def relu6(x: Native) -> Native:
    """``F.relu6``."""
    return F.relu6(x)


@operations.native
def hard_sigmoid(x: Native, *, slope: str = "sixth") -> Native:
    """``F.hardsigmoid``."""
    if slope != "sixth":
        raise Unsupported("F.hardsigmoid has a slope of 1/6")
    return F.hardsigmoid(x)


@operations.native
def hard_swish(x: Native) -> Native:
    """``F.hardswish``."""
    return F.hardswish(x)


@operations.native
def hard_tanh(x: Native, *, low: float = -1.0, high: float = 1.0) -> Native:
    """``F.hardtanh``."""
    return F.hardtanh(x, low, high)


@operations.native
def threshold(x: Native, *, threshold: float = 1.0, value: float = 0.0) -> Native:
    """``F.threshold``."""
    return F.threshold(x, threshold, value)


@operations.native
def prelu(x: Native, slope: Native) -> Native:
    """``F.prelu``."""
    return F.prelu(x, slope)


@operations.native
def glu(x: Native, *, axis: int = -1) -> Native:
    """``F.glu``."""
    return F.glu(x, axis)


@operations.composed
def swiglu(x: Native, *, axis: int = -1) -> Native:
    """The product of ``F.silu`` and the other half."""
    gate, value = torch.chunk(x, 2, axis)
    return F.silu(gate) * value
