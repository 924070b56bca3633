"""A known mistake on one sample, and what it would give there."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import numpy_dtype
from tensorproof.conformance.expectation import Expectation, Expected, is_floating
from tensorproof_reference import trees
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.rounding import round_to


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What is done in place of the right thing: other arguments, another formula, another gradient, or other cotangents."""

    text: str
    sample: Sample | None = None
    """The arguments that are used."""
    function: Callable[..., Any] | None = None
    """The formula that is used, called as the operation's function. Its gradient is not known, unless ``vjp`` is given."""
    vjp: Callable[..., Any] | None = None
    """The gradient that is used, called as the operation's."""
    cotangents: Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]] | None = None
    """The cotangents that are used, made of the right ones."""
    in_dtype: bool = False
    """Whether the formula is right in exact arithmetic, and has to be computed in the dtype to show what it does."""
    special: bool = False
    """Whether it is about NaN, infinity or overflow, and so explains results that are not finite."""
    rough: bool = False
    """Whether the mistake loses digits: it is known by the wider bars of its formula, and has no values of its own."""


@dataclass(frozen=True, eq=False)
class Situation:
    """A case of which something failed, for the modules that know mistakes."""

    expectation: Expectation
    sample: Sample
    """With its floating inputs rounded to the dtype."""

    @classmethod
    def of(cls, expectation: Expectation) -> "Situation":
        """The situation of an expectation."""
        return cls(expectation, replace(expectation.sample, inputs=expectation.arguments.inputs))

    @property
    def operation(self) -> Operation:
        """The operation."""
        return self.expectation.operation

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.expectation.operation.name

    @functools.cached_property
    def keywords(self) -> dict[str, Any]:
        """All keywords with their values, those left out by default."""
        return {**(self.operation.function.__kwdefaults__ or {}), **self.sample.keywords}

    def with_inputs(self, text: str, **inputs: Any) -> Mistake:
        """The mistake of using other inputs."""
        return Mistake(text=text, sample=replace(self.sample, inputs={**self.sample.inputs, **inputs}))

    def with_keywords(self, text: str, **keywords: Any) -> Mistake:
        """The mistake of using other keywords."""
        return Mistake(text=text, sample=replace(self.sample, keywords={**self.sample.keywords, **keywords}))

    def with_leaves(self, text: str, change: Callable[[str, NDArray[Any]], Any], special: bool = False) -> Mistake:
        """The mistake of using other arrays, each made of the right one."""
        inputs = trees.replace_leaves(dict(self.sample.inputs), change)
        return Mistake(text=text, sample=replace(self.sample, inputs=inputs), special=special)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function under an operation's name, which streams of cotangents go by."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    call.__name__ = name
    return call


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


class Alternative:
    """What a mistake gives on a sample, computed when it is asked for: values first, which are cheap, and then bars."""

    def __init__(self, situation: Situation, mistake: Mistake) -> None:
        self.mistake = mistake
        self._situation = situation
        operation = situation.operation
        function = mistake.function or operation.function
        vjp = mistake.vjp or operation.vjp
        self._operation = replace(operation, function=_named(function, operation.name), vjp=vjp)
        self._sample = mistake.sample or situation.sample
        self.has_outputs = mistake.vjp is None and mistake.cotangents is None
        self.has_gradients = operation.vjp is not None and (mistake.function is None or mistake.vjp is not None)

    @functools.cached_property
    def values(self) -> Mapping[str, NDArray[Any]]:
        """The outputs by path, in float64."""
        with np.errstate(all="ignore"):
            results = self._operation.function(**self._sample.inputs, **self._sample.keywords)
        return {path: np.asarray(leaf) for path, leaf in trees.leaves_by_name(self._operation.outputs, results).items()}

    @functools.cached_property
    def _cotangents(self) -> Mapping[str, NDArray[Any]]:
        right = self._situation.expectation.cotangents
        return right if self.mistake.cotangents is None else self.mistake.cotangents(right)

    @functools.cached_property
    def gradient_values(self) -> Mapping[str, NDArray[Any]]:
        """The gradients by path, in float64."""
        assert self._operation.vjp is not None
        with np.errstate(all="ignore"):
            cotangents = _one_or_all(list(self._cotangents.values()))
            gradients = self._operation.vjp(cotangents, **self._sample.inputs, **self._sample.keywords)
        return {path: np.asarray(leaf) for path, leaf in trees.leaves(gradients)}

    @functools.cached_property
    def _expectation(self) -> Expectation:
        right = self._situation.expectation
        found = Expectation(self._operation, self._sample, right.dtype, right.seed, right.precision)
        found.cotangents = dict(self._cotangents) if self.has_gradients else {}
        return found

    @functools.cached_property
    def outputs(self) -> Mapping[str, Expected]:
        """The outputs with their bars, by path."""
        if not self.mistake.in_dtype:
            return self._expectation.outputs
        right = self._situation.expectation
        with np.errstate(all="ignore"):
            computed = self._in_dtype(right)
        return {path: (value, right.outputs[path][1]) for path, value in computed.items() if path in right.outputs}

    def _in_dtype(self, right: Expectation) -> Mapping[str, NDArray[Any]]:
        """The outputs as the dtype gives them; 16 bits are computed in 32 and rounded once."""
        working = numpy_dtype(right.dtype if right.dtype in ("float64", "float32") else "float32")
        inputs = trees.replace_leaves(
            dict(self._sample.inputs), lambda path, leaf: leaf.astype(working) if is_floating(leaf) else leaf
        )
        results = self._operation.function(**inputs, **self._sample.keywords)
        found = trees.leaves_by_name(self._operation.outputs, results)
        return {path: round_to(np.asarray(leaf, np.float64), right.dtype_at(path)) for path, leaf in found.items()}

    @functools.cached_property
    def gradients(self) -> Mapping[str, Expected]:
        """The gradients with their bars, by path."""
        return self._expectation.gradients
