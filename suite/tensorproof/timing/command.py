"""The commands ``tensorproof time`` and ``tensorproof duel``: a run of timings, and what a person reads of it."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tensorproof.timing.results.lines import MAIN_CLOCK
from tensorproof.timing.results.records import TimingRecord
from tensorproof.timing.session import default_path, run

SYMBOLS = {"faster": "▲ faster", "slower": "▼ slower", "same": "= same", "not_resolved": "? not resolved"}
STYLES = {"faster": "cyan", "slower": "yellow", "same": "", "not_resolved": "dim"}


def in_units(ns: float) -> str:
    """A time to three digits in the unit that reads best.

    >>> in_units(1234.0), in_units(56.7)
    ('1.23 µs', '56.7 ns')
    """
    for limit, divisor, unit in ((1e3, 1.0, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if ns < limit:
            return f"{ns / divisor:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def run_with_progress(options: argparse.Namespace) -> tuple[TimingRecord, Path]:
    """Run with a bar that says how much time is left, on standard error; the record, and its file."""
    path = Path(options.record) if options.record else default_path()
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def progress(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(text))
            if not console.is_terminal and total:
                print(f"[{done}/{total}] {text}", file=sys.stderr, flush=True)

        record = run(options, path, progress)
    return record, path


def timings_table(record: TimingRecord) -> Table:
    """A line for each series."""
    table = Table(title="Timings", title_justify="left", caption=_resolution_text(record), caption_justify="left")
    for name in ("operation", "size", "direction", "contender"):
        table.add_column(name, overflow="fold")
    for name in ("median", "95 %", "GFLOP/s", "roof", "bars"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("trust", overflow="fold")
    for line in record.timings:
        table.add_row(*_cells(line))
    return table


def _cells(line: Mapping[str, Any]) -> Sequence[str]:
    names = [escape(str(line[name])) for name in ("operation", "workload", "direction", "contender")]
    if line["status"] != "measured":
        return [*names, escape(line["status"].replace("_", " ")), "", "", "", "", escape(line["message"][:60])]
    clock = line["clocks"][MAIN_CLOCK]
    spread = "–"
    if clock["low_ns"] is not None:
        spread = f"±{max(clock['high_ns'] - clock['median_ns'], clock['median_ns'] - clock['low_ns']) / clock['median_ns']:.1%}"
    rate = line["rates"]
    flops = f"{rate['flops_per_s'] / 1e9:.3g}" if rate else "–"
    roof = f"{rate['roof_share']:.0%}" if rate and rate["roof_share"] is not None else "–"
    bars = line["error"]["largest_bars"]
    doubts = [name for name, answer in line["trust"].items() if answer["ok"] is False]
    return [
        *names,
        in_units(clock["median_ns"]),
        spread,
        flops,
        roof,
        f"{bars:.2g}" if bars is not None else line["error"]["outcome"].replace("_", " "),
        f"no: {', '.join(doubts)}" if doubts else "yes",
    ]


def duels_table(record: TimingRecord) -> Table:
    """A line for each comparison."""
    table = Table(title="Duels", title_justify="left", caption=_resolution_text(record), caption_justify="left")
    for name in ("operation", "size", "direction", "contender", "against"):
        table.add_column(name, overflow="fold")
    for name in ("time ratio", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for line in record.duels:
        low = "–" if line["low"] is None else f"{line['low']:.3f}"
        high = "–" if line["high"] is None else f"{line['high']:.3f}"
        names = [escape(str(line[name])) for name in ("operation", "workload", "direction", "contender", "reference")]
        verdict = line["verdict"]
        table.add_row(*names, f"{line['ratio']:.3f}", f"{low} – {high}", SYMBOLS[verdict], style=STYLES[verdict])
    return table


def _resolution_text(record: TimingRecord) -> str:
    limits = record.limits or {}
    spread = float(limits.get("resolution", {}).get("spread", 0.0))
    return f"The same code against itself differed by up to {spread:.2%} in this run. A ratio above 1 is slower."


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
    if record.end:
        seconds = record.end["seconds"]
        shares = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items() if name != "total")
        lines.append(f"time: {seconds['total']:.0f} s ({shares})")
    return "\n".join([*lines, *record.notes])


PageWriter = Callable[[Sequence[Any], Path, Sequence[TimingRecord]], None]
"""Writes a page of records of conformance and of timings; the front door hands it over, since pages stand above timing."""


def time_command(options: argparse.Namespace, write_page: PageWriter) -> int:
    """``tensorproof time``."""
    return _shown(options, *run_with_progress(options), write_page, duels=False)


def duel_command(options: argparse.Namespace, write_page: PageWriter) -> int:
    """``tensorproof duel``."""
    return _shown(options, *run_with_progress(options), write_page, duels=True)


def _shown(options: argparse.Namespace, record: TimingRecord, path: Path, write_page: PageWriter, duels: bool) -> int:
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(timings_table(record))
    if duels:
        console.print(duels_table(record))
    console.print(escape(f"{summary(record)}\nrecord: {path}"), highlight=False)
    if options.report:
        write_page([], Path(options.report), [record])
        console.print(f"report: {escape(options.report)}")
    wrong = any(line["status"] not in ("measured", "unsupported") for line in record.timings)
    return 1 if wrong else 0
