"""The reference's own formulas as a backend: NumPy in float64 and float32, and the example of a complete small plugin."""

import functools
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
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
    ScriptTemplate,
    Unsupported,
    ValueAndVjp,
    hookimpl,
    numpy_strides,
    require_x86,
)
from tensorproof.instructions import X86, highest_here
from tensorproof_reference import trees
from tensorproof_reference.mixed.optimizers import master_adamw
from tensorproof_reference.rounding import INTEGERS

OPENBLAS = {
    "sse2": "Nehalem",
    "avx": "Sandybridge",
    "avx2": "Haswell",
    "avx512": "SkylakeX",
    "avx512_bf16": "Cooperlake",
    "amx": "SapphireRapids",
}
"""OpenBLAS's cores by instruction set; one that a build lacks leaves it with the highest that it has."""
SETUP = """import importlib

np.seterr(all="ignore")


def array(values, dtype):
    return values if str(values.dtype) == dtype else values.astype(getattr(importlib.import_module("ml_dtypes"), dtype))


def numbers(value):
    return value.astype(float)
"""
DISPATCHED = {"X86_V3": "avx2", "X86_V4": "avx512", "AVX512_ICL": "avx512_bf16", "AVX512_SPR": "amx"}
"""The kernels that NumPy chooses among, with the set from which on they are used."""

try:
    ml_dtypes: Any = importlib.import_module("ml_dtypes")
except ImportError:  # NumPy has these dtypes where JAX or TensorFlow is installed, which bring it
    ml_dtypes = None
FURTHER = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
"""What comes from there."""


def numpy_type(dtype: str) -> np.dtype[Any]:
    """NumPy's dtype of that name."""
    return np.dtype(getattr(ml_dtypes, dtype) if dtype in FURTHER else dtype)


operations = OperationTable()
operations.implementations.update(
    {
        name: Implementation(operation.function, "native")
        for name, operation in operations.specification.items()
        if operation.family not in ("training", "fitting")
    }
)


@operations.native
def cast(x: Native, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Native:
    """``numpy.ndarray.astype``."""
    if dtype == "float8_e4m3fn" and saturate:
        raise Unsupported("ml_dtypes casts what is beyond the range of float8_e4m3fn to NaN")
    if dtype in INTEGERS and overflow == "saturates":
        raise Unsupported("numpy.ndarray.astype wraps what is beyond the range of an integer")
    return x.astype(numpy_type(dtype))


GIVEN_AS = {
    "mixed_matmul": "float32",
    "mixed_layer_norm": "bfloat16",
    "mixed_rms_norm": "bfloat16",
    "quantize": "int8",
    "dequantize": "float32",
    "one_hot_with_values": "float32",
}
"""The dtypes of results that the keyword ``dtype`` names, unless it is given: the reference computes wider."""


def _rounded(whole: Callable[..., Any], default: str, *arrays: Any, **keywords: Any) -> Native:
    """The result of a function in the dtype that is asked for."""
    return whole(*arrays, **keywords).astype(numpy_type(keywords.get("dtype", default)))


for name, default in GIVEN_AS.items():
    whole = operations.specification[name].function
    operations.implementations[name] = Implementation(functools.partial(_rounded, whole, default), "native")


def _with_copies(*arrays: Any, **keywords: Any) -> tuple[list[Native], ...]:
    """The reference's ``master_adamw``, with copies of the weights in bfloat16."""
    parameters, *others = master_adamw(*arrays, **keywords)
    return [weight.astype(numpy_type("bfloat16")) for weight in parameters], *others


operations.implementations["master_adamw"] = Implementation(_with_copies, "native")
del operations.implementations["mixed_adamw"]
operations.unsupported("mixed_adamw", "with ml_dtypes, a number of Python times an array of bfloat16 is one of float32")


def _held_as(gradient: Native, primal: Native) -> Native:
    """A gradient of 8 or 16 bits, which the reference computes wider, as its primal; others as they are."""
    return gradient.astype(primal.dtype) if primal.dtype.itemsize < 4 else gradient


class NumpyBackend(Backend):
    """The reference's functions and vector-Jacobian products on NumPy arrays of the dtype under test."""

    name = "numpy"
    operations = operations
    declarations = Path(__file__).with_name("declarations.toml")

    def versions(self) -> Mapping[str, str]:
        """Versions of NumPy and SciPy."""
        return {"numpy": np.__version__, "scipy": scipy.__version__}

    def instructions(self, device: str) -> Mapping[str, str]:
        """Of NumPy's own kernels and of OpenBLAS, which does not tell: the processor's, or what its variable leaves of it."""
        features: Mapping[str, bool] = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
        on = [level for name, level in DISPATCHED.items() if features.get(name)]
        cores = {name: level for level, name in OPENBLAS.items()}
        return {
            "numpy": highest_here(on[-1] if on else "sse2"),
            "openblas": highest_here(cores.get(os.environ.get("OPENBLAS_CORETYPE", ""), "")),
        }

    def instruction_switches(self, level: str) -> Mapping[str, str]:
        """Those of NumPy and OpenBLAS. SciPy's special functions are compiled for one set, whatever the processor."""
        require_x86(level)
        limit = X86.index(level)
        above = [name for name, lowest in DISPATCHED.items() if X86.index(lowest) > limit]
        disabled = {"NPY_DISABLE_CPU_FEATURES": " ".join(above)} if above else {}
        return {**disabled, "OPENBLAS_CORETYPE": OPENBLAS[level]}

    def dtypes(self, device: str) -> Sequence[str]:
        """float64 and float32: NumPy has no bfloat16, and accumulates float16 in float16."""
        return ("float64", "float32")

    def held_dtypes(self, device: str) -> Sequence[str]:
        """NumPy's other numbers, and with ml_dtypes those that it knows."""
        return ("float16", *INTEGERS, *(FURTHER if ml_dtypes else ()))

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """The array itself, unless it comes as another that holds its numbers."""
        return array.astype(numpy_type(dtype)) if dtype in FURTHER else array

    def to_numpy(self, value: Native) -> Any:
        """The array itself; floats of ml_dtypes as float32."""
        array = np.asarray(value)
        return array.astype(np.float32) if str(array.dtype) in FURTHER else array

    def dtype_of(self, value: Native) -> str:
        """NumPy's name of the dtype."""
        return str(value.dtype)

    def device_of(self, value: Native) -> str:
        """Always ``cpu``."""
        return "cpu"

    def strides(self, value: Native) -> tuple[tuple[int, ...], int]:
        """As NumPy has them."""
        return numpy_strides(value)

    def shares_memory(self, one: Native, other: Native) -> bool:
        """Whether the extents of both overlap."""
        return np.may_share_memory(one, other)

    def write(self, target: Native, value: Native) -> None:
        """``target[...] = value``."""
        target[...] = value

    def script(self, operation: str, mode: str, device: str) -> ScriptTemplate:
        """The reference's formula, and that of its vector-Jacobian product."""
        forward = "outputs, others = function(primals, constants)"
        gradient = f"{forward}\ngradients = pull(primals, constants, cotangents)"
        return ScriptTemplate(SETUP, forward, gradient, operations.specification[operation].vjp)

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
            given = zip(function.primal_paths, primals, strict=True)
            return outputs, others, tuple(_held_as(by_path[path], primal) for path, primal in given)

        return run


@hookimpl
def tensorproof_backend() -> Backend:
    """The NumPy backend."""
    return NumpyBackend()
