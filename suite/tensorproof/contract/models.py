"""Models of a backend that has no layers of its own: made of its operations."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Implementation, Native, Unsupported, numpy_dtype
from tensorproof.operation_table import SOURCES
from tensorproof_reference import trees
from tensorproof_reference.model import Model
from tensorproof_reference.networks.adversaries import PLAYERS, Adversaries
from tensorproof_reference.networks.evaluation import optimizer_slots, penalized, with_conventions
from tensorproof_reference.networks.fitting import FITTING, METRICS, stops
from tensorproof_reference.networks.operations import TRAINING

Conventions = Mapping[str, Mapping[str, Any]]
NO_CONVENTIONS: Conventions = MappingProxyType({})


def implementation_of(backend: Backend, name: str) -> Implementation | None:
    """A backend's function for an operation, or for a model: of the framework's layers if it has them, or else composed."""
    table = backend.operations
    if name in table.implementations:
        return table.implementations[name]
    operation = table.specification.get(name)
    if operation is None or operation.model is None:
        return None
    model = operation.model
    if isinstance(model, Adversaries):
        return composed_game(backend, model)
    if name.endswith(TRAINING):
        return backend.training_step(model) or composed_training_step(backend, model)
    if name.endswith(FITTING):
        return backend.fit(model) or composed_fit(backend, model)
    return _penalized(backend, model, backend.model(model) or composed_model(backend, model))


def _penalized(backend: Backend, model: Model, implementation: Implementation) -> Implementation:
    """The model with its penalties added to its loss, as users of most frameworks add them."""
    if not model.penalties:
        return implementation

    def function(x: Native, target: Native, parameters: Any, state: Any = None, **keywords: Any) -> tuple[Native, Native, Any]:
        y, loss, after = implementation.function(x, target, parameters, state, **keywords)
        for name, strength in model.penalties.items():
            for layer in penalized(parameters):
                loss = loss + _function(backend, name)(parameters[layer]["weight"], strength=strength)
        return y, loss, after

    return Implementation(function, implementation.source)


def _function(backend: Backend, name: str) -> Callable[..., Any]:
    table = backend.operations
    if name not in table.implementations:
        raise Unsupported(f"the model needs {name}: {table.reasons.get(name, 'not implemented')}")
    return table.implementations[name].function


def _run_layers(backend: Backend, model: Model, x: Native, parameters: Any, state: Any, training: bool) -> tuple[Native, Any]:
    after: dict[str, Any] = {}
    for name, layer in model.layers.items():
        function = _function(backend, layer.operation)
        keywords = dict(layer.keywords)
        if "training" in inspect.signature(backend.operations.specification[layer.operation].function).parameters:
            keywords["training"] = training
        results = function(x, **parameters.get(name, {}), **state.get(name, {}), **keywords)
        outputs = trees.by_name(backend.operations.specification[layer.operation].outputs, results)
        x = next(iter(outputs.values()))
        if layer.state:
            after[name] = {key: outputs[key] for key in layer.state}
    return x, after


def composed_model(backend: Backend, model: Model) -> Implementation:
    """The model made of the backend's operations, called as ``networks.operations.model_operation`` says."""

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        *,
        training: bool = False,
        conventions: Conventions = NO_CONVENTIONS,
    ) -> tuple[Native, Native, Any]:
        chosen = with_conventions(model, conventions)
        y, after = _run_layers(backend, chosen, x, parameters, state or {}, training)
        return y, _function(backend, model.loss)(y, target, **chosen.loss_keywords), after or None

    return Implementation(function, "composed")


