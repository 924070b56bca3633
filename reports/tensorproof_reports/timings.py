"""Timings from a record to rows of a table: what was measured, how far it can be trusted, and what is missing and why."""

from dataclasses import dataclass, field, replace

from tensorproof_reports import fields, units
from tensorproof_reports.duels import VERDICTS, Duel, Place, order_of, place_of
from tensorproof_reports.fields import Line

MEASURED = "measured"
CLOCK = "throughput hot"
"""The clock that a row shows where it was measured; otherwise the first that was."""

BELIEVABLE_SHARE = 1.05
"""A row beyond this share of its roof is not believable: the roof is measured, and nothing passes it by more than noise."""

STATUSES = {
    MEASURED: ("✓", "measured", "passed"),
    "unsupported": ("–", "unsupported", "unsupported"),
    "error": ("!", "error", "error"),
    "crashed": ("†", "crashed", "crashed"),
    "timed_out": ("…", "timed out", "timed_out"),
    "out_of_memory": ("▪", "out of memory", "out_of_memory"),
    "not_run": ("·", "not run", "not_run"),
    "not_resolved_by_clock": ("◷", "not resolved by the clock", "not_meaningful"),
}
"""By status of a series, symbol, words and class of colour."""

QUANTILES = {"least": 0, "p5": 1, "p25": 5, "p75": 15, "p95": 19}
"""Which of the 21 quantiles are shown."""

OUTCOMES = {"passed": "✓", "failed": "✗", "not_meaningful": "≈", "not_judged": "·"}
"""By verdict on the output that was timed, its symbol."""

BREAK_EVEN = "calls to break even"

COLUMNS = (
    ("median [95 % interval]", "the median over all rounds and launches, and the interval of that median"),
    ("verdict", "against the reference contender in the same rounds: how many times as fast, or as slow"),
    ("error in bars", "distance of the very output that was timed from the reference"),
    ("trust", "whether the checks of the measurement passed; opens to all that was recorded"),
    ("clock", "throughput: many calls, one wait. Latency: one call, until its result is ready"),
    ("GFLOP/s", "floating-point operations by formula, over the median"),
    ("GB/s", "least bytes by formula, over the median"),
    ("% of roof", "of the measured limit that binds: arithmetic or memory"),
    ("compile cold", "trace, compilation and first call, with no cache"),
    ("compile warm", "the same with what compilers keep on disk"),
    (BREAK_EVEN, "after how many calls compiling has taken less time than calling eagerly"),
    ("peak memory", "in a pass of its own"),
)
"""Columns of numbers: title and meaning. What a time is worth stands beside it."""

VERDICT, TRUST = 1, 3
"""Where these are among the columns."""

TABLE = {"timing_columns": COLUMNS, "trust_column": TRUST, "timing_statuses": STATUSES}
"""What templates need for a table of timings."""


@dataclass(frozen=True)
class Cell:
    """What a cell shows; ``title`` says more, ``tone`` is its class of colour."""

    text: str
    title: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Trust:
    """What the checks of a measurement found."""

    failed: tuple[str, ...]
    unchecked: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    """By check, its sign and message."""

    @property
    def cell(self) -> Cell:
        """The outcome in a few words."""
        if "not believable" in self.failed:
            others = [name for name in self.failed if name not in ("not believable", "roof")]
            return Cell("✗ not believable" + (f"; not trusted: {', '.join(others)}" if others else ""), tone="failed")
        if self.failed:
            return Cell(f"✗ not trusted: {', '.join(self.failed)}", tone="failed")
        if self.unchecked:
            return Cell(f"○ unchecked: {', '.join(self.unchecked)}", tone="not_meaningful")
        return Cell("✓ trusted", tone="passed")


@dataclass(frozen=True)
class Row:
    """One series."""

    place: Place
    contender: str
    status: str
    message: str
    cells: tuple[Cell, ...]
    """One for each of ``COLUMNS`` if measured, otherwise none."""
    trusted: bool
    clock: str
    median_ns: float | None
    bars: float | None
    runner: tuple[str, ...] = ()
    """Backend, environment and device."""
    mode: str = ""
    compile_ns: float | None = None
    """What compiling took: with an empty cache, or with a full one where only that was measured."""
    compiled_cold: bool = False
    """Whether that was with an empty cache."""
    details: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Everything else, by name; empty where the page has no room for it."""

    @property
    def measured(self) -> bool:
        """Whether there is a time."""
        return self.status == MEASURED


def missing(reason: str) -> Cell:
    """A cell without a number."""
    return Cell(units.MISSING, reason)


def trust_of(line: Line) -> Trust:
    """What the checks found, the roof judged anew from the row's own share of it."""
    failed, unchecked, messages = [], [], []
    for name, check in fields.mappings(line, "trust").items():
        ok = check.get("ok")
        if ok is not None and not isinstance(ok, bool):
            raise TypeError(f"trust.{name}.ok must be true, false or null, not {type(ok).__name__}")
        shown = fields.clipped(name, 40)
        if ok is None:
            unchecked.append(shown)
        elif not ok:
            failed.append(shown)
        sign = {True: "✓", False: "✗", None: "○"}[ok]
        messages.append((shown, f"{sign} {fields.text(check, 'message', 160)}"))
    share = fields.number(fields.mapping(line, "rates"), "roof_share")
    if share is not None and share > BELIEVABLE_SHARE:
        failed = ["not believable", *failed]
        messages.insert(0, ("not believable", f"✗ {units.percent(share)} of the measured roof, which nothing can pass by 5 %"))
    if not messages:
        unchecked.append("all")
        messages.append(("checks", "○ the record has none"))
    return Trust(tuple(failed), tuple(unchecked), tuple(messages))


