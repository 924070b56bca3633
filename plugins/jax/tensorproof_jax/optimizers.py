"""Optimizers of Optax."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, optax
from tensorproof_jax.table import operations

Natives = Sequence[Native]
Rate = float | Sequence[float]

SPECIFIC = {
    "gradient_descent": "sgd",
    "sgd": "sgd",
    "momentum": "sgd",
    "rmsprop": "rmsprop",
    "adam": "adam",
    "adamw": "adamw",
    "adagrad": "adagrad",
    "adadelta": "adadelta",
    "nadam": "nadam",
    "adamax": "adamax",
    "radam": "radam",
    "lion": "lion",
    "lamb": "lamb",
    "rprop": "rprop",
}
WORDS = {"b1": "beta1", "b2": "beta2", "eps": "epsilon", "decay": "rho", "initial_accumulator_value": "initial_accumulator"}


def optimizer_defaults() -> dict[str, dict[str, Any]]:
    """The defaults of each optimizer's numbers, as its constructor has them, by the names of the specification.

    Optax has no default for most learning rates.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, kind in SPECIFIC.items():
        defaults = {item.name: item.default for item in inspect.signature(getattr(optax, kind)).parameters.values()}
        found[name] = {WORDS.get(key, key): value for key, value in defaults.items() if type(value) is float}
    return found


OPTIMIZER_DEFAULTS = optimizer_defaults()


def optimizer_steps(
    transformation: Callable[[float], Any],
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    slots: dict[str, Natives | None],
    learning_rate: Rate,
    taken: int | None = None,
) -> tuple[list[Native], ...]:
    """The parameters and the ``slots`` of state after the steps of ``transformation(rate)``.

    ``slots`` are fields of the transformation's state by name; what is ``None`` starts as Optax has it. Parameters that never
    have a gradient are left out, as one that is not trained would be. Rates of their own make groups, by ``optax.partition``.
    """
    trained = [index for index in range(len(parameters)) if any(of_step[index] is not None for of_step in gradients)]
    if any(of_step[index] is None for of_step in gradients for index in trained):
        raise Unsupported("Optax takes a gradient for each parameter in each step")
    moved = [parameters[index] for index in trained]
    if isinstance(learning_rate, float | int):
        optimizer = transformation(learning_rate)
    else:
        labels = [str(index) for index in trained]
        optimizer = optax.partition({label: transformation(learning_rate[int(label)]) for label in labels}, labels)
    state = optimizer.init(moved)
    given = {name: [arrays[index] for index in trained] for name, arrays in slots.items() if arrays is not None}
    if given:
        state = optax.tree_utils.tree_set(state, _has_parameters, **given)
    if taken is not None:
        state = optax.tree_utils.tree_set(state, count=jax.numpy.asarray(taken, jax.numpy.int32))
    for of_step in gradients:
        updates, state = optimizer.update([of_step[index] for index in trained], state, moved)
        moved = optax.apply_updates(moved, updates)
    results = list(parameters)
    for place, index in enumerate(trained):
        results[index] = moved[place]
    return (results, *(_slot(state, name, arrays, parameters, trained) for name, arrays in slots.items()))


def after_decay(optimizer: Any, weight_decay: float) -> Any:
    """The optimizer, with weight decay added to the gradient before it."""
    return optax.chain(optax.add_decayed_weights(weight_decay), optimizer) if weight_decay else optimizer


def before_decay(scaling: Any, rate: float, weight_decay: float) -> Any:
    """The optimizer of a scaling, with weight decay added to what the scaling gives."""
    return optax.chain(scaling, optax.add_decayed_weights(weight_decay), optax.scale_by_learning_rate(rate))


def _has_parameters(path: Any, value: Any) -> bool:
    """Whether a field of the state is of parameters: of two optimizers for some each, one may have none."""
    return bool(jax.tree.leaves(value))


