"""Models as operations: one for output, loss and gradients, and one for a training step, made of a model's description."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof_reference.model import Model
from tensorproof_reference.networks.adversaries import Adversaries, first_inputs, game_operation
from tensorproof_reference.networks.evaluation import (
    add_penalty_gradients,
    initial_slots,
    initial_values,
    is_large,
    loss_gradient,
    loss_of,
    pull_back,
    run_layers,
    train_step,
    with_conventions,
)
from tensorproof_reference.networks.parts import dropout_layers, parts_of
from tensorproof_reference.networks.work import evaluation_work, game_work, training_work
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.registry import operation_named
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients, Tree, replace_leaves

TRAINING = "_training"
"""What the name of a model's training step ends in."""

STEPS = 20
"""How many steps a training run takes."""

STEPS_OF_LARGE = (0, 1, 2, 9, 19)
"""The steps of a large model that are judged: the first, without and with slots, one in the middle, and the last."""

STEPPED = ("parameters", "state", "slots")
"""The outputs of a training step that are inputs of the next."""

Conventions = Mapping[str, Mapping[str, Any]]


def data(model: Model, stream: Stream, count: int) -> dict[str, Array]:
    """Inputs and targets for so many examples."""
    return {"x": model.inputs(stream("x"), count), "target": model.targets(stream("target"), count)}


def has_modes(model: Model) -> bool:
    """Whether training and inference differ by something that a value can be expected of."""
    return not dropout_layers(model) and any(
        "training" in (operation_named(layer.operation).function.__kwdefaults__ or {}) for layer in model.layers.values()
    )


def _game_parts(game: Adversaries) -> dict[str, tuple[Operation, str]]:
    """Those of both players; the input is the discriminator's, and the target the generator's noise."""
    generator, discriminator = parts_of(game.generator), parts_of(game.discriminator)
    return {**generator, **discriminator, "x": discriminator["x"], "target": generator["x"]}


def _first_draw(model: Model, seeded: Stream) -> Stream:
    return seeded(model.draw) if model.draw else seeded


def model_operation(model: Model) -> Operation:
    """The model's output, loss and state, and its vector-Jacobian product, as an operation."""

    def function(
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree = None,
        *,
        training: bool = False,
        conventions: Conventions = MappingProxyType({}),
    ) -> tuple[Array, Array, Tree]:
        chosen = with_conventions(model, conventions)
        y, after, _ = run_layers(chosen, x, parameters, state or {}, training)
        return y, loss_of(chosen, parameters, y, target), after or None

    def vjp(
        cotangents: tuple[Array, Array],
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree = None,
        *,
        training: bool = False,
        conventions: Conventions = MappingProxyType({}),
    ) -> Gradients:
        chosen = with_conventions(model, conventions)
        y, _, trace = run_layers(chosen, x, parameters, state or {}, training)
        dy = cotangents[0] + loss_gradient(chosen, cotangents[1], y, target)
        dx, gradients = pull_back(chosen, dy, trace)
        return {"x": dx, "parameters": add_penalty_gradients(chosen, cotangents[1], parameters, gradients)}

    def samples(stream: Stream) -> Iterator[Sample]:
        drawn = _first_draw(model, stream)
        parameters, state = initial_values(model, drawn("weights"))
        weights = {"parameters": parameters, "state": state or None}
        yield Sample(name="plain_inference", inputs={**data(model, drawn("plain"), model.batch), **weights})
        if has_modes(model):
            inputs = {**data(model, drawn("plain"), model.batch), **weights}
            yield Sample(name="statistics_training", inputs=inputs, keywords={"training": True})
        yield Sample(name="unit_batch", inputs={**data(model, drawn("unit"), 1), **weights})

    def workload(stream: Stream, size: str) -> Sample:
        drawn = _first_draw(model, stream)
        parameters, state = initial_values(model, drawn("weights"))
        examples = data(model, drawn("workload"), model.batches[size])
        keywords = {"training": True} if has_modes(model) else {}
        return Sample(name=size, inputs={**examples, "parameters": parameters, "state": state or None}, keywords=keywords)

    def work(
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree = None,
        *,
        training: bool = False,
        conventions: Conventions = MappingProxyType({}),
    ) -> Work:
        return evaluation_work(model, x, target, parameters, state, training)

    function.__name__ = model.name
    function.__doc__ = model.text
    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="model",
        differentiable=("x", "parameters"),
        outputs=("y", "loss", "state"),
        cotangents=("y", "loss"),
        documents=model.documents,
        version=model.version,
        workload=workload,
        work=work,
        model=model,
        parts=parts_of(model),
    )


