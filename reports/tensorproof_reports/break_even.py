"""After how many calls compiling has paid off: time of compiling / (time of an eager call − time of a compiled call)."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tensorproof_reports import units
from tensorproof_reports.duels import Place
from tensorproof_reports.timings import BREAK_EVEN, COLUMNS, Cell, Row, missing

EAGER = "eager"
NEVER = "never"
_COLUMN = [title for title, _ in COLUMNS].index(BREAK_EVEN)


def calls_to_break_even(compile_ns: float, eager_ns: float, compiled_ns: float) -> float:
    """The number of calls from which on compiling has saved time; infinite if a compiled call is not the faster one.

    >>> calls_to_break_even(3e9, 2e6, 1e6), calls_to_break_even(3e9, 1e6, 2e6)
    (3000, inf)
    """
    return math.ceil(compile_ns / (eager_ns - compiled_ns)) if compiled_ns < eager_ns else math.inf


def with_break_even(rows: Sequence[Row]) -> list[Row]:
    """The rows of compiled modes with the number of calls after which compiling has paid off, against the eager mode of the same
    backend, environment and device on the same clock."""
    eager: dict[tuple[Place, tuple[str, ...], str], Row] = {
        (row.place, row.runner, row.clock): row for row in rows if row.measured and row.mode == EAGER
    }
    return [_told(row, eager.get((row.place, row.runner, row.clock))) for row in rows]


def _told(row: Row, eager: Row | None) -> Row:
    if not row.measured or row.compile_ns is None:
        return row
    cells = list(row.cells)
    if eager is None or eager.median_ns is None or row.median_ns is None:
        cells[_COLUMN] = missing("no eager mode of it was timed")
    else:
        calls = calls_to_break_even(row.compile_ns, eager.median_ns, row.median_ns)
        doubt = "" if row.trusted and eager.trusted else "⚠ "
        known = "" if row.compiled_cold else "; compiled with what was kept on disk, since that is what was measured"
        if math.isinf(calls):
            cells[_COLUMN] = Cell(f"{doubt}{NEVER}", f"not faster than {eager.contender}{known}")
        else:
            cells[_COLUMN] = Cell(f"{doubt}{units.count(calls)}", f"calls, against {eager.contender}{known}")
    return replace(row, cells=tuple(cells))
