"""JAX as a backend: compiled by ``jax.jit``, and eager; Flax for layers, Optax for losses."""

import importlib.metadata
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import (
    Backend,
    Forward,
    Function,
    Implementation,
    Native,
    ScriptTemplate,
    Traced,
    ValueAndVjp,
    hookimpl,
    require_x86,
)
from tensorproof.contract.models import implementation_of
from tensorproof.instructions import of_xla, xla_flags
from tensorproof_jax import (
    activations,
    attention,
    attention_layers,
    averages,
    blocks,
    data,
    elementwise,
    further_losses,
    further_optimizers,
    further_schedules,
    further_windows,
    images,
    indexing,
    initializers,
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
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.jitted import JITTED, MODES, VARIANTS, differentiated, in_mode, make_room
from tensorproof_jax.table import operations
from tensorproof_reference.model import Model

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
    "optimizers",
    "positions",
    "primitives",
    "products",
    "reductions",
    "schedules",
]

DTYPES = ("float64", "float32", "bfloat16", "float16")
HELD = ("float8_e4m3fn", "float8_e5m2", "int32", "int16", "int8", "uint8")
"""Dtypes of arrays that are only held, cast and moved."""
FLUSHED = 1 << 28
"""Bytes: more than the caches of the accelerators that there are."""


def _device_name(device: Any) -> str:
    """The short name of a device: ``cpu``, ``cpu:1``, ``gpu:0``."""
    return "cpu" if device.platform == "cpu" and device.id == 0 else f"{device.platform}:{device.id}"


def _find(name: str) -> Any:
    """The device that JAX has under a name: a platform, and the device's number unless it is 0.

    Raises:
        LookupError: there is none.
    """
    platform, _, number = name.partition(":")
    try:
        return {str(device.id): device for device in jax.devices(platform)}[number or "0"]
    except RuntimeError as error:
        raise LookupError(str(error)) from error


