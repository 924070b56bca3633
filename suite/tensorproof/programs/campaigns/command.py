"""The command ``tensorproof fuzz``."""

import argparse
import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import tensorproof
from tensorproof.conformance.dump.files import require_folder
from tensorproof.contract.backends import specification
from tensorproof.contract.description import described
from tensorproof.errors import UsageError, shown
from tensorproof.lines.outputs import require_place, write_new
from tensorproof.machines.cluster import NotDone, add_ray_options, connected
from tensorproof.machines.nodes import instructions_text
from tensorproof.machines.slices import Slices
from tensorproof.operation_table import did_you_mean
from tensorproof.processes import interruption
from tensorproof.programs.campaigns.batches import Found, Judging, Numbered, declared_lines
from tensorproof.programs.campaigns.campaign import Campaign
from tensorproof.programs.campaigns.crew import Crew
from tensorproof.programs.campaigns.declared import stale_texts
from tensorproof.programs.campaigns.records import (
    BAD,
    FORMAT,
    SCHEMA,
    closing_line,
    kept_lines,
    record_of,
    verdict_text,
)
from tensorproof.programs.sources.everything import SOURCES
from tensorproof.runs.recording import default_path, now, open_record
from tensorproof.runs.records import machine
from tensorproof.runs.run import COULD_NOT_GO_ON, INTERRUPTED
from tensorproof.worker_process import WorkerFailure
from tensorproof_reference.catalogue import EVERY_PROFILE, specification_version
from tensorproof_reference.operation import DTYPES

MINUTES = 10.0
"""How long a campaign takes unless told otherwise."""
TIMEOUT = 120.0
ENDLESS = ("all", "random", "writes", "mixed", "strides")
"""The sources that do not end by themselves."""
GO_ON = "the same command with --record=FILE and --resume goes on"


PageWriter: TypeAlias = Callable[[Path, Path, bool], None]
"""Writes the page of a record; the last argument lets it replace a file that is no page."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("backend", metavar="BACKEND", help="an installed backend")
    parser.add_argument("--mode", default="eager", metavar="NAME", help="mode to run in (default: eager)")
    parser.add_argument("--device", default=None, metavar="NAME", help="device (default: the backend's first)")
    parser.add_argument("--dtype", default="float32", choices=DTYPES, help="dtype of the programs (default: float32)")
    sources = "programs that are drawn, each operation with each neighbour, compositions or laws that compilers know, or all"
    parser.add_argument("--source", default="all", choices=SOURCES, help=f"{sources} (default: all)")
    parser.add_argument("--programs", type=int, default=None, metavar="N", help="stop after so many programs")
    parser.add_argument(
        "--minutes", type=float, default=None, metavar="M", help="stop after so long (default: 10, or --programs)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the programs and their inputs (default: 0)")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S", help="seconds for a program (default: 120)")
    place = "record to write (default: a new one in .tensorproof)"
    parser.add_argument("--record", type=Path, default=None, metavar="FILE", help=place)
    page = "write a self-contained HTML page of the campaign"
    parser.add_argument("--report", type=Path, default=None, metavar="FILE", help=page)
    parser.add_argument("--force", action="store_true", help="let the page replace a file that is no page")
    parser.add_argument("--resume", action="store_true", help="go on with the record that --record names")
    strict = "fail if a program that is declared to fail in this mode passes"
    parser.add_argument("--strict-declarations", action="store_true", help=strict)
    parser.add_argument("--dump", type=Path, default=None, metavar="DIR", help="folder to write a script for each finding to")
    add_ray_options(parser.add_argument)
    parser.add_argument("-p", dest="plugins", action="append", default=[], metavar="MODULE", help="module to import first")


def _require(options: argparse.Namespace) -> None:
    for name, least in (("programs", 1), ("minutes", 0), ("seed", 0), ("timeout", 0)):
        value = getattr(options, name)
        if value is not None and not value >= least:
            raise UsageError(f"--{name}: expected a number of at least {least}, got {value}")
    if options.resume and options.record is None:
        raise UsageError("--resume: say which record to go on with: --record=FILE")
    if options.dump is not None:
        require_folder(str(options.dump))


class Judge(Protocol):
    """What judges the programs of a campaign: a worker here, or the nodes of a cluster."""

    hello: dict[str, Any]
    """What a worker says of itself."""
    nodes: list[dict[str, Any]]
    """Of a cluster, as the record has them; else none."""

    @property
    def seconds(self) -> float:
        """How long workers took to answer."""
        ...

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was lost."""
        ...

    def declared(self, dtype: str, seed: int) -> Iterator[dict[str, Any]]:
        """The lines of the programs that are declared to fail."""
        ...

    def judged(self, batches: Iterator[list[Numbered]], known: set[str]) -> Iterator[Found]:
        """What comes of batches (``batches.Judged``)."""
        ...