class TrainedModel:
    """A model in training mode as a function of its parameters (``tensorproof.backend.Function``).

    Constants are input, target and the leaves of the state; outputs are the model's output and its loss. ``with_input`` makes
    the input the first primal.
    """

    def __init__(
        self,
        model: Model,
        function: Callable[..., Any],
        parameters: Any,
        state: Any,
        conventions: Conventions,
        with_input: bool = False,
    ) -> None:
        self.operation = model.name
        weights = tuple(f"parameters.{path}" for path, _ in trees.leaves(parameters))
        self.primal_paths = ("x", *weights) if with_input else weights
        fixed = ("target",) if with_input else ("x", "target")
        self.constant_paths = (*fixed, *(f"state.{path}" for path, _ in trees.leaves(state)))
        self._structures = (parameters, state)
        self._function = function
        self._keywords = {"training": True, "conventions": conventions}

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Inputs by name and keywords, with the arrays in their places."""
        parameters, state = self._structures
        given = dict(zip((*self.primal_paths, *self.constant_paths), (*primals, *constants), strict=True))
        inputs = {
            "x": given["x"],
            "target": given["target"],
            "parameters": trees.replace_leaves(parameters, lambda path, leaf: given[f"parameters.{path}"]),
            "state": trees.replace_leaves(state, lambda path, leaf: given[f"state.{path}"]),
        }
        return inputs, self._keywords

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """Output and loss, and as other outputs the state afterwards."""
        inputs, keywords = self.arguments(primals, constants)
        y, loss, after = self._function(**inputs, **keywords)
        return (y, loss), tuple(leaf for _, leaf in trees.leaves(after))


def composed_training_step(backend: Backend, model: Model) -> Implementation:
    """A training step made of the model, the backend's vector-Jacobian product (in the mode) and its optimizer (eager)."""
    implementation = implementation_of(backend, model.name)
    assert implementation is not None, model.name
    prepared: dict[str, tuple[Any, Any]] = {}

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        slots: Any = None,
        taken: Any = 0,
        *,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[Native, Any, Any, Any]:
        values = [leaf for _, leaf in trees.leaves(parameters)]
        constants = (x, target, *(leaf for _, leaf in trees.leaves(state)))
        dtype, device = backend.dtype_of(values[0]), backend.device_of(values[0]) or backend.devices()[0]
        if mode not in prepared:
            trained = TrainedModel(model, implementation.function, parameters, state, conventions)
            (y, _), _ = backend.forward(trained, "eager")(values, constants)
            shape = backend.to_numpy(y).shape
            prepared[mode] = backend.value_and_vjp(trained, mode), shape
        value_and_vjp, shape = prepared[mode]
        cotangents = [
            backend.from_numpy(array.astype(numpy_dtype(dtype)), dtype, device) for array in (np.zeros(shape), np.ones(()))
        ]
        (_, loss), others, gradients = value_and_vjp(values, constants, cotangents)
        lost = [path for (path, _), value in zip(trees.leaves(parameters), gradients, strict=True) if value is None]
        if lost:
            raise ValueError(f"the loss gives no gradient to {', '.join(lost)}")
        chosen = with_conventions(model, conventions)
        lists = {name: [leaf for _, leaf in trees.leaves(slots[name])] for name in optimizer_slots(chosen)}
        results = optimized(backend, chosen, values, gradients, lists, taken)
        stepped = {name: like(parameters, results[name]) for name in ("parameters", *lists)}
        return loss, stepped.pop("parameters"), like(state, others), stepped or None

    return Implementation(function, implementation.source)


def composed_game(backend: Backend, game: Adversaries) -> Implementation:
    """A step of the discriminator and one of the generator, made of the two models, their products and the optimizer."""
    models = {player: implementation_of(backend, model.name) for player, model in game.players().items()}
    prepared: dict[str, dict[str, Any]] = {}

    def prepare(mode: str, parameters: Any, state: Any, conventions: Conventions) -> dict[str, Any]:
        found = {}
        for player, model in game.players().items():
            implementation = models[player]
            assert implementation is not None, model.name
            trained = TrainedModel(
                model, implementation.function, parameters[player], state[player], conventions, with_input=True
            )
            found[player] = backend.forward(trained, "eager"), backend.value_and_vjp(trained, mode)
        return found

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any,
        slots: Any,
        taken: Any = 0,
        *,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[dict[str, Native], Any, Any, Any]:
        if mode not in prepared:
            prepared[mode] = prepare(mode, parameters, state, conventions)
        values = {player: [leaf for _, leaf in trees.leaves(parameters[player])] for player in PLAYERS}
        states = {player: [leaf for _, leaf in trees.leaves(state[player])] for player in PLAYERS}
        dtype, device = backend.dtype_of(x), backend.device_of(x) or backend.devices()[0]

        def native(array: Any) -> Native:
            return backend.from_numpy(np.asarray(array, numpy_dtype(dtype)), dtype, device)

        generate, generator_vjp = prepared[mode]["generator"]
        _, discriminator_vjp = prepared[mode]["discriminator"]
        (fake, _), generator_state = generate((target, *values["generator"]), (x, *states["generator"]))
        rows = (len(backend.to_numpy(x)), 1)
        zeros, one = native(np.zeros(rows)), native(np.ones(()))

        def judged(images: Native, label: float, weights: Sequence[Native], before: Sequence[Native]) -> Any:
            constants = (native(np.full(rows, label)), *before)
            (_, loss), after, gradients = discriminator_vjp((images, *weights), constants, (zeros, one))
            return loss, gradients[0], gradients[1:], after

        real_loss, _, real, after = judged(x, 1.0, values["discriminator"], states["discriminator"])
        fake_loss, _, generated, after = judged(fake, 0.0, values["discriminator"], after)
        total = [first + second for first, second in zip(real, generated, strict=True)]
        step = _stepped(backend, game, slots, taken, conventions)
        weights, discriminator_slots = step("discriminator", values["discriminator"], total)
        loss, d_fake, _, after = judged(fake, 1.0, weights, after)
        constants = (x, *states["generator"])
        _, _, gradients = generator_vjp((target, *values["generator"]), constants, (d_fake, native(np.zeros(()))))
        generator_weights, generator_slots = step("generator", values["generator"], gradients[1:])
        stepped = {"generator": (generator_weights, generator_slots), "discriminator": (weights, discriminator_slots)}
        return (
            {"discriminator": real_loss + fake_loss, "generator": loss},
            {player: like(parameters[player], stepped[player][0]) for player in PLAYERS},
            {"generator": like(state["generator"], generator_state), "discriminator": like(state["discriminator"], after)},
            {slot: {player: like(parameters[player], stepped[player][1][slot]) for player in PLAYERS} for slot in slots},
        )

    sources = {implementation.source for implementation in models.values() if implementation}
    return Implementation(function, max(sources, key=SOURCES.index))


