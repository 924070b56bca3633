"""What the reference expects of a sample in a dtype: rounded inputs, cotangents, values and error bars.

An expectation has parts (``PARTS``), and a source that gives them. The source ``computed`` computes them here;
``conformance.reference_process`` has one that asks a process of its own, and keeps what it is told.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference import trees
from tensorproof_reference.errorbars.array import ErrorBars, held_in, values_and_bars, with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import Precision
from tensorproof_reference.networks.operations import STEPPED, after_steps, judged_steps, training_batch
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Tree

Expected = tuple[NDArray[Any], NDArray[Any]]
"""A value and its error bar, of the same shape."""

FUSED_SCALE = 0.5
"""The factor in ``tanh(op(a·x))``: a power of two, so that the product is exact and makes no ties or kinks."""


@dataclass(frozen=True)
class Arguments:
    """A sample's arguments in a dtype: floating leaves on the dtype's grid (as float64), others as they are."""

    inputs: Tree
    primal_paths: tuple[str, ...]
    """The floating leaves that the operation is differentiated with respect to."""
    leaves: Mapping[str, NDArray[Any]]
    fingerprint: str
    """SHA-256 of the paths, dtypes, shapes and values of the leaves, and of dtypes that arrays have of their own."""

    @property
    def digest(self) -> str:
        """The fingerprint, shortened as records have it: what a verdict was about."""
        return self.fingerprint[:16]


def is_floating(array: NDArray[Any]) -> bool:
    """Whether an array has a floating dtype."""
    return array.dtype.kind == "f"


def arguments_of(operation: Operation, sample: Sample, dtype: str) -> Arguments:
    """Round a sample's floating inputs to ``dtype``, or their own, and say which of them are differentiated."""
    rounded = trees.replace_leaves(
        dict(sample.inputs), lambda path, leaf: round_to(leaf, sample.dtype_at(path, dtype)) if is_floating(leaf) else leaf
    )
    by_path = dict(trees.leaves(rounded))
    primal_paths = tuple(
        path for path, leaf in by_path.items() if is_floating(leaf) and path.split(".")[0] in operation.differentiable
    )
    digest = hashlib.sha256()
    for path, leaf in by_path.items():
        digest.update(f"{path}{leaf.dtype.str}{leaf.shape}".encode() + np.ascontiguousarray(leaf).tobytes())
    for path, own in sorted(sample.own_dtypes.items()):
        digest.update(f"{path} {own}".encode())
    return Arguments(rounded, primal_paths, by_path, digest.hexdigest())


def _barred(expectation: "Expectation") -> Any:
    """The inputs, each with bars of its own dtype."""

    def barred(path: str, leaf: NDArray[Any]) -> Any:
        return with_bars(leaf, expectation.precision_at(path)) if is_floating(leaf) else leaf

    return trees.replace_leaves(expectation.arguments.inputs, barred)


def _in_own_dtypes(expectation: "Expectation", results: Mapping[str, Any]) -> dict[str, Any]:
    """Results by path, each as an array of its dtype holds it. Where a sample names no dtypes, they were computed in it."""
    if not expectation.sample.own_dtypes:
        return dict(results)
    return {path: held_in(value, expectation.precision_at(path)) if _floats(value) else value for path, value in results.items()}


def _floats(value: Any) -> bool:
    return isinstance(value, ErrorBars) or is_floating(np.asarray(value))


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


class Source(Protocol):
    """Where the parts of an expectation come from."""

    def __call__(self, expectation: "Expectation", part: str) -> Any:
        """The part of that name (``PARTS``)."""

    def __hash__(self) -> int:
        """Expectations are kept by their source, among others."""


class Expectation:
    """The reference's answers for one sample, dtype and precision, each asked of the source when first needed."""

    def __init__(
        self, operation: Operation, sample: Sample, dtype: str, seed: int, precision: Precision, source: Source | None = None
    ) -> None:
        self.operation = operation
        self.sample = sample
        self.dtype = dtype
        self.seed = seed
        self.precision = precision
        self.source = source or computed
        self.arguments = arguments_of(operation, sample, dtype)

    def dtype_at(self, path: str) -> str:
        """The dtype of the input at a path, and of its gradient, or of the output."""
        return self.sample.dtype_at(path, self.dtype)

    def precision_at(self, path: str) -> Precision:
        """The arithmetic of that dtype."""
        own = self.dtype_at(path)
        return self.precision if own == self.dtype else self.precision.of(own)

    def of(self, sample: Sample) -> "Expectation":
        """What the same source expects of another sample."""
        return Expectation(self.operation, sample, self.dtype, self.seed, self.precision, self.source)

    @functools.cached_property
    def outputs(self) -> dict[str, Expected]:
        """Value and bar of each output, by path."""
        found: dict[str, Expected] = self.source(self, "outputs")
        return found

    @functools.cached_property
    def closest(self) -> float:
        """The distance in bars of the branch that came closest to going the other way, in computing the outputs."""
        found: float = self.source(self, "closest")
        return found

    @functools.cached_property
    def before_next_judged(self) -> dict[str, NDArray[Any]]:
        """Of a training step: parameters, state and slots before the next step that is judged, by path."""
        found: dict[str, NDArray[Any]] = self.source(self, "before_next_judged")
        return found

    @functools.cached_property
    def cotangents(self) -> dict[str, NDArray[Any]]:
        """The cotangent of each differentiable output."""
        found: dict[str, NDArray[Any]] = self.source(self, "cotangents")
        return found

    @functools.cached_property
    def gradients(self) -> dict[str, Expected]:
        """Value and bar of the gradient of each primal, by path."""
        found: dict[str, Expected] = self.source(self, "gradients")
        return found

    @functools.cached_property
    def fused(self) -> tuple[dict[str, Expected], dict[str, Expected]]:
        """Outputs and gradients of ``tanh(op(a·x))``, where ``x`` is the first primal."""
        found: tuple[dict[str, Expected], dict[str, Expected]] = self.source(self, "fused")
        return found


