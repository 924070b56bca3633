"""A backend whose modes are what a careless or dishonest backend does to be fast. Computing is NumPy's.

Each fault takes the right function and returns what is timed in its place. ``eager`` and ``asynchronous`` are right.
"""

import mmap
import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns, sleep
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Function, hookimpl
from tensorproof_numpy import NumpyBackend
from timing_faults import shortened
from timing_faults.results import Arrays, Handle, NotWaitedFor, OfAnotherQueue, handles, queued, shape_of

Call = Callable[..., Arrays]

SPIN_NS = 200_000
LONG_SPIN_NS = 22_000_000
FIRST_CALL_S = 0.3
FRESH_BYTES = 1 << 20
PAGE = 4096


def _each(change: Callable[[Any], Any], groups: Arrays) -> Arrays:
    return tuple(tuple(change(leaf) for leaf in group) for group in groups)


# What is right, for comparison.


def asynchronous(call: Call) -> Call:
    """Calls are queued, and the wait waits for them."""
    return lambda *arguments: handles(Handle, queued(call, arguments), shape_of(arguments))


def garbage_while_untimed(call: Call) -> Call:
    """Nonsense in the call that settles caches before a block, which no clock sees and nobody reads."""

    def run(*arguments: Any) -> Arrays:
        timed = sys._getframe(1).f_locals
        untimed = timed.get("calls") == 1 and timed.get("kept") == [None] * 3
        return _each(np.zeros_like, call(*arguments)) if untimed else call(*arguments)

    return run


def spins(call: Call, spin_ns: int = SPIN_NS) -> Call:
    """The right result after so much time by the clock, whatever else the machine does."""

    def run(*arguments: Any) -> Arrays:
        until = perf_counter_ns() + spin_ns
        results = call(*arguments)
        while perf_counter_ns() < until:
            pass
        return results

    return run


def spins_long(call: Call) -> Call:
    """A call so long that it is a block of its own."""
    return spins(call, LONG_SPIN_NS)


def slow_first_call(call: Call) -> Call:
    """As if it were compiled when it is first called."""
    called: list[bool] = []

    def run(*arguments: Any) -> Arrays:
        if not called:
            called.append(True)
            sleep(FIRST_CALL_S)
        return call(*arguments)

    return run


def shortcut_for_ones(call: Call) -> Call:
    """As a compiler does that knows the cotangent: nothing is multiplied by ones."""
    full = spins(call)
    return lambda *arguments: (call if all(np.all(leaf == 1.0) for leaf in arguments[2]) else full)(*arguments)


# What is not waited for.


def not_waited_for(call: Call) -> Call:
    """Calls are queued, and the wait does nothing."""
    return lambda *arguments: handles(NotWaitedFor, queued(call, arguments), shape_of(arguments))


def wrong_queue(call: Call) -> Call:
    """Calls are queued, and the wait waits for another queue."""
    return lambda *arguments: handles(OfAnotherQueue, queued(call, arguments), shape_of(arguments))


def computed_when_read(call: Call) -> Call:
    """Nothing is computed before somebody reads the result, and then once."""

    def run(*arguments: Any) -> Arrays:
        found: list[Arrays] = []

        def results() -> Arrays:
            if not found:
                found.append(call(*arguments))
            return found[0]

        return handles(NotWaitedFor, results, shape_of(arguments))

    return run


def computed_at_each_read(call: Call) -> Call:
    """Nothing is computed before somebody reads the result, and then each time."""
    return lambda *arguments: handles(NotWaitedFor, lambda: call(*arguments), shape_of(arguments))


# What is not computed.


def first_result(call: Call) -> Call:
    """The first result is kept and returned for ever."""
    kept: list[Arrays] = []

    def run(*arguments: Any) -> Arrays:
        if not kept:
            kept.append(call(*arguments))
        return kept[0]

    return run


def kept_by_identity(call: Call) -> Call:
    """Results are kept, and found again when the very same arrays come."""
    kept: dict[tuple[int, ...], tuple[Any, Arrays]] = {}

    def run(*arguments: Any) -> Arrays:
        key = tuple(id(leaf) for group in arguments for leaf in group)
        if key not in kept:
            kept[key] = arguments, call(*arguments)
        return kept[key][1]

    return run


def kept_by_value(call: Call) -> Call:
    """Results are kept, and found again when arrays of the same values come."""
    kept: dict[tuple[bytes, ...], Arrays] = {}

    def run(*arguments: Any) -> Arrays:
        key = tuple(leaf.tobytes() for group in arguments for leaf in group)
        if key not in kept:
            kept[key] = call(*arguments)
        return kept[key]

    return run


