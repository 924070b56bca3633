"""Calls whose arrays have different dtypes, and quantization (profile ``extended``)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.optimizers import Natives, adamw
from tensorproof_torch.table import operations

operations.implementations["mixed_adamw"] = operations.implementations["adamw"]


@operations.composed
def mixed_matmul(a: Native, b: Native, *, dtype: str = "float32") -> Native:
    """``torch.matmul``, which takes one dtype, of both in float32."""
    return torch.matmul(a.float(), b.float()).to(getattr(torch, dtype))


def _require_own(x: Native, dtype: str, function: str) -> None:
    if x.dtype != getattr(torch, dtype):
        raise Unsupported(f"{function} gives the dtype of its input")


@operations.native
def mixed_layer_norm(
    x: Native,
    scale: Native | None = None,
    offset: Native | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
    dtype: str = "bfloat16",
) -> Native:
    """``F.layer_norm``, which takes parameters of float32 beside 16 bits."""
    _require_own(x, dtype, "F.layer_norm")
    return F.layer_norm(x, x.shape[x.ndim - len(axes) :], scale, offset, epsilon)


@operations.native
def mixed_rms_norm(
    x: Native, scale: Native | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6, dtype: str = "bfloat16"
) -> Native:
    """``F.rms_norm``, with a scale of float32."""
    _require_own(x, dtype, "F.rms_norm")
    return F.rms_norm(x, x.shape[x.ndim - len(axes) :], scale, epsilon)


@operations.composed
def master_adamw(
    master: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    weight_decay: float = 0.01,
) -> tuple[list[Native], ...]:
    """``torch.optim.AdamW`` over the master weights, of which copies in bfloat16 are made."""
    moved, first, second, _ = adamw(
        master,
        [[None if gradient is None else gradient.float() for gradient in step] for step in gradients],
        first_moment,
        second_moment,
        taken=taken,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        epsilon_placement=epsilon_placement,
        weight_decay=weight_decay,
    )
    return [weight.bfloat16() for weight in moved], moved, first, second


def _along(values: Native, axis: int | None, rank: int) -> Native:
    """A scale or zero point that broadcasts along an axis."""
    return values if axis is None else values.reshape([-1 if place == axis % rank else 1 for place in range(rank)])


@operations.native
def quantize(
    x: Native, scale: Native, zero_point: Native | None = None, *, dtype: str = "int8", axis: int | None = None
) -> Native:
    """``torch.quantize_per_tensor`` and ``torch.quantize_per_channel``; ``torch.Tensor.to`` after a division for floats."""
    if dtype.startswith("float8"):
        held = getattr(torch, dtype)
        limit = torch.finfo(held).max
        return (x / _along(scale, axis, x.ndim)).clamp(-limit, limit).to(held)
    held = {"int8": torch.qint8, "uint8": torch.quint8}[dtype]
    zero = torch.zeros_like(scale, dtype=torch.int32) if zero_point is None else zero_point
    if axis is None:
        return torch.quantize_per_tensor(x, scale, zero, held).int_repr()
    return torch.quantize_per_channel(x, scale, zero, axis % x.ndim, held).int_repr()


@operations.composed
def dequantize(
    q: Native, scale: Native, zero_point: Native | None = None, *, axis: int | None = None, dtype: str = "float32"
) -> Native:
    """A difference and a product: ``torch.dequantize`` takes quantized tensors only."""
    centred = q.float() if zero_point is None else q.int() - _along(zero_point, axis, q.ndim)
    return (centred * _along(scale, axis, q.ndim)).to(getattr(torch, dtype))
