"""Arrays and nested arguments: their types, walking and rebuilding lists, tuples and dicts of arrays."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""A NumPy array, or the duck array of ``errorbars`` that stands in for one (a type checker cannot know which)."""

Tree: TypeAlias = Any
"""An array, ``None``, or a list, tuple or dict of trees (``leaves`` walks it)."""

Gradients: TypeAlias = dict[str, Tree]
"""A vector-Jacobian product: for each differentiable input, by name, an array (or tree) of that input's shape."""


def leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree with their paths, in order; ``None`` has no leaves.

    >>> list(leaves({"x": 1, "layers": [{"bias": 2}, None]}))
    [('x', 1), ('layers.0.bias', 2)]
    """
    if tree is None:
        return
    if isinstance(tree, dict):
        children = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple):
        children = [(str(index), value) for index, value in enumerate(tree)]
    else:
        yield path, tree
        return
    for key, value in children:
        yield from leaves(value, f"{path}.{key}" if path else key)


def replace_leaves(tree: Tree, replacement: Callable[[str, Any], Any], path: str = "") -> Tree:
    """The same tree with each leaf replaced by ``replacement(path, leaf)``.

    >>> replace_leaves({"x": 1, "layers": [None, 2]}, lambda path, leaf: f"{path}={leaf}")
    {'x': 'x=1', 'layers': [None, 'layers.1=2']}
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: replace_leaves(value, replacement, f"{path}.{key}" if path else str(key)) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [replace_leaves(value, replacement, f"{path}.{index}" if path else str(index)) for index, value in enumerate(tree)]
    return replacement(path, tree)


def by_name(names: Sequence[str], result: Any) -> dict[str, Tree]:
    """What an operation returned, by the names of its outputs: one tree, or a tuple of them.

    >>> by_name(("parameters",), [1, 2])
    {'parameters': [1, 2]}

    Raises:
        ValueError: there are more or fewer results than names.
    """
    several = isinstance(result, tuple) or (isinstance(result, list) and len(names) > 1)
    values = tuple(result) if several else (result,)
    if len(values) != len(names):
        raise ValueError(f"expected {len(names)} outputs ({', '.join(names)}), got {len(values)}")
    return dict(zip(names, values, strict=True))


def leaves_by_name(names: Sequence[str], result: Any) -> dict[str, Any]:
    """The arrays among what an operation returned, by path.

    >>> leaves_by_name(("y", "states"), (1, [2, None]))
    {'y': 1, 'states.0': 2}
    """
    return dict(leaves(by_name(names, result)))
