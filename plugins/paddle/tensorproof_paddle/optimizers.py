"""Optimizers of ``paddle.optimizer``, its learning rates, and clipping of ``paddle.nn``."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import paddle
from paddle.optimizer import lr

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, native, require, require_eager


@dataclass(frozen=True)
class Slot:
    """What Paddle calls an array of state, the keyword without which there is none, and its sign."""

    name: str
    given: str = ""
    sign: float = 1.0


@dataclass(frozen=True)
class Rule:
    """An optimizer of Paddle as an operation."""

    kind: Callable[..., Any]
    options: Mapping[str, str]
    """Keywords of the operation, by Paddle's name."""
    slots: Mapping[str, Slot] = field(default_factory=dict)
    """By the operation's argument, in the order of its results."""
    numbers: Callable[[Given, Native], Mapping[str, Native]] = lambda of, leaf: {}
    """Other state of a parameter."""
    only: Mapping[str, Any] = field(default_factory=dict)
    """The values of keywords that Paddle does not let choose."""


def _same(*names: str, **renamed: str) -> dict[str, str]:
    return {**{name: name for name in names}, **renamed}


def _powers(of: Given, leaf: Native) -> Mapping[str, Native]:
    """What Adam divides by in its next step, kept as powers."""
    powers = {"beta1_pow_acc": of.beta1 ** (of.taken + 1), "beta2_pow_acc": of.beta2 ** (of.taken + 1)}
    return {name: paddle.full([1], power, leaf.dtype) for name, power in powers.items()}


def _momenta(of: Given, leaf: Native) -> Mapping[str, Native]:
    """The powers after the steps that NAdam took, and the product of its momenta."""
    product = 1.0
    for step in range(1, of.taken + 1):
        product *= of.beta1 * (1.0 - 0.5 * 0.96 ** (step * of.momentum_decay))
    numbers = {"momentum_decay_pow": 0.96**of.taken, "beta2_pow": of.beta2**of.taken, "mu_product": product}
    return {name: paddle.full_like(leaf, number) for name, number in numbers.items()}


ZERO = paddle.nn.initializer.Constant(0.0)
MOMENTS = {"first_moment": Slot("moment1"), "second_moment": Slot("moment2")}
LARGEST = {**MOMENTS, "maximum_second_moment": Slot("moment2_max", "amsgrad")}
ADAM = _same("beta1", "beta2", "epsilon", "amsgrad", "weight_decay")
CORRECTED = {"epsilon_placement": "after_correction", "bias_correction": True, "maximum": "raw", "counted": "updates"}
RULES = {
    "gradient_descent": Rule(paddle.optimizer.SGD, {}),
    "sgd": Rule(paddle.optimizer.SGD, _same("weight_decay")),
    "momentum": Rule(
        paddle.optimizer.Momentum,
        _same("weight_decay", momentum="coefficient", use_nesterov="nesterov"),
        {"velocity": Slot("velocity")},
        only={"dampening": 0.0, "decay": "coupled", "accumulated": "gradients"},
    ),
    "rmsprop": Rule(
        paddle.optimizer.RMSProp,
        _same("rho", "epsilon", "centered", "momentum", "weight_decay"),
        {
            "mean_square": Slot("mean_square"),
            "mean_gradient": Slot("mean_grad", "centered"),
            "velocity": Slot("momentum", "momentum", -1.0),
        },
        only={"epsilon_placement": "inside", "accumulated": "updates"},
    ),
    "adam": Rule(paddle.optimizer.Adam, ADAM, LARGEST, _powers, CORRECTED),
    "adamw": Rule(paddle.optimizer.AdamW, ADAM, LARGEST, _powers, CORRECTED),
    "nadam": Rule(
        paddle.optimizer.NAdam,
        _same("beta1", "beta2", "epsilon", "momentum_decay", "weight_decay"),
        MOMENTS,
        _momenta,
        {"schedule": "warming", "counted": "updates"},
    ),
    "adagrad": Rule(
        paddle.optimizer.Adagrad,
        _same("epsilon", "weight_decay", initial_accumulator_value="initial_accumulator"),
        {"sum_of_squares": Slot("moment")},
        only={"epsilon_placement": "outside"},
    ),
    "adadelta": Rule(
        paddle.optimizer.Adadelta,
        _same("rho", "epsilon", "weight_decay"),
        {"mean_square": Slot("_avg_squared_grad"), "mean_square_update": Slot("_avg_squared_update")},
        only={"decay": "coupled"},
    ),
}


