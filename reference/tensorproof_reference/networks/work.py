"""The work of models and of their training steps: that of their layers, loss, penalties and optimizer."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference import trees
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.evaluation import optimizer_slots, penalized, run_layers
from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations._workloads import count, shaped
from tensorproof_reference.registry import operation_named
from tensorproof_reference.trees import Array, Tree

Shape = tuple[int, ...]


@functools.cache
def layer_shapes(model: Model, example: Shape) -> tuple[Shape, ...]:
    """The shapes of one example on its way through the layers: its own, and that of each layer's output.

    They are found by running the layers on zeros; of more examples only the first axis differs.
    """
    first = operation_named(next(iter(model.layers.values())).operation)
    x = np.zeros((1, *example), np.int64 if first.family == "lookup" else np.float64)

    def zeros(of_layer: Mapping[str, Any]) -> Tree:
        return trees.replace_leaves(dict(of_layer), lambda path, weight: shaped(weight))

    parameters = {name: zeros(layer.parameters) for name, layer in model.layers.items() if layer.parameters}
    state = {name: zeros(layer.state) for name, layer in model.layers.items() if layer.state}
    _, _, trace = run_layers(model, x, parameters, state, training=False)
    outputs = [of_layer[operation.outputs[0]].shape for _, operation, _, _, of_layer in trace]
    return x.shape, *outputs


def batches_of(model: Model, x: Array) -> list[Array]:
    """What goes into each layer, and what comes out of the last one: arrays without memory that have the shapes."""
    shapes = layer_shapes(model, tuple(x.shape[1:]))
    return [np.broadcast_to(0.0, (x.shape[0], *shape[1:])) for shape in shapes]


def layer_work(layer: Layer, x: Array, weights: Mapping[str, Tree], training: bool) -> Work:
    """The work of one layer on a batch; what is not read counts only if it is weights, not what another layer has made."""
    operation = operation_named(layer.operation)
    if layer.operation == "dropout":
        # A product with 0 or 1/(1-p), and the same back; how much it takes to draw them is the generator's affair.
        numbers = count(x) if training else 0
        return Work(flops=numbers, backward_flops=numbers)
    keywords = dict(layer.keywords)
    if "training" in (operation.function.__kwdefaults__ or {}):
        keywords["training"] = training
    found = work_of(operation)(x, **weights, **keywords)
    return found if operation.family == "lookup" else replace(found, untouched=0)


def layer_works(model: Model, x: Array, parameters: Tree, state: Tree, training: bool) -> list[Work]:
    """The work of each layer on a batch."""
    return [
        layer_work(layer, batch, {**parameters.get(name, {}), **(state or {}).get(name, {})}, training)
        for (name, layer), batch in zip(model.layers.items(), batches_of(model, x), strict=False)
    ]


def loss_work(model: Model, parameters: Tree, y: Array, target: Array) -> Work:
    """The work of the loss, and of the penalties: each is added to it, and its gradient to that of the weights."""
    total = replace(work_of(operation_named(model.loss))(y, target, **model.loss_keywords), untouched=0)
    for name, strength in model.penalties.items():
        for layer in penalized(parameters):
            weight = parameters[layer]["weight"]
            total += work_of(operation_named(name))(weight, strength=strength)
            total += Work(flops=1, backward_flops=count(weight))
    return total


def evaluation_work(model: Model, x: Array, target: Array, parameters: Tree, state: Tree, training: bool) -> Work:
    """The work of output and loss; back, from cotangents of both, with those of the output added up."""
    y = batches_of(model, x)[-1]
    both = Work(flops=0, backward_flops=count(y)) + loss_work(model, parameters, y, target)
    return sum(layer_works(model, x, parameters, state, training), both)


def training_work(model: Model, x: Array, target: Array, parameters: Tree, state: Tree, slots: Tree) -> Work:
    """The work of one training step: output and loss, the gradients of all weights but not of the input, and the optimizer's."""
    works = layer_works(model, x, parameters, state, training=True)
    forward_and_back = together(sum(works, loss_work(model, parameters, batches_of(model, x)[-1], target)))
    unused = Work(flops=-input_gradient_flops(next(iter(model.layers.values())), works[0], x))
    return forward_and_back + unused + optimizer_work(model, parameters, slots)


def input_gradient_flops(layer: Layer, work: Work, x: Array) -> int:
    """How much of a layer's way back are the products for the gradient of its input alone."""
    family = operation_named(layer.operation).family
    weights = dict(trees.leaves(dict(layer.parameters)))
    if family == "window" and weights:
        # Back there are the products of two gradients, and forward of one; the bias is added to outputs and summed over them.
        return work.backward_flops - work.flops + count(weights.get("bias"))
    if family == "product":
        return 2 * int(math.prod(x.shape[:-1])) * count(weights["weight"])
    if family == "recurrent":
        return 2 * int(math.prod(x.shape[:2])) * count(weights["parameters.0.0.input_weights"])
    return 0


def optimizer_work(model: Model, parameters: Tree, slots: Tree) -> Work:
    """The work of one step of the optimizer."""
    arrays = [leaf for _, leaf in trees.leaves(parameters)]
    lists = {slot: [leaf for _, leaf in trees.leaves(slots[slot])] for slot in optimizer_slots(model)}
    return work_of(operation_named(model.optimizer))(arrays, [arrays], **lists, **model.optimizer_keywords)


def game_work(game: Adversaries, x: Array, noise: Array, parameters: Tree, state: Tree, slots: Tree) -> Work:
    """The work of one step of both players.

    The generator goes forward and back once. The discriminator goes forward and back on real images and on generated ones, and
    their gradients are added; after its step it goes forward on the generated ones once more, and back to its input alone.
    """
    of = {player: {slot: values[player] for slot, values in slots.items()} for player in game.players()}
    generator = layer_works(game.generator, noise, parameters["generator"], state["generator"], training=True)
    judging = layer_works(game.discriminator, x, parameters["discriminator"], state["discriminator"], training=True)
    images, verdict = batches_of(game.discriminator, x), batches_of(game.discriminator, x)[-1]
    loss = together(loss_work(game.discriminator, parameters["discriminator"], verdict, verdict))
    layers = list(game.discriminator.layers.values())
    to_input = [input_gradient_flops(*of_layer) for of_layer in zip(layers, judging, images, strict=False)]
    passed = [flops or work.backward_flops for flops, work in zip(to_input, judging, strict=True)]
    once = together(sum(judging, Work(flops=-to_input[0])))
    again = Work(flops=sum(passed), transcendentals=sum(work.backward_transcendentals for work in judging))
    again = sum((replace(work, backward_flops=0, backward_transcendentals=0) for work in judging), again)
    first = input_gradient_flops(next(iter(game.generator.layers.values())), generator[0], noise)
    weights = sum(count(leaf) for _, leaf in trees.leaves(parameters["discriminator"]))
    steps = [optimizer_work(model, parameters[player], of[player]) for player, model in game.players().items()]
    both_losses = Work(flops=weights + 1 - first)
    return sum([once, once, again, loss, loss, loss, *steps], both_losses) + together(sum(generator, Work(flops=0)))


def together(work: Work) -> Work:
    """Forward and back as one call, which reads all weights."""
    return Work(flops=work.flops + work.backward_flops, transcendentals=work.transcendentals + work.backward_transcendentals)


def work_of(operation: Operation) -> Callable[..., Work]:
    """The operation's ``work``.

    Raises:
        ValueError: it has none, so no model can be timed that has it.
    """
    if operation.work is None:
        raise ValueError(f"{operation.name}: expected an operation whose work is known, got none")
    return operation.work
