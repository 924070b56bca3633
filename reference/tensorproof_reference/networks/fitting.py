"""Fitting a model as its users do: epochs of mini-batches, validation, early stopping, and predictions afterwards."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference import models
from tensorproof_reference.arguments import require
from tensorproof_reference.model import Model
from tensorproof_reference.networks.evaluation import (
    initial_slots,
    initial_values,
    loss_of,
    run_layers,
    train_step,
    with_conventions,
)
from tensorproof_reference.networks.parts import parts_of
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.registry import operation_named
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Tree

FITTING = "_fitting"
"""What the name of the operation that fits a model ends in."""

METRICS = {
    "binary_cross_entropy": "binary_accuracy",
    "categorical_cross_entropy": "categorical_accuracy",
    "sparse_categorical_cross_entropy": "sparse_categorical_accuracy",
    "softmax_cross_entropy": "sparse_categorical_accuracy",
}
"""The accuracy that goes with a loss."""

EXAMPLES = 40
VALIDATION = 20

Conventions = Mapping[str, Mapping[str, Any]]


@functools.cache
def digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The first hundred of the handwritten digits that scikit-learn ships: images (100, 8, 8) from 0 to 16, and labels.

    Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (CC BY 4.0).
    """
    table = np.loadtxt(Path(models.__path__[0]) / "digits.csv", delimiter=",", dtype=np.int64)
    return table[:, 1:].reshape(-1, 8, 8).astype(np.float64), table[:, 0]


