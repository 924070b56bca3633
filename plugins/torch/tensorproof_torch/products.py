"""Matrix products, dense layers, regressions and attention."""

from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

LAYOUTS = {"dense": {"weight": "o i"}}

ACTIVATIONS = {"linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


@operations.native
def matmul(a: Native, b: Native) -> Native:
    """``torch.matmul``."""
    return torch.matmul(a, b)


@operations.native
def dense(x: Native, weight: Native, bias: Native | None = None, *, activation: str = "linear") -> Native:
    """``F.linear``, followed by the activation."""
    return ACTIVATIONS[activation](F.linear(x, weight, bias))


@operations.native
def gemm(
    a: Native,
    b: Native,
    c: Native | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transpose_a: bool = False,
    transpose_b: bool = False,
    zero_beta: str = "unread",
) -> Native:
    """``torch.addmm``, or ``torch.baddbmm`` for stacks; without ``c`` with a zero that is not read."""
    if beta == 0 and zero_beta == "multiplied":
        raise Unsupported("torch.addmm and torch.baddbmm do not read what is multiplied by 0")
    left, right = (a.mT if transpose_a else a), (b.mT if transpose_b else b)
    function = torch.addmm if a.ndim == 2 else torch.baddbmm
    if c is None:
        return function(a.new_zeros(()), left, right, beta=0, alpha=alpha)
    return function(c, left, right, beta=beta, alpha=alpha)


@operations.native
def einsum(arrays: Any, *, equation: str) -> Native:
    """``torch.einsum``."""
    return torch.einsum(equation, *arrays)


@operations.composed
def linear_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """The formula."""
    return theta0 + x @ theta


@operations.composed
def logistic_regression(x: Native, theta0: Native, theta: Native) -> Native:
    """The formula."""
    return torch.sigmoid(theta0 + x @ theta)


@operations.native
def scaled_dot_product_attention(
    query: Native,
    key: Native,
    value: Native,
    mask: Native | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Native:
    """``F.scaled_dot_product_attention``, which takes a mask or ``is_causal``: together they are made one mask.

    ``fully_masked_rows="nan"`` is accepted, since it is the default, for masks without such rows.
    """
    if fully_masked_rows == "uniform":
        raise Unsupported("a fully masked row has no weights")
    if causal and mask is not None:
        lower = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        mask, causal = mask & lower, False
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)
