"""Running an operation on a backend: arguments in, results out, each in the reference's layout; and what went wrong."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Function, Native, PluginError, Unsupported, numpy_dtype
from tensorproof.conformance.expectation import Expectation, is_floating
from tensorproof.conformance.functions import FusedFunction, OperationFunction
from tensorproof.contract import layouts
from tensorproof.contract.description import INDICES, lacking
from tensorproof.contract.strides import in_memory
from tensorproof.errors import sentence
from tensorproof_reference.operation import Operation, Sample, place_of


@dataclass
class Answer:
    """One output or gradient as a backend gave it."""

    value: NDArray[Any]
    """In the reference's layout; floating values as float64."""
    dtype: str
    device: str | None


@dataclass
class Answers:
    """What one run gave."""

    outputs: dict[str, Answer]
    gradients: dict[str, Answer | None] = field(default_factory=dict)


class Clock:
    """What a check took of the framework and its compilers: nanoseconds, and how much was compiled."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the check before."""
        self.framework_ns = 0
        self.runs: dict[Run, None] = {}
        """The runs that the check used."""

    def __enter__(self) -> None:
        self._start = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        self.framework_ns += time.perf_counter_ns() - self._start


def lies(backend: Backend, operation: Operation, path: str) -> tuple[str, Operation, Mapping[str, str]]:
    """How an array lies: the name among the axes of the operation that says so, that operation, and the backend's layout."""
    place, part = place_of(path, operation)
    return place, part, backend.declared_layout(part.name)


def laid_out(
    backend: Backend, operation: Operation, path: str, array: NDArray[Any], dtype: str, memory: str = "contiguous"
) -> tuple[NDArray[Any], str]:
    """An array of the reference and its dtype's name as ``Backend.from_numpy`` takes them."""
    array = layouts.to_native(array, *lies(backend, operation, path))
    return in_memory(array.astype(numpy_dtype(dtype)), memory), dtype


def dtype_of_array(sample: Sample, path: str, array: NDArray[Any], dtype: str) -> str:
    """The dtype in which an input or cotangent is handed over: its own, or the check's, or if it is not floating its array's."""
    return sample.dtype_at(path, dtype if is_floating(array) else str(array.dtype))