class JaxBackend(Backend):
    """JAX with Flax and Optax, on the devices that JAX lists."""

    name = "jax"
    operations = operations
    modes = MODES
    variants = VARIANTS
    layouts = {
        **attention.LAYOUTS,
        **initializers.LAYOUTS,
        **networks.LAYOUTS,
        **normalization.LAYOUTS,
        **recurrent.LAYOUTS,
        **windows.LAYOUTS,
    }
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self._places: dict[str, Any] = {}

    def versions(self) -> Mapping[str, str]:
        """Versions of JAX, jaxlib, Flax and Optax."""
        return {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")}

    def devices(self) -> Sequence[str]:
        """JAX's devices, those of the default platform first: ``cpu``, ``gpu:0``, …"""
        return list(dict.fromkeys(_device_name(device) for device in (*jax.devices(), *jax.devices("cpu"))))

    def open_device(self, device: str) -> None:
        """Place on this device what is placed nowhere else, and multiply in full precision: no TF32, no bfloat16 passes."""
        try:
            self._places[device] = _find(device)
        except LookupError:
            raise ValueError(f"no device {device!r}; present: {', '.join(self.devices())}") from None
        jax.config.update("jax_default_device", self._places[device])
        jax.config.update("jax_default_matmul_precision", "highest")

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """Precision of products, 64-bit types, flags of the compiler, and threads."""
        return {
            "default_matmul_precision": str(jax.config.jax_default_matmul_precision),
            "enable_x64": str(jax.config.jax_enable_x64),
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
            "threads": os.environ.get("NPROC") or str(os.cpu_count()),
        }

    def instructions(self, device: str) -> Mapping[str, str]:
        """Of XLA's compiler on a CPU."""
        return {"xla": of_xla(os.environ.get("XLA_FLAGS", ""))} if device.partition(":")[0] == "cpu" else {}

    def instruction_switches(self, level: str) -> Mapping[str, str]:
        """XLA's flag. It does not reach Eigen's products and XNNPACK, which XLA calls."""
        require_x86(level)
        return {"XLA_FLAGS": xla_flags(level, os.environ.get("XLA_FLAGS", ""))}

    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """Of Optax and ``flax.linen``."""
        layers: dict[str, dict[str, object]] = {
            name: {"initializer": initializer} for name, initializer in initializers.LAYER_INITIALIZERS.items()
        }
        norm = linen.BatchNorm()
        layers["batch_norm"] = {"epsilon": norm.epsilon, "momentum": norm.momentum, "running_variance": "biased"}
        layers["lstm"] |= {"biases": 1, "gates": "one array each"}
        layers["gru"] |= {"biases": "1, and 2 of the candidate", "gates": "one array each", "reset": "after"}
        return {**optimizers.OPTIMIZER_DEFAULTS, **layers}

    def dtypes(self, device: str) -> Sequence[str]:
        """The dtypes in which the device multiplies."""
        place = _find(device)

        def works(dtype: str) -> bool:
            try:
                x = jax.device_put(np.ones((1, 1), jnp.dtype(dtype)), place)
                return str(jnp.matmul(x, x).block_until_ready().dtype) == dtype
            except Exception:  # each compiler refuses a dtype in its own way; what it refuses is not declared
                return False

        return DTYPES if place.platform == "cpu" else [dtype for dtype in DTYPES if works(dtype)]

    def held_dtypes(self, device: str) -> Sequence[str]:
        """Floats of 8 bits and integers."""
        return HELD

    def from_numpy(self, array: NDArray[Any], dtype: str, device: str) -> Native:
        """An array, which has no strides."""
        return jax.device_put(np.asarray(array, jnp.dtype(dtype)), self._places[device])

    def to_numpy(self, value: Native) -> NDArray[Any]:
        """The values; bfloat16 and floats of 8 bits as float32."""
        array = np.asarray(value)
        return array.astype(np.float32) if jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.kind != "f" else array

    def dtype_of(self, value: Native) -> str:
        """JAX's name of the dtype."""
        return str(value.dtype)

    def device_of(self, value: Native) -> str:
        """The short name of the array's device, or the name that it was opened by."""
        (place,) = value.devices()
        return next((name for name, opened in self._places.items() if opened == place), _device_name(place))

    def wait(self, results: Any, device: str) -> None:
        """Wait for these arrays; a device works in order."""
        jax.block_until_ready(results)

    def forward(self, function: Function, mode: str) -> Forward:
        """The function, as it is or compiled."""
        make_room(mode)

        def run(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            return function(primals, constants)

        forward: Forward = in_mode(differentiated(run, mode), mode)
        return forward

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function and ``jax.vjp`` of it, as they are or compiled together."""
        make_room(mode)

        def run(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            called = differentiated(lambda *leaves: function(leaves, constants), mode)
            outputs, pull, others = jax.vjp(called, *primals, has_aux=True)
            # Nothing is converted, unless an output has another dtype than it should; then this takes its gradient even so.
            gradients = pull(tuple(dy.astype(y.dtype) for y, dy in zip(outputs, cotangents, strict=True)))
            return outputs, others, gradients

        value_and_vjp: ValueAndVjp = in_mode(run, mode)
        return value_and_vjp

    def compile_counters(self) -> Mapping[str, int]:
        """Functions that ``jax.jit`` traced, and those that it ran as they were (``jax_disable_jit``)."""
        return dict(JITTED)

    def use_compile_cache(self, folder: Path) -> bool:
        """JAX's persistent cache, for every program however small."""
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        return True

    def compile_stages(self, function: Any, arguments: Sequence[Any]) -> Mapping[str, int]:
        """Tracing, lowering and compiling; a call finds what was compiled here."""
        if not hasattr(function, "trace"):
            return {}
        start = time.perf_counter_ns()
        traced = function.trace(*arguments)
        after_trace = time.perf_counter_ns()
        lowered = traced.lower()
        after_lower = time.perf_counter_ns()
        lowered.compile()
        end = time.perf_counter_ns()
        return {"trace": after_trace - start, "lower": after_lower - after_trace, "compile": end - after_lower}

    def reset_peak_memory(self, device: str) -> bool:
        """JAX's allocators count, but forget nothing: a fresh process is needed."""
        return False

    def cache_flusher(self, device: str) -> Callable[[], Any] | None:
        """By adding to more than its caches hold."""
        buffer = jax.device_put(jnp.zeros(FLUSHED // 4, jnp.float32), self._places[device])
        return partial(jax.jit(lambda x: x + 1.0), buffer)

    def script(self, operation: str, mode: str, device: str) -> ScriptTemplate:
        """With ``jax.vjp``, and ``jax.jit``."""
        return script.template(mode, device)

    def trace(self, function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
        """To a jaxpr."""
        return tracing.trace(function, arguments)

    def model(self, model: Model) -> Implementation:
        """The model as ``flax.linen.Sequential``."""
        return models.layered(model)

    def training_step(self, model: Model) -> Implementation:
        """The step with Optax, compiled as a whole."""
        implementation = implementation_of(self, model.name)
        assert implementation is not None, model.name
        return models.trained(model, implementation.function)


@hookimpl
def tensorproof_backend() -> Backend:
    """The JAX backend."""
    return JaxBackend()
