"""The commands ``tensorproof time`` and ``tensorproof duel``: a run of timings, and what a person reads of it."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape as without_markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tensorproof.errors import UsageError, shown
from tensorproof.lines.outputs import require_place
from tensorproof.processes import interruption
from tensorproof.runs.progress import duration_text
from tensorproof.runs.recording import default_path
from tensorproof.runs.run import COULD_NOT_GO_ON, INTERRUPTED
from tensorproof.timing.results.records import TimingRecord
from tensorproof.timing.session import run
from tensorproof.timing.tables import contenders_text, duels_text, timings_text


def escape(text: str) -> str:
    """Text of others as a terminal may show it: no markup, no control characters."""
    return without_markup(shown(text))


def run_with_progress(options: argparse.Namespace) -> TimingRecord:
    """Run with a bar that says how much time is left, on standard error."""
    path = Path(options.record) if options.record else default_path("timings")
    if options.report:
        require_place("--report", Path(options.report), [path, *map(Path, options.declarations)], force=options.force)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
    began = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def progress(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(text))
            if not console.is_terminal and total:
                left = left_text(done, total, time.monotonic() - began)
                print(shown(f"[{done}/{total}] {text}{left}"), file=sys.stderr, flush=True)

        record = run(options, path, progress)
    console.print(f"record: {escape(str(path))}", highlight=False, soft_wrap=True)
    return record


def left_text(done: int, total: int, seconds: float) -> str:
    """How long a run will take if it goes on like this; empty where nobody knows.

    >>> left_text(2, 6, 30.0), left_text(0, 6, 1.0), left_text(6, 6, 90.0)
    (', 1:00 left', '', '')
    """
    return f", {duration_text(seconds / done * (total - done))} left" if 0 < done < total else ""


def summary(record: TimingRecord) -> str:
    """What was measured and what not, and where the time went."""
    counts = Counter(line["status"] for line in record.timings)
    doubted = sum(any(answer["ok"] is False for answer in line.get("trust", {}).values()) for line in record.timings)
    texts = [f"{count} {status.replace('_', ' ')}" for status, count in counts.items()]
    lines = [f"{len(record.timings)} series: {', '.join(texts)}; {doubted} not to be trusted in some respect"]
    sets = {item["label"]: item["instructions"] for item in record.header.get("backends", []) if "instructions" in item}
    if len(set(sets.values())) > 1:
        words = ", ".join(f"{label} {name}" for label, name in sets.items())
        lines.insert(0, f"contenders use different instruction sets: {words}")
    # A run that ended early did not come to tell where its time went.
    if record.end and (parts := [(name, value) for name, value in record.end["seconds"].items() if name != "total"]):
        shares = ", ".join(f"{name} {value:.0f} s" for name, value in parts)
        lines.append(f"time: {record.end['seconds']['total']:.0f} s ({shares})")
    return "\n".join([*lines, *record.notes])


PageWriter = Callable[[Sequence[Any], Path, Sequence[TimingRecord], bool], None]
"""Writes a page of records of conformance and of timings; the front door hands it over, since pages stand above timing."""


def time_command(options: argparse.Namespace, write_page: PageWriter) -> int:
    """``tensorproof time``."""
    return _shown(options, run_with_progress(options), write_page, duels=False)


def duel_command(options: argparse.Namespace, write_page: PageWriter) -> int:
    """``tensorproof duel``."""
    return _shown(options, run_with_progress(options), write_page, duels=True)


def _shown(options: argparse.Namespace, record: TimingRecord, write_page: PageWriter, duels: bool) -> int:
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(timings_text(record), highlight=False)
    if duels:
        console.print(duels_text(record), highlight=False)
    console.print(escape(contenders_text(record)), highlight=False)
    console.print(escape(summary(record)), highlight=False)
    early = record.end.get("ended") if record.end else None
    if early:
        console.print(escape(f"ended early: {early}; the same command with --resume goes on"), highlight=False)
    if options.report:
        try:
            write_page([], Path(options.report), [record], options.force)
        except UsageError as error:
            console.print(escape(str(error)), highlight=False)
            return COULD_NOT_GO_ON
        except KeyboardInterrupt:
            console.print("no page: interrupted; tensorproof report writes it from the record", highlight=False)
            return INTERRUPTED
        console.print(f"report: {escape(options.report)}")
    if early:
        return INTERRUPTED if interruption() else COULD_NOT_GO_ON
    wrong = any(line["status"] not in ("measured", "unsupported") for line in record.timings)
    return 1 if wrong else 0
