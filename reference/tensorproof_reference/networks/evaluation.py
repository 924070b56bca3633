"""A model's output, loss, gradients and training step, by the reference's operations."""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof_reference import trees
from tensorproof_reference.arguments import require
from tensorproof_reference.model import Layer, Model, Weight
from tensorproof_reference.operation import Operation
from tensorproof_reference.registry import operation_named
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Tree

Trace = list[tuple[Layer, Operation, dict[str, Any], dict[str, Any], dict[str, Any]]]
"""Of each layer: itself, its operation, the inputs, the keywords and the outputs by name."""

LARGE = 50_000
"""The number of weights above which training is checked in fewer steps, and by default in one mode and dtype."""


def initial_values(model: Model, stream: Stream) -> tuple[Tree, Tree]:
    """The parameters and the state of a model, by layer and argument, drawn from ``stream``."""

    def drawn(weights: Any, name: str) -> Any:
        own = stream(name)
        return trees.replace_leaves(dict(weights), lambda path, item: own(path).uniform(item.shape, item.low, item.high))

    parameters = {name: drawn(layer.parameters, name) for name, layer in model.layers.items() if layer.parameters}
    state = {name: drawn(layer.state, name) for name, layer in model.layers.items() if layer.state}
    return parameters, state


def with_conventions(model: Model, conventions: Mapping[str, Mapping[str, Any]]) -> Model:
    """The model in a backend's conventions (by operation) wherever its description leaves the choice open."""

    def filled(operation: str, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**conventions.get(operation, {}), **keywords}

    return replace(
        model,
        layers={name: replace(layer, keywords=filled(layer.operation, layer.keywords)) for name, layer in model.layers.items()},
        loss_keywords=filled(model.loss, model.loss_keywords),
        optimizer_keywords=filled(model.optimizer, model.optimizer_keywords),
    )


def operations_of(model: Model) -> tuple[str, ...]:
    """The names of the operations that a model and its training are made of."""
    layers = [layer.operation for layer in model.layers.values()]
    return tuple(dict.fromkeys([*layers, model.loss, model.optimizer, *model.penalties]))


def is_large(model: Model) -> bool:
    """Whether the model has more than ``LARGE`` weights: a step of its training takes a large part of a second."""
    return parameter_count(model) > LARGE


def parameter_count(model: Model) -> int:
    """The number of trainable weights."""
    return sum(math.prod(weight.shape) for layer in model.layers.values() for _, weight in trees.leaves(dict(layer.parameters)))


@functools.cache
def _arguments(function: Callable[..., object]) -> tuple[str, ...]:
    """The names of a function's arguments."""
    return tuple(inspect.signature(function).parameters)


def _require_weights(layer: Layer, name: str, given: Tree) -> None:
    """Raise ``ValueError`` unless ``given`` has the layer's weights in their shapes."""
    wanted: dict[str, Weight] = dict(trees.leaves({**layer.parameters, **layer.state}))
    found = dict(trees.leaves(given))
    require(sorted(found) == sorted(wanted), f"parameters.{name}", ", ".join(sorted(wanted)) or "nothing", sorted(found))
    for path, weight in wanted.items():
        shape = tuple(found[path].shape)
        require(shape == weight.shape, f"parameters.{name}.{path}", f"shape {weight.shape}", shape)


def _scaled(x: Array, *, factor: Array) -> Array:
    """What dropout has done once its draw is known."""
    return x * factor


_SCALED = Operation(
    function=_scaled,
    vjp=lambda dy, x, *, factor: {"x": dy * factor},
    samples=lambda stream: iter(()),
    family="elementwise",
)


def run_layers(
    model: Model, x: Array, parameters: Tree, state: Tree, training: bool, drawn: Mapping[str, Array] = MappingProxyType({})
) -> tuple[Array, Tree, Trace]:
    """The last layer's output, the state afterwards, and what the way back needs.

    ``drawn`` has, for layers of dropout in training, what a backend's draw multiplies by: 0 or 1/(1-p) for each element.

    Raises:
        ValueError: weights are missing, unknown or of another shape, or an operation refuses its arguments.
    """
    unknown = [name for name in {**parameters, **state} if name not in model.layers]
    require(not unknown, "parameters", f"layers of {model.name}: {', '.join(model.layers)}", unknown)
    trace: Trace = []
    after: dict[str, Any] = {}
    for name, layer in model.layers.items():
        operation = _SCALED if name in drawn else operation_named(layer.operation)
        names = _arguments(operation.function)
        weights = {**parameters.get(name, {}), **state.get(name, {})}
        _require_weights(layer, name, weights)
        inputs = {names[0]: x, **weights}
        keywords = {"factor": drawn[name]} if name in drawn else dict(layer.keywords)
        if "training" in names:
            keywords["training"] = training
        outputs = trees.by_name(operation.outputs, operation.function(**inputs, **keywords))
        trace.append((layer, operation, inputs, keywords, outputs))
        x = outputs[operation.outputs[0]]
        if layer.state:
            after[name] = {key: outputs[key] for key in layer.state}
    return x, after, trace


