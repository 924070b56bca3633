"""Whether the functions that verdicts are computed with are still those that were there before a plugin was imported."""

import importlib
import operator
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from tensorproof.errors import first_few

JUDGING = ("numpy", "numpy.linalg", "numpy.random", "math", "scipy.special")
"""The modules whose functions judge a backend: a plugin that replaces one there changes the judge."""
SMALLEST = np.float64(5e-324)
FLUSHED = "the processor's treatment of subnormal numbers, which are now 0"

Functions = Mapping[str, Mapping[str, Any]]


def _functions(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}


def judging_functions() -> Functions:
    """The functions and classes of ``JUDGING`` by module and name, as they are now."""
    return {name: _functions(importlib.import_module(name)) for name in JUDGING}


def replaced(before: Functions) -> list[str]:
    """The names that stand for something else than before (``numpy.maximum``), and whether subnormal numbers are flushed."""
    found = []
    for module, names in before.items():
        now = vars(importlib.import_module(module))
        if not all(map(operator.is_, map(now.get, names), names.values())):  # after every check, so without a loop in Python
            found += [f"{module}.{name}" for name, value in names.items() if now.get(name) is not value]
    return found if SMALLEST * np.float64(1.0) > 0 else [*found, FLUSHED]


def message_of_replaced(names: list[str]) -> str:
    """What a person is told of it."""
    return f"its process has replaced {first_few(names, 3)}, which verdicts are computed with: no verdict can be trusted"
