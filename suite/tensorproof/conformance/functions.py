"""An operation of a backend as a function of its arrays alone: by itself, or fused with another."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tensorproof.backend import Backend, Native, PluginError, Unsupported
from tensorproof.conformance.expectation import FUSED_SCALE, Arguments
from tensorproof.contract.models import implementation_of
from tensorproof_reference import trees
from tensorproof_reference.operation import Operation, Sample

Results = tuple[tuple[Native, ...], tuple[Native, ...]]
"""The differentiable outputs, and the others."""


def in_place(tree: Any, sources: Mapping[str, str], path: str) -> str:
    """A Python expression for a tree with its arrays, which have a source each, in their places."""
    if tree is None:
        return "None"
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {in_place(value, sources, f'{path}.{key}')}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ", ".join(in_place(value, sources, f"{path}.{index}") for index, value in enumerate(tree)) + "]"
    return sources[path]


def arrays_in(tree: Any, source: str) -> list[str]:
    """Python expressions for the arrays of a tree, which ``source`` stands for."""
    if isinstance(tree, dict):
        return [found for key, value in tree.items() for found in arrays_in(value, f"{source}[{str(key)!r}]")]
    if isinstance(tree, list | tuple):
        return [found for index, value in enumerate(tree) for found in arrays_in(value, f"{source}[{index}]")]
    return [] if tree is None else [source]


@functools.cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters in order."""
    return tuple(inspect.signature(function).parameters)


def _given(result: Any, *arrays: Native, **keywords: Any) -> Any:
    """The result, whatever the arguments."""
    return result


class OperationFunction:
    """An operation of a backend with everything filled in but its arrays (``tensorproof.backend.Function``)."""

    def __init__(
        self, backend: Backend, operation: Operation, sample: Sample, arguments: Arguments, primal_paths: Sequence[str]
    ) -> None:
        self.operation = operation.name
        self.primal_paths = tuple(primal_paths)
        self.constant_paths = tuple(path for path in arguments.leaves if path not in primal_paths)
        implementation = implementation_of(backend, operation.name)
        assert implementation is not None, operation.name
        self._keywords = dict(sample.keywords)
        self._outputs = operation.outputs
        self._cotangents = operation.cotangents
        self._others = tuple(name for name in operation.outputs if name not in operation.cotangents)
        sources = {path: f"arrays[{place}]" for place, path in enumerate((*self.primal_paths, *self.constant_paths))}
        # Compiled once, since it is part of each call; and every framework's compiler can trace it.
        expression = ", ".join(f"{name!r}: {in_place(tree, sources, name)}" for name, tree in arguments.inputs.items())
        self._inputs: Callable[[Sequence[Native]], dict[str, Any]] = eval(f"lambda arrays: {{{expression}}}", {})
        given = tuple(name for name, tree in arguments.inputs.items() if tree is not None)
        in_order = _parameters(operation.function)[: len(given)]
        self._is_flat = given == in_order == (*self.primal_paths, *self.constant_paths)
        self._arguments = self._sources(arguments.inputs)
        self._function = implementation.function
        self._filled = partial(self._function, **sample.keywords)
        self._results = ""
        self._settled: Callable[..., Results] | None = None

    def settle(self, primals: Sequence[Native], constants: Sequence[Native]) -> None:
        """Compute once, and expect results like these from now on: later calls are made of one compiled function."""
        result = self._computed((*primals, *constants))
        named = trees.by_name(self._outputs, result)
        sources = {name: f"result[{place}]" if len(named) > 1 else "result" for place, name in enumerate(named)}
        primary = [sources[name] for name in self._cotangents]
        others = [found for name in self._others for found in arrays_in(named[name], sources[name])]
        both = ("".join(f"{source}, " for source in group) for group in (primary, others))
        self._results = ", ".join(f"({group})" for group in both)
        self._settled = self._written_out(self._function)

    def freeze(self, primals: Sequence[Native], constants: Sequence[Native]) -> None:
        """After it has settled, compute for the last time: from now on the result is what it is now. For measuring what this
        class itself takes."""
        self._settled = self._written_out(partial(_given, self._computed((*primals, *constants))))

    def _sources(self, inputs: Mapping[str, Any]) -> list[str]:
        """Python expressions for the arguments of the function, out of primals and constants."""
        sources = {path: f"primals[{place}]" for place, path in enumerate(self.primal_paths)}
        sources |= {path: f"constants[{place}]" for place, path in enumerate(self.constant_paths)}
        if self._is_flat:
            return list(sources.values())
        return [f"{name}={in_place(tree, sources, name)}" for name, tree in inputs.items()]

    def _written_out(self, function: Callable[..., Any]) -> Callable[..., Results]:
        """The call as one would write it by hand, compiled: arrays in their places, and keywords by name."""
        given = [*self._arguments, *(f"{name}=keyword_{name}" for name in self._keywords)]
        names: dict[str, Any] = {f"keyword_{name}": value for name, value in self._keywords.items()} | {"function": function}
        text = f"def call(primals, constants):\n    result = function({', '.join(given)})\n    return {self._results}\n"
        exec(text, names)
        written: Callable[..., Results] = names["call"]
        return written

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Inputs by name and keywords, with the arrays in their places."""
        return self._inputs((*primals, *constants)), self._keywords

    def _computed(self, arrays: Sequence[Native]) -> Any:
        return self._filled(*arrays) if self._is_flat else self._filled(**self._inputs(arrays))

    def _arranged(self, result: Any) -> Results:
        if result is None:
            raise PluginError(f"{self.operation} returned None, expected {', '.join(self._outputs)}: its function lacks a return")
        named = trees.by_name(self._outputs, result)
        for name in self._cotangents:
            if type(named[name]) in (list, tuple, dict):
                found = type(named[name]).__name__
                raise PluginError(f"{self.operation} returned a {found} for {name}, expected an array of the framework")
        others = [leaf for name in self._others for _, leaf in trees.leaves(named[name])]
        return tuple([named[name] for name in self._cotangents]), tuple(others)

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> Results:
        """The differentiable outputs and the others.

        This is part of what is timed eagerly, once it has settled, and then does no more than it must.
        """
        if self._settled is not None:
            return self._settled(primals, constants)
        return self._arranged(self._computed((*primals, *constants)))


class FusedFunction:
    """``tanh(op(a·x))`` of a backend, where ``x`` is the first primal."""

    operation = ""

    def __init__(self, inner: OperationFunction, tanh: Callable[..., Any]) -> None:
        self._inner = inner
        self._tanh = tanh
        self.primal_paths = inner.primal_paths
        self.constant_paths = inner.constant_paths

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A composition has no arguments by name."""
        raise Unsupported("a composition of operations needs automatic differentiation")

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """The differentiable outputs, fused."""
        outputs, _ = self._inner((primals[0] * FUSED_SCALE, *primals[1:]), constants)
        return tuple(self._tanh(output) for output in outputs), ()
