"""Optimizers, clipping and learning rates, as their formulas: PyTensor has none."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt

from tensorproof.backend import Native
from tensorproof_pytensor.table import Given, composed


@dataclass(frozen=True)
class Step:
    """One parameter in one step."""

    gradient: Native
    rate: float
    count: int
    """Of this step, from 1."""
    is_first: bool
    """Nothing is known of steps before it."""


Update = Callable[..., Sequence[Native]]
"""``update(of, step, parameter, *state)`` gives the parameter and its state after the step."""


def _coupled(of: Given, parameter: Native, gradient: Native) -> Native:
    decay = getattr(of, "weight_decay", 0.0)
    return gradient + decay * parameter if decay else gradient


def _decayed(of: Given, step: Step, parameter: Native, decoupled: bool) -> tuple[Native, Native]:
    """Parameter and gradient after weight decay, which shrinks the one or is added to the other."""
    if not decoupled:
        return parameter, _coupled(of, parameter, step.gradient)
    return parameter - (step.rate * of.weight_decay) * parameter, step.gradient


def _mean(share: float, before: Native, now: Native) -> Native:
    return share * before + (1.0 - share) * now


def _root(of: Given, square: Native) -> Native:
    return pt.sqrt(square) + of.epsilon if of.epsilon_placement == "outside" else pt.sqrt(square + of.epsilon)


def _descent(of: Given, step: Step, parameter: Native) -> Sequence[Native]:
    return (parameter - step.rate * _coupled(of, parameter, step.gradient),)


def _momentum(of: Given, step: Step, parameter: Native, before: Native) -> Sequence[Native]:
    parameter, gradient = _decayed(of, step, parameter, of.decay == "decoupled")
    now = gradient if of.accumulated == "gradients" else -step.rate * gradient
    undampened = step.is_first and of.first_step == "undampened"
    velocity = now if undampened else of.coefficient * before + (1.0 - of.dampening) * now
    move = of.coefficient * velocity + now if of.nesterov else velocity
    moved = parameter - step.rate * move if of.accumulated == "gradients" else parameter + move
    return moved, velocity if of.coefficient else pt.zeros_like(velocity)


def _rmsprop(of: Given, step: Step, parameter: Native, square: Native, mean: Native, velocity: Native) -> Sequence[Native]:
    gradient = _coupled(of, parameter, step.gradient)
    square, mean = _mean(of.rho, square, pt.sqr(gradient)), _mean(of.rho, mean, gradient)
    move = gradient / _root(of, square - pt.sqr(mean) if of.centered else square)
    if not of.momentum or of.accumulated == "gradients":
        velocity = of.momentum * velocity + move
        return parameter - step.rate * velocity, square, mean, velocity
    velocity = of.momentum * velocity - step.rate * move
    return parameter + velocity, square, mean, velocity


def _adam(of: Given, step: Step, parameter: Native, *state: Native, decoupled: bool = False) -> Sequence[Native]:
    first, second, largest = state
    parameter, gradient = _decayed(of, step, parameter, decoupled)
    first, second = _mean(of.beta1, first, gradient), _mean(of.beta2, second, pt.sqr(gradient))
    corrections = [1.0 - beta**step.count if of.bias_correction else 1.0 for beta in (of.beta1, of.beta2)]
    corrected = of.amsgrad and of.maximum == "corrected"
    largest = pt.maximum(largest, second / corrections[1] if corrected else second)
    scale = largest if of.amsgrad else second
    if of.epsilon_placement == "after_correction":
        root = pt.sqrt(scale if corrected else scale / corrections[1]) + of.epsilon
        return parameter - step.rate * (first / corrections[0]) / root, first, second, largest
    move = first * (math.sqrt(corrections[1]) / corrections[0]) / (pt.sqrt(scale) + of.epsilon)
    return parameter - step.rate * move, first, second, largest


def _nadam(of: Given, step: Step, parameter: Native, first: Native, second: Native) -> Sequence[Native]:
    gradient = _coupled(of, parameter, step.gradient)
    first, second = _mean(of.beta1, first, gradient), _mean(of.beta2, second, pt.sqr(gradient))
    warming = 0.5 if of.schedule == "warming" else 0.0
    momenta = [of.beta1 * (1.0 - warming * 0.96 ** (number * of.momentum_decay)) for number in range(1, step.count + 2)]
    then, now, product = momenta[-1], momenta[-2], math.prod(momenta[:-1])
    ahead = first * (then / (1.0 - product * then)) + gradient * ((1.0 - now) / (1.0 - product))
    root = pt.sqrt(second / (1.0 - of.beta2**step.count)) + of.epsilon
    return parameter - step.rate * ahead / root, first, second


def _adagrad(of: Given, step: Step, parameter: Native, total: Native) -> Sequence[Native]:
    gradient = _coupled(of, parameter, step.gradient)
    total = total + pt.sqr(gradient)
    return parameter - step.rate * gradient / _root(of, total), total


def _adadelta(of: Given, step: Step, parameter: Native, square: Native, updates: Native) -> Sequence[Native]:
    parameter, gradient = _decayed(of, step, parameter, of.decay == "decoupled")
    square = _mean(of.rho, square, pt.sqr(gradient))
    move = pt.sqrt(updates + of.epsilon) / pt.sqrt(square + of.epsilon) * gradient
    return parameter - step.rate * move, square, _mean(of.rho, updates, pt.sqr(move))


MOMENTS = {"first_moment": "", "second_moment": ""}
LARGEST = {**MOMENTS, "maximum_second_moment": "amsgrad"}
RULES: dict[str, tuple[Update, dict[str, str]]] = {
    "gradient_descent": (_descent, {}),
    "sgd": (_descent, {}),
    "momentum": (_momentum, {"velocity": ""}),
    "rmsprop": (_rmsprop, {"mean_square": "", "mean_gradient": "centered", "velocity": "momentum"}),
    "adam": (_adam, LARGEST),
    "adamw": (functools.partial(_adam, decoupled=True), LARGEST),
    "nadam": (_nadam, MOMENTS),
    "adagrad": (_adagrad, {"sum_of_squares": ""}),
    "adadelta": (_adadelta, {"mean_square": "", "mean_square_update": ""}),
}
"""The update of each optimizer, and its state by argument, with the keyword without which there is none."""


def _steps(update: Update, slots: dict[str, str], of: Given) -> Any:
    count = len(of.parameters)
    rates = [of.learning_rate] * count if isinstance(of.learning_rate, float | int) else of.learning_rate
    start = getattr(of, "initial_accumulator", 0.0)
    given = [
        getattr(of, name) or [pt.full_like(parameter, start, dtype=parameter.dtype) for parameter in of.parameters]
        for name in slots
    ]
    rows = [list(row) for row in zip(of.parameters, *given, strict=True)]
    taken = getattr(of, "taken", 0)
    counts, is_first = [taken] * count, [all(getattr(of, name) is None for name in slots)] * count
    for number, gradients in enumerate(of.gradients, taken + 1):
        for index, gradient in enumerate(gradients):
            if gradient is not None:
                counts[index] += 1
                counted = number if getattr(of, "counted", "") == "steps" else counts[index]
                step = Step(gradient, rates[index], counted, is_first[index])
                rows[index] = list(update(of, step, *rows[index]))
                is_first[index] = False
    moved, *states = ([row[place] for row in rows] for place in range(1 + len(slots)))
    found = [state if not needed or getattr(of, needed) else [] for state, needed in zip(states, slots.values(), strict=True)]
    return (moved, *found) if slots else moved


for name, (update, slots) in RULES.items():
    composed(name, functools.partial(_steps, update, slots))


def _norm(numbers: Native) -> Native:
    """In units of the largest number, so that no square overflows."""
    largest = pt.max(pt.abs(numbers))
    unit = pt.switch((largest > 0) & (largest < math.inf), largest, 1.0)
    return unit * pt.sqrt(pt.sum(pt.sqr(numbers / unit)))


def _scaled(gradient: Native, norm: Native, of: Given) -> Native:
    return gradient * pt.switch(norm + of.epsilon <= of.limit, 1.0, of.limit / (norm + of.epsilon))


def _clip_by_global_norm(of: Given) -> list[Native]:
    norm = _norm(pt.concatenate([gradient.flatten() for gradient in of.gradients]))
    return [_scaled(gradient, norm, of) for gradient in of.gradients]


composed("clip_by_value", lambda of: [pt.clip(gradient, -of.limit, of.limit) for gradient in of.gradients])
composed("clip_by_norm", lambda of: [_scaled(gradient, _norm(gradient.flatten()), of) for gradient in of.gradients])
composed("clip_by_global_norm", _clip_by_global_norm)


def _step_schedule(of: Given) -> Native:
    rate = pt.zeros_like(of.step) + of.learning_rate
    for count, boundary in enumerate(of.boundaries, 1):
        past = of.step >= boundary if of.at_boundary == "new" else of.step > boundary
        rate = pt.switch(past, of.learning_rate * of.factor**count, rate)
    return rate


def _cosine(of: Given) -> Native:
    progress = (pt.minimum(of.step, of.steps) if of.beyond == "final" else of.step) / of.steps
    return of.final + (1.0 - of.final) * (0.5 * (1.0 + pt.cos(math.pi * progress)))


def _exponential(of: Given) -> Native:
    return pt.pow(of.rate, pt.floor(of.step / of.every) if of.staircase else of.step / of.every)


composed("constant_schedule", lambda of: pt.zeros_like(of.step) + of.learning_rate)
composed("step_schedule", _step_schedule)
composed("cosine_schedule", lambda of: of.learning_rate * _cosine(of))
composed("exponential_schedule", lambda of: of.learning_rate * _exponential(of))
composed(
    "warmup_schedule",
    lambda of: of.learning_rate * (of.start + (1.0 - of.start) * (pt.minimum(of.step, of.steps) / of.steps)),
)