def _slot(state: Any, name: str, given: Natives | None, parameters: Natives, trained: Sequence[int]) -> list[Native]:
    """A field of the state after the steps; of parameters that are not trained, what was given, or zero."""
    result = [jax.numpy.zeros_like(parameter) for parameter in parameters] if given is None else list(given)
    for _, found in optax.tree_utils.tree_get_all_with_path(state, name):
        for index, array in zip(trained, found, strict=True):
            if not isinstance(array, optax.MaskedNode):
                result[index] = array
    return result


@operations.library
def gradient_descent(
    parameters: Natives, gradients: Sequence[Sequence[Native | None]], *, learning_rate: Rate = 0.01
) -> list[Native]:
    """``optax.sgd``."""
    return optimizer_steps(optax.sgd, parameters, gradients, {}, learning_rate)[0]


@operations.library
def sgd(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    *,
    learning_rate: Rate = 0.01,
    weight_decay: float = 0.0,
) -> list[Native]:
    """``optax.sgd`` after ``optax.add_decayed_weights``."""

    def transformation(rate: float) -> Any:
        return optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(rate))

    return optimizer_steps(transformation, parameters, gradients, {}, learning_rate)[0]


@operations.library
def momentum(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    velocity: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    coefficient: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    accumulated: str = "gradients",
    first_step: str = "undampened",
) -> tuple[list[Native], ...]:
    """``optax.sgd`` and its parts in the order that the conventions ask for."""
    if dampening:
        raise Unsupported("optax.trace has no dampening")

    def transformation(rate: float) -> Any:
        if accumulated == "gradients":
            parts = [optax.trace(coefficient, nesterov), optax.scale_by_learning_rate(rate)]
            decoupled_decay = optax.add_decayed_weights(weight_decay)
        else:
            parts = [optax.scale_by_learning_rate(rate), optax.trace(coefficient, nesterov)]
            decoupled_decay = optax.add_decayed_weights(-rate * weight_decay)
        if not weight_decay:
            return optax.sgd(rate, coefficient, nesterov) if accumulated == "gradients" else optax.chain(*parts)
        if decay == "coupled":
            return optax.chain(optax.add_decayed_weights(weight_decay), *parts)
        parts.insert(1 if accumulated == "gradients" else 2, decoupled_decay)
        return optax.chain(*parts)

    moved, traces = optimizer_steps(transformation, parameters, gradients, {"trace": velocity}, learning_rate)
    # A trace that decays by 0 keeps the last gradient, of which the next step takes nothing.
    return moved, traces if coefficient else [jax.numpy.zeros_like(trace) for trace in traces]


