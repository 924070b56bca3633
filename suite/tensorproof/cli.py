"""The command ``tensorproof``, for users with or without a checkout."""

import argparse
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import tensorproof
from tensorproof.authoring import listing, next_step, scaffold, show
from tensorproof.conformance.selection.options import add_selection_options
from tensorproof.contract.backends import installed
from tensorproof.errors import UsageError, sentence, shown
from tensorproof.lines.outputs import require_place
from tensorproof.lines.writing import write_lines
from tensorproof.machines.cluster import add_ray_options
from tensorproof.nightly import command as nightly
from tensorproof.processes import guarded
from tensorproof.programs.campaigns import command as campaigns
from tensorproof.programs.campaigns.records import is_campaign, read_campaign
from tensorproof.programs.functions import command as functions
from tensorproof.runs.baseline import compare
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.merge import merge_records
from tensorproof.runs.records import SCHEMA, Record, read_record
from tensorproof.runs.run import COULD_NOT_GO_ON, INTERRUPTED
from tensorproof.runs.summary import summary_text
from tensorproof.runs.verified import update_verified
from tensorproof.statements import command as statements
from tensorproof.terminal import code_with_output, make_outputs_last
from tensorproof.timing.command import duel_command, time_command
from tensorproof.timing.command import summary as timings_summary
from tensorproof.timing.options import add_command_options
from tensorproof.timing.results.merge import lines_of, merge_timing_records
from tensorproof.timing.results.records import SCHEMA as TIMING_SCHEMA
from tensorproof.timing.results.records import TimingRecord, is_timing_record, read_timing_record

EXIT_CODES = """exit codes:
  0  everything asked for passed (with --baseline: nothing newly wrong)
  1  a check failed, or a declaration is stale under --strict-declarations (with --baseline: newly failing or missing)
  2  interrupted
  3  the run ended early, though nobody interrupted it: a full disk, workers that do not start, an internal error
  4  usage: unknown backend, device, operation, option, or unreadable file; nothing was run
"""


