"""A prepared case without a framework: a call of the tests' own, and its sets of arguments."""

import contextlib
from types import SimpleNamespace

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.worker.placement import Placement
from tensorproof.timing.worker.prepared import Prepared


def prepared_case(call, call_ns, sets, fresh=None, footprint=0, wait=lambda results, device: None):
    """The case; its arguments stay where they are."""
    backend = SimpleNamespace(timed_loop=lambda device: contextlib.nullcontext(), wait=wait, to_numpy=lambda leaf: leaf)
    stay = Placement((), lambda host, dtype: host)
    return Prepared(
        backend, "cpu", None, None, True, call, sets, [None] * ROTATED, stay, fresh, footprint, compiled={}, call_ns=call_ns
    )
