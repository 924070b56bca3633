"""A call of PyTorch as a program of its own."""

from tensorproof.backend import ScriptTemplate
from tensorproof_torch import optimizers
from tensorproof_torch.variants import DYNAMIC, EXPORT, RECOMPUTE, VMAP

SETUP = """import torch

torch.use_deterministic_algorithms(True, warn_only=True)
{settings}

def array(values, dtype):
    whole = values if values.base is None else values.base
    memory = torch.from_numpy(whole.ravel("K")).to({device!r}, getattr(torch, dtype), copy=True)
    strides = [stride // values.itemsize for stride in values.strides]
    return memory.as_strided(values.shape, strides, (values.ctypes.data - whole.ctypes.data) // values.itemsize)


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
EXPORTED = """class Module(torch.nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, primals, constants):
        return self.call(primals, constants)


module = Module(function)


def function(primals, constants):
    arguments = (tuple(primals), tuple(constants))
    return torch.export.export(module, arguments).module()(*arguments)


"""
BATCHED = """of_one = function


def as_batch(x):
    flat = x.detach().reshape(-1)
    return torch.stack([torch.cat([flat[1:], flat[:1]]).reshape(x.shape), x])


def function(primals, constants):
    batch = torch.func.vmap(of_one, randomness="same")(tuple(map(as_batch, primals)), tuple(map(as_batch, constants)))
    return tuple(tuple(y[-1] for y in part) for part in batch)


"""
IN_MODE = {
    "eager": "",
    "compile": COMPILED,
    DYNAMIC: "function = torch.compile(function, dynamic=True)\n",
    RECOMPUTE: f"import torch._functorch.config\n\ntorch._functorch.config.activation_memory_budget = 0.0\n{COMPILED}",
    EXPORT: EXPORTED,
    VMAP: BATCHED,
}
"""What makes a function one in a mode."""
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
    settings = "" if device == "cpu" else EXACT
    return ScriptTemplate(SETUP.format(device=device, settings=settings), IN_MODE[mode] + FORWARD, IN_MODE[mode] + GRADIENT)
