"""Models and training steps: derivatives, updates written by hand, and what is refused."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tensorproof_reference import trees
from tensorproof_reference.catalogue import all_models, all_operations
from tensorproof_reference.model import Layer, Model, Weight
from tensorproof_reference.models._data import labels, normal
from tensorproof_reference.networks import layers
from tensorproof_reference.networks.evaluation import (
    initial_slots,
    initial_values,
    loss_of,
    optimizer_slots,
    parameter_count,
    train_step,
    with_conventions,
)
from tensorproof_reference.networks.fitting import fit_operation
from tensorproof_reference.networks.operations import model_operation, training_operation
from tensorproof_reference.operation import Sample
from tensorproof_reference.stream import Stream

OPERATIONS = all_operations()
MODELS = {name: operation for name, operation in OPERATIONS.items() if operation.family == "model"}

CLASSIFIER = Model(
    name="classifier",
    text="Two layers and integer labels, for tests.",
    layers={"hidden": layers.dense(3, 5), "tanh": layers.activation("tanh"), "scores": layers.dense(5, 4)},
    inputs=normal(3),
    targets=labels(4),
    loss="softmax_cross_entropy",
    optimizer="sgd",
    optimizer_keywords={"learning_rate": 0.1},
)


def sample_of(name: str, index: int = 0) -> Sample:
    return list(OPERATIONS[name].samples(Stream(0)(name)))[index]


def moved(inputs: Any, direction: dict[str, Any], step: float) -> Any:
    return trees.replace_leaves(dict(inputs), lambda path, leaf: leaf + step * direction[path] if path in direction else leaf)


def modes(name: str) -> list[bool]:
    return [False, True] if any(layer.state for layer in all_models()[name].layers.values()) else [False]


@pytest.mark.parametrize(("name", "training"), [(name, training) for name in MODELS for training in modes(name)])
def test_gradients_are_the_derivative_along_random_directions(name, training):
    """<gradient, v> = [f(θ + hv) - f(θ - hv)] / 2h for f = <dy, y> + dloss·loss, along all parameters and the input at once.

    The step is so short that few of the units of rectified networks change sides within it.
    """
    operation = MODELS[name]
    inputs, stream = sample_of(name).inputs, Stream(1)(name)
    vjp = operation.vjp
    assert vjp is not None
    y, _, _ = operation.function(**inputs, training=training)
    dy, dloss = stream("dy").normal(y.shape), 1.7

    def along(direction: dict[str, Any], step: float) -> float:
        y, loss, _ = operation.function(**moved(inputs, direction, step), training=training)
        return float(np.sum(dy * y) + dloss * loss)

    gradients = dict(trees.leaves(vjp((dy, np.asarray(dloss)), **inputs, training=training)))
    assert {path for path, _ in trees.leaves({"parameters": inputs["parameters"]})} <= gradients.keys()
    for number in range(2):
        own = stream(str(number))
        direction = {path: own(path).normal(np.shape(leaf)) for path, leaf in gradients.items()}
        size = math.sqrt(sum(float(np.sum(np.square(item))) for item in direction.values()))
        step = 1e-7 / math.sqrt(size)
        expected = (along(direction, step) - along(direction, -step)) / (2 * step)
        found = sum(float(np.sum(leaf * direction[path])) for path, leaf in gradients.items())
        scale = math.sqrt(sum(float(np.sum(np.square(leaf * direction[path]))) for path, leaf in gradients.items()))
        assert abs(found - expected) <= 1e-5 * scale, (found, expected, scale)


@pytest.mark.parametrize("name", MODELS)
def test_models_keep_float32_and_their_arguments(name):
    def narrow(leaf: Any) -> Any:
        return leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf.copy()

    inputs = trees.replace_leaves(dict(sample_of(name, -1).inputs), lambda path, leaf: narrow(leaf))
    before = {path: leaf.copy() for path, leaf in trees.leaves(inputs)}
    operation = MODELS[name]
    y, loss, _ = operation.function(**inputs)
    assert operation.vjp is not None
    gradients = operation.vjp((np.ones_like(y), np.ones_like(loss)), **inputs)
    assert {leaf.dtype.name for _, leaf in trees.leaves([y, loss, gradients])} == {"float32"}
    assert all(np.array_equal(leaf, before[path]) for path, leaf in trees.leaves(inputs))


def test_training_step_of_linear_regression_by_hand():
    x, t = np.array([[1.0], [2.0], [-1.0]]), np.array([[3.0], [5.0], [0.0]])
    weight, bias = np.array([[0.5]]), np.array([0.25])
    error = x * 0.5 + 0.25 - t
    loss, after, state, slots = OPERATIONS["linear_regression_network_training"].function(
        x, t, {"dense": {"weight": weight, "bias": bias}}
    )
    assert loss == pytest.approx(np.mean(error**2))
    np.testing.assert_allclose(after["dense"]["weight"], weight - 0.01 * 2 / 3 * x.T @ error)
    np.testing.assert_allclose(after["dense"]["bias"], bias - 0.01 * 2 / 3 * np.sum(error, axis=0))
    assert state is None
    assert slots is None


def test_training_step_of_the_xor_network_by_hand():
    model = all_models()["xor_mlp"]
    x, t = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    parameters, _ = initial_values(model, Stream(3))
    (velocities, _), taken = initial_values(model, Stream(4)), 7
    w1, b1, w2, b2 = (leaf for _, leaf in trees.leaves(parameters))
    v = [leaf for _, leaf in trees.leaves(velocities)]

    h = np.maximum(x @ w1 + b1, 0.0)
    p = 1.0 / (1.0 + np.exp(-(h @ w2 + b2)))
    ds = (p - t) / 4
    dh = (ds @ w2.T) * (h > 0)
    gradients = [x.T @ dh, np.sum(dh, axis=0), h.T @ ds, np.sum(ds, axis=0)]
    v = [0.9 * old + gradient for old, gradient in zip(v, gradients, strict=True)]
    expected = [old - 0.1 * new for old, new in zip([w1, b1, w2, b2], v, strict=True)]

    loss, after, _, slots = train_step(model, x, t, parameters, {}, {"velocity": velocities}, taken)
    assert loss == pytest.approx(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)))
    for found, by_hand in ((after, expected), (slots["velocity"], v)):
        for (_, leaf), value in zip(trees.leaves(found), by_hand, strict=True):
            np.testing.assert_allclose(leaf, value, rtol=1e-12, atol=1e-15)


def test_training_step_of_adam_uses_the_number_of_steps_taken():
    model = all_models()["lstm_classifier_small"]
    inputs = sample_of("lstm_classifier_small_training").inputs
    x, target, parameters = inputs["x"], inputs["target"], inputs["parameters"]
    slots = initial_slots(model, parameters)
    assert set(slots) == set(optimizer_slots(model))
    steps = [train_step(model, x, target, parameters, {}, slots, taken)[1] for taken in (0, 1)]
    first, second = (dict(trees.leaves(step)) for step in steps)
    for path, leaf in trees.leaves(parameters):
        # With empty slots the first step is the learning rate against the gradient's sign, the second less by bias correction.
        np.testing.assert_allclose(np.abs(first[path] - leaf), 1e-3, rtol=2e-2)
        ratio = ((1 - 0.9) / (1 - 0.9**2)) / math.sqrt((1 - 0.999) / (1 - 0.999**2))
        np.testing.assert_allclose((second[path] - leaf) / (first[path] - leaf), ratio, rtol=2e-2)


@pytest.mark.parametrize(("name", "norm"), [("feedforward_l1", np.abs), ("feedforward_l2", np.square)])
def test_penalties_count_weights_and_no_biases(name, norm):
    model, inputs = all_models()[name], sample_of(name).inputs
    plain, parameters = replace(model, penalties={}), inputs["parameters"]
    y, loss, _ = model_operation(model).function(**inputs)
    weights = [of_layer["weight"] for of_layer in parameters.values()]
    assert len(weights) == 2
    assert loss == pytest.approx(loss_of(plain, parameters, y, inputs["target"]) + 0.01 * sum(np.sum(norm(w)) for w in weights))
    dloss = np.asarray(2.0)
    with_penalty, without = (
        model_operation(item).vjp((np.zeros_like(y), dloss), **inputs)["parameters"]  # type: ignore[misc]
        for item in (model, plain)
    )
    for layer, of_layer in parameters.items():
        slope = np.sign(of_layer["weight"]) if name == "feedforward_l1" else 2 * of_layer["weight"]
        np.testing.assert_allclose(with_penalty[layer]["weight"] - without[layer]["weight"], 0.02 * slope, atol=1e-15)
        np.testing.assert_array_equal(with_penalty[layer]["bias"], without[layer]["bias"])


def test_running_statistics_change_in_training_only():
    model = Model(
        name="normalized",
        text="For tests.",
        layers={"dense": layers.dense(3, 4), "norm": layers.batch_norm(4)},
        inputs=normal(3),
        targets=normal(4),
        loss="mean_squared_error",
        optimizer="sgd",
    )
    inputs = next(iter(model_operation(model).samples(Stream(0)))).inputs
    hidden = inputs["x"] @ inputs["parameters"]["dense"]["weight"] + inputs["parameters"]["dense"]["bias"]
    before = inputs["state"]["norm"]
    _, _, state = model_operation(model).function(**inputs, training=True)
    np.testing.assert_allclose(state["norm"]["running_mean"], 0.9 * before["running_mean"] + 0.1 * np.mean(hidden, axis=0))
    variance = 0.9 * before["running_variance"] + 0.1 * np.var(hidden, axis=0, ddof=1)
    np.testing.assert_allclose(state["norm"]["running_variance"], variance)
    _, _, state = model_operation(model).function(**inputs, training=False)
    assert all(np.array_equal(state["norm"][name], value) for name, value in before.items())


def changed(parameters: Any, layer: str, name: str, value: Any) -> Any:
    return {**parameters, layer: {**parameters[layer], name: value}}


@pytest.mark.parametrize("make", [model_operation, training_operation, fit_operation])
def test_weights_that_do_not_fit_are_refused_by_name(make):
    operation = make(CLASSIFIER)
    inputs = dict(next(iter(operation.samples(Stream(0)))).inputs)
    inputs.pop("slots", None)
    right = inputs.pop("parameters")
    for parameters, message in (
        (changed(right, "hidden", "weight", np.zeros((5, 3))), r"^parameters\.hidden\.weight: expected shape \(3, 5\)"),
        (changed(right, "scores", "bias", np.zeros(1)), r"^parameters\.scores\.bias: expected shape \(4,\)"),
        ({**right, "scores": {"weight": right["scores"]["weight"]}}, r"^parameters\.scores: expected bias, weight"),
        (changed(right, "scores", "scale", np.zeros(4)), r"^parameters\.scores: expected bias, weight"),
        ({"scores": right["scores"]}, r"^parameters\.hidden: expected bias, weight"),
        (
            {**right, "output": right["scores"]},
            r"^parameters: expected layers of classifier: hidden, tanh, scores, got \['output'\]",
        ),
        (changed(right, "tanh", "weight", np.zeros(1)) if "tanh" in right else {**right, "tanh": {"w": np.zeros(1)}}, "tanh"),
    ):
        with pytest.raises(ValueError, match=message):
            operation.function(parameters=parameters, **inputs)


@pytest.mark.parametrize("make", [model_operation, training_operation, fit_operation])
@pytest.mark.parametrize("label", [-1, 4])
def test_labels_out_of_range_are_refused(make, label):
    operation = make(CLASSIFIER)
    inputs = dict(next(iter(operation.samples(Stream(0)))).inputs)
    target = inputs["target"].copy()
    target[-1] = label
    with pytest.raises(ValueError, match=f"^target: expected labels from 0 to 3, got .*{label}"):
        operation.function(**{**inputs, "target": target})


def test_data_that_cannot_be_fitted_are_refused_by_name():
    operation = fit_operation(CLASSIFIER)
    inputs = dict(next(iter(operation.samples(Stream(0)))).inputs)
    for others, message in (
        ({"x": inputs["x"][:0], "target": inputs["target"][:0]}, "^x: expected at least one example"),
        ({"target": inputs["target"][:-1]}, "^target: expected 40 examples"),
        ({"batch": 7}, "^batch: expected a divisor of 40 examples, got 7"),
        ({"batch": 80}, "^batch: expected a divisor of 40 examples, got 80"),
    ):
        with pytest.raises(ValueError, match=message):
            operation.function(**{**inputs, **others})


def test_unknown_operations_are_refused_by_name():
    for model in (
        replace(CLASSIFIER, layers={**CLASSIFIER.layers, "last": Layer(operation="sofmax")}),
        replace(CLASSIFIER, loss="sofmax"),
        replace(CLASSIFIER, optimizer="sofmax"),
    ):
        with pytest.raises(ValueError, match=r"operation: expected one of .*'softmax'.*, got 'sofmax'"):
            training_operation(model).function(**training_inputs_of(CLASSIFIER))


def training_inputs_of(model: Model) -> Any:
    return next(iter(training_operation(model).samples(Stream(0)))).inputs


def test_conventions_fill_in_what_the_description_leaves_open():
    model = replace(CLASSIFIER, optimizer="adam", optimizer_keywords={"epsilon": 1e-3})
    chosen = with_conventions(model, {"adam": {"epsilon": 1e-7, "learning_rate": 0.5}, "tanh": {"fast": True}})
    assert chosen.optimizer_keywords == {"epsilon": 1e-3, "learning_rate": 0.5}
    assert chosen.layers["tanh"].keywords == {"fast": True}
    assert chosen.layers["hidden"].keywords == {}
    assert chosen.loss_keywords == {}


def shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    return {path: weight.shape for path, weight in trees.leaves({**layer.parameters, **layer.state})}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.dense(3, 5), {"weight": (3, 5), "bias": (5,)}),
        (layers.conv2d(3, 8, kernel=(5, 2)), {"weight": (8, 3, 5, 2), "bias": (8,)}),
        (layers.conv2d_transpose(3, 8, kernel=(5, 2)), {"weight": (3, 8, 5, 2), "bias": (8,)}),
        (layers.embedding(7, 3), {"weight": (7, 3)}),
        (layers.batch_norm(6), dict.fromkeys(("scale", "offset", "running_mean", "running_variance"), (6,))),
        (layers.dropout(0.5), {}),
        (layers.flatten("channels_last"), {}),
        (layers.max_pool2d((2, 2)), {}),
        (layers.activation("leaky_relu", negative_slope=0.2), {}),
        (
            layers.recurrent("simple_rnn", 3, 6),
            {
                "parameters.0.0.input_weights": (3, 6),
                "parameters.0.0.recurrent_weights": (6, 6),
                "parameters.0.0.bias": (6,),
            },
        ),
        (
            layers.recurrent("gru", 3, 6, biases=2),
            {
                "parameters.0.0.input_weights": (3, 3, 6),
                "parameters.0.0.recurrent_weights": (6, 3, 6),
                "parameters.0.0.bias": (3, 6),
                "parameters.0.0.recurrent_bias": (3, 6),
            },
        ),
        (
            layers.recurrent("lstm", 3, 6, layers=2),
            {
                "parameters.0.0.input_weights": (3, 4, 6),
                "parameters.0.0.recurrent_weights": (6, 4, 6),
                "parameters.0.0.bias": (4, 6),
                "parameters.1.0.input_weights": (6, 4, 6),
                "parameters.1.0.recurrent_weights": (6, 4, 6),
                "parameters.1.0.bias": (4, 6),
            },
        ),
    ],
)  # fmt: skip
def test_layers_have_weights_in_the_shapes_of_their_operations(layer, expected):
    assert shapes(layer) == expected
    names = set(OPERATIONS[layer.operation].function.__code__.co_varnames)
    assert {*layer.parameters, *layer.state, *layer.keywords} <= names


def test_keywords_of_layers_are_those_of_the_operation():
    assert layers.conv2d(1, 2, kernel=(3, 3), stride=(2, 2)).keywords == {"stride": (2, 2)}
    assert layers.batch_norm(2, momentum=0.8).keywords == {"momentum": 0.8}
    assert layers.recurrent("lstm", 1, 2).keywords == {"return_sequences": False}
    assert layers.recurrent("lstm", 1, 2, return_sequences=True).keywords == {"return_sequences": True}
    assert layers.dropout(0.25).keywords == {"rate": 0.25}
    assert layers.flatten("channels_first").keywords == {"order": "channels_first"}
    assert layers.activation("leaky_relu", negative_slope=0.2).keywords == {"negative_slope": 0.2}


def test_initial_weights_are_within_their_bounds_and_no_two_alike():
    for name, operation in MODELS.items():
        model = operation.model
        assert model is not None
        parameters, state = initial_values(model, Stream(0)(name))
        for layer_name, layer in model.layers.items():
            weights: dict[str, Weight] = dict(trees.leaves({**layer.parameters, **layer.state}))
            values = dict(trees.leaves({**parameters.get(layer_name, {}), **state.get(layer_name, {})}))
            assert weights.keys() == values.keys()
            for path, weight in weights.items():
                assert values[path].shape == weight.shape
                assert values[path].min() >= weight.low
                assert values[path].max() < weight.high
        firsts = [leaf.ravel()[0] for _, leaf in trees.leaves([parameters, state])]
        assert len(set(firsts)) == len(firsts), name


def test_parameters_are_counted_as_by_hand():
    counts = {name: parameter_count(operation.model) for name, operation in MODELS.items() if operation.model}
    assert counts["xor_mlp"] == 2 * 2 + 2 + 2 * 1 + 1
    assert counts["mnist_cnn_small"] == (9 * 32 + 32) + (13 * 13 * 32 * 128 + 128) + (128 * 10 + 10)
    assert counts["lstm_classifier_small"] == 4 * 3 * (1 + 3 + 1) + 3 * 2 + 2
