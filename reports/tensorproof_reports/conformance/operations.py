"""What the specification says of the operations on a page: group and description. Records say only their names."""

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.manual import groups as manual

GROUPS = {**manual.GROUPS, manual.OTHER: "Not in this version's specification"}
"""The groups of the matrix, in its order."""

_ROLE = re.compile(r":(math|func|class|mod|attr):`([^`]*)`")


@dataclass(frozen=True)
class Described:
    """An operation as the specification describes it."""

    name: str
    group: str
    text: str
    """The docstring as plain text; empty for an operation that the specification does not know."""


def described(names: Iterable[str]) -> list[Described]:
    """The named operations in the order of the page: by group, then by name."""
    known = known_operations()
    found = []
    for name in set(names):
        operation = known.get(name)
        if operation is None:
            found.append(Described(name, manual.OTHER, ""))
        else:
            found.append(Described(name, manual.group_of(operation), plain(operation.function.__doc__ or "")))
    order = list(GROUPS)
    return sorted(found, key=lambda item: (order.index(item.group), item.name))


def plain(text: str) -> str:
    """A docstring without its markup.

    >>> plain("Maximum of ``x``: :math:`y = x`.")
    'Maximum of x: y = x.'
    """
    return _ROLE.sub(r"\2", inspect.cleandoc(text)).replace("``", "").strip()
