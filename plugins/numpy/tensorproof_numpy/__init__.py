"""The reference's own formulas as a backend: NumPy in float64 and float32, and the example of a complete small plugin."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from tensorproof.backend import (
    Backend,
    Forward,
    Function,
    Implementation,
    Native,
    OperationTable,
    Unsupported,
    ValueAndVjp,
    hookimpl,
)
from tensorproof_reference import trees

operations = OperationTable()
operations.implementations.update(
    {
        name: Implementation(operation.function, "native")
        for name, operation in operations.specification.items()
        if operation.family not in ("training", "fitting")
    }
)


class NumpyBackend(Backend):
    """The reference's functions and vector-Jacobian products on NumPy arrays of the dtype under test."""

    name = "numpy"
    operations = operations
    declarations = Path(__file__).with_name("declarations.toml")

    def versions(self) -> Mapping[str, str]:
        """Versions of NumPy and SciPy."""
        return {"numpy": np.__version__, "scipy": scipy.__version__}

    def dtypes(self, device: str) -> Sequence[str]:
        """float64 and float32: NumPy has no bfloat16, and accumulates float16 in float16."""
        return ("float64", "float32")

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """The array itself."""
        return array

    def to_numpy(self, value: Native) -> Any:
        """The array itself."""
        return np.asarray(value)

    def dtype_of(self, value: Native) -> str:
        """NumPy's name of the dtype."""
        return str(value.dtype)

    def device_of(self, value: Native) -> str:
        """Always ``cpu``."""
        return "cpu"

    def forward(self, function: Function, mode: str) -> Forward:
        """The reference's function, without warnings about the special values that samples contain."""

        def run(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            with np.errstate(all="ignore"):
                return function(primals, constants)

        return run

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The reference's vector-Jacobian product, since NumPy has no automatic differentiation."""

        def run(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            inputs, keywords = function.arguments(primals, constants)
            vjp = operations.specification[function.operation].vjp
            if vjp is None:
                raise Unsupported(f"{function.operation} has no vector-Jacobian product")
            with np.errstate(all="ignore"):
                outputs, others = function(primals, constants)
                gradients = vjp(cotangents[0] if len(cotangents) == 1 else tuple(cotangents), **inputs, **keywords)
            by_path = dict(trees.leaves(gradients))
            return outputs, others, tuple(by_path[path] for path in function.primal_paths)

        return run


@hookimpl
def tensorproof_backend() -> Backend:
    """The NumPy backend."""
    return NumpyBackend()
