"""Functions of one number and of two, choices and comparisons (profile ``extended``)."""

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_reference.rounding import INTEGERS
from tensorproof_torch.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def negative(x: Native) -> Native:
    """``torch.neg``."""
    return torch.neg(x)


@operations.native
def abs(x: Native) -> Native:
    """``torch.abs``."""
    return torch.abs(x)


@operations.native
def sign(x: Native) -> Native:
    """``torch.sign``."""
    return torch.sign(x)


@operations.native
def exp(x: Native) -> Native:
    """``torch.exp``."""
    return torch.exp(x)


@operations.native
def log(x: Native) -> Native:
    """``torch.log``."""
    return torch.log(x)


@operations.native
def log1p(x: Native) -> Native:
    """``torch.log1p``."""
    return torch.log1p(x)


@operations.native
def expm1(x: Native) -> Native:
    """``torch.expm1``."""
    return torch.expm1(x)


@operations.native
def sqrt(x: Native) -> Native:
    """``torch.sqrt``."""
    return torch.sqrt(x)


@operations.native
def rsqrt(x: Native) -> Native:
    """``torch.rsqrt``."""
    return torch.rsqrt(x)


@operations.native
def square(x: Native) -> Native:
    """``torch.square``."""
    return torch.square(x)


@operations.native
def reciprocal(x: Native) -> Native:
    """``torch.reciprocal``."""
    return torch.reciprocal(x)


@operations.native
def sin(x: Native) -> Native:
    """``torch.sin``."""
    return torch.sin(x)


@operations.native
def cos(x: Native) -> Native:
    """``torch.cos``."""
    return torch.cos(x)


@operations.native
def erf(x: Native) -> Native:
    """``torch.special.erf``."""
    return torch.special.erf(x)


@operations.native
def floor(x: Native) -> Native:
    """``torch.floor``."""
    return torch.floor(x)


@operations.native
def round(x: Native) -> Native:
    """``torch.round``."""
    return torch.round(x)


@operations.native
def add(a: Native, b: Native) -> Native:
    """``torch.add``."""
    return torch.add(a, b)


@operations.native
def subtract(a: Native, b: Native) -> Native:
    """``torch.sub``."""
    return torch.sub(a, b)


@operations.native
def multiply(a: Native, b: Native) -> Native:
    """``torch.mul``."""
    return torch.mul(a, b)


@operations.native
def divide(a: Native, b: Native) -> Native:
    """``torch.div``."""
    return torch.div(a, b)


@operations.native
def power(a: Native, b: Native) -> Native:
    """``torch.pow``."""
    return torch.pow(a, b)


@operations.native
def maximum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``torch.maximum``, which halves the gradient of ties."""
    return torch.maximum(a, b)


@operations.native
def minimum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``torch.minimum``, which halves the gradient of ties."""
    return torch.minimum(a, b)


@operations.native
def where(condition: Native, a: Native, b: Native) -> Native:
    """``torch.where``."""
    return torch.where(condition, a, b)


@operations.native
def equal(a: Native, b: Native) -> Native:
    """``torch.eq``."""
    return torch.eq(a, b)


@operations.native
def not_equal(a: Native, b: Native) -> Native:
    """``torch.ne``."""
    return torch.ne(a, b)


@operations.native
def less(a: Native, b: Native) -> Native:
    """``torch.lt``."""
    return torch.lt(a, b)


@operations.native
def less_equal(a: Native, b: Native) -> Native:
    """``torch.le``."""
    return torch.le(a, b)


@operations.native
def greater(a: Native, b: Native) -> Native:
    """``torch.gt``."""
    return torch.gt(a, b)


@operations.native
def greater_equal(a: Native, b: Native) -> Native:
    """``torch.ge``."""
    return torch.ge(a, b)


@operations.native
def cast(x: Native, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Native:
    """``torch.Tensor.to``."""
    if dtype == "float8_e4m3fn" and not saturate:
        raise Unsupported("PyTorch casts what is beyond the range of float8_e4m3fn to its largest number")
    if dtype in INTEGERS and overflow == "saturates":
        raise Unsupported("torch.Tensor.to wraps what is beyond the range of an integer")
    return x.to(getattr(torch, dtype))


@operations.native
def cast_through(x: Native, *, dtype: str = "float16", saturate: bool = False) -> Native:
    """``torch.Tensor.to``, there and back."""
    if dtype == "float8_e4m3fn" and not saturate:
        raise Unsupported("PyTorch casts what is beyond the range of float8_e4m3fn to its largest number")
    return x.to(getattr(torch, dtype)).to(x.dtype)


@operations.native
def fake_quantize(x: Native, *, scale: float = 0.125, zero_point: int = 0, lowest: int = -128, highest: int = 127) -> Native:
    """``torch.fake_quantize_per_tensor_affine``."""
    return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, lowest, highest)


@operations.native
def clip(x: Native, *, low: float | None = -0.5, high: float | None = 2.0) -> Native:
    """``torch.clamp``."""
    return torch.clamp(x, low, high)
