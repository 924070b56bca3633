"""Deliberate faults, by family; ``ALL`` has them all by key."""

from collections.abc import Mapping

from faulty import Fault

from faults import attention, axis, convolution, elementwise, losses, machinery, normalization, pooling, products, recurrent

MODULES = (elementwise, axis, products, convolution, pooling, normalization, recurrent, attention, losses, machinery)


def _all() -> Mapping[str, Fault]:
    found: dict[str, Fault] = {}
    for module in MODULES:
        for fault in module.FAULTS.found:
            if fault.key in found:
                raise ValueError(f"two faults are called {fault.key}")
            found[fault.key] = fault
    return found


ALL = _all()
