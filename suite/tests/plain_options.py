"""The options of a run as they are when nobody gives any: what the command that reproduces a check depends on."""

from types import SimpleNamespace
from typing import Any

from tensorproof.conformance.selection.options import CHECK_TIMEOUT
from tensorproof.statements.verification import _Options

OPTIONS = SimpleNamespace(
    seed=0, profile="core", instructions=None, plugins=[], declarations=[], strict_declarations=False, check_timeout=CHECK_TIMEOUT
)


def options_of(**changes: Any) -> Any:
    """The options of a plan, some of them others than nobody gives."""
    options = _Options({"seed": 0, "thorough": False, "profile": "core"}, [])
    options.time_budget = None
    for name, value in changes.items():
        setattr(options, name, value)
    return options
