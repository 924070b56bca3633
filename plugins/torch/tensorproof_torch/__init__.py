"""PyTorch as a backend: eager, and compiled by Inductor."""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tensorproof.backend import (
    Backend,
    Forward,
    Function,
    Implementation,
    Native,
    ScriptTemplate,
    Traced,
    Unsupported,
    ValueAndVjp,
    hookimpl,
    numpy_strides,
)
from tensorproof_reference.model import Model
from tensorproof_torch import (
    activations,
    attention,
    attention_layers,
    averages,
    blocks,
    data,
    dynamo,
    elementwise,
    further_losses,
    further_optimizers,
    further_schedules,
    further_windows,
    images,
    indexing,
    initializers,
    instructions,
    lookup,
    loss_scales,
    losses,
    metrics,
    mixed,
    models,
    moves,
    networks,
    normalization,
    optimizers,
    positions,
    primitives,
    products,
    recurrent,
    reductions,
    schedules,
    script,
    tracing,
    windows,
)
from tensorproof_torch.table import operations
from tensorproof_torch.unfinished import delete_unfinished
from tensorproof_torch.variants import DYNAMIC, EXPORT, RECOMPUTE, TRANSFORMED, VARIANTS, VMAP, exported, recomputing, vmapped

__all__ = [
    "activations",
    "attention",
    "attention_layers",
    "averages",
    "blocks",
    "data",
    "elementwise",
    "further_losses",
    "further_optimizers",
    "further_schedules",
    "further_windows",
    "images",
    "indexing",
    "lookup",
    "loss_scales",
    "losses",
    "metrics",
    "mixed",
    "moves",
    "networks",
    "normalization",
    "positions",
    "primitives",
    "reductions",
    "schedules",
    "windows",
]

DTYPES = ("float64", "float32", "bfloat16", "float16")
TRANSFORMS: Mapping[str, Callable[[Function], Forward]] = {EXPORT: exported, VMAP: vmapped}


