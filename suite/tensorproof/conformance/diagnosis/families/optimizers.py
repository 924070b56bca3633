"""Mistakes in optimizers, clipping and schedules: steps, state, decay, gradients that are absent, norms."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation
from tensorproof_reference.registry import basic_operations

COUPLED = {"adam": "adamw", "adamw": "adam"}
"""Operations that differ in how weight decay enters."""
SCHEDULES = ("constant_schedule", "cosine_schedule", "exponential_schedule", "step_schedule", "warmup_schedule")
STATE = ("parameters", "gradients")
"""Inputs that are not state."""


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of an operation that changes parameters, or makes a learning rate."""
    inputs = situation.sample.inputs
    if "parameters" in inputs and "gradients" in inputs:
        yield from _gradients(situation)
        yield from _decay(situation)
        yield from _moved(situation)
    if situation.name in ("clip_by_norm", "clip_by_global_norm"):
        yield from _norms(situation)
    if situation.name == "clip_by_value":
        yield Mistake(text="limited from above only", function=lambda gradients, limit: [np.minimum(g, limit) for g in gradients])
        yield Mistake(
            text="limited from below only", function=lambda gradients, limit: [np.maximum(g, -limit) for g in gradients]
        )
    if situation.name in SCHEDULES:
        step, rate = inputs["step"], inputs["learning_rate"]
        yield situation.with_inputs("one step early", step=step + 1.0)
        yield situation.with_inputs("one step late", step=np.maximum(step - 1.0, 0.0))
        yield situation.with_inputs("learning_rate is ignored", learning_rate=np.ones_like(rate))


def _gradients(situation: Situation) -> Iterator[Mistake]:
    parameters, gradients = situation.sample.inputs["parameters"], situation.sample.inputs["gradients"]
    count = len(gradients)
    if count:
        yield situation.with_inputs("the last step left out", gradients=gradients[:-1])
    if count > 1:
        yield situation.with_inputs("the first step left out", gradients=gradients[1:])
        yield situation.with_inputs("the first gradient in every step", gradients=[gradients[0]] * count)
        yield situation.with_inputs("the last gradient in every step", gradients=[gradients[-1]] * count)
        if all(g is not None for of_step in gradients for g in of_step):
            sums = [sum(of_parameter) for of_parameter in zip(*gradients, strict=True)]
            yield situation.with_inputs("gradients averaged over the steps", gradients=[[total / count for total in sums]])
            yield situation.with_inputs("gradients added up over the steps", gradients=[sums])
    if any(g is None for of_step in gradients for g in of_step):
        for word, like in (("zero", np.zeros_like), ("one", np.ones_like)):
            filled = [[like(p) if g is None else g for p, g in zip(parameters, of_step, strict=True)] for of_step in gradients]
            yield situation.with_inputs(f"an absent gradient taken for {word}", gradients=filled)
    yield situation.with_inputs(
        "gradients of the other sign", gradients=[[None if g is None else -g for g in of_step] for of_step in gradients]
    )
    states = {name: state for name, state in situation.sample.inputs.items() if name not in STATE and state}
    shared = {name: [np.full_like(array, float(np.mean(state[0]))) for array in state] for name, state in states.items()}
    yield situation.with_inputs("state of the first parameter for all", **shared)


def _decay(situation: Situation) -> Iterator[Mistake]:
    keywords = situation.keywords
    decay, rate = keywords.get("weight_decay"), keywords.get("learning_rate")
    if decay and isinstance(rate, float) and rate:
        yield situation.with_keywords("weight decay not scaled by the learning rate", weight_decay=decay / rate)
        yield situation.with_keywords("weight decay scaled by the learning rate", weight_decay=decay * rate)
    other = COUPLED.get(situation.name)
    if other and decay:
        function = basic_operations()[other].function
        word = "coupled" if other == "adam" else "decoupled"
        yield Mistake(
            text=f"weight decay {word}",
            function=lambda **arguments: function(**{**arguments, "weight_decay": decay}),
        )
    if situation.name == "nadam":
        adam = basic_operations()["adam"].function
        gone = ("schedule", "momentum_decay")
        rest = {name: value for name, value in keywords.items() if name not in gone}
        yield Mistake(
            text="no Nesterov momentum",
            function=lambda parameters, gradients, first_moment=None, second_moment=None, **others: adam(
                parameters, gradients, first_moment, second_moment, **rest
            )[:3],
        )


def _moved(situation: Situation) -> Iterator[Mistake]:
    """What moves the parameters in another way than they should, with the state as it should be."""
    right = situation.operation.function
    single = situation.operation.outputs == ("parameters",)

    def step(change: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def function(parameters: Any, **others: Any) -> Any:
            results = right(parameters=parameters, **others)
            moved = results if single else results[0]
            changed = [change(p, q) for p, q in zip(parameters, moved, strict=True)]
            return changed if single else (changed, *results[1:])

        return function

    yield Mistake(text="steps in the other direction", function=step(lambda before, after: before - (after - before)))
    yield Mistake(text="parameters left as they were", function=step(lambda before, after: before))


def _norms(situation: Situation) -> Iterator[Mistake]:
    together = situation.name == "clip_by_global_norm"
    right = situation.operation.function

    def root(squares: Any) -> Any:
        return np.sqrt(squares)

    def norms(gradients: Any, whole: bool) -> list[Any]:
        squares = [np.sum(np.square(g)) for g in gradients]
        return [root(sum(squares))] * len(gradients) if whole else [root(square) for square in squares]

    def sizes(gradients: Any) -> list[Any]:
        sums = [np.sum(np.abs(g)) for g in gradients]
        return [sum(sums)] * len(gradients) if together else sums

    def scaled(found: Callable[[Any], list[Any]], always: bool = False) -> Callable[..., Any]:
        def function(gradients: Any, *, limit: float, epsilon: float = 0.0) -> Any:
            factors = [limit / (norm + epsilon) for norm in found(gradients)]
            return [g * (f if always else np.minimum(f, 1.0)) for g, f in zip(gradients, factors, strict=True)]

        return function

    word = "each gradient" if together else "all gradients"
    yield Mistake(text=f"norm of {word}", function=scaled(lambda gradients: norms(gradients, not together)))
    yield Mistake(text="sum of absolute values for the norm", function=scaled(sizes))
    yield Mistake(text="always scaled to the limit", function=scaled(lambda gradients: norms(gradients, together), always=True))
    yield Mistake(text="always scaled to the limit", function=scaled(lambda gradients: norms(gradients, False), always=True))
    largest = max((g.size for g in situation.sample.inputs["gradients"]), default=1)
    yield Mistake(
        text="root mean square for the norm",
        function=lambda gradients, limit, epsilon=0.0: right(gradients, limit=limit * math.sqrt(largest), epsilon=epsilon),
    )
