"""Optimizers of Keras."""

import contextlib
import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

Natives = Sequence[Native]
Rate = float | Sequence[float]
Arrays = tuple[tuple[tuple[int, ...], str], ...]
"""Shapes and dtypes."""

SPECIFIC = {
    "gradient_descent": "SGD",
    "sgd": "SGD",
    "momentum": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "lion": "Lion",
    "lamb": "Lamb",
    "adafactor": "Adafactor",
    "muon": "Muon",
}
WORDS = {"beta_1": "beta1", "beta_2": "beta2", "initial_accumulator_value": "initial_accumulator"}
MEANT = ("learning_rate", "momentum", "rho", "epsilon", "beta_1", "beta_2", "initial_accumulator_value", "weight_decay")
"""The arguments of Keras's optimizers that are numbers of the specification; the others are about clipping and averaging."""


def optimizer_defaults() -> dict[str, dict[str, Any]]:
    """The defaults of each optimizer's numbers, as its constructor has them, by the names of the specification."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in SPECIFIC.items():
        parameters = inspect.signature(getattr(keras.optimizers, kind)).parameters
        found[name] = {WORDS.get(key, key): float(parameters[key].default or 0.0) for key in MEANT if key in parameters}
    return found


OPTIMIZER_DEFAULTS = optimizer_defaults()


def arrays_of(tensors: Natives) -> Arrays:
    """The shapes and dtypes of tensors."""
    return tuple((tuple(tensor.shape), tensor.dtype.name) for tensor in tensors)


@contextlib.contextmanager
def floats_of(arrays: Arrays) -> Iterator[None]:
    """Keras keeps the learning rate in its default dtype; who computes in float64 sets that."""
    before = keras.config.floatx()
    if any(dtype == "float64" for _, dtype in arrays):
        keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


@functools.cache
def _built(kind: str, arrays: Arrays, options: tuple[tuple[str, Any], ...]) -> Any:
    """An optimizer, the variables that it trains, and the initial values of its state, outside of any graph being traced."""
    with floats_of(arrays), tf.init_scope():
        optimizer = getattr(keras.optimizers, kind)(**dict(options))
        variables = [keras.Variable(tf.zeros(shape, dtype), dtype=dtype) for shape, dtype in arrays]
        optimizer.build(variables)
        return optimizer, variables, [(variable, variable.numpy()) for variable in optimizer.variables]


def optimizer_steps(
    kind: str,
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    slots: dict[str, Natives | None],
    learning_rate: Rate,
    taken: int = 0,
    others: dict[str, float] | None = None,
    **options: Any,
) -> tuple[list[Native], ...]:
    """The parameters and the ``slots`` of state after the steps, through the optimizer's ``apply``.

    ``slots`` are the optimizer's lists of variables by the names of its attributes; what is ``None`` starts as Keras has it.
    ``others`` are single variables of state, and their values.
    """
    if not isinstance(learning_rate, float | int):
        raise Unsupported("a Keras optimizer has one learning rate")
    arrays = arrays_of(parameters)
    options = {"learning_rate": float(learning_rate), **options}
    optimizer, variables, initial = _built(kind, arrays, tuple(sorted(options.items())))
    for variable, value in initial:
        variable.assign(value)
    for variable, parameter in zip(variables, parameters, strict=True):
        variable.assign(parameter)
    optimizer._iterations.assign(taken)  # of batches, where ``iterations`` may be of steps
    for name, value in (others or {}).items():
        getattr(optimizer, name).assign(value)
    for name, given in slots.items():
        for variable, array in zip(getattr(optimizer, name), given or (), strict=given is not None):
            variable.assign(array)
    for of_step in gradients:
        optimizer.apply(list(of_step), variables)
    results = [[tf.identity(variable.value) for variable in getattr(optimizer, name)] for name in slots]
    return ([tf.identity(variable.value) for variable in variables], *results)


def require_steps(counted: str) -> None:
    """Keras counts the steps of the optimizer."""
    if counted != "steps":
        raise Unsupported("Keras's optimizers count their steps")


def require_decoupled(weight_decay: float, decay: str) -> None:
    """Keras decays the variables before the step."""
    if weight_decay and decay != "decoupled":
        raise Unsupported("weight decay of Keras's optimizers is decoupled from the gradient")


@operations.library
def gradient_descent(
    parameters: Natives, gradients: Sequence[Sequence[Native | None]], *, learning_rate: Rate = 0.01
) -> list[Native]:
    """``keras.optimizers.SGD``."""
    return optimizer_steps("SGD", parameters, gradients, {}, learning_rate)[0]


@operations.library
def sgd(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    *,
    learning_rate: Rate = 0.01,
    weight_decay: float = 0.0,
) -> list[Native]:
    """``keras.optimizers.SGD`` with weight decay, which is decoupled: without momentum this is the same."""
    return optimizer_steps("SGD", parameters, gradients, {}, learning_rate, weight_decay=weight_decay or None)[0]


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
    """``keras.optimizers.SGD`` with momentum."""
    if dampening:
        raise Unsupported("keras.optimizers.SGD has no dampening")
    if accumulated != "updates":
        raise Unsupported("keras.optimizers.SGD accumulates updates")
    require_decoupled(weight_decay, decay)
    options: dict[str, Any] = {"momentum": coefficient, "nesterov": nesterov, "weight_decay": weight_decay or None}
    if not coefficient:  # Keras makes no velocities then
        (moved,) = optimizer_steps("SGD", parameters, gradients, {}, learning_rate, **options)
        return moved, [tf.zeros_like(parameter) for parameter in parameters]
    return optimizer_steps("SGD", parameters, gradients, {"momentums": velocity}, learning_rate, **options)


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
    """``keras.optimizers.RMSprop``, whose velocity is what is subtracted, so the negative of the specification's."""
    if epsilon_placement != "inside":
        raise Unsupported("keras.optimizers.RMSprop adds epsilon under the root")
    if momentum and accumulated != "updates":
        raise Unsupported("keras.optimizers.RMSprop accumulates updates")
    require_decoupled(weight_decay, "coupled")
    slots: dict[str, Natives | None] = {"_velocities": mean_square}
    if centered:
        slots["_average_gradients"] = mean_gradient
    if momentum:
        slots["_momentums"] = None if velocity is None else [-array for array in velocity]
    options: dict[str, Any] = {"rho": rho, "epsilon": epsilon, "centered": centered, "momentum": momentum}
    moved, squares, *rest = optimizer_steps("RMSprop", parameters, gradients, slots, learning_rate, **options)
    velocities = [-array for array in rest[-1]] if momentum else []
    return moved, squares, rest[0] if centered else [], velocities


