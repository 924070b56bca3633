"""ONNX Runtime as a backend: each function becomes an ONNX graph, which a session compiles and runs.

There is no eager mode and no gradient, and so no training. ``optimized`` runs a graph as users do, with all of the runtime's
rewriting of graphs; ``unoptimized`` runs the nodes as they are written.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from tensorproof.backend import Backend, Forward, Function, Implementation, Native, Unsupported, hookimpl
from tensorproof_onnxruntime import functions, losses, recurrent, table, windows  # noqa: F401 - they register operations
from tensorproof_onnxruntime.graph import OPSET, Graph
from tensorproof_onnxruntime.recurrent import LAYOUTS
from tensorproof_onnxruntime.table import operations
from tensorproof_reference.model import Model

table.declare_the_rest()
LEVELS = {
    "optimized": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "unoptimized": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""What computes on a device. A node that the provider lacks runs on the CPU, which the placement of results shows."""
DTYPES = {"tensor(double)": "float64", "tensor(float)": "float32", "tensor(float16)": "float16"}


def _tried(call: Callable[[], Any]) -> Any:
    """What a call returns, or ``Unsupported`` where the provider says that it lacks a kernel."""
    try:
        return call()
    except Exception as error:
        if type(error).__name__ == "NotImplemented" or "does not support double" in str(error):
            raise Unsupported(f"the provider has no kernel: {str(error).rpartition(': ')[2]}") from error
        raise


def _untrained(*_: Any, **__: Any) -> Any:
    raise Unsupported("no automatic differentiation")


class OnnxRuntimeBackend(Backend):
    """Graphs of one opset on one execution provider."""

    name = "onnxruntime"
    operations = operations
    modes = {"optimized": "all", "unoptimized": "spread"}
    layouts = LAYOUTS
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self._device = "cpu"
        self._threads = 0

    def versions(self) -> Mapping[str, str]:
        """Of the runtime and of ONNX, and the opset."""
        return {"onnxruntime": ort.__version__, "onnx": onnx.__version__, "opset": str(OPSET)}

    def devices(self) -> Sequence[str]:
        """Those whose execution provider is in this build."""
        available = ort.get_available_providers()
        return tuple(device for device, provider in PROVIDERS.items() if provider in available)

    def open_device(self, device: str) -> None:
        """Remember the device: sessions are made for it."""
        super().open_device(device)
        self._device = device

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """The execution provider."""
        return {"provider": PROVIDERS[device]}

    def dtypes(self, device: str) -> Sequence[str]:
        """float64 and float32. In 16 bits the CPU provider casts to float32 and back."""
        return ("float64", "float32")

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """An ``OrtValue``."""
        return ort.OrtValue.ortvalue_from_numpy(np.array(array, order="C"), device, 0)

    def to_numpy(self, value: Native) -> Any:
        """A copy."""
        return value.numpy()

    def dtype_of(self, value: Native) -> str:
        """From ONNX's name of the type."""
        kind = str(value.data_type())
        return DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")"))

    def device_of(self, value: Native) -> str:
        """As the runtime says."""
        return str(value.device_name())

    def set_threads(self, count: int) -> None:
        """For sessions that are made from now on."""
        self._threads = count

    def training_step(self, model: Model) -> Implementation:
        """None: there are no gradients."""
        return Implementation(_untrained, "native")

    def fit(self, model: Model) -> Implementation:
        """None: there are no gradients."""
        return Implementation(_untrained, "native")

    def _session(self, model: bytes, mode: str) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.graph_optimization_level = LEVELS[mode]
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # what goes wrong is raised as well
        return ort.InferenceSession(model, options, providers=[PROVIDERS[self._device]])

    def forward(self, function: Function, mode: str) -> Forward:
        """A session of the graph that the function makes of symbols, made at the first call."""
        if mode == "eager":
            return function  # a training step, which says itself that there is none
        made: dict[str, Any] = {}

        def run(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            given = (*primals, *constants)
            if not made:
                graph = Graph()
                symbols = [graph.input(item.numpy().dtype, tuple(item.shape())) for item in given]
                outputs, others = function(symbols[: len(primals)], symbols[len(primals) :])
                model = graph.model((*outputs, *others))
                session = _tried(lambda: self._session(model, mode))
                used = {item.name for item in session.get_inputs()}
                made.update(session=session, count=len(outputs), names=[s.name if s.name in used else "" for s in symbols])
            feeds = {name: value for name, value in zip(made["names"], given, strict=True) if name}
            results = _tried(lambda: made["session"].run_with_ort_values(None, feeds))
            return tuple(results[: made["count"]]), tuple(results[made["count"] :])

        return run


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    return OnnxRuntimeBackend()
