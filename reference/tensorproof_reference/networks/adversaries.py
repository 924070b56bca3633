"""Two models that learn against each other (Goodfellow et al., 2014): their record, and one step of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof_reference.model import Model
from tensorproof_reference.networks.evaluation import (
    initial_slots,
    initial_values,
    loss_gradient,
    loss_of,
    pull_back,
    run_layers,
    update,
    with_conventions,
)
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Tree

PLAYERS = ("generator", "discriminator")


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversaries(Model):
    """A generator and a discriminator. ``inputs`` draws real examples, and ``targets`` the generator's noise."""

    generator: Model
    discriminator: Model

    def players(self) -> dict[str, Model]:
        """The two models by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}


def labels(value: float, y: Array) -> Array:
    """The same label for each row of the discriminator's output."""
    return np.full_like(y, value)


def play(
    game: Adversaries, x: Array, noise: Array, parameters: Tree, state: Tree, slots: Tree, taken: int
) -> tuple[dict[str, Array], Tree, Tree, Tree]:
    """A step of the discriminator and then one of the generator: both losses, and parameters, state and slots after them.

    The generator makes its images once; its running statistics are updated once, those of the discriminator by three batches
    (real images, generated ones, and generated ones again for the generator's step).
    """
    generator, discriminator = game.generator, game.discriminator
    of = {player: {slot: values[player] for slot, values in slots.items()} for player in PLAYERS}
    fake, generator_state, generator_trace = run_layers(
        generator, noise, parameters["generator"], state["generator"], training=True
    )

    def judged(images: Array, label: float, weights: Tree, before: Tree) -> tuple[Array, Array | None, Tree, Tree]:
        y, after, trace = run_layers(discriminator, images, weights, before, training=True)
        target = labels(label, np.ones(y.shape))
        loss = loss_of(discriminator, weights, y, target)
        dx, gradients = pull_back(discriminator, loss_gradient(discriminator, np.ones_like(loss), y, target), trace)
        return loss, dx, gradients, after

    weights = parameters["discriminator"]
    real_loss, _, real, after = judged(x, 1.0, weights, state["discriminator"])
    fake_loss, _, generated, after = judged(fake, 0.0, weights, after)
    total = {layer: {name: of_layer[name] + generated[layer][name] for name in of_layer} for layer, of_layer in real.items()}
    weights, discriminator_slots = update(discriminator, weights, total, of["discriminator"], taken)

    generator_loss, d_fake, _, after = judged(fake, 1.0, weights, after)
    assert d_fake is not None
    _, gradients = pull_back(generator, d_fake, generator_trace)
    generator_weights, generator_slots = update(generator, parameters["generator"], gradients, of["generator"], taken)
    return (
        {"discriminator": real_loss + fake_loss, "generator": generator_loss},
        {"generator": generator_weights, "discriminator": weights},
        {"generator": generator_state, "discriminator": after},
        {slot: {"generator": generator_slots[slot], "discriminator": discriminator_slots[slot]} for slot in slots},
    )


def game_with_conventions(game: Adversaries, conventions: Any) -> tuple[Model, Model]:
    """Generator and discriminator in a backend's conventions."""
    return with_conventions(game.generator, conventions), with_conventions(game.discriminator, conventions)


def first_inputs(game: Adversaries, stream: Stream) -> dict[str, Tree]:
    """Weights, state and slots before the first step, and its number."""
    drawn = {player: initial_values(model, stream("weights")(player)) for player, model in game.players().items()}
    parameters = {player: values for player, (values, _) in drawn.items()}
    slots = {player: initial_slots(model, parameters[player]) for player, model in game.players().items()}
    return {
        "parameters": parameters,
        "state": {player: values for player, (_, values) in drawn.items()},
        "slots": {slot: {player: slots[player][slot] for player in PLAYERS} for slot in slots["generator"]},
        "taken": np.asarray(0, np.int64),
    }


def game_operation(game: Adversaries, name: str, data: Any, parts: Any) -> Operation:
    """One step of both players as an operation of that name; ``data(game, stream)`` draws the first batch."""

    def function(
        x: Array,
        target: Array,
        parameters: Tree,
        state: Tree,
        slots: Tree,
        taken: Array = 0,
        *,
        conventions: Any = MappingProxyType({}),
        mode: str = "eager",
    ) -> tuple[dict[str, Array], Tree, Tree, Tree]:
        generator, discriminator = game_with_conventions(game, conventions)
        chosen = Adversaries(**{**vars(game), "generator": generator, "discriminator": discriminator})
        return play(chosen, x, target, parameters, state, slots, int(taken))

    def samples(stream: Stream) -> Iterator[Sample]:
        yield Sample(name="plain_steps", inputs={**data(game, stream), **first_inputs(game, stream)}, gradient=False)

    function.__name__ = name
    function.__doc__ = game.text
    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="training",
        differentiable=(),
        outputs=("loss", "parameters", "state", "slots"),
        cotangents=(),
        documents=game.documents,
        version=game.version,
        model=game,
        parts=parts,
    )