def _header(options: argparse.Namespace, judge: Judge) -> dict[str, Any]:
    description = judge.hello["description"]
    return {
        "kind": "campaign",
        "format": FORMAT,
        "tensorproof": tensorproof.__version__,
        "specification": specification_version(EVERY_PROFILE),
        "started": now(),
        "backend": options.backend,
        "device": description["device"],
        "mode": options.mode,
        "dtype": options.dtype,
        "seed": options.seed,
        "source": options.source,
        "planned": options.programs,
        "versions": description["versions"],
        "instructions": instructions_text(description["kernels"]),
        "memories": judge.hello["memories"][options.mode][options.dtype],
        "machine": machine(),
        **({"nodes": judge.nodes} if judge.nodes else {}),
    }


class Here:
    """Judges programs with one worker on this machine."""

    def __init__(self, crew: Crew, mode: str) -> None:
        """Start the worker.

        Raises:
            UsageError: the backend or device does not exist, or the worker does not start.
        """
        try:
            crew.start()
        except WorkerFailure as failure:
            raise UsageError(f"backend {crew.backend!r}: its worker does not start: {failure.message}") from failure
        self.crew = crew
        self.mode = mode
        self.hello = crew.hello
        self.nodes: list[dict[str, Any]] = []
        self.notes: list[str] = []

    @property
    def seconds(self) -> float:
        """How long workers took to answer."""
        return self.crew.seconds

    def declared(self, dtype: str, seed: int) -> Iterator[dict[str, Any]]:
        """The lines of the programs that are declared to fail.

        Raises:
            WorkerFailure: the worker does not start again.
        """
        return declared_lines(self.crew, dtype, self.mode, seed)

    def judged(self, batches: Iterator[list[Numbered]], known: set[str]) -> Iterator[Found]:
        """What comes of batches, in their order.

        Raises:
            WorkerFailure: the worker does not start again.
        """
        judging = Judging(self.crew, self.mode, dict(specification()), known)
        for batch in batches:
            yield from judging.judged(batch)


@contextlib.contextmanager
def _judge(options: argparse.Namespace) -> Iterator[Judge]:
    """What judges the programs.

    Raises:
        UsageError: there is no such backend, device or cluster, or its nodes differ.
    """
    crew = {"backend": options.backend, "device": options.device, "modules": tuple(options.plugins), "timeout": options.timeout}
    if options.ray is not None:
        with connected(options) as cluster:
            try:
                yield Slices(cluster, crew, options.mode)
            except NotDone as error:
                raise UsageError(f"--ray: {error}") from None
        return
    worker = Crew(**crew)
    try:
        yield Here(worker, options.mode)
    finally:
        worker.close()


def run(options: argparse.Namespace, write_page: PageWriter) -> int:
    """Run a campaign; the return value is the exit code.

    Raises:
        UsageError: there is no such backend, device, mode or dtype, or the record cannot be opened.
    """
    _require(options)
    with _judge(options) as judge:
        return _with(judge, options, write_page)


