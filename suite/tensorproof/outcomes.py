"""What a check's status is to pytest: a test that passed, was skipped, was expected to fail, or failed."""

import argparse
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from tensorproof.conformance.checks import Result
from tensorproof.conformance.selection.options import command_for
from tensorproof.errors import shown

SKIPPED = ("unsupported", "not_meaningful", "not_run")
"""The statuses that say nothing of a check."""


def raise_outcome(result: Result, options: argparse.Namespace, script: str = "") -> None:
    """End the test that asked for a check as the check ended; ``script`` says where its stand-alone script is, if it has one."""
    if result.stale and options.strict_declarations:
        pytest.fail(
            f"the declaration {result.declaration} is stale: this check passes\nreproduce: {command_for(result.case, options)}",
            pytrace=False,
        )
    if result.status in SKIPPED:
        pytest.skip(shown(f"{result.status.replace('_', ' ')}: {result.message}"))
    if result.status == "known_failure":
        raise pytest.xfail.Exception(shown(result.message), pytrace=False)  # a trace takes long to write, and says nothing
    if result.status != "passed":
        kind = "" if result.status == "failed" else f"{result.status.replace('_', ' ')}: "
        lines = [f"{kind}{result.message}"]
        wrong = [item["line"] for item in result.findings if item.get("outcome") == "failed"][:6]
        lines += [line for line in wrong if line != result.message]
        if result.traceback:
            # Its last line is the message again, unless that was cut.
            lines += [line for line in result.traceback.splitlines() if line != result.message]
        lines.append(f"reproduce: {command_for(result.case, options)}")
        lines += [script] if script else []
        pytest.fail(shown("\n".join(dict.fromkeys(lines))), pytrace=False)


def report_of(line: Mapping[str, Any], name: str, options: argparse.Namespace) -> pytest.TestReport:
    """What pytest is told of a check that was made elsewhere, by the check's line of the record."""
    status, message = line["status"], shown(line["message"])
    stale = line["stale"] and options.strict_declarations
    told: Any = None
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    if stale or status not in ("passed", *SKIPPED, "known_failure"):
        outcome = "failed"
        kind = f"the declaration {line['declaration']} is stale" if stale else status.replace("_", " ")
        told = shown("\n".join(filter(None, [f"{kind}: {message}", line["traceback"], f"reproduce: {line['command']}"])))
    elif status != "passed":
        outcome, told = "skipped", (name, 0, f"{status.replace('_', ' ')}: {message}")
    report = pytest.TestReport(name, (name, None, name), {}, outcome, told, "call", duration=line["duration_ns"] / 1e9)
    if status == "known_failure" and not stale:
        report.wasxfail = message
    report.tensorproof = dict(line)  # type: ignore[attr-defined]
    return report
