"""Finding backends: only the one asked for is imported, and a broken one harms no other."""

import importlib
import traceback
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pluggy

from tensorproof.backend import PROJECT, Backend, PluginError, did_you_mean
from tensorproof.contract import hookspecs
from tensorproof.contract.untouched import judging_functions, message_of_replaced, replaced
from tensorproof.errors import UsageError, sentence
from tensorproof.processes import interruption
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.operation import Operation

GROUP = "tensorproof.backends"


def installed() -> dict[str, EntryPoint]:
    """The entry points of the backends that are installed, by backend name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def plugin_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hooks of this project and nothing else yet."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load(name: str) -> Backend:
    """Import the backend's plugin and return the backend.

    Raises:
        UsageError: there is no backend of that name, or its plugin is broken (the message shows its error), or replaces
            functions that verdicts are computed with.
    """
    points = installed()
    if name not in points:
        raise UsageError(f"no backend is called {name!r}{did_you_mean(name, points)}; installed: {', '.join(points) or 'none'}")
    before = judging_functions()
    try:
        module = points[name].load()
    except BaseException as error:
        if interruption():
            raise KeyboardInterrupt from None
        raise UsageError(_broken(name, points[name], error)) from error
    backend = backend_of(module, name)
    if changed := replaced(before):
        raise UsageError(f"backend {name!r}: {message_of_replaced(changed)}")
    return backend


def backend_of(module: ModuleType | object, name: str) -> Backend:
    """The backend that a module (or any object with the hook) hands over.

    Raises:
        UsageError: the hook is missing, fails, or returns something else than a backend of that name.
    """
    manager = plugin_manager()
    try:
        manager.register(module)
        backend = manager.hook.tensorproof_backend()
    except BaseException as error:
        if interruption():
            raise KeyboardInterrupt from None
        raise UsageError(f"backend {name!r}: its plugin is broken: {sentence(error)}") from error
    if not isinstance(backend, Backend):
        raise UsageError(
            f"backend {name!r}: its plugin is broken: tensorproof_backend returned {type(backend).__name__}, not a Backend"
        )
    if backend.name != name:
        raise UsageError(f"backend {name!r}: its plugin is broken: the backend calls itself {backend.name!r}")
    return backend


def _broken(name: str, point: EntryPoint, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if isinstance(error, PluginError | ImportError) else f" (line {last.lineno} of {last.name})"
    return f"backend {name!r}: its plugin {point.value} cannot be imported: {sentence(error)}{where}"


def specification() -> dict[str, Operation]:
    """The specification's operations and those that third parties bring through ``tensorproof_operations``.

    Raises:
        UsageError: a distribution's operations cannot be imported, or one has a name that is taken.
    """
    found = dict(all_operations())
    for point in sorted(entry_points(group="tensorproof.operations"), key=lambda point: point.name):
        manager = plugin_manager()
        try:
            manager.register(importlib.import_module(point.value))
            brought = [operation for group in manager.hook.tensorproof_operations() for operation in group]
        except Exception as error:
            raise UsageError(f"operations of {point.name!r} cannot be imported: {type(error).__name__}: {error}") from error
        for operation in brought:
            if operation.name in found:
                raise UsageError(f"operations of {point.name!r}: {operation.name} exists already")
            found[operation.name] = operation
    return found
