"""Deliberate faults, by family: ``ALL`` are to be noticed, ``BEYOND`` are known not to be; each by key."""

from collections.abc import Mapping
from types import ModuleType

from faulty import Fault

from faults import (
    attention,
    axis,
    beyond,
    convolution,
    data,
    dropout,
    elementwise,
    initializers,
    losses,
    machinery,
    models,
    normalization,
    optimizers,
    pooling,
    products,
    recurrent,
)


def _by_key(*modules: ModuleType) -> Mapping[str, Fault]:
    found: dict[str, Fault] = {}
    for module in modules:
        for fault in module.FAULTS.found:
            if fault.key in found:
                raise ValueError(f"two faults are called {fault.key}")
            found[fault.key] = fault
    return dict(sorted(found.items()))


ALL = _by_key(
    attention,
    axis,
    convolution,
    data,
    dropout,
    elementwise,
    initializers,
    losses,
    machinery,
    models,
    normalization,
    optimizers,
    pooling,
    products,
    recurrent,
)
BEYOND = _by_key(beyond)
