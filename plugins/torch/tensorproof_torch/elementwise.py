"""Activations, and softmax along an axis."""

import torch
import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.table import operations


@operations.native
def sigmoid(x: Native) -> Native:
    """``torch.sigmoid``."""
    return torch.sigmoid(x)


@operations.native
def tanh(x: Native) -> Native:
    """``torch.tanh``."""
    return torch.tanh(x)


@operations.native
def relu(x: Native) -> Native:
    """``F.relu``."""
    return F.relu(x)


@operations.native
def leaky_relu(x: Native, *, negative_slope: float = 0.2) -> Native:
    """``F.leaky_relu``."""
    return F.leaky_relu(x, negative_slope)


@operations.native
def softplus(x: Native) -> Native:
    """``F.softplus``, which is the identity beyond its threshold of 20."""
    return F.softplus(x)


@operations.native
def silu(x: Native) -> Native:
    """``F.silu``."""
    return F.silu(x)


@operations.native
def gelu(x: Native, *, approximation: str = "none") -> Native:
    """``F.gelu``."""
    return F.gelu(x, approximate=approximation)


@operations.native
def softmax(x: Native, *, axis: int = -1) -> Native:
    """``torch.softmax``."""
    return torch.softmax(x, axis)


@operations.native
def log_softmax(x: Native, *, axis: int = -1) -> Native:
    """``torch.log_softmax``."""
    return torch.log_softmax(x, axis)