def _adam(
    kind: str,
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    states: Sequence[Natives | None],
    taken: int,
    learning_rate: Rate,
    conventions: tuple[str, bool, str, str],
    **options: Any,
) -> tuple[list[Native], ...]:
    epsilon_placement, bias_correction, maximum, counted = conventions
    if epsilon_placement != "before_correction":
        raise Unsupported(f"keras.optimizers.{kind} adds epsilon before the correction")
    if not bias_correction:
        raise Unsupported(f"keras.optimizers.{kind} corrects the bias always")
    if maximum != "raw":
        raise Unsupported(f"keras.optimizers.{kind} takes the maximum before the correction")
    require_steps(counted)
    slots = dict(zip(("_momentums", "_velocities", "_velocity_hats"), states, strict=True))
    if not options["amsgrad"]:
        del slots["_velocity_hats"]
    moved, *moments = optimizer_steps(kind, parameters, gradients, slots, learning_rate, taken, **options)
    return (moved, *moments) if options["amsgrad"] else (moved, *moments, [])


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
    """``keras.optimizers.Adam``."""
    require_decoupled(weight_decay, "coupled")
    conventions = (epsilon_placement, bias_correction, maximum, counted)
    states = (first_moment, second_moment, maximum_second_moment)
    options: dict[str, Any] = {"beta_1": beta1, "beta_2": beta2, "epsilon": epsilon, "amsgrad": amsgrad}
    return _adam("Adam", parameters, gradients, states, taken, learning_rate, conventions, **options)


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
    """``keras.optimizers.AdamW``."""
    conventions = (epsilon_placement, bias_correction, maximum, counted)
    states = (first_moment, second_moment, maximum_second_moment)
    options: dict[str, Any] = {
        "beta_1": beta1,
        "beta_2": beta2,
        "epsilon": epsilon,
        "amsgrad": amsgrad,
        "weight_decay": weight_decay,
    }
    return _adam("AdamW", parameters, gradients, states, taken, learning_rate, conventions, **options)


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
    """``keras.optimizers.Adagrad``."""
    if epsilon_placement != "inside":
        raise Unsupported("keras.optimizers.Adagrad adds epsilon under the root")
    require_decoupled(weight_decay, "coupled")
    options: dict[str, Any] = {"initial_accumulator_value": initial_accumulator, "epsilon": epsilon}
    return optimizer_steps("Adagrad", parameters, gradients, {"_accumulators": sum_of_squares}, learning_rate, **options)


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
    """``keras.optimizers.Adadelta``."""
    require_decoupled(weight_decay, decay)
    slots = {"_accumulated_grads": mean_square, "_accumulated_delta_vars": mean_square_update}
    options: dict[str, Any] = {"rho": rho, "epsilon": epsilon, "weight_decay": weight_decay or None}
    return optimizer_steps("Adadelta", parameters, gradients, slots, learning_rate, **options)


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
    """``keras.optimizers.Nadam``, whose momentum decays as it does whatever ``momentum_decay`` says."""
    if schedule != "warming":
        raise Unsupported("keras.optimizers.Nadam has a momentum that rises")
    require_decoupled(weight_decay, "coupled")
    require_steps(counted)
    product = 1.0
    for step in range(1, taken + 1):
        product *= beta1 * (1.0 - 0.5 * 0.96**step)
    slots = {"_momentums": first_moment, "_velocities": second_moment}
    options: dict[str, Any] = {"beta_1": beta1, "beta_2": beta2, "epsilon": epsilon}
    others = {"_u_product": product}
    return optimizer_steps("Nadam", parameters, gradients, slots, learning_rate, taken, others, **options)
