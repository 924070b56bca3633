"""Fitting: the loop over batches and epochs, validation, stopping, the data, and NaN in the middle."""

import math
from typing import Any

import numpy as np
import pytest

from tensorproof_reference.catalogue import all_models, all_operations
from tensorproof_reference.model import Model
from tensorproof_reference.networks.evaluation import (
    initial_slots,
    parameter_count,
    train_step,
)
from tensorproof_reference.networks.fitting import EXAMPLES, digits, fit_data, fit_operation, stops
from tensorproof_reference.networks.operations import model_operation
from tensorproof_reference.stream import Stream

OPERATIONS = all_operations()
SMALL = [
    name
    for name, operation in OPERATIONS.items()
    if operation.family == "model" and operation.model and parameter_count(operation.model) <= 1000
]


def fitted(model: Model, **settings: Any) -> tuple[Any, Any, Any]:
    """The inputs, history and predictions of a model's fitting."""
    operation = fit_operation(model)
    sample = next(iter(operation.samples(Stream(0)(operation.name))))
    return sample.inputs, *operation.function(**sample.inputs, **{**sample.keywords, **settings})


@pytest.mark.parametrize("name", SMALL)
def test_fitting_lowers_the_loss(name):
    _, history, _ = fitted(all_models()[name], epochs=6, patience=None)
    assert history["loss"][-1] < history["loss"][0]
    assert all(len(values) == 6 for values in history.values() if values is not None)


def test_fitting_is_training_steps_over_the_batches_in_order():
    model = all_models()["lstm_classifier_small"]
    inputs, history, predictions = fitted(model, epochs=2, batch=20)
    parameters, slots, losses = inputs["parameters"], initial_slots(model, inputs["parameters"]), []
    for taken in range(4):
        part = slice(20 * (taken % 2), 20 * (taken % 2) + 20)
        loss, parameters, _, slots = train_step(model, inputs["x"][part], inputs["target"][part], parameters, {}, slots, taken)
        losses.append(loss)
    np.testing.assert_allclose(history["loss"], [np.mean(losses[:2]), np.mean(losses[2:])], rtol=1e-14)
    y, validation, _ = model_operation(model).function(inputs["validation_x"], inputs["validation_target"], parameters)
    np.testing.assert_allclose(predictions, y, rtol=1e-14)
    assert history["validation_loss"][-1] == pytest.approx(validation)


def test_accuracy_is_the_share_of_right_answers_before_each_step_and_after_the_epoch():
    model = all_models()["feedforward"]
    inputs, history, predictions = fitted(model, epochs=1, batch=EXAMPLES)
    y, _, _ = model_operation(model).function(inputs["x"], inputs["target"], inputs["parameters"])
    for name, answers, target in (
        ("accuracy", y, inputs["target"]),
        ("validation_accuracy", predictions, inputs["validation_target"]),
    ):
        assert history[name] == pytest.approx([np.mean(np.argmax(answers, axis=1) == np.argmax(target, axis=1))])
    _, history, _ = fitted(all_models()["linear_regression_network"])
    assert history["accuracy"] is None
    assert history["validation_accuracy"] is None


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([1.0], 1, False),
        ([3.0, 2.0, 1.0], 1, False),
        ([1.0, 2.0], 1, True),
        ([1.0, 2.0], 2, False),
        ([3.0, 1.0, 2.0, 1.5], 2, True),
        ([3.0, 1.0, 2.0, 0.5], 2, False),
        ([1.0, 1.0, 1.0], 2, True),
        ([1.0, 2.0, 3.0, 4.0], None, False),
        ([1.0, math.nan, math.nan], 2, True),
        ([math.nan, math.nan, math.nan], 2, True),
        ([math.nan, 2.0, 1.0], 2, False),
        ([2.0, math.nan, 1.0], 1, False),
    ],
)
def test_fitting_stops_without_improvement_and_nan_is_none(losses, patience, expected):
    assert stops(losses, patience) is expected


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_early_stopping_ends_the_history_where_the_whole_one_stops_improving(patience):
    model = all_models()["feedforward_early_stopping"]
    _, whole, _ = fitted(model, patience=None)
    _, stopped, _ = fitted(model, patience=patience)
    losses = list(whole["validation_loss"])
    ends = [epoch for epoch in range(1, len(losses) + 1) if epoch - 1 - int(np.argmin(losses[:epoch])) >= patience]
    epochs = ends[0] if ends else len(losses)
    assert len(stopped["loss"]) == epochs
    np.testing.assert_array_equal(stopped["validation_loss"], losses[:epochs])


