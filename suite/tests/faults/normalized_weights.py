"""Faults in normalizations of weights: which axes a norm is over, scales, the iteration's vector, what counts as constant."""

from typing import Any

import numpy as np
from faulty import Faults, right_vjp

FAULTS = Faults()
WEIGHT, SPECTRAL = "weight_norm", "spectral_norm"


def _one_norm_of_all(right: Any, direction: Any, scale: Any, **given: Any) -> Any:
    """The norm of all numbers for each place."""
    lengths = right(direction, np.asarray(1.0, direction.dtype), axis=None)
    axis = given.get("axis", 0)
    if axis is None:
        return lengths * scale
    shape = [-1 if place == axis % direction.ndim else 1 for place in range(direction.ndim)]
    return lengths * scale.reshape(shape)


def _largest_number(right: Any, direction: Any, scale: Any, **given: Any) -> Any:
    """Divided by the largest number in the place of the root of the sum of squares."""
    w = right(direction, scale, **given)
    largest = np.max(np.abs(direction), keepdims=True) / np.sqrt(np.sum(np.square(direction), keepdims=True))
    return (w / np.where(largest > 0, largest, 1.0)).astype(w.dtype)


FAULTS.planted(WEIGHT, "plain", "one_norm_of_all", _one_norm_of_all)
FAULTS.planted(WEIGHT, "plain", "divided_by_the_largest_number", _largest_number)
FAULTS.planted(
    *(WEIGHT, "plain", "scale_ignored"), lambda right, direction, scale, **given: right(direction, np.ones_like(scale), **given)
)
FAULTS.planted(
    *(WEIGHT, "plain", "length_of_the_scale"), lambda right, direction, scale, **given: right(direction, np.abs(scale), **given)
)
FAULTS.planted(
    *(WEIGHT, "axis", "norms_along_the_first_axis_always"),
    lambda right, direction, scale, axis=0: (
        right(direction, scale, axis=0) if scale.shape == direction.shape[:1] else right(direction, scale, axis=axis) * 0.5
    ),
)


def _other_axis(axis: int, taken: int) -> Any:
    """One axis that is counted from the end taken for another, where there are three or more and both are equally long."""

    def wrong(right: Any, direction: Any, scale: Any, **given: Any) -> Any:
        mistaken = given.get("axis", 0) == axis and direction.ndim >= 3 and direction.shape[axis] == direction.shape[taken]
        return right(direction, scale, **({**given, "axis": taken} if mistaken else given))

    return wrong


FAULTS.planted(WEIGHT, "axis", "last_axis_taken_for_the_second", _other_axis(-1, 1))
FAULTS.planted(WEIGHT, "axis", "second_axis_from_the_end_taken_for_the_first", _other_axis(-2, 0))
FAULTS.planted(
    *(SPECTRAL, "plain", "two_steps_of_the_iteration"),
    lambda right, weight, vector: right(weight, right(weight, vector)[1]),
)
FAULTS.planted(*(SPECTRAL, "plain", "vector_not_kept"), lambda right, weight, vector: (right(weight, vector)[0], vector.copy()))
FAULTS.planted(*(SPECTRAL, "plain", "vector_of_ones"), lambda right, weight, vector: right(weight, np.ones_like(vector)))
FAULTS.planted(
    *(SPECTRAL, "plain", "vector_of_the_last_step_in_the_norm"),
    lambda right, weight, vector: (
        (weight / (vector @ weight.reshape(len(vector), -1) @ _unit(vector @ weight.reshape(len(vector), -1)))).astype(
            weight.dtype
        ),
        right(weight, vector)[1],
    ),
)


def _unit(vector: Any) -> Any:
    return vector / np.sqrt(np.sum(np.square(vector)))


@FAULTS.gradient(WEIGHT, "plain")
def norm_taken_for_a_constant(dw: Any, direction: Any, scale: Any, *, axis: Any = 0) -> Any:
    right = right_vjp(WEIGHT, dw, direction, scale, axis=axis)
    kept = () if axis is None else (axis % direction.ndim,)
    others = tuple(place for place in range(direction.ndim) if place not in kept)
    norm = np.sqrt(np.sum(np.square(direction), axis=others, keepdims=True))
    return {**right, "direction": (dw * scale.reshape([-1 if p in kept else 1 for p in range(direction.ndim)]) / norm)}


@FAULTS.gradient(WEIGHT, "axis")
def norm_taken_for_a_constant_but_for_the_first_axis(dw: Any, direction: Any, scale: Any, *, axis: Any = 0) -> Any:
    if axis in (0, None):
        return right_vjp(WEIGHT, dw, direction, scale, axis=axis)
    return norm_taken_for_a_constant(dw, direction, scale, axis=axis)


@FAULTS.gradient(WEIGHT, "plain")
def scale_has_the_gradient_of_another_length(dw: Any, direction: Any, scale: Any, **given: Any) -> Any:
    right = right_vjp(WEIGHT, dw, direction, scale, **given)
    return {**right, "scale": right["scale"] * scale}


@FAULTS.gradient(SPECTRAL, "plain")
def largest_singular_value_taken_for_a_constant(dy: Any, weight: Any, vector: Any) -> Any:
    matrix = weight.reshape(len(vector), -1)
    v = _unit(vector @ matrix)
    return {"weight": (dy / (_unit(matrix @ v) @ matrix @ v)).astype(weight.dtype)}


@FAULTS.gradient(SPECTRAL, "plain")
def gradient_not_divided(dy: Any, weight: Any, vector: Any) -> Any:
    matrix = weight.reshape(len(vector), -1)
    v = _unit(vector @ matrix)
    return {"weight": (right_vjp(SPECTRAL, dy, weight, vector)["weight"] * (_unit(matrix @ v) @ matrix @ v)).astype(weight.dtype)}
