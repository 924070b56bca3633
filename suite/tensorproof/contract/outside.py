"""Operations from outside: a distribution brings operations, and functions of backends for them, through hooks.

The distribution has an entry point in the group ``tensorproof.operations`` whose value is a module with two hooks::

    from tensorproof.backend import OperationTable, hookimpl

    ROPE = Operation(function=rope, vjp=vjp, samples=samples, family="elementwise", profile="rotary")
    for_torch = OperationTable({"rope": ROPE})

    @for_torch.composed
    def rope(x, *, base=10000.0): ...

    @hookimpl
    def tensorproof_operations():
        return [ROPE]

    @hookimpl
    def tensorproof_implementations(backend):
        return {"torch": for_torch}.get(backend)

``tensorproof check torch --profile=rotary`` checks them. They are listed, timed and reported as others are, and counted by their
own profile, never by ``core``.
"""

import functools
import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from tensorproof.backend import Backend, OperationTable
from tensorproof.contract.hookspecs import plugin_manager
from tensorproof.errors import UsageError, sentence
from tensorproof.processes import interruption
from tensorproof_reference.catalogue import EVERY_PROFILE, known_operations
from tensorproof_reference.operation import CORE, EXTENDED, Operation

GROUP = "tensorproof.operations"
TAKEN = (CORE, EXTENDED, EVERY_PROFILE)
"""The profiles that are the specification's own."""


def points() -> tuple[EntryPoint, ...]:
    """The entry points of the distributions that bring operations, by name."""
    return _points_on(tuple(sys.path))


@functools.cache
def _points_on(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those on a search path: to read the metadata of all that is installed takes longer than many a check."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _asked(point: EntryPoint, hook: str, **arguments: Any) -> list[Any]:
    """What a distribution's hook returns.

    Raises:
        UsageError: its module cannot be imported, or the hook fails.
    """
    manager: pluggy.PluginManager = plugin_manager()
    try:
        manager.register(importlib.import_module(point.value))
        return list(getattr(manager.hook, hook)(**arguments))
    except BaseException as error:
        if interruption():
            raise KeyboardInterrupt from None
        raise UsageError(f"operations of {point.name!r} cannot be imported: {sentence(error)}") from error


def operations() -> dict[str, Operation]:
    """All operations from outside, by name.

    Raises:
        UsageError: they cannot be imported, or one has a name or a profile that is taken.
    """
    found: dict[str, Operation] = {}
    for point in points():
        for operation in (item for group in _asked(point, "tensorproof_operations") for item in group):
            if operation.name in found or operation.name in known_operations():
                raise UsageError(f"operations of {point.name!r}: {operation.name} exists already; give it another name")
            if operation.profile in TAKEN:
                raise UsageError(
                    f"operations of {point.name!r}: {operation.name} is of profile {operation.profile!r}, "
                    f"which is the specification's; write profile={point.name!r} in its Operation"
                )
            found[operation.name] = operation
    return found


def implement(backend: Backend) -> None:
    """Give a backend the functions that distributions bring for it, and the operations, of which models may be made.

    Raises:
        UsageError: a hook fails, or returns no table.
    """
    table = backend.operations
    brought = operations()
    table.specification = {**table.specification, **brought}
    for point in points():
        for theirs in _asked(point, "tensorproof_implementations", backend=backend.name):
            if not isinstance(theirs, OperationTable):
                raise UsageError(
                    f"operations of {point.name!r}: tensorproof_implementations returned {type(theirs).__name__}; "
                    "it must return an OperationTable, or None"
                )
            new = {name: item for name, item in theirs.implementations.items() if name in brought}
            table.implementations = {**table.implementations, **new}
            table.reasons = {**table.reasons, **{name: text for name, text in theirs.reasons.items() if name in brought}}


def versions() -> dict[str, str]:
    """The versions of the distributions that bring operations."""
    return {point.dist.name: point.dist.version for point in points() if point.dist}
