"""Two backends that share a pool, as frameworks in one process share threads and memory: each slows the other down."""

from functools import partial
from typing import Any

from tensorproof.backend import Backend, Function, hookimpl
from timing_faults import shortened
from timing_faults.slipshod import SPIN_NS, Slipshod, spins

USERS: list[str] = []
"""The pool: who has it open."""


class Sharing(Slipshod):
    """Right, and as slow as there are users of the pool."""

    modes = {"eager": "all"}

    def __init__(self, name: str) -> None:
        self.name = name
        USERS.append(name)

    def forward(self, function: Function, mode: str) -> Any:
        """The right function, which takes its time."""
        return spins(super().forward(function, mode), SPIN_NS * len(USERS))


class Plugin:
    """A plugin that makes its backend when it is asked for it."""

    def __init__(self, name: str) -> None:
        self._make = partial(Sharing, name)

    @hookimpl
    def tensorproof_backend(self) -> Backend:
        """The backend."""
        shortened.shorten()
        return self._make()


first = Plugin("sharing_first")
second = Plugin("sharing_second")
