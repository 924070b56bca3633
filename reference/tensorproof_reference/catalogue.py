"""All that a backend is checked on: the operations of the registry, and those that are made of models."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from tensorproof_reference import models
from tensorproof_reference.model import Model
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.fitting import fit_operation
from tensorproof_reference.networks.operations import model_operation, training_operation
from tensorproof_reference.networks.parts import dropout_layers
from tensorproof_reference.operation import CORE, Operation
from tensorproof_reference.registry import basic_operations, extended_operations

EVERY_PROFILE = "all"
"""The word for all profiles together."""


@functools.cache
def all_models() -> Mapping[str, Model]:
    """The models by name, in alphabetical order.

    Raises:
        ValueError: a file's name is not its model's.
    """
    found: dict[str, Model] = {}
    for info in sorted(pkgutil.iter_modules(models.__path__), key=lambda item: item.name):
        if info.name.startswith("_"):
            continue
        model = importlib.import_module(f"{models.__name__}.{info.name}").MODEL
        if model.name != info.name:
            raise ValueError(f"{info.name}.py: the file's name must be its model's name, got {model.name}")
        found[model.name] = model
    return MappingProxyType(found)


def operations_made_of(model: Model) -> list[Operation]:
    """Output and gradient, training step and fitting of a model; of two that learn against each other their steps."""
    if isinstance(model, Adversaries):
        return [training_operation(model)]
    fitted = [] if dropout_layers(model) else [fit_operation(model)]
    return [model_operation(model), training_operation(model), *fitted]


@functools.cache
def all_operations() -> Mapping[str, Operation]:
    """All of profile ``core`` by name, and after them each model's output, training step and fitting.

    Raises:
        ValueError: a file's name is not its function's name, or its record is malformed.
    """
    found = dict(basic_operations())
    for model in all_models().values():
        for operation in operations_made_of(model):
            found[operation.name] = operation
    return MappingProxyType(found)


@functools.cache
def known_operations() -> Mapping[str, Operation]:
    """The operations of all profiles: those of ``core``, and after them those of ``extended``.

    Raises:
        ValueError: as ``all_operations``, or a name is in both.
    """
    both = all_operations().keys() & extended_operations().keys()
    if both:
        raise ValueError(f"{', '.join(sorted(both))}: in two profiles")
    return MappingProxyType({**all_operations(), **extended_operations()})


def of_profile(operations: Mapping[str, Operation], profile: str) -> dict[str, Operation]:
    """Those of a profile, or all of them if the profile is ``all``."""
    return {name: item for name, item in operations.items() if profile in (item.profile, EVERY_PROFILE)}


def specification_version(profile: str = CORE) -> str:
    """The versions of a profile's operations in one word: rises with any of them, and differs where an operation is added.

    The first part counts operations, the second sums their versions. A profile that comes from outside has the core's.
    """
    found = of_profile(known_operations(), profile) or all_operations()
    return f"{len(found)}.{sum(operation.version for operation in found.values())}"