class TorchBackend(Backend):
    """PyTorch, on the devices of this machine and any other that it accepts by name."""

    name = "torch"
    operations = operations
    modes = {"eager": "all", "compile": "spread"}
    variants = VARIANTS
    layouts = {
        **attention_layers.LAYOUTS,
        **blocks.LAYOUTS,
        **networks.LAYOUTS,
        **products.LAYOUTS,
        **recurrent.LAYOUTS,
    }
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self._opened_as: dict[str, str] = {}
        self._compilations: Counter[str] = Counter()
        """Before Dynamo was reset."""

    def versions(self) -> Mapping[str, str]:
        """Versions of PyTorch, and of CUDA, HIP and cuDNN where it was built with them."""
        cudnn: Any = torch.backends.cudnn
        built = {"cuda": torch.version.cuda, "hip": torch.version.hip, "cudnn": cudnn.version()}
        return {"torch": str(torch.__version__), **{name: str(version) for name, version in built.items() if version}}

    def devices(self) -> Sequence[str]:
        """``cpu``, and the accelerators that PyTorch finds: ``cuda:0``, ``mps:0``, ``xpu:0``, …"""
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        count = torch.accelerator.device_count() if accelerator else 0
        return ("cpu", *(f"{accelerator.type}:{index}" for index in range(count) if accelerator))

    def open_device(self, device: str) -> None:
        """Set full precision and repeatable kernels: no TF32, no reduced-precision accumulation in matrix products."""
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be repeatable
        try:
            placed = torch.zeros((), device=device).device
            if placed.type == "meta":
                raise RuntimeError("the device meta holds no values")
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
            raise ValueError(f"no device {device!r}; present: {', '.join(self.devices())} ({reason})") from error
        self._opened_as[str(placed)] = device
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.use_deterministic_algorithms(True, warn_only=True)

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """Precision of float32 products, TF32, determinism, vector instructions and threads."""
        settings = {
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "deterministic_algorithms": str(torch.are_deterministic_algorithms_enabled()),
            "threads_within": str(torch.get_num_threads()),
            "threads_between": str(torch.get_num_interop_threads()),
        }
        kind = torch.device(device).type
        if kind == "cpu":
            return {**settings, "vector_instructions": torch.backends.cpu.get_cpu_capability()}
        return {**settings, "cudnn_allow_tf32": str(torch.backends.cudnn.allow_tf32)} if kind == "cuda" else settings

    def instructions(self, device: str) -> Mapping[str, str]:
        """Of ATen, oneDNN and Inductor on a CPU; the compute capability of a CUDA device."""
        if device.partition(":")[0] == "cuda":
            return {"cuda": "sm_" + "".join(str(part) for part in torch.cuda.get_device_capability(device))}
        return instructions.of_cpu() if device.partition(":")[0] == "cpu" else {}

    def instruction_switches(self, level: str) -> Mapping[str, str]:
        """Those of ATen (which Inductor follows), oneDNN and MKL, and a cache of Inductor's for each set."""
        return instructions.switches(level)

    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """Of ``torch.optim`` and ``torch.nn``."""
        layers: dict[str, dict[str, object]] = {
            name: {"initializer": initializer} for name, initializer in initializers.LAYER_INITIALIZERS.items()
        }
        norm = torch.nn.BatchNorm2d(1, device="meta")
        layers["batch_norm"] = {"epsilon": norm.eps, "momentum": 1 - (norm.momentum or 0), "running_variance": "unbiased"}
        layers["lstm"] |= {"biases": 2, "gates": "ifgo"}
        layers["gru"] |= {"biases": 2, "gates": "rzn", "reset": "after"}
        return {**optimizers.OPTIMIZER_DEFAULTS, **layers}

    def dtypes(self, device: str) -> Sequence[str]:
        """All four; MPS has no float64, nor has every XPU."""
        place = torch.device(device)
        double = place.type != "mps" and (place.type != "xpu" or torch.xpu.get_device_properties(place).has_fp64)
        return DTYPES if double else DTYPES[1:]

    def held_dtypes(self, device: str) -> Sequence[str]:
        """Floats of 8 bits and integers, as tensors of them can be made on the device."""

        def made(dtype: str) -> bool:
            try:
                torch.ones((1,), device=device).to(getattr(torch, dtype))
            except (RuntimeError, TypeError, NotImplementedError):
                return False
            return True

        return [dtype for dtype in ("float8_e4m3fn", "float8_e5m2", "int32", "int16", "int8", "uint8") if made(dtype)]

    def from_numpy(self, array: NDArray[Any], dtype: str, device: str) -> Native:
        """A tensor with the array's strides; of a view, in a copy of the memory that it is a view of. No stride is negative."""
        steps, start = numpy_strides(array)
        strided = all(step >= 0 for step in steps)
        place = {"dtype": getattr(torch, dtype), "device": device}
        whole = array.base
        if strided and isinstance(whole, np.ndarray) and whole.dtype == array.dtype:
            memory = torch.empty(whole.size, **place).copy_(torch.from_numpy(whole.ravel(order="K")))
            return memory.as_strided(array.shape, steps, start)
        tensor = torch.empty_strided(array.shape, steps, **place) if strided else torch.empty(array.shape, **place)
        return tensor.copy_(torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape)))

    def to_numpy(self, value: Native) -> NDArray[Any]:
        """The values; bfloat16 and floats of 8 bits as float32."""
        value = value.detach().cpu()
        narrow = value.dtype.is_floating_point and value.dtype != torch.float16 and value.dtype.itemsize < 4
        array: NDArray[Any] = (value.float() if narrow else value).numpy()
        return array

    def dtype_of(self, value: Native) -> str:
        """PyTorch's name of the dtype."""
        return str(value.dtype).removeprefix("torch.")

    def device_of(self, value: Native) -> str:
        """PyTorch's name of the device, or the name that it was opened by."""
        return self._opened_as.get(str(value.device), str(value.device))

    def wait(self, results: Any, device: str) -> None:
        """Wait for the device; a CPU has done its work when a call returns."""
        if device == "cpu":
            return
        kind = torch.device(device).type
        module: Any = getattr(torch, kind, None)
        if kind != "cpu" and hasattr(module, "synchronize"):
            module.synchronize()

    def _in_mode(self, function: Function, mode: str) -> Forward:
        if mode == "eager":
            return function
        if mode in TRANSFORMS:
            if function.operation in optimizers.SPECIFIC:
                raise Unsupported(f"{mode} takes functions, and torch.optim changes its parameters in place")
            return TRANSFORMS[mode](function)
        # Imported here, since it takes most of a second, and only compiled modes need it.
        from torch._inductor.runtime.cache_dir_utils import cache_dir

        delete_unfinished(Path(cache_dir()))

        def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            return function(primals, constants)

        if function.operation in optimizers.SPECIFIC:
            self._reset_compiler()
            return optimizers.with_compiled_step(function, partial(dynamo.compiled_step, dynamic=mode == DYNAMIC))
        one_graph = not dynamo.breaks_graph(function.operation)
        if not one_graph:
            self._reset_compiler()
        compiled: Forward = torch.compile(dynamo.own_code(call), dynamic=mode == DYNAMIC, fullgraph=one_graph)
        return recomputing(compiled) if mode == RECOMPUTE else compiled

    def _reset_compiler(self) -> None:
        """Forget what was compiled: what follows a break of a graph is compiled under code objects that all functions share."""
        self._compilations.update(dynamo.compilations())
        compiler: Any = torch.compiler
        compiler.reset()

    def forward(self, function: Function, mode: str) -> Forward:
        """The function without gradients, as it is or compiled."""
        run = self._in_mode(function, mode)

        def forward(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            if not torch.is_grad_enabled():
                return run(primals, constants)
            with torch.no_grad():
                return run(primals, constants)

        return forward

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function, as it is or compiled, differentiated by ``torch.autograd.grad``."""
        run = self._in_mode(function, mode)

        def value_and_vjp(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            leaves = tuple(primal.detach().requires_grad_() for primal in primals)
            with torch.enable_grad():  # a training step is run without gradients, but for this
                outputs, others = run(leaves, constants)
            connected = [(y, dy) for y, dy in zip(outputs, cotangents, strict=True) if y.requires_grad]
            gradients: Sequence[Native | None] = (None,) * len(leaves)
            if connected and leaves:
                ys, dys = zip(*connected, strict=True)
                gradients = torch.autograd.grad(ys, leaves, dys, allow_unused=True)
            return tuple(y.detach() for y in outputs), others, tuple(gradients)

        return value_and_vjp

    def script(self, operation: str, mode: str, device: str) -> ScriptTemplate | None:
        """With ``torch.autograd.grad``, and ``torch.compile``."""
        return script.template(operation, mode, device)

    def model(self, model: Model) -> Implementation | None:
        """The model as ``torch.nn.Sequential``."""
        return models.layered(model)

    def trace(self, function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
        """To core ATen, as the function runs."""
        return tracing.trace(function, arguments)

    def set_threads(self, count: int) -> None:
        """Within operations, and one between them."""
        torch.set_num_threads(count)
        torch.set_num_interop_threads(1)

    def timed_loop(self, device: str) -> AbstractContextManager[Any]:
        """No gradients but where they are asked for."""
        guard: AbstractContextManager[Any] = torch.no_grad()
        return guard

    def use_compile_cache(self, folder: Path) -> bool:
        """Inductor's caches of graphs and of compiled code."""
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
        return True

    def shares_memory(self, one: Native, other: Native) -> bool:
        """Whether both are views of one storage that is not empty."""
        first, second = one.untyped_storage(), other.untyped_storage()
        return bool(first.nbytes()) and first.data_ptr() == second.data_ptr()

    def strides(self, value: Native) -> tuple[tuple[int, ...], int]:
        """``value.stride()`` and ``value.storage_offset()``."""
        return tuple(value.stride()), int(value.storage_offset())

    def write(self, target: Native, value: Native) -> None:
        """``target.copy_(value)``."""
        target.copy_(value)

    def compile_counters(self) -> Mapping[str, int]:
        """Those that Dynamo keeps, and what was exported or called on a batch. What Dynamo gave up is run by the interpreter, as
        are all functions whose code object was compiled too often before."""
        counters: Any = torch._dynamo.utils.counters
        left = counters["frames"]["total"] - counters["frames"]["ok"]
        compilations = self._compilations + dynamo.compilations()
        return {
            "compiled": compilations["attempts"] - left + TRANSFORMED["compiled"],
            "left_eager": left,
            "graph_breaks": sum(counters["graph_break"].values()),
            "recompiles": compilations["recompiles"],
        }

    def breaks_graph(self, operation: str, mode: str) -> bool:
        """Where Dynamo cannot trace one graph, and where ``torch.optim`` breaks it on purpose, around each step."""
        return mode.startswith("compile") and (dynamo.breaks_graph(operation) or operation in optimizers.SPECIFIC)

    def copies_arguments(self, mode: str) -> bool:
        """In a batch."""
        return mode == VMAP

    def reset_peak_memory(self, device: str) -> bool:
        """Of an accelerator."""
        if device == "cpu":
            return False
        torch.accelerator.reset_peak_memory_stats(device)
        return True

    def peak_memory(self, device: str) -> int:
        """The allocator's largest use."""
        return int(torch.accelerator.max_memory_allocated(device))

    def cache_flusher(self, device: str) -> Callable[[], Any] | None:
        """By setting twice as many bytes as the second-level cache of a CUDA device has to zero."""
        if not device.startswith("cuda"):
            return None
        buffer = torch.empty(2 * torch.cuda.get_device_properties(device).L2_cache_size, dtype=torch.int8, device=device)
        flush: Callable[[], Any] = buffer.zero_
        return flush

    def device_spans(self, calls: Sequence[Callable[[], Any]], device: str) -> Sequence[float] | None:
        """By events on the current stream."""
        if device == "cpu":
            return None
        events = [torch.Event(device, enable_timing=True) for _ in range(len(calls) + 1)]
        events[0].record()
        for call, event in zip(calls, events[1:], strict=True):
            call()
            event.record()
        events[-1].synchronize()
        return [before.elapsed_time(after) * 1e6 for before, after in itertools.pairwise(events)]

    def device_busy(self, call: Callable[[], Any], device: str) -> float | None:
        """By ``torch.profiler``."""
        if not device.startswith("cuda"):
            return None
        activities = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as profile:
            call()
            self.wait((), device)
        return 1e3 * float(sum(event.self_device_time_total for event in profile.key_averages()))


@hookimpl
def tensorproof_backend() -> Backend:
    """The PyTorch backend."""
    return TorchBackend()
