"""What Adam and AdamW share: the step, and the samples."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Sample
from tensorproof_reference.optimizers._samples import at_ends, counted_both_ways, optimizer_samples
from tensorproof_reference.optimizers._steps import (
    COUNTS,
    Arrays,
    Gradients,
    Rate,
    coupled,
    require_fraction,
    require_not_negative,
    require_positive,
    run,
    shrunk,
    slots,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLACEMENTS = ("after_correction", "before_correction")
MAXIMA = ("raw", "corrected")
CONVENTIONS = {"epsilon_placement": PLACEMENTS, "maximum": MAXIMA, "counted": COUNTS}
OUTPUTS = ("parameters", "first_moment", "second_moment", "maximum_second_moment")


def adam_steps(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None,
    second_moment: Arrays | None,
    maximum_second_moment: Arrays | None,
    *,
    decoupled: bool,
    taken: int,
    learning_rate: Rate,
    beta1: float,
    beta2: float,
    epsilon: float,
    epsilon_placement: str,
    bias_correction: bool,
    amsgrad: bool,
    maximum: str,
    weight_decay: float,
    counted: str,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    """The steps of ``adam``, or of ``adamw`` where weight decay is ``decoupled``."""
    require_fraction(beta1=beta1, beta2=beta2)
    require_positive(epsilon=epsilon)
    require_not_negative(weight_decay=weight_decay)
    require_choice(epsilon_placement, "epsilon_placement", PLACEMENTS)
    require_choice(maximum, "maximum", MAXIMA)
    unclear = amsgrad and maximum == "corrected" and epsilon_placement == "before_correction"
    require(not unclear, "maximum", "'raw' where epsilon is added before the correction", maximum)

    def update(
        parameter: Array, first: Array, second: Array, largest: Array, gradient: Array, rate: float, count: int
    ) -> tuple[Array, ...]:
        if decoupled:
            parameter = shrunk(parameter, rate, weight_decay)
        else:
            gradient = coupled(parameter, gradient, weight_decay)
        first = beta1 * first + (1.0 - beta1) * gradient
        second = beta2 * second + (1.0 - beta2) * np.square(gradient)
        correction1 = 1.0 - beta1**count if bias_correction else 1.0
        correction2 = 1.0 - beta2**count if bias_correction else 1.0
        scale = second
        if amsgrad:
            largest = np.maximum(largest, second if maximum == "raw" else second / correction2)
            scale = largest if maximum == "raw" else largest * correction2
        if epsilon_placement == "after_correction":
            step = (first / correction1) / (np.sqrt(scale / correction2) + epsilon)
        else:
            step = first * (correction2**0.5 / correction1) / (np.sqrt(scale) + epsilon)
        return parameter - rate * step, first, second, largest

    states = slots(
        parameters, first_moment=first_moment, second_moment=second_moment, maximum_second_moment=maximum_second_moment
    )
    moved, first, second, largest = run(
        update, parameters, gradients, states, learning_rate=learning_rate, taken=taken, counted=counted
    )
    return moved, first, second, largest if amsgrad else []


def adam_samples(stream: Stream) -> Iterator[Sample]:
    """The samples of every optimizer, and every pair of options."""
    decay = {"weight_decay": 0.125}
    variants: dict[str, dict[str, Any]] = {
        "optional_amsgrad": {"amsgrad": True},
        "optional_weight_decay": decay,
        "optional_weight_decay_tenth": {"weight_decay": 0.1, "learning_rate": 0.1},
        "optional_amsgrad_weight_decay": {"amsgrad": True, **decay},
        "optional_amsgrad_given": {"amsgrad": True},
        "optional_weight_decay_given": decay,
        "optional_weight_decay_second_group": {"learning_rate": (0.125, 0.5), **decay},
        "optional_amsgrad_second_group": {"learning_rate": (0.125, 0.5), "amsgrad": True},
        "optional_coefficients": {"beta1": 0.5, "beta2": 0.75},
        "optional_no_first_moment": {"beta1": 0.0},
        "epsilon_large": {"epsilon": 0.25},
        "epsilon_large_given": {"epsilon": 0.25},
        "epsilon_large_amsgrad": {"epsilon": 0.25, "amsgrad": True},
    }
    ends = {
        "beta1_zero": {"beta1": 0.0},
        "beta2_zero": {"beta2": 0.0},
        "betas_zero": {"beta1": 0.0, "beta2": 0.0},
        "rate_zero": {"learning_rate": 0.0},
    }
    variants |= at_ends(ends, {"weight_decay": decay, "amsgrad": {"amsgrad": True}})
    for placement in PLACEMENTS:
        convention = {"epsilon_placement": placement, "epsilon": 0.25}
        variants[f"convention_epsilon_{placement}"] = convention
        variants[f"convention_epsilon_{placement}_given"] = convention
        variants[f"convention_epsilon_{placement}_weight_decay"] = {**convention, **decay}
    for kind in MAXIMA:
        variants[f"convention_maximum_{kind}"] = {"maximum": kind, "amsgrad": True}
        variants[f"convention_maximum_{kind}_given"] = {"maximum": kind, "amsgrad": True}
    states = {"first_moment": "-", "second_moment": "+", "maximum_second_moment": "+"}
    yield from counted_both_ways(optimizer_samples(stream, variants=variants, states=states, counted=True))
    # The learning that is slowest to start: without correction the first steps would be three times too long.
    uncorrected = {"learning_rate": 0.125, "bias_correction": False, "amsgrad": True}
    start = next(sample for sample in optimizer_samples(stream("uncorrected"), variants={}) if sample.name == "plain_fast")
    yield Sample(name="optional_no_correction_amsgrad", inputs=start.inputs, keywords=uncorrected, required=False)
    plain = {**uncorrected, "amsgrad": False}
    yield Sample(name="optional_no_correction", inputs=start.inputs, keywords=plain, required=False)
