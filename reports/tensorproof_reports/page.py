"""One self-contained HTML page of one or more runs: an overview that needs no script, and every check on demand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from tensorproof.conformance.checks import STATUSES
from tensorproof.errors import UsageError
from tensorproof.lines.outputs import write_page_text
from tensorproof.programs.campaigns.records import CampaignRecord
from tensorproof.runs.records import Record
from tensorproof_reports import assets, duels, fields, units
from tensorproof_reports import timings as timing_rows
from tensorproof_reports.conformance import differences, statuses
from tensorproof_reports.conformance.accuracy import scores
from tensorproof_reports.conformance.matrix import matrix_of
from tensorproof_reports.conformance.operations import described
from tensorproof_reports.conformance.runs import Earlier, Run, runs_of
from tensorproof_reports.history import History
from tensorproof_reports.payload import data_of, details_of, packed
from tensorproof_reports.programs.campaigns import ALL_MEANINGS as PROGRAM_MEANINGS
from tensorproof_reports.programs.campaigns import ALL_SYMBOLS as PROGRAM_SYMBOLS
from tensorproof_reports.programs.campaigns import STATUSES as PROGRAM_STATUSES
from tensorproof_reports.programs.campaigns import programs_of
from tensorproof_reports.timing_data import STEPS
from tensorproof_reports.timing_page import Section, TimingRecord, sections

SMALL, LARGE = (18_000, 1_950_000), (200_000, 7_900_000)
"""Checks on a page, and the bytes that it may have; between them and beyond, in proportion."""

LEAST_DETAILS = 40_000
"""Bytes of details that a page has in any case: the first of each cause."""

DETAILS_MARK = "<!--details-->"
"""Where the details go, once it is known how much room the rest leaves."""

SHOWN_CAUSES = 250
"""Causes of a run that are shown whole; of the others, a line."""


def _room(checks: int) -> int:
    """The bytes that a page of so many checks may have.

    >>> _room(10), _room(18_000), _room(200_000)
    (1950000, 1950000, 7900000)
    """
    (few, least), (many, most) = SMALL, LARGE
    return least if checks <= few else round(least + (most - least) * (checks - few) / (many - few))


def causes_of(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The causes, run by run; known failures last."""
    found = [
        {**cause, "run": run.key, "brief": number >= SHOWN_CAUSES} for run in runs for number, cause in enumerate(run.causes)
    ]
    return sorted(found, key=lambda cause: bool(cause["known"]))


