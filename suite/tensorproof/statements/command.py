"""The commands ``tensorproof statement``, ``verify`` and ``spec freeze``."""

import argparse
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError, printable
from tensorproof.runs.records import read_record
from tensorproof.statements.files import read_statement, require_new, text_of, write_new
from tensorproof.statements.statement import sentence, statement_of
from tensorproof.statements.verification import verify
from tensorproof_reference.catalogue import known_operations, of_profile
from tensorproof_reference.frozen import freezing
from tensorproof_reference.operation import CORE, EXTENDED

SHOWN = 20
FROZEN = Path(freezing.__file__).parent
Render = Callable[[Mapping[str, Any]], str]
"""What makes a page or a badge of a statement."""


def add_statement(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tensorproof statement``."""
    parser.add_argument("run", metavar="RUN", type=Path, help="record of a whole run (NDJSON)")
    parser.add_argument("-o", dest="output", required=True, metavar="FILE", type=Path, help="the statement to write (JSON)")
    parser.add_argument("--page", default=None, metavar="FILE", type=Path, help="write a data sheet (HTML)")
    parser.add_argument("--badge", default=None, metavar="FILE", type=Path, help="write a badge (SVG)")


def state(options: argparse.Namespace, page: Render, badge: Render) -> int:
    """Write the statement of a run, and its page and badge; print it as a sentence.

    Raises:
        UsageError: the record is not of a whole run, or a file is there already.
    """
    places = {"-o": options.output, "--page": options.page, "--badge": options.badge}
    require_new({option: path for option, path in places.items() if path})
    statement = statement_of(read_record(options.run))
    write_new(text_of(statement), options.output, "-o")
    if options.page:
        write_new(page(statement), options.page, "--page")
    if options.badge:
        write_new(badge(statement), options.badge, "--badge")
    print(sentence(statement))
    print(f"statement: {options.output}")
    return 0


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tensorproof verify``."""
    parser.add_argument("statement", metavar="STATEMENT", type=Path, help="the statement (JSON)")
    parser.add_argument("--operations", type=int, default=5, metavar="N", help="operations to draw and run again (default: 5)")
    parser.add_argument("--all", action="store_true", help="run every operation again")
    parser.add_argument("--draw", default=None, metavar="WORD", help="draw the same operations as with this word before")
    parser.add_argument("-p", dest="plugins", action="append", default=[], metavar="MODULE", help="module to import first")
    parser.add_argument("--declarations", action="append", default=[], metavar="FILE", help="further declarations (TOML)")


def check(options: argparse.Namespace) -> int:
    """Say whether a statement agrees with a random part of it that is run again; 1 if it does not.

    Raises:
        UsageError: the statement cannot be read, or its backend is not installed.
    """
    if options.operations < 1:
        raise UsageError(f"--operations: expected a positive number, got {options.operations}")
    statement = read_statement(options.statement)
    generator = random.Random(options.draw) if options.draw is not None else random.SystemRandom()
    found, again = verify(
        statement, None if options.all else options.operations, generator, options.plugins, options.declarations
    )
    for line in found[:SHOWN]:
        print(printable(f"differs: {line}"))
    if len(found) > SHOWN:
        print(f"… and {len(found) - SHOWN} more")
    checks = sum(sum(statement["operations"][name][need].values()) for name in again for need in ("required", "optional"))
    whole = sum(sum(statement[need].values()) for need in ("required", "optional"))
    ran = f"{checks:,} of {whole:,} checks were run again" + (f": {', '.join(again)}" if again else "")
    print(f"{'does not agree' if found else 'agrees'}; {ran}")
    return 1 if found else 0


def add_specification(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tensorproof spec``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    frozen = actions.add_parser("freeze", help="write a dated version of the specification, which never changes again")
    frozen.add_argument("name", metavar="NAME", help="profile and version, such as 'core 1.0'")
    frozen.add_argument("--date", required=True, metavar="YYYY-MM", help="year and month")
    frozen.add_argument("-o", dest="output", type=Path, default=None, metavar="FILE", help="the file (default: in the reference)")
    actions.add_parser("list", help="print the frozen versions, and which of them the specification is now")


def specify(options: argparse.Namespace) -> int:
    """Freeze the specification, or list the frozen versions.

    Raises:
        UsageError: name or date are malformed, or that version is frozen already.
    """
    if options.action == "list":
        now = [freezing.frozen_name(profile) for profile in (CORE, EXTENDED)]
        names = [f"{item['name']} ({item['date']})" for item in freezing.frozen_versions().values()]
        print(*(f"{name}{'  is what is installed' if name in now else ''}" for name in names), sep="\n")
        return 0
    if not re.fullmatch(r"[a-z_]+ \d+(\.\d+)*", options.name):
        raise UsageError(f"NAME: expected a profile and a version, such as 'core 1.0', got {options.name!r}")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", options.date):
        raise UsageError(f"--date: expected a year and a month, such as 2026-12, got {options.date!r}")
    profile = options.name.partition(" ")[0]
    operations = list(of_profile(known_operations(), profile).values())
    if not operations:
        raise UsageError(f"NAME: no operation is of profile {profile!r}")
    path = options.output or FROZEN / f"{options.name.replace(' ', '-')}.json"
    write_new(freezing.text_of(freezing.freeze(options.name, options.date, operations)), path, "-o")
    print(f"frozen: {options.name} ({options.date}), {len(operations)} operations: {path.name}")
    return 0
