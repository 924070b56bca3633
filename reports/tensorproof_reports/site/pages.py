"""The pages of a site: an index, the page of the runs, and one page for each operation and each night."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from tensorproof.conformance.checks import STATUSES
from tensorproof.errors import UsageError
from tensorproof.programs.campaigns.records import CampaignRecord
from tensorproof.runs.records import Record
from tensorproof_reports import assets, fields, units
from tensorproof_reports import timings as timing_rows
from tensorproof_reports.conformance import statuses
from tensorproof_reports.conformance.matrix import Cell
from tensorproof_reports.conformance.operations import GROUPS, Described, described
from tensorproof_reports.conformance.runs import Earlier, Run, runs_of
from tensorproof_reports.duels import Place
from tensorproof_reports.history import History
from tensorproof_reports.page import causes_of, made_by, no_earlier_run, page_of
from tensorproof_reports.site.folder import INDEX, OPERATIONS, write_folder
from tensorproof_reports.site.nights import ALARMS, Night
from tensorproof_reports.site.operation import bars_text, by_sample, cases, file_name, rows_by_operation, states
from tensorproof_reports.site.specification import class_of_case, specification
from tensorproof_reports.timing_page import Section, TimingRecord, sections
from tensorproof_reports.timings import Row

RUNS = "runs.html"


def site(
    records: Iterable[Record],
    timings: Sequence[TimingRecord] = (),
    earlier: Earlier = no_earlier_run,
    history: History | None = None,
    nights: Sequence[Night] = (),
    campaigns: Sequence[CampaignRecord] = (),
) -> dict[str, str]:
    """The pages by their place in the folder; the index first. Everything that comes from a record is escaped.

    Args:
        records: of conformance; each is let go before the next one is asked for.
        timings: records of timings.
        earlier: finds the run that each of the records is compared with.
        history: the nights, if the page of the runs tells of them.
        nights: oldest first.
        campaigns: records of programs.

    Raises:
        UsageError: something in a record is of a wrong type.
    """
    runs = runs_of(records, earlier)
    operations = described(name for run in runs for name in run.rows.operation)
    rows = {run.key: rows_by_operation(run) for run in runs}
    common = {
        "policy": assets.still_policy(),
        "style": markupsafe.Markup(assets.style()),
        "made_by": made_by(runs, timings, campaigns),
        "symbols": statuses.SYMBOLS,
        "words": statuses.words,
        "mode_words": statuses.mode_words,
        "meanings": statuses.MEANINGS,
        "statuses": STATUSES,
        "bars_text": bars_text,
        "units": units,
        **timing_rows.TABLE,
    }
    causes = causes_of(runs)
    timed = sections(timings)
    return {
        INDEX: _index(common, runs, operations, rows, nights, bool(timings), bool(history)),
        RUNS: page_of(runs, timings, timed, history, campaigns, home=INDEX),
        **{f"{OPERATIONS}/{file_name(item.name)}": _operation(common, item, runs, rows, causes, timed) for item in operations},
        **_nights(common, nights),
    }


def _nights(common: Mapping[str, Any], nights: Sequence[Night]) -> dict[str, str]:
    """A page for each night, with links to its neighbours."""
    names = ["", *(night.name for night in nights), ""]
    template = assets.environment().get_template("site_night.html")
    return {
        night.place: template.render(**common, night=night, before=before, after=after, told=set(names), most=ALARMS)
        for before, night, after in zip(names, nights, names[2:], strict=False)
    }


Rows = Mapping[str, Mapping[str, Sequence[int]]]
"""By run and operation, the rows."""


def _index(
    common: Mapping[str, Any],
    runs: Sequence[Run],
    operations: Sequence[Described],
    rows: Rows,
    nights: Sequence[Night],
    timed: bool,
    history: bool,
) -> str:
    groups = [
        (title, [(item.name, file_name(item.name), _cells(item.name, runs, rows)) for item in operations if item.group == group])
        for group, title in GROUPS.items()
    ]
    return (
        assets.environment()
        .get_template("site_index.html")
        .render(
            **common, runs=runs, groups=[group for group in groups if group[1]], nights=nights[::-1], timed=timed, history=history
        )
    )


def _cells(operation: str, runs: Sequence[Run], rows: Rows) -> list[Cell | None]:
    """An operation in each run; ``None`` where it was not asked for."""
    cells: list[Cell | None] = []
    for run in runs:
        asked = rows[run.key].get(operation, ())
        cell = Cell()
        cell.counts.update(run.rows.status[row] for row in asked)
        cells.append(cell if asked else None)
    return cells


def _operation(
    common: Mapping[str, Any],
    item: Described,
    runs: Sequence[Run],
    rows: Rows,
    causes: Sequence[Mapping[str, Any]],
    timed: Sequence[Section],
) -> str:
    found = [case for run in runs for case in cases(run, rows[run.key].get(item.name, ()))]
    named = {anchor for case in found for anchor, _ in case.causes}
    return (
        assets.environment()
        .get_template("site_operation.html")
        .render(
            **common,
            operation=item,
            runs=runs,
            group=GROUPS[item.group],
            states=[state for run in runs for state in states(run, rows[run.key].get(item.name, ()))],
            versions={run.key: fields.words(run.header, "versions") for run in runs},
            absent=[run.key for run in runs if item.name not in rows[run.key]],
            causes=[cause for cause in causes if cause["anchor"] in named],
            cases=found,
            specification=specification(item.name),
            samples=by_sample([(run, rows[run.key].get(item.name, ())) for run in runs]),
            class_of_case=class_of_case,
            timed=[(section.name, groups) for section in timed if (groups := _of_operation(section, item.name))],
        )
    )


def _of_operation(section: Section, operation: str) -> list[tuple[Place, list[Row]]]:
    """The timings of one operation."""
    return [(place, rows) for place, rows in section.groups if place[0] == operation]


def write_site(
    records: Iterable[Record],
    folder: Path,
    timings: Sequence[TimingRecord] = (),
    earlier: Earlier = no_earlier_run,
    history: History | None = None,
    nights: Sequence[Night] = (),
    campaigns: Sequence[CampaignRecord] = (),
    *,
    force: bool = False,
) -> None:
    """Write the pages of some runs into a folder for a static host (see ``site``).

    Raises:
        UsageError: the folder is not ours (unless ``force``) or cannot be written, or a record lacks what a page needs.
    """
    try:
        pages = site(records, timings, earlier, history, nights, campaigns)
    except (*fields.MALFORMED, jinja2.UndefinedError) as error:
        raise UsageError(f"a record is malformed: {type(error).__name__}: {error}") from error
    write_folder("--site", folder, pages, force=force)