def _resized(images: Array, height: int, width: int) -> Array:
    """The images with each pixel repeated, or left out, to so many rows and columns."""
    return images[:, np.arange(height) * 8 // height][:, :, np.arange(width) * 8 // width]


def _inputs(model: Model, stream: Stream) -> Array:
    """Digits in the shape of the model's input: images resized, sequences cut from their pixels; other inputs are drawn."""
    count = EXAMPLES + VALIDATION
    drawn = model.inputs(stream("inputs"), count)
    images = digits()[0][:count]
    shape = drawn.shape[1:]
    if np.issubdtype(drawn.dtype, np.integer):
        rows = next(iter(model.layers.values())).parameters["weight"].shape[0]
        return (images.reshape(count, 64)[:, : shape[0]] * rows / 17).astype(np.int64)
    if len(shape) == 3 and min(shape[1:]) > 1:
        grey = _resized(images, *shape[1:]) / 16
        images = np.stack([grey / (channel + 1) for channel in range(shape[0])], axis=1)
        # Repeated pixels and empty borders are alike everywhere, so that every pooling window would be a tie.
        return 0.75 * images + 0.25 * drawn
    if len(shape) == 2:
        # From the middle on: the pixels at the edges are 0 in all digits.
        places = (np.arange(shape[0] * shape[1]) * 64 // (shape[0] * shape[1]) + 36) % 64
        return images.reshape(count, 64)[:, places].reshape(count, *shape) / 16
    return drawn


def _targets(model: Model, stream: Stream, x: Array) -> Array:
    """Digits' labels, their parity or images; for drawn inputs 2x + 1, or the number of positive ones."""
    count = EXAMPLES + VALIDATION
    drawn = model.targets(stream("targets"), count)
    if model.loss == "mean_squared_error":
        return 2 * x + 1 if x.ndim == 2 else _image_targets(drawn.shape)
    positive = np.sum(x > 0, axis=1) if x.ndim == 2 and not np.issubdtype(x.dtype, np.integer) else digits()[1][:count]
    if drawn.ndim == 1:
        return positive.astype(np.int64)
    classes = drawn.shape[1]
    return (positive % 2)[:, None].astype(np.float64) if classes == 1 else np.eye(classes)[positive % classes]


def _image_targets(shape: tuple[int, ...]) -> Array:
    grey = _resized(digits()[0][: shape[0]], *shape[2:]) / 16
    return np.stack([grey / (channel + 1) for channel in range(shape[1])], axis=1)


def fit_data(model: Model, stream: Stream) -> dict[str, Array]:
    """Examples to learn from, and examples to validate with."""
    x = _inputs(model, stream)
    target = _targets(model, stream, x)
    return {
        "x": x[:EXAMPLES],
        "target": target[:EXAMPLES],
        "validation_x": x[EXAMPLES:],
        "validation_target": target[EXAMPLES:],
    }


def accuracy_of(model: Model, y: Array, target: Array) -> Array:
    """The share of right answers of a model that gives answers."""
    return operation_named(METRICS[model.loss]).function(y, target)


def stops(losses: list[float], patience: int | None) -> bool:
    """Whether the validation loss has not improved for ``patience`` epochs; NaN is worse than any number."""
    ranked = [(np.isnan(loss), loss) for loss in losses]
    return patience is not None and len(losses) - 1 - ranked.index(min(ranked)) >= patience


def fit_operation(model: Model) -> Operation:
    """Fitting the model, evaluating it and predicting with it, as an operation."""

    def function(
        x: Array,
        target: Array,
        validation_x: Array,
        validation_target: Array,
        parameters: Tree,
        state: Tree = None,
        *,
        epochs: int = 2,
        batch: int = 10,
        patience: int | None = None,
        conventions: Conventions = MappingProxyType({}),
        mode: str = "eager",
    ) -> tuple[dict[str, Array | None], Array]:
        require(len(x) > 0, "x", "at least one example", f"shape {tuple(x.shape)}")
        require(len(x) == len(target), "target", f"{len(x)} examples", f"shape {tuple(target.shape)}")
        require(len(x) % batch == 0, "batch", f"a divisor of {len(x)} examples", batch)
        chosen = with_conventions(model, conventions)
        slots, state, taken = initial_slots(chosen, parameters), state or {}, 0
        history: dict[str, list[Array]] = {name: [] for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")}
        for _ in range(epochs):
            losses, hits = [], []
            for start in range(0, len(x), batch):
                part = slice(start, start + batch)
                y, _, _ = run_layers(chosen, x[part], parameters, state, training=True)
                if model.loss in METRICS:
                    hits.append(accuracy_of(model, y, target[part]))
                loss, parameters, state, slots = train_step(chosen, x[part], target[part], parameters, state, slots, taken)
                losses.append(loss)
                taken += 1
            y, _, _ = run_layers(chosen, validation_x, parameters, state, training=False)
            history["loss"].append(np.mean(np.stack(losses)))
            history["validation_loss"].append(loss_of(chosen, parameters, y, validation_target))
            if hits:
                history["accuracy"].append(np.mean(np.stack(hits)))
                history["validation_accuracy"].append(accuracy_of(model, y, validation_target))
            if stops([float(np.asarray(getattr(loss, "value", loss))) for loss in history["validation_loss"]], patience):
                break
        return {name: np.stack(values) if values else None for name, values in history.items()}, y

    def samples(stream: Stream) -> Iterator[Sample]:
        parameters, state = initial_values(model, stream("weights"))
        inputs = {**fit_data(model, stream), "parameters": parameters, "state": state or None}
        yield Sample(name="plain_digits", inputs=inputs, keywords=dict(model.fit), gradient=False)

    function.__name__ = f"{model.name}{FITTING}"
    function.__doc__ = f"""Fit ``{model.name}`` on real data for some epochs, and predict.

    Mini-batches come in the order of the data. The loss and the accuracy of an epoch are means over its batches, each seen before
    its step; those of validation come after the epoch. With ``patience`` fitting stops when the validation loss has not improved
    for so many epochs. The result is the history by epoch, and the model's output for the validation data. ``mode`` is for
    backends. Source: {", ".join(model.documents)}.
    """
    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="fitting",
        differentiable=(),
        outputs=("history", "predictions"),
        cotangents=(),
        documents=model.documents,
        version=model.version,
        model=model,
        parts=parts_of(model),
    )
