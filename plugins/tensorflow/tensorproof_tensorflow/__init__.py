"""TensorFlow as a backend: eager, ``tf.function``, and XLA; Keras for what ``tf.nn`` lacks."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from tensorproof.instructions import OFF, ONEDNN_NAMES, X86, of_onednn, of_xla, xla_flags
from tensorproof_reference.model import Model
from tensorproof_tensorflow import (
    activations,
    attention,
    attention_layers,
    averages,
    blocks,
    data,
    elementwise,
    fitting,
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
from tensorproof_tensorflow.framework import keras, lacks_float16, tf, uses_onednn
from tensorproof_tensorflow.table import operations
from tensorproof_tensorflow.traced import JITTED, NESTED, TRACED, counted, nested

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
"""Dtypes of tensors that are only held, cast and moved."""
FLUSHED = 1 << 28
"""Bytes: more than the caches of the accelerators that there are."""


def _device_name(full: str) -> str:
    """The short name of a device: ``cpu``, ``gpu:0``."""
    spec = tf.DeviceSpec.from_string(full)
    kind = spec.device_type.lower()
    return "cpu" if kind == "cpu" and not spec.device_index else f"{kind}:{spec.device_index}"


class TensorFlowBackend(Backend):
    """TensorFlow with Keras, on the devices that TensorFlow lists."""

    name = "tensorflow"
    operations = operations
    modes = {"eager": "all", "function": "spread", "xla": "spread"}
    variants = {NESTED: "spread"}
    layouts = {
        **attention.LAYOUTS,
        **data.LAYOUTS,
        **images.LAYOUTS,
        **initializers.LAYOUTS,
        **networks.LAYOUTS,
        **windows.LAYOUTS,
        **normalization.LAYOUTS,
        **recurrent.LAYOUTS,
    }
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self.device = "cpu"
        self._in_loop = False

    def versions(self) -> Mapping[str, str]:
        """Versions of TensorFlow and Keras, and of CUDA and cuDNN where TensorFlow was built with them."""
        build = tf.sysconfig.get_build_info()
        libraries = {key: str(build[f"{key}_version"]) for key in ("cuda", "cudnn") if build.get(f"{key}_version")}
        return {"tensorflow": tf.__version__, "keras": keras.__version__, **libraries}

    def devices(self) -> Sequence[str]:
        """TensorFlow's logical devices: ``cpu``, ``gpu:0``, …"""
        return [_device_name(device.name) for device in tf.config.list_logical_devices()]

    def open_device(self, device: str) -> None:
        """Place all that follows on a device, and turn TensorFloat-32 off."""
        try:
            with tf.device(device):
                placed = tf.identity(tf.constant(0.0)).device
        except (ValueError, RuntimeError, tf.errors.OpError):
            placed = None
        known = tf.DeviceSpec.from_string(placed).device_type if placed else ""
        if not known or known.lower() not in device.lower():
            raise ValueError(f"no device {device!r}; present: {', '.join(self.devices())}")
        self.device = device
        tf.config.experimental.enable_tensor_float_32_execution(False)

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """TensorFloat-32 and threads (0: as many as there are cores)."""
        return {
            "tensor_float_32": str(tf.config.experimental.tensor_float_32_execution_enabled()),
            "threads_within": str(tf.config.threading.get_intra_op_parallelism_threads()),
            "threads_between": str(tf.config.threading.get_inter_op_parallelism_threads()),
        }

    def instructions(self, device: str) -> Mapping[str, str]:
        """Of oneDNN and XLA on a CPU."""
        if device.partition(":")[0] != "cpu":
            return {}
        onednn = of_onednn(os.environ.get("ONEDNN_MAX_CPU_ISA", ""))
        return {"onednn": onednn if uses_onednn() else OFF, "xla": of_xla(os.environ.get("XLA_FLAGS", ""))}

    def instruction_switches(self, level: str) -> Mapping[str, str]:
        """Those of oneDNN and XLA.

        TensorFlow uses oneDNN from AVX-512 on, and asks the processor whether to: limited to less, oneDNN has to be off, since
        TensorFlow would still ask it for what it then lacks, and abort. Eigen's kernels are of one set, whatever the processor.
        """
        require_x86(level)
        limited = {"ONEDNN_MAX_CPU_ISA": ONEDNN_NAMES[level], "XLA_FLAGS": xla_flags(level, os.environ.get("XLA_FLAGS", ""))}
        return limited if level in X86[3:] else {**limited, "TF_ENABLE_ONEDNN_OPTS": "0"}

    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """Of ``keras.optimizers`` and ``keras.layers``."""
        layers: dict[str, dict[str, object]] = {
            name: {"initializer": initializer} for name, initializer in initializers.LAYER_INITIALIZERS.items()
        }
        norm = keras.layers.BatchNormalization()
        layers["batch_norm"] = {"epsilon": norm.epsilon, "momentum": norm.momentum, "running_variance": "biased"}
        layers["lstm"] |= {"biases": 1, "gates": "ifgo", "forget_bias": 1}
        layers["gru"] |= {"biases": 2, "gates": "zrn", "reset": "after"}
        return {**optimizers.OPTIMIZER_DEFAULTS, **layers}

    def dtypes(self, device: str) -> Sequence[str]:
        """The dtypes in which the device multiplies matrices. Trying that ends the process where oneDNN may not have float16."""

        def works(dtype: str) -> bool:
            if dtype == "float16" and device.partition(":")[0] == "cpu" and lacks_float16():
                return False
            try:
                with tf.device(device):
                    tf.linalg.matmul(tf.ones((1, 1), dtype), tf.ones((1, 1), dtype))
            except tf.errors.OpError:
                return False
            return True

        return [dtype for dtype in DTYPES if works(dtype)]

    def held_dtypes(self, device: str) -> Sequence[str]:
        """Floats of 8 bits and integers."""
        return HELD

    def from_numpy(self, array: NDArray[Any], dtype: str, device: str) -> Native:
        """A tensor, which is contiguous always."""
        with tf.device(device):
            return tf.cast(tf.identity(tf.convert_to_tensor(array)), dtype)

    def to_numpy(self, value: Native) -> NDArray[Any]:
        """The values; bfloat16 and floats of 8 bits as float32."""
        array: NDArray[Any] = np.asarray(value.numpy())
        return array.astype(np.float32) if value.dtype.is_floating and array.dtype.kind != "f" else array

    def dtype_of(self, value: Native) -> str:
        """TensorFlow's name of the dtype."""
        return str(value.dtype.name)

    def device_of(self, value: Native) -> str:
        """The short name of the tensor's device, or the name that the open device was opened by."""
        name = _device_name(value.device)
        return self.device if name == _device_name(tf.DeviceSpec.from_string("/" + self.device).to_string()) else name

    def wait(self, results: Any, device: str) -> None:
        """Wait for all devices; a CPU has done its work when a call returns."""
        if self.device != "cpu":
            tf.test.experimental.sync_devices()

    def _in_mode(self, run: Any, mode: str) -> Any:
        """A function in a mode, placed on the open device."""
        device = self.device

        def placed(*arguments: Any) -> Any:
            if self._in_loop:
                return run(*arguments)
            with tf.device(device):
                return run(*arguments)

        if mode == "eager":
            return placed
        compiled = tf.function(counted(nested(run, mode)), autograph=False, jit_compile=mode in JITTED)

        def call(*arguments: Any) -> Any:
            if self._in_loop:
                return compiled(*arguments)
            with tf.device(device):
                return compiled(*arguments)

        call.traced = compiled  # type: ignore[attr-defined]
        return call

    def compile_counters(self) -> Mapping[str, int]:
        """Functions that were traced, and those that were run as they were (``tf.config.run_functions_eagerly``). What XLA does
        not compile raises an error."""
        return dict(TRACED)

    def forward(self, function: Function, mode: str) -> Forward:
        """The function, as it is or traced by ``tf.function``."""

        def run(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            return function(primals, constants)

        forward: Forward = self._in_mode(run, mode)
        return forward

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function under a gradient tape, as it is or traced by ``tf.function`` together with its gradient."""
        called = nested(function, mode)

        def run(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(primals)
                outputs, others = called(primals, constants)
            gradients = tape.gradient(outputs, list(primals), list(cotangents))
            dense = tuple(None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients)
            return outputs, others, dense

        value_and_vjp: ValueAndVjp = self._in_mode(run, mode)
        return value_and_vjp

    def trace(self, function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
        """To a graph, without variables and calls of functions."""
        return tracing.trace(function, arguments)

    def set_threads(self, count: int) -> None:
        """Within operations, and one between them."""
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    @contextmanager
    def timed_loop(self, device: str) -> Iterator[None]:
        """The device."""
        self._in_loop = True
        try:
            with tf.device(self.device):
                yield
        finally:
            self._in_loop = False

    def compile_stages(self, function: Any, arguments: Sequence[Any]) -> Mapping[str, int]:
        """Tracing; XLA compiles in the first call."""
        if not hasattr(function, "traced"):
            return {}
        start = time.perf_counter_ns()
        with tf.device(self.device):
            function.traced.get_concrete_function(*arguments)
        return {"trace": time.perf_counter_ns() - start}

    def reset_peak_memory(self, device: str) -> bool:
        """Of a GPU or TPU."""
        if device == "cpu":
            return False
        tf.config.experimental.reset_memory_stats(device)
        return True

    def peak_memory(self, device: str) -> int:
        """The allocator's largest use."""
        return int(tf.config.experimental.get_memory_info(device)["peak"])

    def cache_flusher(self, device: str) -> Callable[[], Any] | None:
        """By adding to more than its caches hold."""
        with tf.device(device):
            buffer = tf.zeros(FLUSHED // 4, tf.float32)
        return lambda: buffer + 1.0

    def script(self, operation: str, mode: str, device: str) -> ScriptTemplate:
        """With ``tf.GradientTape``, and ``tf.function``."""
        return script.template(mode, device)

    def model(self, model: Model) -> Implementation:
        """The model as ``keras.Sequential``."""
        return models.layered(model)

    def training_step(self, model: Model) -> Implementation:
        """The step with ``tf.GradientTape`` and an optimizer of Keras, compiled as a whole."""
        implementation = implementation_of(self, model.name)
        assert implementation is not None, model.name
        return models.training_step(model, implementation.function, self._in_mode)

    def fit(self, model: Model) -> Implementation | None:
        """``keras.Model.fit``."""
        return fitting.keras_fit(model, self._in_mode)


@hookimpl
def tensorproof_backend() -> Backend:
    """The TensorFlow backend."""
    return TensorFlowBackend()
