"""Writes docs/timing_faults.md: the deliberately wrong backends of the timing harness, what catches each, and how often.

Run it where tensorproof is installed, from anywhere::

    python suite/tests/write_timing_fault_table.py

Each fault is timed ten times, each failure twice: some three minutes.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from timing_faults.catalogue import FAILURES, FAULTS, MISSED, Planted
from timing_faults.catching import Catch, caught, survived
from timing_faults.harness import Bench, bench, doubts

PAGE = Path(__file__).parents[2] / "docs" / "timing_faults.md"
TIMES = 10
FAILURE_TIMES = 2
RIGHT = ("slipshod eager", "slipshod asynchronous")
RIGHT_TIMES = 30
HEADING = "| fault | caught by | times | what it says |\n|---|---|---|---|\n"

INTRODUCTION = """# Faults in timing

The timing harness is itself tested: deliberately wrong backends, each a plugin in real worker processes, have to be caught by the
check that is meant for them (`suite/tests/timing/test_faults.py`; the backends are in `suite/tests/timing_faults/`). *Times* is
how often a fault was caught, of how many independent timings of {rounds} rounds with one launch. Of {right} timings of backends
that are right, {doubted} were doubted{doubts}.

*Caught by* is a question of `trust` in the record that is answered with no, a status of the series, or the verdict of a
comparison. `right` means that there is nothing to catch: the fault does no harm, and the timing has to be right.

This page is generated: `python suite/tests/write_timing_fault_table.py`.

## Wrong results, and wrong times

"""

FAILURES_INTRODUCTION = """
## Failures

Each is timed between two contenders of the same worker process that are right. These have to be measured in all rounds, here and
in the next group, whatever becomes of the process.

"""

MISSED_INTRODUCTION = """
## Not caught

| fault | why |
|---|---|
"""


def row(planted: Planted, timed: Bench, times: int, attempt: Callable[[Planted, Bench], Catch]) -> tuple[str, bool]:
    """The fault's line of the table, and whether it was caught most of the times."""
    found = [attempt(planted, timed) for _ in range(times)]
    count = sum(item.caught for item in found)
    says = next((item.says for item in found if item.caught), found[-1].says)
    says = says.splitlines()[0].replace("|", "\\|") if says else ""
    by = planted.caught_by.replace("trust:", "").replace("status:", "status ").replace("duel:", "verdict ")
    print(f"{planted.key}: {count} of {times}: {says}", flush=True)
    return f"| {planted.does} | {by} | {count} of {times} | {says[:160]} |\n", 2 * count > times


def doubted(timed: Bench) -> list[str]:
    """Every doubt about contenders that are right."""
    return [name for _ in range(RIGHT_TIMES) for contender in RIGHT for name in doubts(timed.measure([contender])[0][contender])]


def rows_in(text: str) -> list[str]:
    """The faults that a page lists as caught, in order."""
    caught_part = text.partition(MISSED_INTRODUCTION)[0]
    cells = [line.strip("|").split(" | ")[0].strip() for line in caught_part.splitlines() if line.startswith("| ")]
    return [cell for cell in cells if cell != "fault"]


def page(faults: Sequence[str], failures: Sequence[str], doubts_found: Sequence[str]) -> str:
    """The whole page."""
    which = f" (by {', '.join(sorted(set(doubts_found)))})" if doubts_found else ""
    text = INTRODUCTION.format(rounds=9, right=RIGHT_TIMES * len(RIGHT), doubted=len(doubts_found) or "none", doubts=which)
    text += HEADING + "".join(faults) + FAILURES_INTRODUCTION + HEADING + "".join(failures) + MISSED_INTRODUCTION
    return text + "".join(f"| {does} | {why} |\n" for does, why in MISSED)


def main() -> int:
    """Write the page; 1 if a fault is not caught."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as timed:
        found = doubted(timed)
        faults = [row(planted, timed, TIMES, caught) for planted in FAULTS]
        failures = [row(planted, timed, FAILURE_TIMES, survived) for planted in FAILURES]
    PAGE.write_text(page([text for text, _ in faults], [text for text, _ in failures], found), encoding="utf-8")
    return 0 if all(was for _, was in (*faults, *failures)) else 1


if __name__ == "__main__":
    sys.exit(main())