def training_operation(model: Model) -> Operation:
    """One step of the model's training as an operation; of both players, if the model is two."""
    if isinstance(model, Adversaries):
        game = game_operation(
            model, f"{model.name}{TRAINING}", lambda game, stream: training_batch(game, stream, 0), _game_parts(model)
        )
        return replace(game, workload=partial(_game_workload, model), work=partial(_game_work, model))

    def function(
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree = None,
        slots: Tree = None,
        taken: Array = 0,
        *,
        conventions: Conventions = MappingProxyType({}),
        mode: str = "eager",
        drawn: Mapping[str, Array] = MappingProxyType({}),
    ) -> tuple[Array, Tree, Tree, Tree]:
        chosen = with_conventions(model, conventions)
        before = (parameters, state or {}, slots or {})
        loss, stepped, after, slots = train_step(chosen, x, target, *before, int(taken), drawn)
        return loss, stepped, after or None, slots or None

    def samples(stream: Stream) -> Iterator[Sample]:
        yield Sample(name="plain_steps", inputs=training_inputs(model, stream), gradient=False)

    def workload(stream: Stream, size: str) -> Sample:
        batch = data(model, _first_draw(model, stream)("workload"), model.batches[size])
        return Sample(name=size, inputs=training_inputs(model, stream) | batch, gradient=False)

    def work(
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree = None,
        slots: Tree = None,
        taken: Array = 0,
        *,
        conventions: Conventions = MappingProxyType({}),
        mode: str = "eager",
        drawn: Mapping[str, Array] = MappingProxyType({}),
    ) -> Work:
        return training_work(model, x, target, parameters, state, slots or {})

    function.__name__ = f"{model.name}{TRAINING}"
    function.__doc__ = f"""One training step of ``{model.name}``: {model.loss}, then {model.optimizer}.

    The result is the loss before the step, and the parameters, the state and the optimizer's state after it; ``taken`` is the
    number of steps taken before. ``mode`` is for backends, which compile in it what their users compile; ``drawn`` is for the
    reference, which is told what a backend's dropout drew. Source:
    {", ".join(model.documents)}.
    """
    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="training",
        differentiable=(),
        outputs=("loss", "parameters", "state", "slots"),
        cotangents=(),
        documents=model.documents,
        version=model.version,
        # Of several examples at once nobody can say afterwards what was dropped for which, and so whether the step was right.
        workload=None if dropout_layers(model) else workload,
        work=None if dropout_layers(model) else work,
        model=model,
        parts=parts_of(model),
    )


def _game_workload(game: Adversaries, stream: Stream, size: str) -> Sample:
    """The first step of both players on a batch of that size."""
    batch = data(game, stream("workload"), game.batches[size])
    return Sample(name=size, inputs={**batch, **first_inputs(game, stream)}, gradient=False)


def _game_work(
    game: Adversaries,
    x: Array,
    target: Array,
    parameters: Tree,
    state: Tree,
    slots: Tree,
    taken: Array = 0,
    *,
    conventions: Conventions = MappingProxyType({}),
    mode: str = "eager",
) -> Work:
    """See ``game_work``."""
    return game_work(game, x, target, parameters, state, slots)


def training_inputs(model: Model, stream: Stream) -> dict[str, Tree]:
    """The inputs of a model's first training step; ``stream`` is that of the training operation."""
    drawn = _first_draw(model, stream)
    parameters, state = initial_values(model, drawn("weights"))
    slots = initial_slots(model, parameters)
    before = {"parameters": parameters, "state": state or None, "slots": slots or None, "taken": np.asarray(0, np.int64)}
    return training_batch(model, stream, 0) | before


def training_batch(model: Model, stream: Stream, step: int) -> dict[str, Array]:
    """The inputs and targets of one training step."""
    return data(model, _first_draw(model, stream)("batches")(str(step)), model.batch)


def judged_steps(model: Model) -> tuple[int, ...]:
    """The numbers of the training steps that are judged; all of a model with dropout, whose steps must know what was dropped."""
    return STEPS_OF_LARGE if is_large(model) and not dropout_layers(model) else tuple(range(STEPS))


def after_steps(inputs: Mapping[str, Tree], results: Mapping[str, Array]) -> dict[str, Tree]:
    """Parameters, state and slots of the inputs of a training step, with the values of its outputs, given by path."""

    def stepped(name: str) -> Tree:
        return replace_leaves(inputs[name], lambda path, leaf: results[f"{name}.{path}"])

    return {name: stepped(name) for name in STEPPED}