def _idle(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Declarations that match no check, by run."""
    found = []
    for run in runs:
        idle = [fields.clipped(str(source)) for source in fields.sequence(run.header, "idle_declarations")]
        found += [(run.key, f"{source} matches no check") for source in idle]
    return found


def _unsupported(runs: Sequence[Run]) -> dict[str, list[tuple[str, str, int]]]:
    """Reasons of what is unsupported, by run: (operation, reason, number of checks)."""
    found = {}
    for run in runs:
        rows = run.rows
        counts = Counter(
            (operation, note)
            for operation, note, status in zip(rows.operation, rows.note, rows.status, strict=True)
            if status == "unsupported"
        )
        found[run.key] = [(operation, reason, count) for (operation, reason), count in sorted(counts.items())]
    return found


def made_by(runs: Sequence[Run], timings: Sequence[TimingRecord], campaigns: Sequence[CampaignRecord] = ()) -> dict[str, str]:
    """Version of the suite and of the specification, by the first record."""
    headers = [*((run.key, run.header) for run in runs), *((record.name, record.header) for record in timings)]
    headers += [("of a campaign", dict(record.header)) for record in campaigns]
    if not headers:
        return {"tensorproof": "", "specification": ""}
    name, header = headers[0]
    with fields.part_of(name, "its header"):
        return {field: fields.text(header, field) for field in ("tensorproof", "specification")}


def _subjects(runs: Sequence[Run], timings: Sequence[TimingRecord], campaigns: Sequence[CampaignRecord]) -> list[str]:
    """The backends that the page is about."""
    names = [run.backend for run in runs] + [fields.text(record.header, "backend", 60) for record in campaigns]
    for timed in timings:
        with fields.part_of(timed.name, "its header"):
            names += [fields.text(entry, "backend", 60) for entry in fields.sequence(timed.header, "contenders")[:64]]
    return list(dict.fromkeys(names))


def no_earlier_run(record: Record) -> None:
    """No run is compared with an earlier one."""


def page(
    records: Iterable[Record],
    timings: Sequence[TimingRecord] = (),
    earlier: Earlier = no_earlier_run,
    history: History | None = None,
    campaigns: Sequence[CampaignRecord] = (),
) -> str:
    """The page as text. Everything that comes from a record is escaped.

    Args:
        records: of conformance; each is let go before the next one is asked for, so they may be read one by one.
        timings: records of timings.
        earlier: finds the run that each of the records is compared with.
        history: the nights, if the page tells of them.
        campaigns: records of programs.

    Raises:
        UsageError: something in a record is of a wrong type.
    """
    return page_of(runs_of(records, earlier), timings, sections(timings), history, campaigns)


def page_of(
    runs: Sequence[Run],
    timings: Sequence[TimingRecord],
    timing_sections: Sequence[Section],
    history: History | None,
    campaigns: Sequence[CampaignRecord] = (),
    home: str = "",
) -> str:
    """The page of runs, timings and campaigns that were read (see ``page``); ``home`` is the index that leads to it, if any."""
    operations = described(name for run in runs for name in run.rows.operation)
    columns, groups = matrix_of(runs, operations)
    data = packed(data_of(runs, operations)) if runs else ""
    told: dict[str, Any] = {
        "runs": runs,
        "columns": columns,
        "groups": groups,
        "causes": causes_of(runs),
        "idle": _idle(runs),
        "scores": scores(runs),
        "conventions": differences.conventions(runs),
        "defaults": differences.defaults(runs),
        "known": [{**cause, "run": run.key} for run in runs for cause in run.causes if cause["known"]],
        "units": units,
        "unsupported": _unsupported(runs),
        "statuses": STATUSES,
        "symbols": statuses.SYMBOLS,
        "meanings": statuses.MEANINGS,
        "subjects": _subjects(runs, timings, campaigns),
        "made_by": made_by(runs, timings, campaigns),
        "programs": programs_of(campaigns) if campaigns else None,
        "programs_statuses": PROGRAM_STATUSES,
        "programs_symbols": PROGRAM_SYMBOLS,
        "programs_meanings": PROGRAM_MEANINGS,
        "history": history,
        "history_data": packed(history.data) if history else "",
        "timing_sections": timing_sections,
        "timing_data": packed([section.chart_data for section in timing_sections]) if timings else "",
        **timing_rows.TABLE,
        "model_steps": STEPS,
        "verdicts": duels.VERDICTS,
        "verdict_meanings": duels.VERDICT_MEANINGS,
        "policy": assets.policy(),
        "style": markupsafe.Markup(assets.style()),
        "script": markupsafe.Markup(assets.script()),
        "data": data,
        "home": home,
    }
    text = assets.environment().get_template("page.html").render(**told)
    room = max(LEAST_DETAILS, _room(sum(len(run.rows) for run in runs)) - len(text.encode("utf-8", "replace")))
    details = assets.environment().get_template("details.html").render(details=details_of(runs, room))
    # Nothing of a record can hold this mark, since what records supply is escaped.
    return text.replace(DETAILS_MARK, details)


def write_page(
    records: Iterable[Record],
    path: Path,
    timings: Sequence[TimingRecord] = (),
    earlier: Earlier = no_earlier_run,
    history: History | None = None,
    campaigns: Sequence[CampaignRecord] = (),
    *,
    force: bool = False,
) -> None:
    """Write the page of some runs of checks, timings and campaigns, whole or not at all (see ``page``).

    Raises:
        UsageError: the file cannot be written or is no page (unless ``force``), or a record lacks what a page needs.
    """
    try:
        text = page(records, timings, earlier, history, campaigns)
    except (*fields.MALFORMED, jinja2.UndefinedError) as error:
        raise UsageError(f"a record is malformed: {type(error).__name__}: {error}") from error
    write_page_text("report", path, text, force=force)
