"""Optimizers of Optax beyond those of the texts (profile ``extended``)."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, optax
from tensorproof_jax.optimizers import Natives, Rate, after_decay, before_decay, optimizer_steps
from tensorproof_jax.table import operations

GradientsOfSteps = Sequence[Sequence[Native | None]]


@operations.library
def adamax(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    infinity_norm: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "gradient",
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.adamax`` after ``optax.add_decayed_weights``, and ``optax.adamaxw``."""
    if epsilon_placement != "gradient":
        raise Unsupported("optax.adamax adds epsilon to the size of the gradient")
    numbers = {"b1": beta1, "b2": beta2, "eps": epsilon}

    def transformation(rate: float) -> Any:
        if decay == "decoupled":
            return optax.adamaxw(rate, **numbers, weight_decay=weight_decay)
        return after_decay(optax.adamax(rate, **numbers), weight_decay)

    slots = {"mu": first_moment, "nu": infinity_norm}
    return optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)


@operations.library
def radam(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.radam``, and ``optax.scale_by_radam`` where weight decay is decoupled."""
    if epsilon_placement != "after_correction":
        raise Unsupported("Optax corrects before it adds epsilon")
    numbers = {"b1": beta1, "b2": beta2, "eps": epsilon, "threshold": threshold}

    def transformation(rate: float) -> Any:
        if weight_decay and decay == "decoupled":
            return before_decay(optax.scale_by_radam(**numbers), rate, weight_decay)
        return after_decay(optax.radam(rate, **numbers), weight_decay)

    slots = {"mu": first_moment, "nu": second_moment}
    return optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)


@operations.library
def lion(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    *,
    learning_rate: Rate = 0.0001,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``optax.lion``."""

    def transformation(rate: float) -> Any:
        return optax.lion(rate, beta1, beta2, weight_decay=weight_decay)

    return optimizer_steps(transformation, parameters, gradients, {"mu": first_moment}, learning_rate)


@operations.library
def lamb(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "scaled",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.lamb``."""
    if decay != "scaled":
        raise Unsupported("optax.lamb scales the weight decay with the step")

    def transformation(rate: float) -> Any:
        return optax.lamb(rate, beta1, beta2, epsilon, weight_decay=weight_decay)

    slots = {"mu": first_moment, "nu": second_moment}
    return optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)


@operations.library
def rprop(
    parameters: Natives,
    gradients: GradientsOfSteps,
    previous: Natives | None = None,
    step_size: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    shrinking: float = 0.5,
    growing: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
    kept: str = "gradient",
) -> tuple[list[Native], ...]:
    """``optax.rprop``."""
    if kept != "step":
        raise Unsupported("optax.rprop remembers the step")

    def transformation(rate: float) -> Any:
        return optax.rprop(rate, shrinking, growing, smallest, largest)

    slots = {"prev_updates": previous, "step_sizes": step_size}
    moved, before, sizes = optimizer_steps(transformation, parameters, gradients, slots, learning_rate)
    rates = [learning_rate] * len(sizes) if isinstance(learning_rate, float | int) else learning_rate
    for index, rate in enumerate(rates):
        if step_size is None and all(of_step[index] is None for of_step in gradients):
            sizes[index] = jax.numpy.full_like(parameters[index], rate)
    return moved, before, sizes


@operations.library
def adafactor(
    parameters: Natives,
    gradients: GradientsOfSteps,
    row_moment: Natives | None = None,
    column_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.01,
    exponent: float = 0.8,
    epsilon: float = 1e-30,
    epsilon_placement: str = "added",
    smallest_size: float = 0.001,
    threshold: float = 1.0,
    factored: str = "last",
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``optax.adafactor`` with the schedule of the paper, whose ``v_row`` lacks the larger of the two axes."""
    if epsilon_placement != "added":
        raise Unsupported("optax.adafactor adds epsilon to the squares")
    if factored != "largest":
        raise Unsupported("optax.adafactor keeps the moments of the two largest axes apart")
    if smallest_size != 1e-3:
        raise Unsupported("optax.adafactor takes a parameter to be at least of size 1e-3")

    def transformation(rate: float) -> Any:
        def schedule(count: Native) -> Native:
            return jax.numpy.minimum(rate, 1.0 / jax.numpy.sqrt(count + 1.0))

        return optax.adafactor(schedule, 1, exponent, clipping_threshold=threshold, eps=epsilon)

    orders = [_larger_axis_last(parameter.shape) for parameter in parameters]
    pairs = iter(zip(row_moment or (), column_moment or (), strict=True))
    given: dict[str, list[Native]] = {"v_row": [], "v_col": [], "v": []}
    vectors = iter(second_moment or ())
    nothing = [jax.numpy.zeros((1,), parameter.dtype) for parameter in parameters]
    for order, empty in zip(orders, nothing, strict=True):
        row, column = (empty, empty) if order is None or row_moment is None else next(pairs)
        given["v_row"].append(row if order is not False else column)
        given["v_col"].append(column if order is not False else row)
        given["v"].append(empty if order is not None or second_moment is None else next(vectors))
    slots: dict[str, Natives | None] = dict(given) if row_moment is not None else dict.fromkeys(given)
    moved, rows, columns, moments = optimizer_steps(transformation, parameters, gradients, slots, learning_rate, taken)
    found = [(row, column) if order else (column, row) for row, column, order in zip(rows, columns, orders, strict=True)]
    kept = [pair for pair, order in zip(found, orders, strict=True) if order is not None]
    others = [moment for moment, order in zip(moments, orders, strict=True) if order is None]
    return moved, [row for row, _ in kept], [column for _, column in kept], others


def _larger_axis_last(shape: Sequence[int]) -> bool | None:
    """Whether the larger of the two largest axes is the later one, as ``v_row`` then lacks it; ``None`` where all are kept."""
    if len(shape) < 2:
        return None
    smaller, larger = sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[-2:]
    return larger > smaller


@operations.library
def muon(
    parameters: Natives,
    gradients: GradientsOfSteps,
    first_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    coefficient: float = 0.95,
    nesterov: bool = True,
    average: str = "mean",
    coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    iterations: int = 5,
    epsilon: float = 1e-7,
    guard: str = "added",
    scale: str = "rows",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``optax.contrib.muon`` of matrices, whose rows are the inputs."""
    if average != "corrected":
        raise Unsupported("optax.contrib.muon corrects the bias of the mean")
    if guard != "added":
        raise Unsupported("optax.contrib.muon adds epsilon to the norm")
    if scale not in ("columns", "size"):
        raise Unsupported("optax.contrib.muon scales by columns and rows, or by the larger side")
    options: dict[str, Any] = {
        "ns_coeffs": coefficients,
        "ns_steps": iterations,
        "beta": coefficient,
        "eps": epsilon,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
        "consistent_rms": 0.2 if scale == "size" else None,
    }

    def transformation(rate: float) -> Any:
        return optax.contrib.muon(rate, **options)

    return optimizer_steps(transformation, parameters, gradients, {"mu": first_moment}, learning_rate, taken)


@operations.library
def lbfgs(
    parameters: Natives,
    gradients: Sequence[Natives],
    previous_parameters: Natives | None = None,
    previous_gradients: Natives | None = None,
    parameter_changes: Sequence[Natives] | None = None,
    gradient_changes: Sequence[Natives] | None = None,
    *,
    memory: int = 10,
    learning_rate: float = 1.0,
    kept: str = "positive",
    scale: str = "curvature",
    first_step: str = "norm",
    zero_gradient: str = "counts",
) -> tuple[Any, ...]:
    """``optax.lbfgs`` without a line search, whose memory begins with places for all pairs; its steps by ``jax.lax.scan``."""
    if kept != "all":
        raise Unsupported("optax.lbfgs keeps all pairs")
    if first_step != ("norm" if scale == "curvature" else "whole"):
        raise Unsupported("optax.lbfgs limits the first step by the gradient's norm where it scales by the curvature, else not")
    if zero_gradient != "counts":
        raise Unsupported("optax.lbfgs takes a step along a gradient of zero for one as any other")
    moved, before, old = list(parameters), previous_parameters, previous_gradients
    optimizer = optax.lbfgs(learning_rate, memory, scale_init_precond=scale == "curvature", linesearch=None)
    state = optimizer.init(moved)
    count, (first, *others) = 0, state
    if before is not None and old is not None:
        steps, changes = list(parameter_changes or ()), list(gradient_changes or ())
        count = len(steps) + 1
        curvatures = [optax.tree.vdot(step, change) for step, change in zip(steps, changes, strict=True)]
        weights = first.weights_memory
        first = first._replace(
            count=jax.numpy.asarray(count, jax.numpy.int32),
            params=list(before),
            updates=list(old),
            diff_params_memory=_with_pairs(first.diff_params_memory, steps),
            diff_updates_memory=_with_pairs(first.diff_updates_memory, changes),
            weights_memory=_with_pairs([weights], [[1.0 / curvature] for curvature in curvatures])[0],
        )
        state = (first, *others)

    def step(carry: tuple[Natives, Any], of_step: Natives) -> tuple[tuple[Natives, Any], None]:
        place, before_step = carry
        updates, after = optimizer.update(of_step, before_step, place)
        return (optax.apply_updates(place, updates), after), None

    of_steps = [jax.numpy.stack(of_parameter) for of_parameter in zip(*gradients, strict=True)]
    (moved, state), _ = jax.lax.scan(step, (moved, state), of_steps)
    count += len(gradients)
    first = state[0]
    # The pair of the step so many steps ago lies at this place.
    places = [number % memory for number in range(max(0, count - 1 - memory), count - 1)]
    memories = (first.diff_params_memory, first.diff_updates_memory)
    pairs = [[[array[place] for array in arrays] for place in places] for arrays in memories]
    return moved, first.params if count else moved, first.updates, *pairs


def _with_pairs(arrays: Natives, pairs: Sequence[Natives]) -> list[Native]:
    """A memory whose first places have these pairs."""
    filled = list(arrays)
    for place, pair in enumerate(pairs):
        filled = [array.at[place].set(item) for array, item in zip(filled, pair, strict=True)]
    return filled
