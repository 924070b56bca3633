"""The options of a run as they are when nobody gives any: what the command that reproduces a check depends on."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tensorproof.conformance.selection.options import CHECK_TIMEOUT
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.description import Description
from tensorproof.statements.verification import _Options
from tensorproof_reference.catalogue import of_profile
from tensorproof_reference.operation import Operation

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


def plan_of(description: Description, operations: Mapping[str, Operation], **changes: Any) -> Plan:
    """The plan of a run with these options, as the process that starts it has it."""
    options = options_of(**changes)
    return Plan(options, description, operations, of_profile(operations, options.profile))