def _with(judge: Judge, options: argparse.Namespace, write_page: PageWriter) -> int:
    description = judge.hello["description"]
    modes = described(description).every_mode
    for name, value, known in (("mode", options.mode, modes), ("dtype", options.dtype, description["dtypes"])):
        if value not in known:
            raise UsageError(
                f"--{name}: {options.backend} has no {value!r}{did_you_mean(value, known)}; it has: {', '.join(known)}"
            )
    began = time.monotonic()
    endless = options.programs is None and options.source in ENDLESS
    minutes = MINUTES if options.minutes is None and endless else options.minutes
    path = options.record or default_path(f"fuzz_{options.backend}")
    if options.report is not None:
        require_place("--report", options.report, [path], force=options.force)
    header = _header(options, judge)
    file, lines = open_record(path, SCHEMA, header, kept_lines if options.resume else None)
    record = record_of(lines or [header])
    record.end = None
    campaign = Campaign(
        hello=judge.hello,
        record=record,
        file=file,
        specification=dict(specification()),
        mode=options.mode,
        write=_write,
        live=sys.stdout.isatty(),
        deadline=None if minutes is None else began + 60.0 * minutes,
        planned=options.programs,
    )
    code, ended = _ended(campaign, judge)
    stale = stale_texts(record.declared)
    notes = [*judge.notes, *stale, *_contiguous_text(header)]
    if stale and options.strict_declarations:
        code = code or 1
    try:
        file.append(closing_line(record, time.monotonic() - began, judge.seconds, ended))
    except OSError as error:
        code = COULD_NOT_GO_ON
        notes.append(f"the record has no closing line: {error.strerror}")
    finally:
        file.close()
    try:
        notes += _dump(record.findings, options.dump)
    except OSError as error:
        code = COULD_NOT_GO_ON
        notes.append(f"--dump: a script cannot be written: {error.strerror}")
    if options.report is not None:
        try:
            write_page(path, options.report, options.force)
            notes.append(f"report: {options.report}")
        except UsageError as error:
            code = COULD_NOT_GO_ON
            notes.append(str(error))
    _write("\n" if campaign.live else "")
    hint = f"; {GO_ON}" if record.programs or code == INTERRUPTED else ""
    for text in (*notes, f"record: {path}", *([f"ended early: {ended}{hint}"] if ended else []), verdict_text(record)):
        _write(f"{shown(text)}\n")
    return code


def _contiguous_text(header: Mapping[str, Any]) -> list[str]:
    """A line of text if no input can lie otherwise than contiguous, which other campaigns of these sources try."""
    told = not header["memories"] and header["source"] in ("all", "fixed", "strides")
    return [f"all inputs are contiguous: arrays of {header['backend']} keep no strides in mode {header['mode']}"] if told else []


def _ended(campaign: Campaign, judge: Judge) -> tuple[int, str]:
    """The exit code, and why the campaign ended early, if it did."""
    header = campaign.record.header
    try:
        campaign.tell_declared(judge.declared(header["dtype"], header["seed"]))
        campaign.run(judge.judged)
    except KeyboardInterrupt:
        return INTERRUPTED, f"interrupted ({interruption() or 'Ctrl-C'})"
    except OSError as error:
        return COULD_NOT_GO_ON, f"the record cannot be written: {error.strerror}"
    except WorkerFailure as failure:
        return COULD_NOT_GO_ON, f"the worker does not start again: {failure.message}"
    except NotDone as error:
        return COULD_NOT_GO_ON, str(error)
    if not campaign.record.programs:
        return COULD_NOT_GO_ON, "no program was judged; give more --minutes, or another --source"
    return int(any(item["status"] in BAD for item in campaign.record.findings)), ""


def _dump(findings: list[dict[str, Any]], folder: Path | None) -> list[str]:
    """Write the scripts into a folder, over nothing that is there; a line for each.

    Raises:
        OSError: the folder cannot be written.
    """
    lines = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for item in findings:
            if item["script"]:
                name = f"program-{item['key'].split()[0]}-{item['status']}"
                lines.append(f"script: {_written(folder, name, item['script'])}")
    return lines


def _written(folder: Path, name: str, text: str) -> Path:
    """A file of that name, or of the next that is free, with a text; it may be there already."""
    places = (folder / (f"{name}-{number}.py" if number > 1 else f"{name}.py") for number in itertools.count(1))
    encoded = text.encode(errors="backslashreplace")
    path = next(place for place in places if not place.exists() or place.read_bytes() == encoded)
    if not path.exists():
        write_new(path, text)
    return path


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