def _rates(line: Line) -> list[Cell]:
    rates = fields.mapping(line, "rates")
    reason = "no measured time" if line.get("work") else "its work has no formula"
    flops, transferred = fields.number(rates, "flops_per_s"), fields.number(rates, "bytes_per_s")
    share, roof = fields.number(rates, "roof_share"), fields.text(rates, "roof", 20)
    return [
        Cell(units.giga(flops)) if flops is not None else missing(reason),
        Cell(units.giga(transferred)) if transferred is not None else missing(reason),
        Cell(f"{units.percent(share)} {roof}")
        if share is not None
        else missing(reason if not rates else "no roof was measured for this"),
    ]


def _compilations(line: Line) -> list[Cell]:
    if not fields.mapping(line, "compile"):
        return [missing("nothing is compiled")] * 2
    phases = _phases(line)
    cells = []
    for name in ("cold", "warm"):
        total = fields.positive(phases.get(name, {}), "total_ns")
        cells.append(Cell(units.duration(total)) if total is not None else missing(f"{name} compilation was not measured"))
    return cells


def _phases(line: Line) -> dict[str, Line]:
    """The compilations by state of the cache; counts of graph breaks and recompilations lie beside them."""
    found = fields.mapping(line, "compile")
    return {name: fields.mapping(found, name) for name in ("cold", "warm") if found.get(name) is not None}


def _memory(line: Line) -> Cell:
    memory = fields.mapping(line, "memory")
    peak, method = fields.number(memory, "peak_bytes"), fields.text(memory, "method", 120)
    return missing(method or "not measured") if peak is None or peak < 0 else Cell(units.size(peak))


def bars_of(line: Line) -> tuple[float | None, str]:
    """The largest error in bars, as a number and as text; ``nan``, ``inf`` and ``-inf`` are words in a record."""
    error = fields.mapping(line, "error")
    value = error.get("largest_bars")
    if isinstance(value, str):
        if value not in ("nan", "inf", "-inf"):
            raise TypeError(f"error.largest_bars must be a number, nan, inf or -inf, not {fields.clipped(value, 40)!r}")
        return None, value
    bars = fields.number(error, "largest_bars")
    return bars, units.MISSING if bars is None else units.significant(bars)


def _error(line: Line) -> Cell:
    error = fields.mapping(line, "error")
    outcome = fields.text(error, "outcome", 40)
    symbol = OUTCOMES.get(outcome, "?")
    tone = outcome if outcome in ("failed", "not_meaningful") else ""
    title = fields.text(error, "line", 160) if outcome != "passed" else ""
    return Cell(f"{symbol} {bars_of(line)[1]}", title or ("" if outcome == "passed" else outcome or "not judged"), tone)


def clock_of(line: Line) -> tuple[str, Line]:
    """The clock that a row shows, with what it measured."""
    clocks = fields.mappings(line, "clocks")
    name = CLOCK if CLOCK in clocks else next(iter(clocks), "")
    return fields.clipped(name, 40), clocks.get(name, {})


def _time(measured: Line, trusted: bool) -> Cell:
    median, low, high = (fields.positive(measured, name) for name in ("median_ns", "low_ns", "high_ns"))
    if median is None:
        return missing("the record has no positive median")
    text = units.duration_with_interval(median, low, high)
    if low is not None and high is not None and not low <= median <= high:
        return Cell(f"⚠ {text}", "the median lies outside its interval", "failed")
    return Cell(text if trusted else f"⚠ {text}", "" if trusted else "not trusted: see trust")


def _clock_details(clock: Line, shown: bool) -> str:
    """Spread, rounds and launches of a clock, after its median if no cell shows it."""
    median, low, high = (fields.positive(clock, key) for key in ("median_ns", "low_ns", "high_ns"))
    texts = [] if shown else [units.duration_with_interval(median, low, high)]
    quantiles = fields.positives(clock, "quantiles_ns")
    if len(quantiles) == 21:
        texts.append(", ".join(f"{name} {units.duration(quantiles[position])}" for name, position in QUANTILES.items()))
    rounds, calls = fields.number(clock, "rounds"), fields.number(clock, "calls")
    if rounds is not None and calls is not None:
        texts.append(f"{units.count(rounds)} rounds of {units.count(calls)} calls")
    launches = fields.positives(clock, "launch_medians_ns")[:12]
    if len(launches) > 1:
        texts.append(f"by launch {', '.join(units.duration(ns) for ns in launches)}")
    return "; ".join(texts)


