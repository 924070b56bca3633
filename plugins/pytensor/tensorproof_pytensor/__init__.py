"""PyTensor as a backend. Each function becomes a program of a graph: run by Python, compiled by Numba, or by C."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from tensorproof.backend import Backend, Forward, Function, Native, ValueAndVjp, hookimpl
from tensorproof_pytensor import (  # noqa: F401 - they register operations
    data,
    functions,
    initializers,
    losses,
    optimizers,
    recurrent,
    windows,
)
from tensorproof_pytensor.programs import counts, program
from tensorproof_pytensor.table import operations


class PytensorBackend(Backend):
    """PyTensor on the CPU."""

    name = "pytensor"
    operations = operations
    modes = {"py": "all"}
    variants = {"numba": "spread", "cvm": "spread"}
    layouts = recurrent.LAYOUTS
    declarations = Path(__file__).with_name("declarations.toml")

    def versions(self) -> Mapping[str, str]:
        """Of PyTensor, and of what computes in its programs."""
        return {name: importlib.metadata.version(name) for name in ("pytensor", "numba", "numpy", "scipy")}

    def dtypes(self, device: str) -> Sequence[str]:
        """float64 and float32: of float16 Numba has no arithmetic."""
        return ("float64", "float32")

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """The array itself: programs take and give arrays of NumPy."""
        return array

    def to_numpy(self, value: Native) -> Any:
        """The array itself."""
        return np.asarray(value)

    def dtype_of(self, value: Native) -> str:
        """NumPy's name."""
        return str(value.dtype)

    def device_of(self, value: Native) -> str:
        """There is no other."""
        return "cpu"

    def shares_memory(self, one: Native, other: Native) -> bool:
        """Whether both are views of one array."""
        return bool(np.shares_memory(one, other))

    def forward(self, function: Function, mode: str) -> Forward:
        """The function as a program. A training step comes as ``eager``, and makes its programs by itself."""
        if mode == "eager":
            return function
        run = program(function, mode)

        def forward(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            outputs, others = run((primals, constants))
            return tuple(outputs), tuple(others)

        return forward

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function and its ``pytensor.gradient.pullback`` as one program."""

        def differentiated(primals: Any, constants: Any, cotangents: Any) -> Any:
            outputs, others = function(primals, constants)
            # Its gradients are to be known of leaves only: of an output that another is made of, the other's part would be lost.
            leaves = [pt.tensor_copy(output) for output in outputs]
            options = {"disconnected_inputs": "ignore", "return_disconnected": "none"}
            return outputs, others, pytensor.gradient.pullback(leaves, list(primals), list(cotangents), **options)

        run = program(differentiated, "py" if mode == "eager" else mode)

        def value_and_vjp(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            return tuple(tuple(group) for group in run((primals, constants, cotangents)))

        return value_and_vjp

    def compile_counters(self) -> Mapping[str, int]:
        """Programs made."""
        return {"compiled": counts["compiled"]}


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    return PytensorBackend()
