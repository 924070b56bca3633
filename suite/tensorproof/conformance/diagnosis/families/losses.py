"""Mistakes in losses, penalties and measures: logarithms, reductions, smoothing, labels."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.families.elementwise import UNSHIFTED
from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

GUARDS = (1e-3, 1e-5, 1e-7, 1e-8, 1e-10, 1e-12)
"""Numbers that are often added inside a logarithm."""
CROSS_ENTROPY = "softmax_cross_entropy"


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of a loss."""
    name = situation.name
    if name in ("cross_entropy", "binary_cross_entropy", "categorical_cross_entropy", "sparse_categorical_cross_entropy"):
        yield from _probabilities(situation)
    if name == CROSS_ENTROPY:
        yield from _logits(situation)
    if name == "binary_cross_entropy_with_logits":
        yield from _binary_logits()
    if name == "hinge":
        yield from _hinge(situation)
    if name == "l1_penalty":
        yield Mistake(text="absolute value of the sum", function=lambda w, strength=0.01: strength * np.abs(np.sum(w)))
        yield Mistake(text="sum of squares", function=lambda w, strength=0.01: strength * np.sum(np.square(w)))
    if name == "l2_penalty":
        yield Mistake(
            text="root of the sum of squares", function=lambda w, strength=0.01: strength * np.sqrt(np.sum(np.square(w)))
        )
        yield Mistake(text="sum of absolute values", function=lambda w, strength=0.01: strength * np.sum(np.abs(w)))
    if name == "mean_squared_error":
        yield from _squares()


def _reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else np.sum(losses) if reduction == "sum" else np.mean(losses)


def _squares() -> Iterator[Mistake]:
    def multiplied_out(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
        return _reduced(prediction * prediction - 2.0 * prediction * target + target * target, reduction)

    yield Mistake(text="square of the difference multiplied out", function=multiplied_out, rough=True)
    yield Mistake(
        text="absolute difference in place of its square",
        function=lambda prediction, target, *, reduction="mean": _reduced(np.abs(prediction - target), reduction),
    )
    yield Mistake(
        text="root of the mean square",
        function=lambda prediction, target, *, reduction="mean": np.sqrt(_reduced(np.square(prediction - target), reduction)),
    )


def _probabilities(situation: Situation) -> Iterator[Mistake]:
    right = situation.operation.function
    for guard in GUARDS:
        yield Mistake(
            text=f"{guard:g} added inside the logarithm",
            function=lambda probabilities, guard=guard, **others: right(probabilities=probabilities + guard, **others),
        )
        yield Mistake(
            text=f"probabilities limited to at least {guard:g}",
            function=lambda probabilities, guard=guard, **others: right(
                probabilities=np.minimum(np.maximum(probabilities, guard), 1.0 - guard), **others
            ),
        )
    target = situation.sample.inputs.get("target")
    if target is not None:
        if target.ndim and target.size:
            hard = (target == np.max(target, axis=situation.keywords.get("axis", -1), keepdims=True)).astype(np.float64)
            yield situation.with_inputs("the likeliest class in place of a soft target", target=hard)
        yield situation.with_inputs("soft targets rounded to 0 and 1", target=np.rint(target))
        if situation.name == "binary_cross_entropy":
            yield Mistake(
                text="the term of the positive class only",
                function=lambda probabilities, target, reduction="mean", **others: _reduced(
                    -target * np.log(probabilities), reduction
                ),
            )


def _logits(situation: Situation) -> Iterator[Mistake]:
    right, vjp = situation.operation.function, situation.operation.vjp
    assert vjp is not None

    def unshifted(logits: Any, target: Any, **keywords: Any) -> Any:
        return right(logits, target, **keywords) + 0.0 * np.sum(np.exp(logits))

    def unshifted_rows(logits: Any, target: Any, *, reduction: str = "mean", **keywords: Any) -> Any:
        each = right(logits, target, reduction="none", **keywords)
        return _reduced(each + 0.0 * np.sum(np.exp(logits), axis=-1), reduction)

    yield Mistake(text=UNSHIFTED, function=unshifted, in_dtype=True, special=True)
    yield Mistake(text=UNSHIFTED, function=unshifted_rows, in_dtype=True, special=True)
    classes = situation.sample.inputs["logits"].shape[-1]
    smoothing = situation.keywords["label_smoothing"]
    if smoothing and classes > 1:
        wider = min(smoothing * classes / (classes - 1), 1.0)
        yield situation.with_keywords("smoothing over the other classes only", label_smoothing=wider)
    ignored = situation.keywords["ignored_label"]
    target = situation.sample.inputs["target"]
    if ignored is not None and situation.keywords["reduction"] == "mean":
        share = float(np.mean(target != ignored))

        def counted(*arguments: Any, **keywords: Any) -> Any:
            return right(*arguments, **keywords) * share

        def counted_back(dy: Any, *arguments: Any, **keywords: Any) -> Any:
            return {"logits": vjp(dy, *arguments, **keywords)["logits"] * share}

        yield Mistake(text="ignored labels counted in the mean", function=counted)
        yield Mistake(text="ignored labels counted in the mean", vjp=counted_back)
    if np.any(target == -1) and ignored is None:
        yield situation.with_keywords("the label -1 is ignored", ignored_label=-1)


def _binary_logits() -> Iterator[Mistake]:
    def sigmoid(x: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-x))

    def of(q: Any, target: Any, reduction: str) -> Any:
        return _reduced(-(target * np.log(q) + (1.0 - target) * np.log(1.0 - q)), reduction)

    yield Mistake(
        text="logarithm of the sigmoid",
        function=lambda logits, target, reduction="mean": of(sigmoid(logits), target, reduction),
        in_dtype=True,
        special=True,
    )
    for guard in GUARDS:
        yield Mistake(
            text=f"probabilities limited to at least {guard:g}",
            function=lambda logits, target, reduction="mean", guard=guard: of(
                np.minimum(np.maximum(sigmoid(logits), guard), 1.0 - guard), target, reduction
            ),
        )
    yield Mistake(
        text=UNSHIFTED,
        function=lambda logits, target, reduction="mean": _reduced(np.log(1.0 + np.exp(logits)) - target * logits, reduction),
        in_dtype=True,
        special=True,
    )


def _hinge(situation: Situation) -> Iterator[Mistake]:
    vjp = situation.operation.vjp
    assert vjp is not None
    labels = situation.sample.inputs["labels"]
    yield Mistake(
        text="square of the hinge",
        function=lambda scores, labels, *, reduction="mean": _reduced(
            np.square(np.maximum(0.0, 1.0 - labels * scores)), reduction
        ),
    )
    yield situation.with_inputs("labels of -1 and 1 taken for 0 and 1", labels=2.0 * labels - 1.0)

    def inside(dy: Any, scores: Any, labels: Any, **keywords: Any) -> Any:
        return vjp(dy, scores - 1e-9 * labels, labels, **keywords)

    yield Mistake(text="the margin itself has a gradient", vjp=inside)