def answer_of(backend: Backend, value: Native, arranged: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> Answer:
    """A backend's array as NumPy; ``arranged`` brings it into the reference's layout, where the backend has another.

    Raises:
        PluginError: the plugin gives no array of numbers, or no names.
    """
    array = np.asarray(backend.to_numpy(value))
    dtype, device = backend.dtype_of(value), backend.device_of(value)
    if array.dtype.kind in "OSUMm":
        raise PluginError(f"to_numpy: expected an array of numbers, got dtype {array.dtype}")
    for name, answer in (("dtype_of", dtype), ("device_of", device)):
        if not isinstance(answer, str) and (answer is not None or name == "dtype_of"):
            raise PluginError(f"{name}: expected a text, got {type(answer).__name__}")
    array = array if arranged is None else arranged(array)
    # A copy in any case: what the framework gives may lie in memory that it uses again.
    return Answer(array.astype(np.float64) if is_floating(array) else array.copy(), dtype, device)


def from_backend(backend: Backend, operation: Operation, path: str, value: Native, shape: tuple[int, ...]) -> Answer:
    """A backend's array as NumPy, in the reference's layout; ``shape`` is the expected one there."""
    return answer_of(backend, value, lambda array: layouts.from_native(array, *lies(backend, operation, path), shape))


Natives = tuple[Sequence[Native], Sequence[Native], Sequence[Native | None]]
"""What a call gave: outputs, other outputs, and gradients, of which there are none of the value alone."""


def unpacked(method: str, results: Any, count: int) -> Sequence[Any]:
    """What the function that a backend's method made has returned, if it has as many parts as it must.

    Raises:
        PluginError: it returned nothing, or something else.
    """
    parts = ("outputs", "other outputs", "gradients")[:count]
    if not isinstance(results, tuple | list) or len(results) != count:
        got = f"{len(results)} parts" if isinstance(results, tuple | list) else type(results).__name__
        raise PluginError(f"the function that {method} made returned {got}; it must return a tuple ({', '.join(parts)})")
    return results


class Run:
    """One function of one sample in one dtype, device and mode: made once, and then run for each check that asks."""

    def __init__(
        self,
        backend: Backend,
        device: str,
        mode: str,
        expectation: Expectation,
        function: Function,
        clock: Clock,
        compiled_mode: str = "",
    ) -> None:
        self.backend = backend
        self.device = device
        self.mode = mode
        self.compiled_mode = compiled_mode or (mode if mode != "eager" else "")
        """The compiled mode, also where the function compiles by itself; or nothing."""
        self.compiled: Counter[str] = Counter()
        """What compiling did in this run's calls, by ``Backend.compile_counters``."""
        self.expectation = expectation
        self.function = function
        self.clock = clock
        self._forward: Callable[..., Any] | None = None
        self._value_and_vjp: Callable[..., Any] | None = None
        self._first: dict[bool, Answers] = {}
        self.given: dict[bool, tuple[Sequence[Native], Sequence[Native], Sequence[Native] | None]] = {}
        """The very arrays that the first run was given (primals, constants, cotangents), with and without gradient."""

    def _handed_over(self, path: str, array: NDArray[Any], memory: str) -> tuple[NDArray[Any], str]:
        dtype = dtype_of_array(self.expectation.sample, path, array, self.expectation.dtype)
        return laid_out(self.backend, self.expectation.operation, path, array, dtype, memory)

    def host_arguments(self, changed: Mapping[str, NDArray[Any]] | None = None) -> dict[str, tuple[NDArray[Any], str]]:
        """What ``from_numpy`` is given of each input: a fresh array, some with other values than the sample's, and its dtype."""
        leaves, memory = self.expectation.arguments.leaves, self.expectation.sample.memory
        # One transposed operand beside a contiguous one is harder than two alike.
        kept = set(list(leaves)[1::2]) if memory == "transposed" else set()
        lie = {path: "contiguous" if path in kept else memory for path in leaves}
        values = leaves if changed is None else {**leaves, **changed}
        return {path: self._handed_over(path, values[path], lie[path]) for path in leaves}

    def host_cotangents(self) -> dict[str, tuple[NDArray[Any], str]]:
        """What ``from_numpy`` is given of each cotangent."""
        cotangents, memory = self.expectation.cotangents, self.expectation.sample.memory
        return {name: self._handed_over(name, array, memory) for name, array in cotangents.items()}

    def native_arguments(
        self, changed: Mapping[str, NDArray[Any]] | None = None
    ) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """Fresh framework arrays of the primals and of the constants, some with other values than the sample's."""
        with self.clock:
            host = self.host_arguments(changed)
            return (
                tuple(self.backend.from_numpy(*host[path], self.device) for path in self.function.primal_paths),
                tuple(self.backend.from_numpy(*host[path], self.device) for path in self.function.constant_paths),
            )

    def native_cotangents(self) -> tuple[Native, ...]:
        """Fresh framework arrays of the cotangents."""
        with self.clock:
            return tuple(self.backend.from_numpy(*given, self.device) for given in self.host_cotangents().values())

    def answer(self, path: str, value: Native, shape: tuple[int, ...]) -> Answer:
        """A framework array as NumPy, in the reference's layout."""
        with self.clock:
            return from_backend(self.backend, self.expectation.operation, path, value, shape)

    def names(self, outputs: Sequence[Native], others: Sequence[Native]) -> list[str]:
        """The names of the results of a call, outputs before others.

        Raises:
            ValueError: there are more or fewer than the operation has.
        """
        operation = self.expectation.operation
        rest = [path for path in self.expectation.outputs if path.split(".")[0] not in operation.cotangents] if others else []
        for expected, given in ((operation.cotangents, outputs), (rest, others)):
            if len(expected) != len(given):
                raise ValueError(f"expected {len(expected)} results ({', '.join(expected)}), got {len(given)}")
        return [*operation.cotangents, *rest]

    def _named(self, outputs: Sequence[Native], others: Sequence[Native]) -> dict[str, Answer]:
        expected = self.expectation.outputs
        paired = zip(self.names(outputs, others), (*outputs, *others), strict=True)
        return {name: self.answer(name, value, expected[name][0].shape) for name, value in paired}

    def _counters(self) -> Mapping[str, int]:
        return dict(self.backend.compile_counters()) if self.compiled_mode else {}

    def call(self, arguments: tuple[Sequence[Native], Sequence[Native]], cotangents: Sequence[Native] | None) -> Natives:
        """Run once: the value alone without cotangents, value and vector-Jacobian product with them."""
        before = self._counters()
        with self.clock:
            if cotangents is None:
                if self._forward is None:
                    self._forward = self.backend.forward(self.function, self.mode)
                results = (*unpacked("forward", self._forward(*arguments), 2), ())
            else:
                if self._value_and_vjp is None:
                    self._value_and_vjp = self.backend.value_and_vjp(self.function, self.mode)
                results = (*unpacked("value_and_vjp", self._value_and_vjp(*arguments, cotangents), 3),)
            self.backend.wait(results, self.device)
        self.compiled.update({name: count - before.get(name, 0) for name, count in self._counters().items()})
        self.clock.runs[self] = None
        return results

    def read(self, results: Natives) -> Answers:
        """The results of a call as NumPy arrays of their own, by name."""
        outputs, others, gradients = results
        shapes = self.expectation.arguments.leaves
        paired = zip(self.function.primal_paths, gradients, strict=True) if gradients else ()
        return Answers(
            self._named(outputs, others),
            {path: None if value is None else self.answer(path, value, shapes[path].shape) for path, value in paired},
        )

    def run(self, arguments: tuple[Sequence[Native], Sequence[Native]], cotangents: Sequence[Native] | None) -> Answers:
        """Call once, and read the results."""
        return self.read(self.call(arguments, cotangents))

    def first(self, gradient: bool) -> Answers:
        """The answers of the first run, with or without the vector-Jacobian product, kept for other checks."""
        if gradient not in self._first:
            cotangents = self.native_cotangents() if gradient else None
            arguments = self.native_arguments()
            self._first[gradient] = self.run(arguments, cotangents)
            self.given[gradient] = (*arguments, cotangents)
        self.clock.runs[self] = None
        return self._first[gradient]


def available_dtypes(backend: Backend, device: str) -> frozenset[str]:
    """The dtypes that an array may have on a device."""
    return frozenset({*backend.dtypes(device), *backend.held_dtypes(device), *INDICES})


class Runs:
    """The runs most recently used, so that the checks of one case share one compilation."""

    def __init__(self, backend: Backend, device: str, kept: int = 4) -> None:
        self.backend = backend
        self.device = device
        self.kept = kept
        self.clock = Clock()
        self._runs: OrderedDict[tuple[object, ...], Run] = OrderedDict()

    def of(self, expectation: Expectation, mode: str, primal_paths: Sequence[str], fused: bool = False) -> Run:
        """The run of an expectation in a mode, differentiated with respect to some of its primals.

        Raises:
            Unsupported: the backend has no arrays of a dtype that the sample names.
        """
        if expectation.sample.own_dtypes:
            missing = lacking(expectation.sample, available_dtypes(self.backend, self.device))
            if missing:
                raise Unsupported(f"it has no arrays of {' and '.join(missing)} on {self.device}")
        key = (expectation, mode, tuple(primal_paths), fused)
        if key not in self._runs:
            operation, arguments = expectation.operation, expectation.arguments
            function = OperationFunction(self.backend, operation, expectation.sample, arguments, primal_paths)
            whole: Function = FusedFunction(function, self._tanh()) if fused else function
            self._runs[key] = Run(self.backend, self.device, mode, expectation, whole, self.clock)
            while len(self._runs) > self.kept:
                self._runs.popitem(last=False)
        self._runs.move_to_end(key)
        return self._runs[key]

    def _tanh(self) -> Callable[..., Any]:
        if "tanh" not in self.backend.operations.implementations:
            raise Unsupported("fusing with a neighbour needs tanh")
        return self.backend.operations.implementations["tanh"].function


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device."""
    text = sentence(error)
    signs = ("OutOfMemory", "RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)
