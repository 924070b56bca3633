"""Mistakes that only a gradient shows: other cotangents, the derivative at another place, or on another side of a kink."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis.inputs import of_floating, rounded
from tensorproof.conformance.diagnosis.mistake import Mistake, Situation
from tensorproof.conformance.expectation import is_floating
from tensorproof_reference import trees

NUDGE = 1e-30

Cotangents = Mapping[str, NDArray[Any]]


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes in gradients."""
    operation, sample = situation.operation, situation.sample
    if operation.vjp is None or not sample.gradient:
        return
    yield _changed("cotangent taken for one", lambda array: np.ones_like(array))
    for axis, word in ((0, "example"), (1, "step")):
        for index, which in ((0, "first"), (-1, "last")):
            yield _changed(f"gradient of the {which} {word} only", _only(axis, index))
    names = operation.cotangents
    if len(names) > 1:
        for name in names:
            yield Mistake(text=f"gradient through {name} left out", cotangents=_without(name))
    if situation.expectation.dtype == "float32":
        for text, bits in (("bfloat16", 8), ("TF32", 11)):
            change = _rounded(bits)
            given = replace(sample, inputs=trees.replace_leaves(dict(sample.inputs), of_floating(change)))
            yield replace(_changed(f"operands rounded to {text}", change), sample=given)
    yield from _elsewhere(situation)
    yield from _kinks(situation)


def _changed(text: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Mistake:
    return Mistake(text=text, cotangents=lambda right: {name: change(array) for name, array in right.items()})


def _only(axis: int, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def change(array: NDArray[Any]) -> NDArray[Any]:
        if array.ndim <= axis or array.shape[axis] < 2:
            return array
        kept = np.zeros_like(array)
        place = (slice(None),) * axis + (index,)
        kept[place] = array[place]
        return kept

    return change


def _rounded(bits: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda array: rounded(array, bits)


def _without(name: str) -> Callable[[Cotangents], Cotangents]:
    return lambda right: {key: np.zeros_like(array) if key == name else array for key, array in right.items()}


def _elsewhere(situation: Situation) -> Iterator[Mistake]:
    """The derivative at the output in place of the input."""
    outputs = situation.expectation.outputs
    for name in situation.operation.differentiable:
        value = situation.sample.inputs.get(name)
        for path, (output, _) in outputs.items():
            if isinstance(value, np.ndarray) and value.shape == output.shape:
                given = replace(situation.sample, inputs={**situation.sample.inputs, name: output})
                yield Mistake(text=f"derivative at {path} in place of {name}", sample=given, cotangents=lambda right: right)


def _kinks(situation: Situation) -> Iterator[Mistake]:
    """The derivative on the other side of a kink at 0, or the mean of both sides."""
    vjp = situation.operation.vjp
    assert vjp is not None
    zeros = [path for path, leaf in situation.expectation.arguments.leaves.items() if is_floating(leaf) and (leaf == 0).any()]
    if not zeros:
        return

    def nudged(cotangents: Any, inputs: Mapping[str, Any], keywords: Mapping[str, Any], by: float) -> Any:
        moved = trees.replace_leaves(dict(inputs), lambda path, leaf: leaf + by * _is_zero(leaf) if path in zeros else leaf)
        return vjp(cotangents, **moved, **keywords)

    def side(by: float) -> Callable[..., Any]:
        def gradient(cotangents: Any, **arguments: Any) -> Any:
            inputs, keywords = _divided(situation, arguments)
            return nudged(cotangents, inputs, keywords, by)

        return gradient

    def both(cotangents: Any, **arguments: Any) -> Any:
        inputs, keywords = _divided(situation, arguments)
        right, left = (dict(trees.leaves(nudged(cotangents, inputs, keywords, by))) for by in (NUDGE, -NUDGE))
        return trees.replace_leaves(vjp(cotangents, **arguments), lambda path, leaf: (right[path] + left[path]) * 0.5)

    yield Mistake(text="derivative at 0 is that from the right", vjp=side(NUDGE))
    yield Mistake(text="derivative at 0 is that from the left", vjp=side(-NUDGE))
    yield Mistake(text="derivative at 0 is the mean of both sides", vjp=both)


def _is_zero(leaf: Any) -> Any:
    return np.where(leaf == 0.0, 1.0, 0.0)


def _divided(situation: Situation, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and keywords apart."""
    inputs = {name: value for name, value in arguments.items() if name in situation.sample.inputs}
    return inputs, {name: value for name, value in arguments.items() if name not in inputs}
