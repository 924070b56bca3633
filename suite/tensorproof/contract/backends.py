"""Finding backends: only the one asked for is imported, and a broken one harms no other."""

import difflib
import traceback
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from tensorproof.backend import Backend, PluginError
from tensorproof.contract import outside
from tensorproof.contract.hookspecs import plugin_manager
from tensorproof.contract.untouched import judging_functions, message_of_replaced, replaced
from tensorproof.errors import UsageError, sentence
from tensorproof.operation_table import did_you_mean
from tensorproof.processes import interruption
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import Operation

GROUP = "tensorproof.backends"
HOOK = "tensorproof_backend"
EXAMPLE = "@hookimpl def tensorproof_backend(): return MyBackend()"


def installed() -> dict[str, EntryPoint]:
    """The entry points of the backends that are installed, by backend name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load(name: str) -> Backend:
    """Import the backend's plugin and return the backend.

    Raises:
        UsageError: there is no backend of that name, or its plugin is broken (the message shows its error), or replaces
            functions that verdicts are computed with.
    """
    points = installed()
    if name not in points:
        known = ", ".join(points) or "none"
        raise UsageError(f"no backend is called {name!r}{did_you_mean(name, points)}; installed: {known}{_misspelt_group()}")
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
    outside.implement(backend)
    return backend


def backend_of(module: ModuleType | object, name: str) -> Backend:
    """The backend that a module (or any object with the hook) hands over.

    Raises:
        UsageError: the hook is missing, fails, or returns something else than a backend of that name.
    """
    broken = f"backend {name!r}: its plugin is broken:"
    manager = plugin_manager()
    where = getattr(module, "__name__", type(module).__name__)
    if not hasattr(module, HOOK):
        raise UsageError(f"{broken} {where} has no function {HOOK}; end it with {EXAMPLE}")
    if manager.parse_hookimpl_opts(module, HOOK) is None:
        raise UsageError(f"{broken} {HOOK} in {where} is not marked as a hook; write @hookimpl above it: {EXAMPLE}")
    try:
        manager.register(module)
        backend = manager.hook.tensorproof_backend()
    except BaseException as error:
        if interruption():
            raise KeyboardInterrupt from None
        raise UsageError(f"{broken} {sentence(error)}") from error
    if not isinstance(backend, Backend):
        raise UsageError(f"{broken} {_not_a_backend(backend)}")
    if backend.name != name:
        raise UsageError(
            f"{broken} the entry point is called {name!r}, the backend calls itself {backend.name!r}; "
            f"write name = {name!r} in {type(backend).__name__}, or rename the entry point in pyproject.toml and install again"
        )
    return backend


def _not_a_backend(value: object) -> str:
    """What is wrong with what the hook returned, and what it should."""
    if value is None:
        return f"{HOOK} returned None; it must return the backend: return MyBackend()"
    if isinstance(value, type):
        return f"{HOOK} returned the class {value.__name__}; it must return an object of it: return {value.__name__}()"
    return f"{HOOK} returned {type(value).__name__}, not a Backend; derive its class from tensorproof.backend.Backend"


def _misspelt_group() -> str:
    """Where the backend may be instead: the groups of entry points that look like the right one, and what is in them."""
    points = entry_points()
    alike = difflib.get_close_matches(GROUP, sorted(points.groups - {GROUP, outside.GROUP}), n=3, cutoff=0.75)
    if not alike:
        return ""
    found = "; ".join(f"{group!r} holds {', '.join(sorted(points.select(group=group).names))}" for group in alike)
    return f". The group of entry points is {GROUP!r}, but {found}: correct it in pyproject.toml and install again"


def _broken(name: str, point: EntryPoint, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if isinstance(error, PluginError | ImportError) else f" (line {last.lineno} of {last.name})"
    return f"backend {name!r}: its plugin {point.value} cannot be imported: {sentence(error)}{where}"


def specification() -> dict[str, Operation]:
    """The specification's operations, and those that other distributions bring (``tensorproof.contract.outside``).

    Raises:
        UsageError: they cannot be imported, or one has a name or a profile that is taken.
    """
    return {**known_operations(), **outside.operations()}