def test_early_stopping_model_stops_before_its_last_epoch():
    model = all_models()["feedforward_early_stopping"]
    _, history, _ = fitted(model)
    assert model.fit["patience"] + 1 < len(history["loss"]) < model.fit["epochs"]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    images, answers = digits()
    data = datasets.load_digits()
    np.testing.assert_array_equal(images, data.images[: len(images)])
    np.testing.assert_array_equal(answers, data.target[: len(answers)])


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.endswith("_fitting")])
def test_data_of_fitting_have_the_shapes_of_the_model_and_differ(name):
    model = OPERATIONS[name].model
    assert model is not None
    data = fit_data(model, Stream(0)(name))
    x, target = model.inputs(Stream(0), 1), model.targets(Stream(0), 1)
    assert data["x"].shape[1:] == data["validation_x"].shape[1:] == x.shape[1:]
    assert data["target"].shape[1:] == data["validation_target"].shape[1:] == target.shape[1:]
    assert len(data["x"]) == len(data["target"]) == EXAMPLES
    assert len(data["validation_x"]) == len(data["validation_target"]) > 0
    assert data["x"].dtype == x.dtype
    assert data["target"].dtype == target.dtype
    assert len(np.unique(data["target"], axis=0)) > 1
    assert len(np.unique(data["x"], axis=0)) > 1


def test_labels_of_fitting_are_the_digits_themselves():
    data = fit_data(all_models()["mnist_cnn_small"], Stream(0))
    images, answers = digits()
    np.testing.assert_array_equal(np.concatenate([data["target"], data["validation_target"]]), answers[:60])
    assert data["x"].shape[1:] == (1, 28, 28)
    places = np.arange(28) * 8 // 28
    noise = data["x"][:, 0] - 0.75 * images[:40][:, places][:, :, places] / 16
    assert np.all(noise >= -1e-12)
    assert np.all(noise <= 0.25 + 1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_nan_in_the_middle_of_training_stays_in_the_weights_and_the_history():
    """The example with NaN spoils its epoch's mean, and the weights from its step on: nothing is raised or skipped."""
    model = all_models()["feedforward"]
    operation = fit_operation(model)
    sample = next(iter(operation.samples(Stream(0)(operation.name))))
    x = sample.inputs["x"].copy()
    x[25, 0] = np.nan
    inputs = {**sample.inputs, "x": x}
    history, predictions = operation.function(**inputs, epochs=3, batch=10)
    assert all(np.all(np.isnan(history[name])) for name in ("loss", "validation_loss"))
    assert np.all(np.isnan(predictions))
    assert np.all(np.isfinite(history["accuracy"]))
    right, _ = operation.function(**sample.inputs, epochs=1, batch=10)
    assert history["accuracy"][0] <= right["accuracy"][0]
    parameters = inputs["parameters"]
    for start in (0, 10, 20, 30):
        part = slice(start, start + 10)
        loss, parameters, _, _ = train_step(model, x[part], inputs["target"][part], parameters, {}, {}, start // 10)
        assert np.isnan(loss) == (start >= 20)
        assert np.isnan(parameters["scores"]["bias"]).any() == (start >= 20)
    stopped, _ = operation.function(**inputs, epochs=9, batch=10, patience=2)
    assert len(stopped["loss"]) == 3
