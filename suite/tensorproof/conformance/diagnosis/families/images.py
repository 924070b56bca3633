"""Mistakes in preparing data: angles, directions, labels, the ends of sequences."""

from collections.abc import Iterator

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

CHOICES = {"interpolation": ("nearest", "bilinear"), "fill": ("constant", "nearest", "reflect", "wrap", "mirror")}
"""Values of keywords that are taken for each other."""


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of an operation on images, labels or sequences."""
    inputs = situation.sample.inputs
    if "degrees" in inputs:
        yield situation.with_inputs("degrees taken for radians", degrees=inputs["degrees"] * (180.0 / np.pi))
        yield situation.with_inputs("half of the angle", degrees=inputs["degrees"] * 0.5)
    if "vertical" in inputs and "horizontal" in inputs:
        both = {"vertical": -inputs["vertical"], "horizontal": -inputs["horizontal"]}
        yield situation.with_inputs("shifted the other way", **both)
        whole = {name: np.rint(inputs[name]) for name in both}
        yield situation.with_inputs("shifted by whole pixels", **whole)
    for name, values in (
        ("interpolation", ("nearest", "bilinear")),
        ("fill", ("constant", "nearest", "reflect", "wrap", "mirror")),
    ):
        given = situation.keywords.get(name)
        if given is not None:
            for value in values:
                if value != given:
                    yield situation.with_keywords(f"{name}={value} in place of {given}", **{name: value})
    for name in ("padding", "truncating"):
        given = situation.keywords.get(name)
        if given in ("before", "after"):
            other = "after" if given == "before" else "before"
            yield situation.with_keywords(f"{name}={other} in place of {given}", **{name: other})
