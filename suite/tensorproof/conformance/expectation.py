"""What the reference expects of a sample in a dtype: rounded inputs, cotangents, values and error bars."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference import trees
from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import Precision
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
    digest: str
    """SHA-256 of the leaves and cotangent seeds, shortened: what a verdict was about."""


def is_floating(array: NDArray[Any]) -> bool:
    """Whether an array has a floating dtype."""
    return bool(np.issubdtype(array.dtype, np.floating))


def arguments_of(operation: Operation, sample: Sample, dtype: str) -> Arguments:
    """Round a sample's floating inputs to ``dtype`` and say which of them are differentiated."""
    rounded = trees.replace_leaves(dict(sample.inputs), lambda path, leaf: round_to(leaf, dtype) if is_floating(leaf) else leaf)
    by_path = dict(trees.leaves(rounded))
    primal_paths = tuple(
        path for path, leaf in by_path.items() if is_floating(leaf) and path.split(".")[0] in operation.differentiable
    )
    digest = hashlib.sha256()
    for path, leaf in by_path.items():
        digest.update(f"{path}{leaf.dtype.str}{leaf.shape}".encode() + np.ascontiguousarray(leaf).tobytes())
    return Arguments(rounded, primal_paths, by_path, digest.hexdigest()[:16])


def cotangents_of(
    operation: Operation, sample: Sample, dtype: str, seed: int, outputs: Mapping[str, Expected]
) -> dict[str, NDArray[Any]]:
    """A random cotangent on the dtype's grid for each output through which gradients flow."""
    stream = Stream(seed)("cotangents")(operation.name)(sample.name)
    return {name: round_to(stream(name).normal(outputs[name][0].shape), dtype) for name in operation.cotangents}


def _barred(arguments: Arguments, precision: Precision) -> Any:
    return trees.replace_leaves(arguments.inputs, lambda path, leaf: with_bars(leaf, precision) if is_floating(leaf) else leaf)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


class Expectation:
    """The reference's answers for one sample, dtype and precision, each computed when first asked for."""

    def __init__(self, operation: Operation, sample: Sample, dtype: str, seed: int, precision: Precision) -> None:
        self.operation = operation
        self.sample = sample
        self.dtype = dtype
        self.seed = seed
        self.precision = precision
        self.arguments = arguments_of(operation, sample, dtype)

    @functools.cached_property
    def outputs(self) -> dict[str, Expected]:
        """Value and bar of each output, by path."""
        result = self._evaluated()
        return {path: values_and_bars(value) for path, value in trees.leaves_by_name(self.operation.outputs, result).items()}

    def _evaluated(self) -> Any:
        with np.errstate(all="ignore"):
            return self.operation.function(**_barred(self.arguments, self.precision), **self.sample.keywords)

    @functools.cached_property
    def closest(self) -> float:
        """The distance in bars of the branch that came closest to going the other way, in computing the outputs.

        It takes a second evaluation, since watching costs, and few ask.
        """
        with closest_branch() as closest:
            self._evaluated()
        return min(closest.comparison, closest.selection)

    @functools.cached_property
    def cotangents(self) -> dict[str, NDArray[Any]]:
        """The cotangent of each differentiable output."""
        return cotangents_of(self.operation, self.sample, self.dtype, self.seed, self.outputs)

    @functools.cached_property
    def gradients(self) -> dict[str, Expected]:
        """Value and bar of the gradient of each primal, by path."""
        return self._vjp(
            self.operation.vjp,
            [with_bars(value, self.precision) for value in self.cotangents.values()],
            _barred(self.arguments, self.precision),
        )

    def _vjp(self, vjp: Callable[..., Any] | None, cotangents: list[Any], inputs: Any) -> dict[str, Expected]:
        if vjp is None:
            raise ValueError(f"{self.operation.name} has no vector-Jacobian product")
        with np.errstate(all="ignore"):
            gradients = dict(trees.leaves(vjp(_one_or_all(cotangents), **inputs, **self.sample.keywords)))
        return {path: values_and_bars(gradients[path]) for path in self.arguments.primal_paths}

    @functools.cached_property
    def fused(self) -> tuple[dict[str, Expected], dict[str, Expected]]:
        """Outputs and gradients of ``tanh(op(a·x))``, where ``x`` is the first primal."""
        first = self.arguments.primal_paths[0]
        with np.errstate(all="ignore"):
            inputs = trees.replace_leaves(
                _barred(self.arguments, self.precision), lambda path, leaf: leaf * FUSED_SCALE if path == first else leaf
            )
            by_name = trees.by_name(self.operation.outputs, self.operation.function(**inputs, **self.sample.keywords))
            results = {name: np.tanh(by_name[name]) for name in self.operation.cotangents}
            cotangents = [
                with_bars(self.cotangents[name], self.precision) * (1.0 - np.square(results[name]))
                for name in self.operation.cotangents
            ]
            vjp = self.operation.vjp
            assert vjp is not None
            gradients = dict(trees.leaves(vjp(_one_or_all(cotangents), **inputs, **self.sample.keywords)))
            gradients[first] = gradients[first] * FUSED_SCALE
        return (
            {name: values_and_bars(value) for name, value in results.items()},
            {path: values_and_bars(gradients[path]) for path in self.arguments.primal_paths},
        )


def expectation_of(operation: Operation, sample: Sample, dtype: str, seed: int, precision: Precision) -> Expectation:
    """The expectation of a sample, kept for the other checks and modes that ask for it."""
    keep = _of_operation if operation.model is None else _of_model
    return keep(operation, sample, dtype, seed, precision)


_of_operation = functools.lru_cache(maxsize=256)(Expectation)
_of_model = functools.lru_cache(maxsize=4)(Expectation)  # one for each dtype: a model's weights and gradients fill memory
