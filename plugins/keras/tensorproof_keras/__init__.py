"""Keras as a backend, on whichever of TensorFlow, PyTorch and JAX computes under it (``KERAS_BACKEND``).

Only what Keras adds is checked here: its functions and layers as each of its backends computes them, eagerly and in float32 by
default. The frameworks themselves have plugins of their own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Forward, Function, Native, ValueAndVjp, hookimpl
from tensorproof_keras import functions, losses, recurrent, table  # noqa: F401 - losses registers operations
from tensorproof_keras.engines import engine, keras, make_room
from tensorproof_keras.functions import dtype_of
from tensorproof_keras.table import operations
from tensorproof_reference.operation import DTYPES

table.declare_the_rest()


class KerasBackend(Backend):
    """``keras.ops`` and ``keras.layers`` on one backend of Keras."""

    name = "keras"
    operations = operations
    modes = {"eager": "float32"}
    layouts = {**functions.LAYOUTS, **recurrent.LAYOUTS}
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self.engine = engine()

    def versions(self) -> Mapping[str, str]:
        """Of Keras and of what computes under it."""
        return {"keras": keras.__version__, keras.backend.backend(): self.engine.version}

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """Which backend of Keras it is."""
        return {"keras_backend": keras.backend.backend()}

    def dtypes(self, device: str) -> Sequence[str]:
        """All four on TensorFlow. Elsewhere Keras's functions take float64 and give float32 (``result_type``)."""
        return DTYPES if keras.backend.backend() == "tensorflow" else DTYPES[1:]

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """A tensor of the backend of Keras."""
        return keras.ops.convert_to_tensor(np.array(array, order="C"), dtype=dtype)

    def to_numpy(self, value: Native) -> Any:
        """The values; bfloat16 as float32."""
        value = keras.ops.cast(value, "float32") if dtype_of(value) == "bfloat16" else value
        return keras.ops.convert_to_numpy(value)

    def dtype_of(self, value: Native) -> str:
        """Keras's name of the dtype."""
        return dtype_of(value)

    def device_of(self, value: Native) -> str:
        """As the backend of Keras says."""
        return self.engine.device_of(value)

    def wait(self, results: Any, device: str) -> None:
        """Wait for each array of JAX; the others have done their work when a call returns, on a CPU."""
        for item in results if isinstance(results, tuple | list) else [results]:
            if isinstance(item, tuple | list):
                self.wait(item, device)
            elif hasattr(item, "block_until_ready"):
                item.block_until_ready()

    def forward(self, function: Function, mode: str) -> Forward:
        """The function itself."""
        make_room()
        return function

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function under the backend's automatic differentiation."""
        make_room()

        def run(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            outputs, others, gradients = self.engine.vjp(function, primals, constants, cotangents)
            return tuple(outputs), tuple(others), tuple(gradients)

        return run


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    return KerasBackend()
