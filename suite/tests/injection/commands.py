"""The commands that faults are injected into: what they are run with, the records that they leave, and how one goes on."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_backend import BACKEND

from tensorproof.lines.schema import Schema
from tensorproof.nightly.history import is_night
from tensorproof.programs.campaigns.records import SCHEMA as CAMPAIGN_SCHEMA
from tensorproof.runs.records import SCHEMA, check_key
from tensorproof.timing.results.records import SCHEMA as TIMING_SCHEMA
from tensorproof.timing.results.records import line_key

SOURCE = (
    """
import injected
injected.pause("described")
injected.start_child()
operations = OperationTable()
operations.native(reference_sigmoid.sigmoid)

@operations.native
def tanh(x):
    injected.pause("work")
    injected.hold_worker("record")
    return reference_tanh.tanh(x)
"""
    + BACKEND
)
"""A backend whose ``tanh`` waits where a fault is to find it at work."""
OPERATIONS = ("--op=sigmoid", "--op=tanh")
WRITTEN = ("--record=run.ndjson", "--report=page.html")
QUICK = ("--workload=S", "--dtype=float32", "--launches=1", "--rounds=6", "--series-seconds=0.1")


@dataclass(frozen=True)
class Kept:
    """A record that a command leaves."""

    schema: Schema
    kind: str
    """The kind of the lines that are counted."""
    key: Callable[[Mapping[str, Any]], object]
    """What stands in it once."""
    good: tuple[str, ...]
    """The statuses of lines with which all is well."""


CHECKS = Kept(SCHEMA, "check", check_key, ("passed", "unsupported"))
SERIES = Kept(TIMING_SCHEMA, "timing", line_key, ("measured",))
PROGRAMS = Kept(CAMPAIGN_SCHEMA, "program", lambda line: line["number"], ("passed",))


@dataclass(frozen=True)
class Command:
    """A command with what it is run with."""

    arguments: tuple[str, ...]
    records: Mapping[str, Kept]
    """Its records, by the name of the file in its folder."""
    known_by: Mapping[str, str]
    """What is in the command line of each process that is aimed at, by target."""
    before: int = 5
    """So many lines are written before the moment when one is half written."""
    page: str = "page.html"
    resume: tuple[str, ...] = ("--resume",)
    """What makes the same command go on."""
    read_by: tuple[str, ...] = ()
    """The commands that read its records."""

    def folder(self, place: Path) -> Path:
        """The folder of its records: that of the newest night, or where it runs."""
        nights = sorted(path for path in (place / "history").glob("*") if is_night(path.name))
        return nights[-1] if nights else place


COMMANDS = {
    "check": Command(
        arguments=(
            "check",
            "fake",
            *OPERATIONS,
            "--check=forward",
            "--dtype=float32",
            "--record=run.ndjson",
            "--report=page.html",
        ),
        records={"run.ndjson": CHECKS},
        known_by={
            "describing": "-m tensorproof.contract.",
            "worker": "exec(eval(",
            "reference": "tensorproof.conformance.reference_process",
            "child": "# a child of a worker",
        },
        read_by=("report", "merge"),
    ),
    "time": Command(
        arguments=("time", "fake", *OPERATIONS, *QUICK, *WRITTEN),
        records={"run.ndjson": SERIES},
        known_by={"worker": "tensorproof.timing.worker"},
        before=3,
        read_by=("report", "merge"),
    ),
    "fuzz": Command(
        arguments=("fuzz", "fake", "--source=random", "--programs=8", "--record=run.ndjson"),
        records={"run.ndjson": PROGRAMS},
        known_by={"worker": "tensorproof.programs.campaigns.worker"},
        page="",
    ),
    "nightly": Command(
        arguments=(
            "nightly",
            f"--env=fake={sys.executable}",
            "--history=history",
            "-n1",
            *OPERATIONS,
            *QUICK,
            "--direction=forward",
        ),
        records={"conformance_fake.ndjson": CHECKS, "timings.ndjson": SERIES},
        known_by={"stage": "-P -m tensorproof check"},
        page="report.html",
        resume=(),
    ),
}