def _evaluated(expectation: Expectation) -> Any:
    with np.errstate(all="ignore"):
        return expectation.operation.function(**_barred(expectation), **expectation.sample.keywords)


def _outputs(expectation: Expectation) -> dict[str, Expected]:
    results = trees.leaves_by_name(expectation.operation.outputs, _evaluated(expectation))
    return {path: values_and_bars(value) for path, value in _in_own_dtypes(expectation, results).items()}


def _closest(expectation: Expectation) -> float:
    """It takes a second evaluation, since watching costs, and few ask."""
    with closest_branch() as closest:
        _evaluated(expectation)
    return min(closest.comparison, closest.selection)


def _before_next_judged(expectation: Expectation) -> dict[str, NDArray[Any]]:
    """Steps without bars, each from the values of the one before, rounded to the dtype."""
    operation, keywords = expectation.operation, expectation.sample.keywords
    model = operation.model
    assert model is not None
    stream = Stream(expectation.seed)(operation.name)
    inputs = dict(expectation.sample.inputs)
    taken = int(inputs["taken"])
    following = min(number for number in judged_steps(model) if number > taken)
    values: dict[str, NDArray[Any]] = {}
    for number in range(taken, following):
        inputs |= {**training_batch(model, stream, number), "taken": np.asarray(number, np.int64)}
        rounded = arguments_of(operation, Sample(name="step", inputs=inputs), expectation.dtype).inputs
        with np.errstate(all="ignore"):
            result = operation.function(**rounded, **keywords)
        values = trees.leaves_by_name(operation.outputs, result)
        inputs |= after_steps(inputs, values)
    return {path: value for path, value in values.items() if path.split(".")[0] in STEPPED}


def _cotangents(expectation: Expectation) -> dict[str, NDArray[Any]]:
    """A random cotangent on the grid of its dtype for each output through which gradients flow."""
    operation = expectation.operation
    stream = Stream(expectation.seed)("cotangents")(operation.name)(expectation.sample.name)
    shapes = {name: expectation.outputs[name][0].shape for name in operation.cotangents}
    return {name: round_to(stream(name).normal(shape), expectation.dtype_at(name)) for name, shape in shapes.items()}


def _gradients(expectation: Expectation) -> dict[str, Expected]:
    operation = expectation.operation
    if operation.vjp is None:
        raise ValueError(f"{operation.name} has no vector-Jacobian product")
    cotangents = [with_bars(value, expectation.precision_at(name)) for name, value in expectation.cotangents.items()]
    with np.errstate(all="ignore"):
        gradients = operation.vjp(_one_or_all(cotangents), **_barred(expectation), **expectation.sample.keywords)
        return _of_primals(expectation, gradients)


def _of_primals(expectation: Expectation, gradients: Any) -> dict[str, Expected]:
    """Values and bars of the gradients that are judged, each in the dtype of its primal."""
    by_path = dict(trees.leaves(gradients))
    judged = {path: by_path[path] for path in expectation.arguments.primal_paths}
    return {path: values_and_bars(value) for path, value in _in_own_dtypes(expectation, judged).items()}


def _fused(expectation: Expectation) -> tuple[dict[str, Expected], dict[str, Expected]]:
    operation, keywords = expectation.operation, expectation.sample.keywords
    first = expectation.arguments.primal_paths[0]
    assert operation.vjp is not None

    def scaled(path: str, leaf: Any) -> Any:
        return leaf * FUSED_SCALE if path == first else leaf

    with np.errstate(all="ignore"):
        inputs = trees.replace_leaves(_barred(expectation), scaled)
        by_name = trees.by_name(operation.outputs, operation.function(**inputs, **keywords))
        inner = _in_own_dtypes(expectation, {name: by_name[name] for name in operation.cotangents})
        results = {name: np.tanh(value) for name, value in inner.items()}
        cotangents = [
            with_bars(expectation.cotangents[name], expectation.precision_at(name)) * (1.0 - np.square(value))
            for name, value in results.items()
        ]
        gradients = trees.replace_leaves(operation.vjp(_one_or_all(cotangents), **inputs, **keywords), scaled)
        return {name: values_and_bars(value) for name, value in results.items()}, _of_primals(expectation, gradients)


PARTS: Mapping[str, Callable[[Expectation], Any]] = {
    "outputs": _outputs,
    "closest": _closest,
    "before_next_judged": _before_next_judged,
    "cotangents": _cotangents,
    "gradients": _gradients,
    "fused": _fused,
}
"""What can be asked of the reference, and how it is computed."""


def computed(expectation: Expectation, part: str) -> Any:
    """The source that computes a part in this process."""
    return PARTS[part](expectation)


def expectation_of(
    operation: Operation, sample: Sample, dtype: str, seed: int, precision: Precision, source: Source = computed
) -> Expectation:
    """The expectation of a sample, kept for the other checks and modes that ask for it."""
    keep = _of_operation if operation.model is None else _of_model
    return keep(operation, sample, dtype, seed, precision, source)


_of_operation = functools.lru_cache(maxsize=256)(Expectation)
_of_model = functools.lru_cache(maxsize=4)(Expectation)  # one for each dtype: a model's weights and gradients fill memory