def _steps(rule: Rule, of: Given) -> Any:
    """Copies of the parameters and the slots after the steps.

    State is put in place by ``set_state_dict`` where any is given. A rate for each parameter is a factor of 1.
    """
    require_eager("an optimizer's step")
    single = isinstance(of.learning_rate, float | int)
    leaves = []
    for parameter, rate in zip(of.parameters, [1.0] * len(of.parameters) if single else of.learning_rate, strict=True):
        leaves.append(
            paddle.create_parameter(
                parameter.shape, parameter.dtype, attr=paddle.ParamAttr(learning_rate=rate), default_initializer=ZERO
            )
        )
        leaves[-1].set_value(parameter)
    options = {name: getattr(of, keyword) for name, keyword in rule.options.items()}
    optimizer = rule.kind(learning_rate=of.learning_rate if single else 1.0, parameters=leaves, **options)
    given = {argument: getattr(of, argument) for argument in rule.slots if getattr(of, argument) is not None}
    state: dict[str, Native] = {}
    if given:
        for index, leaf in enumerate(leaves):
            state |= {f"{leaf.name}_{name}_0": number for name, number in rule.numbers(of, leaf).items()}
            for argument, arrays in given.items():
                state[f"{leaf.name}_{rule.slots[argument].name}_0"] = rule.slots[argument].sign * arrays[index]
        optimizer.set_state_dict(state)
    for of_step in of.gradients:
        for leaf, gradient in zip(leaves, of_step, strict=True):
            leaf.grad = gradient
        optimizer.step()
    after = {**state, **optimizer.state_dict()}  # A parameter that had no gradient has none of the optimizer's.
    found = [
        [slot.sign * after.get(f"{leaf.name}_{slot.name}_0", paddle.zeros_like(leaf)) for leaf in leaves]
        if not slot.given or getattr(of, slot.given)
        else []
        for slot in rule.slots.values()
    ]
    moved = [leaf.detach() for leaf in leaves]
    return (moved, *found) if rule.slots else moved


for name, rule in RULES.items():
    native(name, functools.partial(_steps, rule), **rule.only)


def _momentum(of: Given) -> Any:
    """``SGD`` where there is no momentum: then no velocity is kept."""
    if of.coefficient:
        return _steps(RULES["momentum"], of)
    return _steps(RULES["sgd"], of), [paddle.zeros_like(parameter) for parameter in of.parameters]


native("momentum", _momentum, **RULES["momentum"].only)


def _clipped(clip: Any, of: Given) -> list[Native]:
    """Gradients after a clip, which takes and gives them with their parameters, and may change them in place: copies."""
    require_eager("clipping")
    require(of.limit > 0, "Paddle clips to a limit above 0")
    return [gradient for _, gradient in clip(of.limit)([(gradient, gradient.clone()) for gradient in of.gradients])]


native("clip_by_value", functools.partial(_clipped, paddle.nn.ClipGradByValue))
native("clip_by_norm", functools.partial(_clipped, paddle.nn.ClipGradByNorm), epsilon=0.0)
native("clip_by_global_norm", functools.partial(_clipped, paddle.nn.ClipGradByGlobalNorm), epsilon=0.0)


def _exponential(of: Given, start: float) -> Any:
    """``StepDecay`` as a staircase, ``ExponentialDecay`` for every step, and the formula in ``LambdaDecay`` for several."""
    if of.staircase:
        require(of.rate < 1, "StepDecay takes a rate below 1")
        return lr.StepDecay(start, of.every, of.rate)
    if of.every == 1:
        return lr.ExponentialDecay(start, of.rate)
    return lr.LambdaDecay(start, lambda step: of.rate ** (step / of.every))


def _multi_step(of: Given, start: float) -> Any:
    require(of.factor < 1, "MultiStepDecay takes a factor below 1")
    return lr.MultiStepDecay(start, list(of.boundaries), of.factor)


def _warmup(of: Given, start: float) -> Any:
    require(of.start * start < start, "LinearWarmup ends above where it starts")
    return lr.LinearWarmup(start, of.steps, of.start * start, start)


SCHEDULES: Mapping[str, tuple[Callable[[Given, float], Any], Mapping[str, Any]]] = {
    "constant_schedule": (lambda of, start: lr.LambdaDecay(start, lambda step: 1.0), {}),
    "step_schedule": (_multi_step, {"at_boundary": "new"}),
    "exponential_schedule": (_exponential, {}),
    "cosine_schedule": (lambda of, start: lr.CosineAnnealingDecay(start, of.steps, of.final * start), {"beyond": "periodic"}),
    "warmup_schedule": (_warmup, {}),
}
"""The scheduler of each operation from its arguments and the learning rate, and what it does not let choose."""


def _rates(scheduler: Callable[[Given, float], Any], of: Given) -> Native:
    """The learning rates at the steps asked for, which the scheduler reaches one after the other, in Python's floats."""
    require_eager("a scheduler")
    schedule = scheduler(of, float(of.learning_rate))
    wanted = of.step.astype("int64").flatten().tolist()
    found = [schedule.last_lr]
    for _ in range(max(wanted, default=0)):
        schedule.step()
        found.append(schedule.last_lr)
    return paddle.to_tensor([found[number] for number in wanted], dtype=of.step.dtype).reshape(of.step.shape)


for name, (scheduler, only) in SCHEDULES.items():
    native(name, functools.partial(_rates, scheduler), **only)
