"""The hooks through which distributions bring backends and operations of their own."""

import pluggy

from tensorproof.backend import PROJECT, Backend
from tensorproof_reference.operation import Operation

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec(firstresult=True)
def tensorproof_backend() -> Backend | None:
    """Return the backend of this module. Called once, in each process that runs checks, when the backend is asked for."""


@hookspec
def tensorproof_operations() -> list[Operation]:  # type: ignore[empty-body]
    """Return operations to check besides the specification's own."""
