"""Every operation that is not made of others, found by walking the folders that hold them: one file each, or tables of them."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from tensorproof_reference import (
    activations,
    arrays,
    attention,
    blocks,
    data,
    images,
    initializers,
    losses,
    metrics,
    mixed,
    normalizations,
    operations,
    optimizers,
    primitives,
    reductions,
    sequences,
    windows,
)
from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import CORE, EXTENDED, Operation
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
def _operations_of_pages() -> Mapping[str, Operation]:
    """All operations that have a file of their own, of every profile, in alphabetical order within each folder.

    Raises:
        ValueError: a file's name is not its function's name, or its record is malformed.
    """
    found: dict[str, Operation] = {}
    for package in (operations, losses, optimizers, data, initializers, normalizations):
        for name, module in _modules(package):
            operation = module.OPERATION
            if operation.name != name:
                raise ValueError(f"{name}.py: the file's name must be its function's name, got {operation.name}")
            _require_family(operation)
            found[operation.name] = operation
    return MappingProxyType(found)


def _modules(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """The modules of a folder that hold operations, by name."""
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        if not info.name.startswith("_"):
            yield info.name, importlib.import_module(f"{package.__name__}.{info.name}")


@functools.cache
def basic_operations() -> Mapping[str, Operation]:
    """All operations of profile ``core`` that are not made of others, by name, in alphabetical order within each folder.

    Raises:
        ValueError: as ``extended_operations``.
    """
    return MappingProxyType({name: item for name, item in _operations_of_pages().items() if item.profile == CORE})


@functools.cache
def extended_operations() -> Mapping[str, Operation]:
    """The operations of profile ``extended`` by name: those of tables in their order, then those with files of their own.

    Raises:
        ValueError: two have one name, a file's name is not its function's, a record is malformed, or one in a table is of
            another profile.
    """
    pages = _operations_of_pages()
    found: dict[str, Operation] = {}
    for package in (primitives, reductions, arrays, activations, attention, sequences, windows, images, blocks, metrics, mixed):
        for name, module in _modules(package):
            for operation in module.OPERATIONS:
                if operation.name in found or operation.name in pages:
                    raise ValueError(f"{name}.py: {operation.name} exists already")
                if operation.profile != EXTENDED:
                    raise ValueError(f"{operation.name}: profile: expected {EXTENDED!r}, got {operation.profile!r}")
                _require_family(operation)
                found[operation.name] = operation
    return MappingProxyType(found | {name: item for name, item in pages.items() if item.profile == EXTENDED})


def _require_family(operation: Operation) -> None:
    if operation.family not in REQUIRED:
        raise ValueError(f"{operation.name}: family: expected one of {', '.join(REQUIRED)}, got {operation.family!r}")
