"""What the optimizers share: checks of their arguments, and steps taken one after the other on a list of parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.trees import Array

DECAYS = ("coupled", "decoupled")
COUNTS = ("updates", "steps")

Arrays = Sequence[Array]
Gradients = Sequence[Sequence[Array | None]]
Rate = float | Sequence[float]
Update = Callable[..., tuple[Array, ...]]
"""``update(parameter, *state, gradient, rate, count)`` gives the parameter and its state after a step."""


def rates_of(learning_rate: Rate, count: int) -> tuple[float, ...]:
    """The learning rate of each of ``count`` parameters."""
    rates = (learning_rate,) * count if isinstance(learning_rate, float | int) else tuple(learning_rate)
    require(len(rates) == count, "learning_rate", f"one number, or {count} of them", learning_rate)
    require(all(rate >= 0 for rate in rates), "learning_rate", "numbers that are not negative", learning_rate)
    return rates


def slot(parameters: Arrays, name: str, given: Arrays | None, initial: float = 0.0) -> list[Array]:
    """A list of arrays of state: as given, or filled with ``initial``."""
    if given is None:
        return [np.full_like(parameter, initial) for parameter in parameters]
    require(len(given) == len(parameters), name, f"{len(parameters)} arrays, one per parameter", f"{len(given)}")
    for parameter, array in zip(parameters, given, strict=True):
        require_shape(array, name, parameter.shape)
    return list(given)


def slots(parameters: Arrays, **given: Arrays | None) -> list[list[Array]]:
    """Each list of state by its argument's name: as given, or zero."""
    return [slot(parameters, name, arrays) for name, arrays in given.items()]


def run(
    update: Update,
    parameters: Arrays,
    gradients: Gradients,
    states: Sequence[Sequence[Any]] = (),
    *,
    learning_rate: Rate,
    taken: int = 0,
    counted: str = "updates",
) -> tuple[list[Any], ...]:
    """One step for each list of gradients: the parameters and each list of state afterwards.

    A parameter whose gradient is ``None`` stays as it is, and so does its state. ``count`` is how many steps there have been:
    of this parameter (``counted="updates"``), or of the optimizer (``"steps"``); the first one is 1.
    """
    require(taken >= 0, "taken", "a number that is not negative", taken)
    require_choice(counted, "counted", COUNTS)
    rates = rates_of(learning_rate, len(parameters))
    rows: list[tuple[Any, ...]] = list(zip(parameters, *states, strict=True))
    counts = [taken] * len(rows)
    for number, of_step in enumerate(gradients, taken + 1):
        require(len(of_step) == len(rows), "gradients", f"{len(rows)} in each step, one per parameter", f"{len(of_step)}")
        for index, gradient in enumerate(of_step):
            if gradient is None:
                continue
            require_shape(gradient, "gradients", parameters[index].shape)
            counts[index] += 1
            count = number if counted == "steps" else counts[index]
            rows[index] = update(*rows[index], gradient, rates[index], count)
    columns = [list(column) for column in zip(*rows, strict=True)]
    return tuple(columns) if columns else tuple([] for _ in range(1 + len(states)))


def require_step(of_step: Arrays, parameters: Arrays) -> None:
    """Raise ``ValueError`` unless there is a gradient for each parameter, of its shape."""
    wanted = f"{len(parameters)} in each step, one per parameter"
    require(len(of_step) == len(parameters), "gradients", wanted, f"{len(of_step)}")
    for gradient, parameter in zip(of_step, parameters, strict=True):
        require_shape(gradient, "gradients", parameter.shape)


def require_fraction(**numbers: float) -> None:
    """Raise ``ValueError`` unless each is in [0, 1)."""
    for name, number in numbers.items():
        require(0 <= number < 1, name, "a number from 0 to below 1", number)


def require_not_negative(**numbers: float) -> None:
    """Raise ``ValueError`` if one is negative."""
    for name, number in numbers.items():
        require(number >= 0, name, "a number that is not negative", number)


def require_positive(**numbers: float) -> None:
    """Raise ``ValueError`` unless all are above zero."""
    for name, number in numbers.items():
        require(number > 0, name, "a positive number", number)


def coupled(parameter: Array, gradient: Array, weight_decay: float) -> Array:
    """The gradient of the loss with the penalty ``weight_decay/2 · |parameter|²`` added to it."""
    return gradient + weight_decay * parameter if weight_decay else gradient


def shrunk(parameter: Array, rate: float, weight_decay: float) -> Array:
    """The parameter after decoupled weight decay."""
    return parameter - (rate * weight_decay) * parameter if weight_decay else parameter


def decayed(parameter: Array, gradient: Array, rate: float, weight_decay: float, decay: str) -> tuple[Array, Array]:
    """The parameter and the gradient after weight decay, which is ``coupled`` to the gradient or ``decoupled`` from it."""
    if decay == "coupled":
        return parameter, coupled(parameter, gradient, weight_decay)
    return shrunk(parameter, rate, weight_decay), gradient
