"""A backend's function of a program, made from its table of operations: no plugin knows of programs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Native, Unsupported, numpy_dtype
from tensorproof.contract.models import implementation_of
from tensorproof.programs.evaluation import Conventions, constants_of, keywords_of, name_of, primals_of, written_numbers
from tensorproof.programs.program import Node, Operand, Program

Results = tuple[tuple[Native, ...], tuple[Native, ...]]


class ProgramFunction:
    """A program of a backend with everything filled in but its inputs (``tensorproof.backend.Function``)."""

    operation = ""

    def __init__(self, backend: Backend, program: Program, conventions: Conventions) -> None:
        """Write the program out as one function.

        Raises:
            Unsupported: the backend lacks an operation.
        """
        self.primal_paths = tuple(map(name_of, primals_of(program)))
        self.constant_paths = tuple(map(name_of, constants_of(program)))
        self._call = _written_out(backend, program, conventions, (self.primal_paths, self.constant_paths))

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A composition has no arguments by name."""
        raise Unsupported("a composition of operations needs automatic differentiation")

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> Results:
        """The outputs, and no others."""
        return self._call(primals, constants)


def _written_out(
    backend: Backend, program: Program, conventions: Conventions, paths: tuple[tuple[str, ...], tuple[str, ...]]
) -> Callable[[Sequence[Native], Sequence[Native]], Results]:
    """The program as one Python function: every framework's compiler can trace it, and no text or list is among its data."""
    names: dict[str, Any] = {"write": backend.write}
    lines = ["def call(primals, constants):"]
    for group, source in zip(paths, ("primals", "constants"), strict=True):
        lines += [f"    {name} = {source}[{place}]" for place, name in enumerate(group)]
    lines += [f"    {line}" for line in written_numbers(program)]
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        implementation = implementation_of(backend, node.operation)
        if implementation is None:
            reason = backend.operations.reasons.get(node.operation, "not implemented")
            raise Unsupported(f"{node.operation}: {reason}")
        names[f"f{number}"] = implementation.function
        for name, value in keywords_of(node, conventions).items():
            names[f"f{number}_{name}"] = value
        lines.append(f"    v{number} = f{number}({_given(node, number, conventions)})")
        lines += [] if node.over is None else [f"    write({name_of(node.over)}, v{number})"]
    outputs = ", ".join(map(name_of, program.outputs))
    lines.append(f"    return ({outputs},), ()")
    exec("\n".join(lines), names)
    written: Callable[[Sequence[Native], Sequence[Native]], Results] = names["call"]
    return written


def operand_expression(operand: Operand) -> str:
    """A Python expression for an operand."""
    return f"[{', '.join(map(name_of, operand))}]" if isinstance(operand, tuple) else name_of(operand)


def _given(node: Node, number: int, conventions: Conventions) -> str:
    arrays = [f"{name}={operand_expression(operand)}" for name, operand in node.operands]
    keywords = [f"{name}=f{number}_{name}" for name in keywords_of(node, conventions)]
    return ", ".join([*arrays, *keywords])


NUMBERED = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "maximum",
    "minimum",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
)
"""Operations whose second argument programs give as a number, where the backend takes one."""


def taking_numbers(backend: Backend, device: str, dtypes: Sequence[str]) -> list[str]:
    """Those of ``NUMBERED`` whose function takes a number of Python instead of the array ``b``, and keeps the dtype."""
    found = []
    for name in NUMBERED:
        implementation = implementation_of(backend, name)
        if implementation is not None and all(_takes(backend, implementation.function, device, dtype) for dtype in dtypes):
            found.append(name)
    return found


def _takes(backend: Backend, function: Callable[..., Any], device: str, dtype: str) -> bool:
    array = np.array([1.0, 3.0], numpy_dtype(dtype))
    try:
        with_array, with_number = (
            function(a=backend.from_numpy(array.copy(), dtype, device), b=b)
            for b in (backend.from_numpy(2.0 * np.ones_like(array), dtype, device), 2.0)
        )
        same = np.array_equal(backend.to_numpy(with_array), backend.to_numpy(with_number))
        return same and backend.dtype_of(with_array) == backend.dtype_of(with_number)
    except Exception:  # whatever a plugin raises where it wants an array: programs give it arrays
        return False