def last_result(call: Call) -> Call:
    """The last result is returned again if the arguments are those of the last call."""
    last: list[Any] = [None, None]

    def run(*arguments: Any) -> Arrays:
        if last[0] is None or any(
            one is not two for ones, twos in zip(arguments, last[0], strict=True) for one, two in zip(ones, twos, strict=True)
        ):
            last[:] = [arguments, call(*arguments)]
        found: Arrays = last[1]
        return found

    return run


def folded_constant(call: Call) -> Call:
    """The function holds an array that a compiler may compute with once and for all."""
    held = np.linspace(-1.0, 1.0, 2048)

    def run(*arguments: Any) -> Arrays:
        return call(*arguments) if held.size else ()

    return run


def first_arguments(call: Call) -> Call:
    """Everything is computed each time, but from the arguments of the first call."""
    first: list[Any] = []

    def run(*arguments: Any) -> Arrays:
        if not first:
            first.append(arguments)
        return call(*first[0])

    return run


def first_weights(call: Call) -> Call:
    """The last argument is taken over in the first call, as weights that are loaded into a layer once, and then ignored."""
    loaded: list[Any] = []

    def run(primals: Any, constants: Any, *cotangents: Any) -> Arrays:
        if not loaded:
            loaded.append(primals[-1])
        return call((*primals[:-1], loaded[0]), constants, *cotangents)

    return run


# What is computed badly.


def half_precision(call: Call) -> Call:
    """Computed in float16."""
    return lambda *arguments: _each(
        lambda leaf: leaf.astype(np.float32), call(*_each(lambda leaf: leaf.astype(np.float16), arguments))
    )


def gradient_none(call: Call) -> Call:
    """No gradient, as if the input were not connected."""
    return lambda *arguments: (*call(*arguments)[:2], tuple(None for _ in arguments[0]))


def gradient_zero(call: Call) -> Call:
    """A gradient of zeros, which costs nothing."""
    return lambda *arguments: (*call(*arguments)[:2], tuple(np.zeros_like(leaf) for leaf in arguments[0]))


# What takes other time than it should.


def fresh_memory(call: Call) -> Call:
    """Each call touches a mebibyte that the process has never had."""

    def run(*arguments: Any) -> Arrays:
        with mmap.mmap(-1, FRESH_BYTES) as memory:
            memory[::PAGE] = bytes(FRESH_BYTES // PAGE)
        return call(*arguments)

    return run


def slower_by_5_percent(call: Call) -> Call:
    """Like ``spins``, and a twentieth longer."""
    return spins(call, SPIN_NS + SPIN_NS // 20)


MODES: Mapping[str, Callable[[Call], Call]] = {
    item.__name__: item
    for item in (
        asynchronous,
        garbage_while_untimed,
        spins,
        spins_long,
        slow_first_call,
        shortcut_for_ones,
        not_waited_for,
        wrong_queue,
        computed_when_read,
        computed_at_each_read,
        first_result,
        kept_by_identity,
        kept_by_value,
        last_result,
        folded_constant,
        first_arguments,
        first_weights,
        half_precision,
        gradient_none,
        gradient_zero,
        fresh_memory,
        slower_by_5_percent,
    )
}


class Slipshod(NumpyBackend):
    """NumPy, with a fault for each mode."""

    name = "slipshod"
    modes = {"eager": "all", **dict.fromkeys(MODES, "all")}
    declarations = None

    def forward(self, function: Function, mode: str) -> Any:
        """The right function, made faulty."""
        call = super().forward(function, "eager")
        return MODES[mode](call) if mode in MODES else call

    def value_and_vjp(self, function: Function, mode: str) -> Any:
        """The right function and gradient, made faulty."""
        call = super().value_and_vjp(function, "eager")
        return MODES[mode](call) if mode in MODES else call

    def to_numpy(self, value: Any) -> Any:
        """Reading a handle waits for it."""
        return np.asarray(value.array() if isinstance(value, Handle) else value)

    def dtype_of(self, value: Any) -> str:
        """That of the array itself."""
        return str(self.to_numpy(value).dtype)

    def wait(self, results: Any, device: str) -> None:
        """Each handle waits in its own way."""
        for leaf in _leaves(results):
            if isinstance(leaf, Handle):
                leaf.wait()


def _leaves(results: Any) -> Sequence[Any]:
    return [leaf for item in results for leaf in _leaves(item)] if isinstance(results, tuple | list) else [results]


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    shortened.shorten()
    return Slipshod()
