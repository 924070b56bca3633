"""Mistakes in keywords: one is ignored, negated, exchanged with another, off by one, or another convention's."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

MANY = 100_000
"""Steps after which 1 - 0.999ᵗ is 1 in float64; NAdam's product has as many factors, so more would fill the memory."""

GEOMETRY = ("stride", "dilation", "padding", "window", "output_padding")
"""Keywords with an entry for each of two axes."""

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes in one keyword, and in two."""
    defaults = situation.operation.function.__kwdefaults__ or {}
    for name, value in situation.keywords.items():
        seen = [repr(value)]
        for text, other in _others(situation, defaults, name, value).items():
            # One value is one mistake, whatever led to it.
            if repr(other) not in seen:
                seen.append(repr(other))
                yield situation.with_keywords(text, **{name: other})
    numbers = {name: value for name, value in situation.keywords.items() if type(value) is float}
    for (first, one), (second, two) in itertools.combinations(numbers.items(), 2):
        if one != two:
            yield situation.with_keywords(f"{first} and {second} exchanged", **{first: two, second: one})


def _others(situation: Situation, defaults: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Wrong values of a keyword by what is wrong."""
    others: dict[str, Any] = {}
    if name == "reduction" and value in ("mean", "sum"):
        other = "sum" if value == "mean" else "mean"
        return {f"{other} in place of {value}": other}
    conventions = situation.operation.conventions.get(name, ())
    for other in conventions:
        others[f"{name}={other} in place of {value}"] = other
    if name in defaults and name not in situation.operation.conventions:
        others[f"{name} is ignored"] = defaults[name]
    if type(value) is bool and value == defaults.get(name) and not conventions:
        others[f"{name}={not value} in place of {value}"] = not value
    if name == "epsilon":
        others["no epsilon"] = 0.0
        others |= {f"epsilon is {other:g}": other for other in EPSILONS}
    if name == "bias_correction" and value is True:
        return {"no bias correction": False}
    if name == "taken" and "bias_correction" not in situation.keywords:
        others["no bias correction"] = MANY
    if name == "axis" and type(value) is int:
        rank = next(iter(situation.expectation.arguments.leaves.values())).ndim
        default = defaults.get(name, value) % max(rank, 1)
        others |= {f"along axis {axis}": axis for axis in range(rank) if axis not in (value % max(rank, 1), default)}
        others |= {"one axis further": value + 1, "one axis before": value - 1}
    elif type(value) is int:
        others |= {f"{name} one too large": value + 1, f"{name} one too small": value - 1, f"{name} halved": value // 2}
    if type(value) is float:
        if 0.0 <= value <= 1.0 and name != "epsilon":
            others[f"1 - {name} in place of {name}"] = 1.0 - value
        # A momentum of 1 is what batch_norm's own mistakes are about.
        others |= {f"{name} is 1": 1.0} if name not in ("epsilon", "momentum", "weight_decay") else {}
        others |= {f"{name} is 0": 0.0} if name not in ("epsilon", "momentum") else {}
        if situation.expectation.dtype == "float64":
            others[f"{name} rounded to float32"] = float(np.float32(value))
    if isinstance(value, tuple) and len(value) > 1:
        others |= _of_tuples(name, value)
    return others


def _of_tuples(name: str, value: tuple[Any, ...]) -> dict[str, Any]:
    others: dict[str, Any] = {}
    if name in GEOMETRY and len(value) == 2:
        if all(isinstance(item, tuple) for item in value):
            others[f"sides of {name} exchanged"] = tuple(tuple(reversed(item)) for item in value)
            others[f"first of each pair of {name} on both sides"] = tuple((item[0], item[0]) for item in value)
        others[f"axes of {name} exchanged"] = value[::-1]
    else:
        others[f"first of {name} only"] = value[:1]
    others[f"first of {name} for all"] = (value[0],) * len(value)
    return others
