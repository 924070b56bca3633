"""Arrays that a function holds: constants to a compiler, which may compute with them once and for all."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tensorproof.backend import Backend

DEPTH = 6


def held_arrays(backend: Backend, function: Callable[..., Any]) -> list[str]:
    """Where a function holds arrays of more than one element: in closures, defaults, or arguments filled in before."""
    return list(dict.fromkeys(_held(backend, function, "", set(), DEPTH)))


def _held(backend: Backend, value: Any, where: str, seen: set[int], depth: int) -> Iterator[str]:
    if depth < 0 or id(value) in seen:
        return
    seen.add(id(value))
    if _is_array(backend, value):
        yield where
        return
    for name, child in _children(value):
        yield from _held(backend, child, f"{where}.{name}" if where else name, seen, depth - 1)


def _children(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(key), child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(str(index), child) for index, child in enumerate(value)]
    if isinstance(value, functools.partial):
        return [("function", value.func), ("arguments", value.args), ("keywords", value.keywords)]
    found: list[tuple[str, Any]] = []
    if callable(value) and hasattr(value, "__wrapped__"):
        found.append(("function", value.__wrapped__))
    code, closure = getattr(value, "__code__", None), getattr(value, "__closure__", None)
    if code is not None:
        found += [(name, _content(cell)) for name, cell in zip(code.co_freevars, closure or (), strict=False)]
        found += [("defaults", value.__defaults__), ("defaults", value.__kwdefaults__)]
    elif callable(value) and type(value).__module__.startswith("tensorproof."):
        found += list(vars(value).items())
    return found


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _is_array(backend: Backend, value: Any) -> bool:
    """Whether a value is an array of the framework, or of NumPy, with more than one element."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return False
    try:
        return len(value.shape) > 0 and int(backend.to_numpy(value).size) > 1
    except Exception:  # whatever looks like an array and cannot be read is none
        return False
