"""One run of a user's function, which can be repeated call by call, also where the function does something else when traced."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tensorproof.backend import Native, flat_results
from tensorproof_jax.framework import jax

Call = tuple[Any, dict[str, Any], Sequence[Any], Sequence[Any]]
"""A primitive, its parameters, and the arrays that it took and gave."""


def repeats(function: Callable[..., Any], arguments: Sequence[Native]) -> Callable[..., list[Any]]:
    """Run a function once, without ``jit`` within it; the result repeats the calls of that run on other arrays.

    What was computed from no argument stays as it was.
    """
    calls: list[Call] = []
    with _noted(calls), jax.disable_jit():
        results = flat_results(function(*arguments))

    def repeated(*given: Any) -> list[Any]:
        values = dict(zip(map(id, arguments), given, strict=True))
        for primitive, parameters, taken, gave in calls:
            if any(id(item) in values for item in taken):
                made = primitive.bind(*(values.get(id(item), item) for item in taken), **parameters)
                values.update(zip(map(id, gave), made if primitive.multiple_results else [made], strict=True))
        return [values.get(id(item), item) for item in results]

    return repeated


@contextmanager
def _noted(calls: list[Call]) -> Iterator[None]:
    """Note down each primitive that runs on arrays."""
    from jax._src.core import EvalTrace  # nothing public sees what runs and is not traced

    process: Callable[..., Any] = EvalTrace.process_primitive

    def noted(self: EvalTrace, primitive: Any, arrays: Sequence[Any], parameters: dict[str, Any]) -> Any:
        results = process(self, primitive, arrays, parameters)
        calls.append((primitive, parameters, arrays, results if primitive.multiple_results else [results]))
        return results

    EvalTrace.process_primitive = noted
    try:
        yield
    finally:
        EvalTrace.process_primitive = process