@operations.library
def rmsprop(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    mean_square: Natives | None = None,
    mean_gradient: Natives | None = None,
    velocity: Natives | None = None,
    *,
    learning_rate: Rate = 0.001,
    rho: float = 0.9,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    centered: bool = False,
    momentum: float = 0.0,
    accumulated: str = "gradients",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``optax.rmsprop``, or its parts where the velocity accumulates gradients."""
    options = {"decay": rho, "eps": epsilon, "eps_in_sqrt": epsilon_placement == "inside"}

    def transformation(rate: float) -> Any:
        optimizer = optax.rmsprop(rate, **options, centered=centered, momentum=momentum or None)
        if momentum and accumulated == "gradients":
            scaling = optax.scale_by_stddev if centered else optax.scale_by_rms
            optimizer = optax.chain(scaling(**options), optax.trace(momentum), optax.scale_by_learning_rate(rate))
        return after_decay(optimizer, weight_decay)

    slots = {"nu": mean_square}
    if centered:
        slots["mu"] = mean_gradient
    if momentum:
        slots["trace"] = velocity
    moved, squares, *rest = optimizer_steps(transformation, parameters, gradients, slots, learning_rate)
    return moved, squares, rest[0] if centered else [], rest[-1] if momentum else []


def _adam(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    states: Sequence[Natives | None],
    taken: int,
    learning_rate: Rate,
    numbers: dict[str, float],
    conventions: tuple[str, bool, bool, str],
    weight_decay: float,
    decoupled: bool,
) -> tuple[list[Native], ...]:
    epsilon_placement, bias_correction, amsgrad, maximum = conventions
    if epsilon_placement != "after_correction":
        raise Unsupported("Optax corrects before it adds epsilon")
    if not bias_correction and not amsgrad:
        raise Unsupported("optax.adam corrects the bias always")
    if amsgrad and maximum != "corrected":
        raise Unsupported("optax.amsgrad takes the maximum after the correction")
    corrections = {} if bias_correction else {"bias_correction_mu": False, "bias_correction_nu": False}

    def transformation(rate: float) -> Any:
        if decoupled and amsgrad:
            return before_decay(optax.scale_by_amsgrad(**numbers, **corrections), rate, weight_decay)
        if decoupled:
            return optax.adamw(rate, **numbers, weight_decay=weight_decay)
        optimizer = optax.amsgrad(rate, **numbers, **corrections) if amsgrad else optax.adam(rate, **numbers)
        return after_decay(optimizer, weight_decay)

    slots = dict(zip(("mu", "nu", "nu_max"), states, strict=True))
    if not amsgrad:
        del slots["nu_max"]
    moved, *moments = optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)
    return (moved, *moments) if amsgrad else (moved, *moments, [])


@operations.library
def adam(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    maximum_second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.adam`` and ``optax.amsgrad``."""
    numbers = {"b1": beta1, "b2": beta2, "eps": epsilon}
    states = (first_moment, second_moment, maximum_second_moment)
    conventions = (epsilon_placement, bias_correction, amsgrad, maximum)
    return _adam(parameters, gradients, states, taken, learning_rate, numbers, conventions, weight_decay, decoupled=False)


@operations.library
def adamw(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    maximum_second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.01,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.adamw``, and its parts with ``optax.scale_by_amsgrad``."""
    numbers = {"b1": beta1, "b2": beta2, "eps": epsilon}
    states = (first_moment, second_moment, maximum_second_moment)
    conventions = (epsilon_placement, bias_correction, amsgrad, maximum)
    return _adam(parameters, gradients, states, taken, learning_rate, numbers, conventions, weight_decay, decoupled=True)


@operations.library
def adagrad(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    sum_of_squares: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    initial_accumulator: float = 0.0,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``optax.adagrad``."""
    if epsilon_placement != "inside":
        raise Unsupported("optax.adagrad adds epsilon under the root")

    def transformation(rate: float) -> Any:
        return after_decay(optax.adagrad(rate, initial_accumulator, epsilon), weight_decay)

    return optimizer_steps(transformation, parameters, gradients, {"sum_of_squares": sum_of_squares}, learning_rate)


@operations.library
def adadelta(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    mean_square: Natives | None = None,
    mean_square_update: Natives | None = None,
    *,
    learning_rate: Rate = 1.0,
    rho: float = 0.95,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "coupled",
) -> tuple[list[Native], ...]:
    """``optax.adadelta``, whose weight decay is coupled; its parts where it is decoupled."""

    def transformation(rate: float) -> Any:
        if weight_decay and decay == "decoupled":
            return before_decay(optax.scale_by_adadelta(rho, epsilon), rate, weight_decay)
        return optax.adadelta(rate, rho, epsilon, weight_decay)

    slots = {"e_g": mean_square, "e_x": mean_square_update}
    return optimizer_steps(transformation, parameters, gradients, slots, learning_rate)


@operations.library
def nadam(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    schedule: str = "warming",
    momentum_decay: float = 0.004,
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.nadam``."""
    if schedule != "constant":
        raise Unsupported("optax.nadam has a constant momentum")

    def transformation(rate: float) -> Any:
        return after_decay(optax.nadam(rate, beta1, beta2, epsilon), weight_decay)

    slots = {"mu": first_moment, "nu": second_moment}
    return optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)
