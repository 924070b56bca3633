"""A call of PyTorch as a program of its own."""

from tensorproof.backend import ScriptTemplate
from tensorproof_torch import optimizers

SETUP = """import torch

torch.use_deterministic_algorithms(True, warn_only=True)
{settings}

def array(values, dtype):
    strides = [stride // values.itemsize for stride in values.strides]
    empty = torch.empty_strided(values.shape, strides, dtype=getattr(torch, dtype), device={device!r})
    return empty.copy_(torch.from_numpy(values))


def numbers(value):
    return value.detach().cpu().double().numpy()
"""
EXACT = """torch.set_float32_matmul_precision("highest")
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = False
torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
"""
COMPILED = "function = torch.compile(function, dynamic=False)\n"
FORWARD = """with torch.no_grad():
    outputs, others = function(primals, constants)
"""
GRADIENT = """primals = [primal.requires_grad_() for primal in primals]
outputs, others = function(primals, constants)
ys, dys = zip(*[(y, dy) for y, dy in zip(outputs, cotangents) if y.requires_grad])
gradients = torch.autograd.grad(ys, primals, dys, materialize_grads=True)
"""


def template(operation: str, mode: str, device: str) -> ScriptTemplate | None:
    """The template in a mode; ``None`` for the compiled step of an optimizer, which lives on from call to call."""
    if mode != "eager" and operation in optimizers.SPECIFIC:
        return None
    compiled = "" if mode == "eager" else COMPILED
    settings = "" if device == "cpu" else EXACT
    return ScriptTemplate(SETUP.format(device=device, settings=settings), compiled + FORWARD, compiled + GRADIENT)
