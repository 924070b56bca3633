"""What a model is made of, as the operations of its layers."""

import inspect

from tensorproof_reference.model import Model
from tensorproof_reference.operation import Operation
from tensorproof_reference.registry import operation_named


def dropout_layers(model: Model) -> list[str]:
    """The names of the layers that draw in training."""
    return [name for name, layer in model.layers.items() if layer.operation == "dropout"]


def parts_of(model: Model) -> dict[str, tuple[Operation, str]]:
    """See ``Operation.parts``. The output is an image if no layer flattens it."""
    layers = {name: operation_named(layer.operation) for name, layer in model.layers.items()}
    parts = {name: (operation, "") for name, operation in layers.items()}
    first = next(iter(layers.values()))
    parts["x"] = parts["validation_x"] = (first, next(iter(inspect.signature(first.function).parameters)))
    images = [operation for operation in layers.values() if operation.family == "window"]
    if images and operation_named("flatten") not in layers.values():
        parts |= dict.fromkeys(("y", "predictions", "target", "validation_target"), (images[-1], "y"))
    return parts