def _stepped(backend: Backend, game: Adversaries, slots: Any, taken: Any, conventions: Conventions) -> Callable[..., Any]:
    """The optimizer as a function of a player, its weights and their gradients, to new weights and slots."""

    def step(player: str, values: Sequence[Native], gradients: Sequence[Native]) -> tuple[Sequence[Native], Any]:
        model = with_conventions(game.players()[player], conventions)
        lists = {slot: [leaf for _, leaf in trees.leaves(of_players[player])] for slot, of_players in slots.items()}
        results = optimized(backend, model, values, gradients, lists, taken)
        return results["parameters"], {slot: results[slot] for slot in lists}

    return step


def composed_fit(backend: Backend, model: Model) -> Implementation:
    """The loop that users write: training steps over mini-batches, and validation after each epoch."""
    step, whole = implementation_of(backend, f"{model.name}{TRAINING}"), implementation_of(backend, model.name)
    assert step is not None, model.name
    assert whole is not None, model.name
    train_step, evaluate = step.function, whole.function

    def accuracy(y: Native, target: Native) -> float | None:
        return float(backend.to_numpy(_function(backend, METRICS[model.loss])(y, target))) if model.loss in METRICS else None

    def function(
        x: Native,
        target: Native,
        validation_x: Native,
        validation_target: Native,
        parameters: Any,
        state: Any = None,
        *,
        epochs: int = 2,
        batch: int = 10,
        patience: int | None = None,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[Any, Native]:
        leaf = next(leaf for _, leaf in trees.leaves(parameters))
        dtype, device = backend.dtype_of(leaf), backend.device_of(leaf) or backend.devices()[0]

        def native(values: Any, kind: str = dtype) -> Native:
            return backend.from_numpy(np.asarray(values, numpy_dtype(kind)), kind, device)

        slots = {
            name: trees.replace_leaves(parameters, lambda path, item: native(np.zeros(backend.to_numpy(item).shape)))
            for name in optimizer_slots(with_conventions(model, conventions))
        }
        history: dict[str, list[Any]] = {name: [] for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")}
        taken = 0
        for _ in range(epochs):
            losses, hits = [], []
            for start in range(0, len(backend.to_numpy(x)), batch):
                part = x[start : start + batch], target[start : start + batch]
                y, _, _ = evaluate(*part, parameters, state, training=True, conventions=conventions)
                hits.append(accuracy(y, part[1]))
                loss, parameters, state, after = train_step(
                    *part, parameters, state, slots or None, native(taken, "int64"), conventions=conventions, mode=mode
                )
                slots, taken = after or {}, taken + 1
                losses.append(float(backend.to_numpy(loss)))
            y, loss, _ = evaluate(validation_x, validation_target, parameters, state, conventions=conventions)
            history["loss"].append(np.mean(losses))
            history["validation_loss"].append(float(backend.to_numpy(loss)))
            history["accuracy"].append(
                float(np.mean([hit for hit in hits if hit is not None])) if model.loss in METRICS else None
            )
            history["validation_accuracy"].append(accuracy(y, validation_target))
            if stops(history["validation_loss"], patience):
                break
        return {name: None if None in values else native(values) for name, values in history.items()}, y

    return Implementation(function, step.source)


def optimized(
    backend: Backend,
    model: Model,
    values: Sequence[Native],
    gradients: Sequence[Native],
    slots: Mapping[str, Sequence[Native]],
    taken: Native,
) -> dict[str, Any]:
    """One step of the model's optimizer, an operation of the backend: new parameters and slots, as lists by name."""
    specification = backend.operations.specification[model.optimizer]
    keywords: dict[str, Any] = dict(model.optimizer_keywords)
    if "taken" in inspect.signature(specification.function).parameters:
        keywords["taken"] = int(backend.to_numpy(taken))
    function = _function(backend, model.optimizer)
    return trees.by_name(specification.outputs, function(values, [list(gradients)], **slots, **keywords))


def like(structure: Any, values: Sequence[Native]) -> Any:
    """The values in the places of a structure's leaves, in order."""
    given = iter(values)
    return trees.replace_leaves(structure, lambda path, leaf: next(given))
