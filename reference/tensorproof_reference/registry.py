"""Every operation that is not made of others, found by walking the folders that hold them: one file each, or tables of them."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from tensorproof_reference import activations, data, initializers, losses, operations, optimizers, primitives
from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import EXTENDED, Operation
from tensorproof_reference.sample_classes import REQUIRED


def operation_named(name: str) -> Operation:
    """The operation of that name that is no model.

    Raises:
        ValueError: there is none.
    """
    found = basic_operations()
    require_choice(name, "operation", found)
    return found[name]


@functools.cache
def basic_operations() -> Mapping[str, Operation]:
    """All operations of profile ``core`` that are not made of others, by name, in alphabetical order within each folder.

    Raises:
        ValueError: a file's name is not its function's name, or its record is malformed.
    """
    found: dict[str, Operation] = {}
    for package in (operations, losses, optimizers, data, initializers):
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
            if info.name.startswith("_"):
                continue
            operation = importlib.import_module(f"{package.__name__}.{info.name}").OPERATION
            if operation.name != info.name:
                raise ValueError(f"{info.name}.py: the file's name must be its function's name, got {operation.name}")
            _require_family(operation)
            found[operation.name] = operation
    return MappingProxyType(found)


@functools.cache
def extended_operations() -> Mapping[str, Operation]:
    """The operations of profile ``extended`` by name, in the order of their tables.

    Raises:
        ValueError: two have one name, a record is malformed, or one is of another profile.
    """
    found: dict[str, Operation] = {}
    for package in (primitives, activations):
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
            if info.name.startswith("_"):
                continue
            for operation in importlib.import_module(f"{package.__name__}.{info.name}").OPERATIONS:
                if operation.name in found or operation.name in basic_operations():
                    raise ValueError(f"{info.name}.py: {operation.name} exists already")
                if operation.profile != EXTENDED:
                    raise ValueError(f"{operation.name}: profile: expected {EXTENDED!r}, got {operation.profile!r}")
                _require_family(operation)
                found[operation.name] = operation
    return MappingProxyType(found)


def _require_family(operation: Operation) -> None:
    if operation.family not in REQUIRED:
        raise ValueError(f"{operation.name}: family: expected one of {', '.join(REQUIRED)}, got {operation.family!r}")