def pull_back(model: Model, dy: Array, trace: Trace) -> tuple[Array | None, Tree]:
    """The gradients of the model's input (``None`` for indices) and of its parameters, from the cotangent of its output."""
    gradients: dict[str, Any] = {}
    dx: Array | None = dy
    for name, (layer, operation, inputs, keywords, outputs) in zip(list(model.layers)[::-1], trace[::-1], strict=True):
        cotangents = tuple(
            dx if output == operation.outputs[0] else np.zeros_like(outputs[output]) for output in operation.cotangents
        )
        assert operation.vjp is not None
        found = operation.vjp(cotangents[0] if len(cotangents) == 1 else cotangents, **inputs, **keywords)
        dx = found.get(_arguments(operation.function)[0])
        if layer.parameters:
            gradients[name] = {key: found[key] for key in layer.parameters}
    return dx, {name: gradients[name] for name in model.layers if name in gradients}


def penalized(parameters: Tree) -> list[str]:
    """The layers whose weights a penalty counts: those that have a ``weight``."""
    return [name for name, of_layer in parameters.items() if "weight" in of_layer]


def loss_of(model: Model, parameters: Tree, y: Array, target: Array) -> Array:
    """The model's loss, averaged over the batch, and the penalties of its weights."""
    loss = operation_named(model.loss).function(y, target, **model.loss_keywords)
    for name, strength in model.penalties.items():
        for layer in penalized(parameters):
            loss = loss + operation_named(name).function(parameters[layer]["weight"], strength=strength)
    return loss


def add_penalty_gradients(model: Model, dloss: Array, parameters: Tree, gradients: Tree) -> Tree:
    """The gradients of the parameters with those of the penalties added."""
    added = {name: dict(of_layer) for name, of_layer in gradients.items()}
    for name, strength in model.penalties.items():
        vjp = operation_named(name).vjp
        assert vjp is not None
        for layer in penalized(parameters):
            added[layer]["weight"] = added[layer]["weight"] + vjp(dloss, parameters[layer]["weight"], strength=strength)["w"]
    return added


def loss_gradient(model: Model, dloss: Array, y: Array, target: Array) -> Array:
    """The gradient of the loss with respect to the model's output."""
    operation = operation_named(model.loss)
    assert operation.vjp is not None
    return operation.vjp(dloss, y, target, **model.loss_keywords)[_arguments(operation.function)[0]]


def optimizer_slots(model: Model) -> tuple[str, ...]:
    """The names of what the model's optimizer remembers: each a tree like the parameters."""
    operation, one = operation_named(model.optimizer), np.ones(1)
    results = trees.by_name(operation.outputs, operation.function([one], [[one]], **model.optimizer_keywords))
    return tuple(name for name in operation.outputs[1:] if len(results[name]))


def initial_slots(model: Model, parameters: Tree) -> Tree:
    """An optimizer's state before the first step: zeros."""
    return {slot: trees.replace_leaves(parameters, lambda path, leaf: np.zeros_like(leaf)) for slot in optimizer_slots(model)}


def update(model: Model, parameters: Tree, gradients: Tree, slots: Tree, taken: int) -> tuple[Tree, Tree]:
    """The parameters and the optimizer's state after one more step."""
    operation = operation_named(model.optimizer)
    paths = [path for path, _ in trees.leaves(parameters)]
    by_path = dict(trees.leaves(gradients))
    lists = {slot: [leaf for _, leaf in trees.leaves(slots[slot])] for slot in optimizer_slots(model)}
    keywords: dict[str, Any] = dict(model.optimizer_keywords)
    if "taken" in _arguments(operation.function):
        keywords["taken"] = taken
    old = [leaf for _, leaf in trees.leaves(parameters)]
    results = trees.by_name(operation.outputs, operation.function(old, [[by_path[path] for path in paths]], **lists, **keywords))

    def rebuilt(values: list[Array]) -> Tree:
        named: Mapping[str, Array] = dict(zip(paths, values, strict=True))
        return trees.replace_leaves(parameters, lambda path, leaf: named[path])

    return rebuilt(results["parameters"]), {slot: rebuilt(results[slot]) for slot in lists}


def train_step(
    model: Model,
    x: Array,
    target: Array,
    parameters: Tree,
    state: Tree,
    slots: Tree,
    taken: int,
    drawn: Mapping[str, Array] = MappingProxyType({}),
) -> tuple[Array, Tree, Tree, Tree]:
    """Loss before the step, and parameters, state and optimizer's state after it; ``drawn`` is that of ``run_layers``."""
    y, after, trace = run_layers(model, x, parameters, state, training=True, drawn=drawn)
    loss = loss_of(model, parameters, y, target)
    one = np.ones_like(loss)
    _, gradients = pull_back(model, loss_gradient(model, one, y, target), trace)
    gradients = add_penalty_gradients(model, one, parameters, gradients)
    stepped, slots = update(model, parameters, gradients, slots, taken)
    return loss, stepped, after, slots
