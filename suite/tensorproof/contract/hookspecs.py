"""The hooks through which distributions bring backends and operations of their own."""

import sys

import pluggy

from tensorproof.backend import PROJECT, Backend, OperationTable
from tensorproof_reference.operation import Operation

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec(firstresult=True)
def tensorproof_backend() -> Backend | None:
    """Return the backend of this module. Called once, in each process that runs checks, when the backend is asked for."""


@hookspec
def tensorproof_operations() -> list[Operation]:  # type: ignore[empty-body]
    """Return operations to check besides the specification's own, of a profile of their own."""


@hookspec
def tensorproof_implementations(backend: str) -> OperationTable | None:
    """Return the functions of the backend of that name for the operations that this module brings, or ``None``."""


def plugin_manager() -> pluggy.PluginManager:
    """A plugin manager that knows these hooks and nothing else yet."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(sys.modules[__name__])
    return manager