AUTHORING: Mapping[str, tuple[Any, str]] = {
    "new": (scaffold, "write a plugin for a new backend, which installs and passes at once"),
    "list": (listing, "print the names, signatures, samples or checks of the specification; needs no framework and no device"),
    "show": (show, "print the page of an operation or a model"),
}
"""The commands that help to write a plugin: the module of each, and what it is for."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tensorproof",
        description="Conformance and speed of deep-learning backends, against a NumPy reference with derived error bars.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tensorproof {tensorproof.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="check a backend, as pytest --backend=NAME does in a checkout")
    check.add_argument("backend", metavar="NAME", help=f"an installed backend: {', '.join(installed())}")
    check.add_argument("-n", dest="workers", default=None, metavar="N", help="worker processes (default: 1; 0: in this process)")
    check.add_argument("--junit-xml", default=None, metavar="FILE", help="write JUnit XML")
    check.add_argument("-p", dest="plugins", action="append", default=[], metavar="MODULE", help="module to import first")
    check.add_argument("--next", action="store_true", help="say what to mend or write next, the most telling first")
    check.add_argument("-x", dest="first", action="store_true", help="stop at the first failure")
    add_selection_options(check.add_argument)
    add_ray_options(check.add_argument)

    for name, (module, text) in AUTHORING.items():
        module.add_arguments(commands.add_parser(name, help=text))

    fuzz = "judge programs, compositions of operations, on a backend: random ones, neighbours, or patterns"
    campaigns.add_arguments(commands.add_parser("fuzz", help=fuzz))
    own = "judge a function of yours in each mode of a framework: is a difference of its compiler rounding, or a bug"
    functions.add_arguments(commands.add_parser("judge", help=own))

    timing = commands.add_parser("time", help="time backends: operations, models and training steps")
    add_command_options(timing)
    duel = commands.add_parser("duel", help="compare the speed of backends, or of two builds of one, in the same rounds")
    add_command_options(duel)

    statements.add_statement(commands.add_parser("statement", help="write what a run says of a backend, as a file to publish"))
    statements.add_verify(commands.add_parser("verify", help="run a random part of a statement again, and say whether it agrees"))
    statements.add_specification(commands.add_parser("spec", help="freeze a dated version of the specification, or list them"))

    night = commands.add_parser("nightly", help="one night: conformance, timings, history, gates, confirmation, page and summary")
    nightly.add_arguments(night)

    commands.add_parser("backends", help="print the backends that are installed")

    report = commands.add_parser("report", help="write one HTML page from records, or a folder for a static host")
    report.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="record of a run (NDJSON)")
    place = report.add_mutually_exclusive_group(required=True)
    place.add_argument("-o", dest="output", default=None, metavar="FILE", type=Path, help="the page to write")
    folder = "folder to write: an index of runs and nights, the page, and one for each operation and night"
    place.add_argument("--site", default=None, metavar="DIR", type=Path, help=folder)
    nights = "folder of nights: the page compares with the night before and shows every series"
    report.add_argument("--history", default=None, metavar="DIR", type=Path, help=nights)
    report.add_argument(
        "--force", action="store_true", help="let a page replace a file that is no page; write into a folder that is no site"
    )

    export = commands.add_parser("export", help="write records as CSV, JUnit XML, a Markdown summary, or a badge")
    export.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="record of a run (NDJSON)")
    formats = "the file: .csv (a line for each check or series), .xml (JUnit), .md (summary), .svg (badge)"
    export.add_argument("-o", dest="output", required=True, metavar="FILE", type=Path, help=formats)
    export.add_argument("--force", action="store_true", help="replace a file that exists")

    merge = commands.add_parser("merge", help="merge the records of the shards of one run, of conformance or of timings")
    merge.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="record of a shard (NDJSON)")
    merge.add_argument("-o", dest="output", required=True, metavar="FILE", type=Path, help="the record to write")

    verification = commands.add_parser(
        "verified", help="write into a declarations file on which instruction sets strict runs bear it out"
    )
    verification.add_argument("declarations", metavar="FILE", type=Path, help="the plugin's declarations (TOML)")
    verification.add_argument(
        "runs", nargs="+", metavar="RUN", type=Path, help="record of a whole run with --strict-declarations"
    )

    comparison = commands.add_parser("compare", help="compare two records of one backend: what is newly wrong")
    comparison.add_argument("old", metavar="OLD", type=Path, help="the earlier record (NDJSON)")
    comparison.add_argument("new", metavar="NEW", type=Path, help="the later record (NDJSON)")
    comparison.add_argument("-o", dest="output", default=None, metavar="FILE", type=Path, help="write a page of the changes too")
    return parser


def _check(options: argparse.Namespace, rest: Sequence[str]) -> int:
    if options.next:
        return next_step.run(options)
    # Neither is of use here, and Hypothesis takes a quarter of a second to end.
    unused = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    arguments = ["-p", "tensorproof.pytest_plugin", "-c", os.devnull, f"--rootdir={Path.cwd()}", *unused]
    for module in options.plugins:
        arguments += ["-p", module]
    arguments += ["--pyargs", "tensorproof.conformance", f"--backend={options.backend}", "--import-mode=importlib"]
    if options.workers is not None:
        arguments.append(f"-n{options.workers}")
    if options.junit_xml:
        arguments.append(f"--junit-xml={options.junit_xml}")
    if options.first:
        arguments.append("-x")
    return int(pytest.main([*arguments, *rest]))


def _print(*lines: str) -> None:
    """Print lines, whatever others supplied in them."""
    print(*map(shown, lines), sep="\n")


def _backends() -> int:
    for name, point in installed().items():
        _print(f"{name}  ({point.value} {point.dist.version if point.dist else ''})")
    return 0


def _write_page(checks: Sequence[Record], path: Path, timings: Sequence[TimingRecord], force: bool) -> None:
    # Imported here, since most commands write no page, and templates take time to import.
    from tensorproof_reports.page import write_page

    write_page(checks, path, timings, force=force)


def _write_campaign_page(record: Path, path: Path, force: bool) -> None:
    from tensorproof_reports.page import write_page

    write_page([], path, campaigns=[read_campaign(record)], force=force)


def _state(options: argparse.Namespace) -> int:
    from tensorproof_reports.statement_page import statement_badge, statement_page

    return statements.state(options, statement_page, statement_badge)


def _report(options: argparse.Namespace) -> int:
    from tensorproof_reports.history import earlier_night, read_nights
    from tensorproof_reports.page import no_earlier_run, write_page
    from tensorproof_reports.site.folder import require_folder
    from tensorproof_reports.site.nights import list_nights
    from tensorproof_reports.site.pages import write_site

    if options.site:
        require_folder("--site", options.site, options.runs, force=options.force)
    else:
        require_place("-o", options.output, options.runs, force=options.force)
    folder = options.history
    timings = [path for path in options.runs if is_timing_record(path)]
    fuzzed = [path for path in options.runs if is_campaign(path)]
    # One by one, so that memory holds one record at a time.
    checks = (read_record(path) for path in options.runs if path not in (*timings, *fuzzed))
    earlier = (lambda record: earlier_night(folder, record)) if folder else no_earlier_run
    history = read_nights(folder) if folder else None
    timed = [read_timing_record(path) for path in timings]
    programs = [read_campaign(path) for path in fuzzed]
    if options.site:
        nights = list_nights(folder) if folder else []
        write_site(checks, options.site, timed, earlier, history, nights, programs, force=options.force)
    else:
        write_page(checks, options.output, timed, earlier, history, programs, force=options.force)
    _print(f"report: {options.site / 'index.html' if options.site else options.output}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from tensorproof_reports.exports import write_export

    require_place("-o", options.output, options.runs, force=True)
    if options.output.is_file() and not options.force:
        raise UsageError(f"-o: {options.output.name} exists already; give another name, or --force to replace it")
    timings = [path for path in options.runs if is_timing_record(path)]
    checks = [read_record(path) for path in options.runs if path not in timings]
    timed = [read_timing_record(path) for path in timings]
    write_export(checks, timed, options.output)
    parts = [record.name for record in checks if not record.complete] + [record.name for record in timed if not record.complete]
    _print(*(f"{name}: incomplete; the run was killed, or part of it is missing" for name in parts))
    _print(f"exported: {options.output}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    timings = [is_timing_record(path) for path in options.runs]
    if any(timings) and not all(timings):
        raise UsageError("records of conformance and of timings are not of one run; tensorproof report takes both")
    if all(timings):
        timed = merge_timing_records([read_timing_record(path) for path in options.runs])
        write_lines("-o", options.output, lines_of(timed), TIMING_SCHEMA)
        lines, complete = [timings_summary(timed)], timed.complete
    else:
        merged = merge_records([read_record(path) for path in options.runs])
        causes = causes_of(merged)
        ending = [*merged.again.values(), *causes, merged.end] if merged.end else []
        write_lines("-o", options.output, [merged.header, *merged.checks, *ending], SCHEMA)
        lines, complete = [summary_text(merged, causes), *merged.notes], merged.complete
    _print(*lines, f"record: {options.output}")
    return 0 if complete else 1


def _compare(options: argparse.Namespace) -> int:
    if options.output:
        require_place("-o", options.output, [options.old, options.new])
    old, new = read_record(options.old), read_record(options.new)
    comparison = compare(old, new)
    _print(*comparison.notes, *comparison.causes, *comparison.details, comparison.line)
    if options.output:
        from tensorproof_reports.page import write_page

        write_page([new], options.output, earlier=lambda record: old)
        _print(f"report: {options.output}")
    return comparison.exit_code


def _verified(options: argparse.Namespace) -> int:
    _print(*update_verified(options.declarations, [read_record(path) for path in options.runs]))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the return value is the exit code."""
    make_outputs_last()
    return code_with_output(_main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    try:
        options = parser.parse_args(given)
    except SystemExit as leaving:
        return 4 if leaving.code else 0
    try:
        if options.command == "check":
            with guarded():
                return _check(options, _selection_arguments(given))
        if options.command in AUTHORING:
            return int(AUTHORING[options.command][0].run(options))
        if options.command == "backends":
            return _backends()
        others = {
            "fuzz": lambda chosen: campaigns.run(chosen, _write_campaign_page),
            "judge": functions.run,
            "time": lambda chosen: time_command(chosen, _write_page),
            "duel": lambda chosen: duel_command(chosen, _write_page),
            "statement": _state,
            "verify": statements.check,
            "spec": statements.specify,
            "nightly": nightly.run,
            "report": _report,
            "export": _export,
            "merge": _merge,
            "compare": _compare,
            "verified": _verified,
        }
        with guarded():
            return others[options.command](options)
    except UsageError as error:
        print(shown(f"ERROR: {error}"), file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        print("interrupted; run the same command again", file=sys.stderr)
        return INTERRUPTED
    except MemoryError:
        print("ERROR: memory ran out; give this process more", file=sys.stderr)
        return COULD_NOT_GO_ON
    except SystemExit as error:
        # Nothing of ours leaves so: whoever reads the exit code must not take it for a verdict.
        print(shown(f"ERROR: code that a command called has left: {sentence(error)}"), file=sys.stderr)
        return COULD_NOT_GO_ON
    except Exception:
        # A mistake of the suite: its code must not be that of a failed check.
        traceback.print_exc()
        return COULD_NOT_GO_ON


def _selection_arguments(given: Sequence[str]) -> list[str]:
    """The arguments of ``check`` that pytest's own option group takes, as they were typed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("command")
    parser.add_argument("backend")
    for name in ("-n", "-p", "--junit-xml"):
        parser.add_argument(name)
    for name in ("-x", "--next"):
        parser.add_argument(name, action="store_true")
    return parser.parse_known_args(given)[1]
