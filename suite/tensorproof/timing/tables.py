"""What a person reads of a run of timings in a terminal: lines of at most 80 columns, by what is timed."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from tensorproof.errors import printable
from tensorproof.timing.results.lines import MAIN_CLOCK
from tensorproof.timing.results.records import TimingRecord

WORDS = {"faster": "▲ faster", "slower": "▼ slower", "same": "= same", "not_resolved": "? not resolved"}
STYLES = {"faster": "cyan", "slower": "yellow", "same": "", "not_resolved": "dim"}
PLACE = ("operation", "workload", "direction", "dtype")

WIDTH = 80

Row = tuple[Sequence[str], str]
"""Cells and a style. Of two cells, the second is a text that takes the place of all columns."""


def in_units(ns: float) -> str:
    """A time to three digits in the unit that reads best.

    >>> in_units(1234.0), in_units(56.7)
    ('1.23 µs', '56.7 ns')
    """
    for limit, divisor, unit in ((1e3, 1.0, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if ns < limit:
            return f"{ns / divisor:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def verdict_text(verdict: str, ratio: float) -> str:
    """A verdict with the factor by which the contender is faster or slower, from the ratio of its time to the reference's.

    >>> verdict_text("faster", 0.146), verdict_text("slower", 1.23), verdict_text("same", 1.003)
    ('▲ faster 6.85×', '▼ slower 1.23×', '= same')
    """
    if verdict not in ("faster", "slower"):
        return WORDS[verdict]
    factor = 1.0 / ratio if verdict == "faster" else ratio
    return f"{WORDS[verdict]} {factor:.2f}×" if factor < 10 else f"{WORDS[verdict]} {factor:.3g}×"


def _aligned(title: str, head: Sequence[str], groups: Mapping[str, Sequence[Row]]) -> Text:
    """A title, the heads of the columns, and for each group its name and its rows beneath."""
    rows = [cells for group in groups.values() for cells, _ in group]
    columns = [[cells[place] for cells in (head, *rows) if place == 0 or len(cells) > 2] for place in range(len(head) - 1)]
    first, *widths = (max(map(len, column)) for column in columns)

    def line(cells: Sequence[str]) -> str:
        name, *others, last = cells
        numbers = [cell.rjust(width) for cell, width in zip(others, widths, strict=False)]
        return printable("  ".join(("", name.ljust(first), *numbers, last))).rstrip()

    text = Text(f"{title}\n")
    text.append(f"{line(head)}\n", style="bold")
    for name, group in groups.items():
        text.append(f"{printable(name)}\n", style="bold")
        for cells, style in group:
            written = line(cells)
            short = len(cells) > 2 or len(written) <= WIDTH
            text.append(f"{written if short else written[: WIDTH - 1] + '…'}\n", style=style)
    return text


def _place(line: Mapping[str, Any]) -> str:
    return " ".join(str(line[name]) for name in PLACE)


def timings_text(record: TimingRecord) -> Text:
    """A line for each series, beneath what is timed."""
    groups: dict[str, list[Row]] = {}
    for line in record.timings:
        groups.setdefault(_place(line), []).append(_timing(line))
    text = _aligned("Timings", ("contender", "median", "95 %", "GFLOP/s", "roof", "bars", "trust"), groups)
    return text.append(resolution_text(record))


def _timing(line: Mapping[str, Any]) -> Row:
    name = str(line["contender"])
    if line["status"] != "measured":
        status = str(line["status"]).replace("_", " ")
        return (name, f"{status}: {line['message']}"), "dim"
    clock = line["clocks"][MAIN_CLOCK]
    spread = "–"
    if clock["low_ns"] is not None:
        spread = f"±{max(clock['high_ns'] - clock['median_ns'], clock['median_ns'] - clock['low_ns']) / clock['median_ns']:.1%}"
    rate = line["rates"]
    flops = f"{rate['flops_per_s'] / 1e9:.3g}" if rate else "–"
    roof = f"{rate['roof_share']:.0%}" if rate and rate["roof_share"] is not None else "–"
    bars = line["error"]["largest_bars"]
    error = f"{bars:.2g}" if isinstance(bars, int | float) else str(line["error"]["outcome"]).replace("_", " ")
    doubts = [name for name, answer in line["trust"].items() if answer["ok"] is False]
    trusted = f"no: {', '.join(doubts)}" if doubts else "yes"
    return (name, in_units(clock["median_ns"]), spread, flops, roof, error, trusted), ""


def duels_text(record: TimingRecord) -> Text:
    """A line for each comparison, beneath what is timed and the contender that the others are compared with."""
    groups: dict[str, list[Row]] = {}
    for line in record.duels:
        group = groups.setdefault(_place(line), [])
        reference = (str(line["reference"]), "1", "", "reference"), ""
        if reference not in group:
            group.append(reference)
        low, high = ("–" if line[end] is None else f"{line[end]:.3f}" for end in ("low", "high"))
        verdict = line["verdict"]
        cells = (str(line["contender"]), f"{line['ratio']:.3f}", f"{low} – {high}", verdict_text(verdict, line["ratio"]))
        group.append((cells, STYLES[verdict]))
    text = _aligned("Duels: time over that of the reference", ("contender", "time ratio", "95 % interval", "verdict"), groups)
    return text.append(resolution_text(record))


def resolution_text(record: TimingRecord) -> str:
    """What this run can tell apart."""
    limits = record.limits or {}
    spread = float(limits.get("resolution", {}).get("spread", 0.0))
    return f"The same code against itself differed by up to {spread:.2%} in this run."


def contenders_text(record: TimingRecord) -> str:
    """The versions of what was timed, and what kind of place each was loaded from."""
    lines = []
    for item in record.header.get("backends", []):
        versions = ", ".join(f"{name} {version}" for name, version in item["versions"].items())
        lines.append(f"{item['label']}: {versions}; from {item.get('place', 'an unknown place')}")
    return "\n".join(lines)