def _details(line: Line, trust: Trust, shown_clock: str) -> tuple[tuple[str, str], ...]:
    found = [*trust.messages]
    for name, clock in fields.mappings(line, "clocks").items():
        short = fields.clipped(name, 40)
        found.append((short, _clock_details(clock, short == shown_clock)))
    for state, phases in _phases(line).items():
        steps = [(word, fields.positive(phases, f"{word}_ns")) for word in ("trace", "lower", "compile", "first_call")]
        told = ", ".join(f"{word.replace('_', ' ')} {units.duration(ns)}" for word, ns in steps if ns is not None)
        found.append((f"compile {state}", told or "its stages are not told apart"))
    counts = {name: fields.number(fields.mapping(line, "compile"), name) for name in ("graph_breaks", "recompiles")}
    found.extend((name.replace("_", " "), units.count(count)) for name, count in counts.items() if count)
    overhead, ratio = fields.positive(line, "overhead_ns"), fields.positive(fields.mapping(line, "anchor"), "ratio")
    texts = {
        "overhead of the clock": units.duration(overhead) if overhead is not None else "",
        "ratio to the anchor kernel": units.significant(ratio, 4) if ratio is not None else "",
        "memory": fields.text(fields.mapping(line, "memory"), "method", 120),
        "error": fields.text(fields.mapping(line, "error"), "line", 160),
        "implementation": fields.text(line, "source", 40),
        "command": fields.text(line, "command"),
    }
    return (*found, *((name, text) for name, text in texts.items() if text))


def row_of(line: Line) -> Row:
    """A row from the line of its series, without the verdict (``with_verdicts``).

    Raises:
        TypeError: a field is missing or of a wrong type.
    """
    place, contender, status = place_of(line), fields.name_of(line, "contender"), fields.name_of(line, "status")
    message = fields.text(line, "message")
    if status not in STATUSES:
        raise TypeError(f"status {fields.clipped(status, 40)!r} is none of {', '.join(STATUSES)}")
    if status != MEASURED:
        command = fields.text(line, "command")
        told = {"traceback": fields.text(line, "traceback", 1500), "command": command}
        details = tuple((name, text) for name, text in told.items() if text)
        return Row(place, contender, status, message, (), False, "", None, None, details=details)
    trust = trust_of(line)
    clock, measured = clock_of(line)
    trusted = not trust.failed
    cells = (
        _time(measured, trusted),
        missing("no duel in the record"),
        _error(line),
        trust.cell,
        Cell(clock) if clock else missing("no clock was recorded"),
        *_rates(line),
        *_compilations(line),
        missing("nothing is compiled"),
        _memory(line),
    )
    totals = {name: fields.positive(phases, "total_ns") for name, phases in _phases(line).items()}
    cold_ns = totals.get("cold")
    return Row(
        place,
        contender,
        status,
        message,
        cells,
        trusted,
        clock,
        fields.positive(measured, "median_ns"),
        bars_of(line)[0],
        tuple(fields.text(line, name, 80) for name in ("backend", "environment", "device")),
        fields.text(line, "mode", 80),
        totals.get("warm") if cold_ns is None else cold_ns,
        cold_ns is not None,
        _details(line, trust, clock),
    )


def with_verdicts(rows: list[Row], duels: list[Duel]) -> list[Row]:
    """The rows with the verdict of the first duel that each was the contender of, on the clock that it shows."""
    verdicts: dict[tuple[Place, str, str], Duel] = {}
    for duel in duels:
        verdicts.setdefault((duel.place, duel.contender, duel.clock), duel)
    references = {(duel.place, duel.reference, duel.clock) for duel in duels}
    judged = []
    for row in rows:
        key = (row.place, row.contender, row.clock)
        if row.measured and key in verdicts:
            duel = verdicts[key]
            symbol, word = VERDICTS[duel.verdict]
            mark = " ⚠" if duel.untrusted or duel.doubt else ""
            doubts = [f"not trusted: {', '.join(duel.untrusted)}"] if duel.untrusted else []
            doubts += [duel.doubt] if duel.doubt else []
            # The row of the reference contender stands in the same group, and says so.
            title = "; ".join([f"against {duel.reference}", *doubts]) if doubts else ""
            cell = Cell(f"{symbol} {word}{duel.factor_text}{mark}", title, f"duel-{duel.verdict}")
        elif row.measured and key in references:
            cell = Cell("reference", "the others are compared with it")
        else:
            judged.append(row)
            continue
        judged.append(replace(row, cells=(*row.cells[:VERDICT], cell, *row.cells[VERDICT + 1 :])))
    return judged


def grouped(rows: list[Row]) -> list[tuple[Place, list[Row]]]:
    """Rows by place, in the order of the page, those of a place by contender."""
    groups: dict[Place, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (order_of(row.place), row.contender)):
        groups.setdefault(row.place, []).append(row)
    return list(groups.items())


def explained(rows: list[Row]) -> list[Row]:
    """The rows with those details only that say what is not trusted; the others are drawn when they are asked for."""
    return [
        replace(row, details=tuple((name, text) for name, text in row.details if row.measured and text[:1] in "✗○"))
        for row in rows
    ]
