"""Models of a backend that has no layers of its own: made of its operations."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Implementation, Native, Unsupported, numpy_dtype
from tensorproof_reference import trees
from tensorproof_reference.model import Model
from tensorproof_reference.model_evaluation import optimizer_slots, with_conventions
from tensorproof_reference.model_operations import TRAINING

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
    if name.endswith(TRAINING):
        return backend.training_step(operation.model) or composed_training_step(backend, operation.model)
    return backend.model(operation.model) or composed_model(backend, operation.model)


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
    """The model made of the backend's operations, called as ``model_operations.model_operation`` says."""

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


class _Loss:
    """The loss of a model as a function of its parameters (``tensorproof.backend.Function``)."""

    operation = ""

    def __init__(self, backend: Backend, model: Model, parameters: Any, state: Any) -> None:
        self.backend = backend
        self.model = model
        self.structure = parameters
        self.state = state
        self.primal_paths = tuple(path for path, _ in trees.leaves(parameters))
        self.constant_paths: tuple[str, ...] = ("x", "target")

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A model has no operation by whose vector-Jacobian product a backend could go."""
        raise Unsupported("a training step made of operations needs automatic differentiation")

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """The loss, and as other outputs the state afterwards."""
        by_path = dict(zip(self.primal_paths, primals, strict=True))
        parameters = trees.replace_leaves(self.structure, lambda path, leaf: by_path[path])
        y, after = _run_layers(self.backend, self.model, constants[0], parameters, self.state, True)
        loss = _function(self.backend, self.model.loss)(y, constants[1], **self.model.loss_keywords)
        return (loss,), tuple(leaf for _, leaf in trees.leaves(after))


def composed_training_step(backend: Backend, model: Model) -> Implementation:
    """A training step made of the backend's operations and its vector-Jacobian product, run eagerly."""

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        slots: Any = None,
        taken: Any = 0,
        *,
        conventions: Conventions = NO_CONVENTIONS,
    ) -> tuple[Native, Any, Any, Any]:
        chosen = with_conventions(model, conventions)
        loss_function = _Loss(backend, chosen, parameters, state or {})
        values = [leaf for _, leaf in trees.leaves(parameters)]
        (loss,), others = backend.forward(loss_function, "eager")(values, (x, target))
        dtype = backend.dtype_of(loss)
        one = backend.from_numpy(np.ones((), numpy_dtype(dtype)), dtype, backend.device_of(loss) or backend.devices()[0])
        (loss,), others, gradients = backend.value_and_vjp(loss_function, "eager")(values, (x, target), (one,))
        names, optimizer = optimizer_slots(chosen), _function(backend, model.optimizer)
        lists = {name: [leaf for _, leaf in trees.leaves(slots[name])] for name in names}
        keywords: dict[str, Any] = dict(chosen.optimizer_keywords)
        specification = backend.operations.specification[model.optimizer]
        if "taken" in inspect.signature(specification.function).parameters:
            keywords["taken"] = int(backend.to_numpy(taken))
        results = trees.by_name(specification.outputs, optimizer(values, [list(gradients)], **lists, **keywords))
        after = iter(others)
        return (
            loss,
            _like(parameters, results["parameters"]),
            trees.replace_leaves(state, lambda path, leaf: next(after)),
            {name: _like(parameters, results[name]) for name in names} or None,
        )

    return Implementation(function, "composed")


def _like(structure: Any, values: Sequence[Native]) -> Any:
    """The values in a structure's places."""
    given = iter(values)
    return trees.replace_leaves(structure, lambda path, leaf: next(given))
