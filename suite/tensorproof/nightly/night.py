"""One night: its folder, its stages, and how it goes on where it was ended.

A night is a folder named by the time at which it began. ``night.ndjson`` in it has a line for each stage that ended and a last
one for the night itself. A night without that last line is continued by the next call, if it is young enough and its packages
are those of now.
"""

import contextlib
import datetime
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.contract.compile_cache import COMPILE_CACHE
from tensorproof.errors import UsageError
from tensorproof.lines.outputs import write_beside
from tensorproof.lines.reading import read_lines
from tensorproof.lines.writing import whole_text
from tensorproof.nightly.accepted import Accepted
from tensorproof.nightly.confirm import UNSETTLED, confirm, earlier_findings, findings_of, series_of, write_verdict
from tensorproof.nightly.environments import compiled_programs, prune
from tensorproof.nightly.history import (
    NIGHT_SCHEMA,
    has_ended,
    is_night,
    night_name,
    night_start,
    nights,
    now,
    read_verdict,
    timing_records,
)
from tensorproof.nightly.judge import Alarm, Judgement, judge
from tensorproof.nightly.packages import Environment, kept_pins, look_into, pins_file
from tensorproof.nightly.processes import TIMED_OUT, Runner, Watch, lines_done
from tensorproof.nightly.programs import campaigns
from tensorproof.nightly.summary import headline, summary
from tensorproof.programs.campaigns.records import read_campaign
from tensorproof.runs.records import machine, read_record


@dataclass(frozen=True)
class Plan:
    """What a night does."""

    history: Path
    places: Mapping[str, Path]
    """The environment of each backend."""
    accepted: Sequence[Accepted] = ()
    check_arguments: Sequence[str] = ()
    """Further arguments of ``tensorproof check``."""
    time_arguments: Sequence[str] = ()
    """Further arguments of ``tensorproof time``."""
    timings: str = "timings"
    """Name of the record of timings; that of one backend has its name in it."""
    confirmations: int = 24
    """How many candidates are confirmed in one night."""
    stale_hours: float = 20.0
    own: Sequence[str] = field(default=(sys.executable, "-P", "-m", "tensorproof"))
    """The command ``tensorproof`` of this environment; ``-P`` keeps the current folder from being imported from."""


class Night:
    """A night's folder and the stages that ended in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[dict[str, Any]] = []
        self.problem = ""
        """Why nobody can tell what was done, if so."""
        try:
            if self._log.exists() and self._log.stat().st_size:
                self.lines = read_lines(self._log, NIGHT_SCHEMA).values
        except UsageError as error:
            self.problem = f"{folder.name}: {error}"

    @property
    def _log(self) -> Path:
        return self.folder / "night.ndjson"

    @property
    def ended(self) -> bool:
        """Whether the night came to its end."""
        return any(line.get("kind") == "end" for line in self.lines)

    def done(self, stage: str) -> bool:
        """Whether a stage ended well."""
        return any(line.get("name") == stage and line.get("status") == "done" for line in self.lines)

    def append(self, line: dict[str, Any]) -> None:
        """Append a line; a torn one of a killed night is gone then."""
        self.lines.append(line)
        write_beside(self._log, whole_text(self.lines, NIGHT_SCHEMA))

    def failures(self) -> list[Alarm]:
        """An alarm for each stage whose last end was not a good one."""
        last = {str(line.get("name")): str(line.get("status")) for line in self.lines if line.get("kind") == "stage"}
        return [Alarm("missing", name, status) for name, status in last.items() if status != "done"]

    def seconds(self) -> dict[str, float]:
        """The wall time of each stage, over all calls that worked on it."""
        found: dict[str, float] = {}
        for line in self.lines:
            if line.get("kind") == "stage" and isinstance(line.get("seconds"), float):
                found[str(line.get("name"))] = found.get(str(line.get("name")), 0.0) + line["seconds"]
        return found


def open_night(plan: Plan, environments: Mapping[str, Environment], moment: datetime.datetime, name: str | None) -> Night:
    """The night to work on: the one that is named, the last one if it has not ended and still fits, or a new one.

    Raises:
        UsageError: the name is none of a night, or the folder cannot be made.
    """
    if name is not None and not is_night(name):
        raise UsageError(f"--night: expected a time such as {night_name(moment)}, got {name!r}")
    chosen = plan.history / (name or night_name(moment))
    if name is None:
        last = nights(plan.history)[-1:]
        if last and _goes_on(last[0], plan.stale_hours, environments, moment):
            chosen = last[0]
    try:
        night = Night(chosen)
        if night.problem:
            raise UsageError(f"--history: {night.problem}; remove its night.ndjson to work on this night again")
        for environment in environments.values():
            # The pins are those of what was timed, also where something else judges.
            if not pins_file(chosen, environment.backend).exists():
                write_beside(pins_file(chosen, environment.backend), environment.text)
    except OSError as error:
        raise UsageError(f"--history: {plan.history.name} cannot be written: {error.strerror}") from None
    return night


def _goes_on(folder: Path, stale_hours: float, environments: Mapping[str, Environment], moment: datetime.datetime) -> bool:
    hours = (moment - night_start(folder.name)).total_seconds() / 3600
    if not 0 <= hours <= stale_hours:
        return False
    night = Night(folder)
    if night.ended or night.problem:
        return False
    return all(kept_pins(folder, backend) in (None, environment.text) for backend, environment in environments.items())


def look_into_all(places: Mapping[str, Path]) -> tuple[dict[str, Environment], list[Alarm]]:
    """The environments that there are, and an alarm for each that there is not."""
    found, alarms = {}, []
    for backend, place in places.items():
        environment = look_into(backend, place)
        if isinstance(environment, Environment):
            found[backend] = environment
        else:
            alarms.append(Alarm("missing", backend, environment))
    return found, alarms


def collect(plan: Plan, night: Night, environments: Mapping[str, Environment], runner: Runner) -> None:
    """Run conformance, programs and timings; what a killed night has done already is not done again."""
    for backend, environment in environments.items():
        record = night.folder / f"conformance_{backend}.ndjson"
        stage = f"conformance of {backend}"
        if night.done(stage) and record.is_file():
            continue
        # Checks that a killed run made are made again: a record of two runs would be one of neither.
        record.unlink(missing_ok=True)
        command = [str(environment.python), "-P", "-m", "tensorproof", "check", backend, f"--record={record}"]
        command.append(f"{COMPILE_CACHE}={compiled_programs(plan.history, 'conformance', [environment], machine())}")
        # 1 is what a run with failures ends with: the record says which.
        _stage(night, stage, [*command, *plan.check_arguments], runner, lines_done(record, "check"), (0, 1))
    _programs(plan, night, environments, runner)
    # One that cannot be checked would end the timings of all.
    able = [environment for backend, environment in environments.items() if night.done(f"conformance of {backend}")]
    record = night.folder / f"{plan.timings}.ndjson"
    # What a killed night left running may have ended the record by itself.
    if has_ended(record) and not night.done(plan.timings):
        night.append({"kind": "stage", "name": plan.timings, "status": "done", "exit_code": 0, "seconds": 0.0})
    if not able or has_ended(record):
        return
    command = [*plan.own, "time", *(environment.backend for environment in able)]
    command += [f"--env={environment.backend}={environment.python}" for environment in able]
    command.append(f"{COMPILE_CACHE}={compiled_programs(plan.history, 'timings', able, machine())}")
    command += [f"--record={record}", *plan.time_arguments, *(["--resume"] if record.exists() else [])]
    _stage(night, plan.timings, command, runner, lines_done(record, "timing"), (0, 1))


def _programs(plan: Plan, night: Night, environments: Mapping[str, Environment], runner: Runner) -> None:
    """Judge the fixed set of programs where a backend compiles; a night of some operations leaves them out."""
    if any(argument.startswith("--op=") for argument in plan.check_arguments):
        return
    for backend, environment in environments.items():
        for asked in campaigns(night.folder, backend):
            if night.done(asked.stage) and asked.record.is_file():
                continue
            asked.record.unlink(missing_ok=True)
            command = [str(environment.python), "-P", "-m", "tensorproof", *asked.arguments]
            _stage(night, asked.stage, command, runner, lines_done(asked.record, "program"), (0, 1))


def _stage(night: Night, name: str, command: Sequence[str], runner: Runner, watch: Watch, good: Sequence[int]) -> None:
    start = time.monotonic()
    log = night.folder / "logs" / f"{name.replace(' ', '_')}.log"
    code: int | None = None
    try:
        code = runner(command, log, name, watch)
    except OSError:
        code = 127
    finally:
        status = {None: "interrupted", TIMED_OUT: "timed_out"}.get(code, "done" if code in good else "failed")
        seconds = round(time.monotonic() - start, 1)
        night.append({"kind": "stage", "name": name, "status": status, "exit_code": code, "seconds": seconds})


def publish(plan: Plan, night: Night, judgement: Judgement, runner: Runner) -> None:
    """Write verdict, summary and page, in this order: what was found is written down before anything else may go wrong."""
    judgement.seconds = night.seconds()
    judgement.alarms = [alarm for alarm in judgement.alarms if alarm.kind != "regression"]
    judgement.alarms += [
        Alarm("regression", series_of(line).name, str(line["message"]))
        for line in judgement.findings
        if line["state"] == "slower"
    ]
    looked_at = {"tested": judgement.gated.tested, "too_little_history": judgement.gated.too_little_history}
    verdict = {"kind": "verdict", "night": judgement.night, "headline": headline(judgement.alarms), **looked_at}
    alarms = [{"kind": "alarm", "of": alarm.subject, "alarm": alarm.kind, "message": alarm.message} for alarm in judgement.alarms]
    write_verdict(night.folder, [verdict, *alarms, *judgement.findings, *(entry.told for entry in plan.accepted)])
    _write_summary(night.folder, judgement)
    records = [
        *readable_records(night.folder, "conformance_*.ndjson", read_record),
        *readable_records(night.folder, "programs_*.ndjson", read_campaign),
        *timing_records(night.folder),
    ]
    if not records:
        return
    command = [*plan.own, "report", *map(str, records), f"--history={plan.history}", "-o", str(night.folder / "report.html")]
    code = runner(command, night.folder / "logs" / "report.log", "page", lambda: (0, 0))
    if code:
        note = f"the page could not be written: exit code {code}; see logs/report.log"
        judgement.notes = [*(other for other in judgement.notes if other != note), note]
        _write_summary(night.folder, judgement)


def _write_summary(folder: Path, judgement: Judgement) -> None:
    write_beside(folder / "summary.md", summary(judgement))


def readable_records(folder: Path, pattern: str, read: Callable[[Path], object]) -> Iterator[Path]:
    """The records of a kind that a page can show."""
    for path in sorted(folder.glob(pattern)):
        with contextlib.suppress(UsageError):
            read(path)
            yield path


def finish(
    plan: Plan, night: Night, environments: Mapping[str, Environment], absent: Sequence[Alarm], runner: Runner
) -> Judgement:
    """Judge, publish, confirm, and publish again: whatever happens to the confirmation, what was measured is published.

    ``absent`` are the alarms of environments that are not there.
    """
    judgement = judge(plan.history, night.folder, list(plan.places), plan.accepted)
    told = {alarm.subject for alarm in absent}
    others = (alarm for alarm in judgement.alarms if not (alarm.kind == "missing" and alarm.subject in told))
    judgement.alarms = [*absent, *others]
    judgement.notes += [f"{alarm.subject}: {alarm.message.replace('_', ' ')}; see its log in logs/" for alarm in night.failures()]
    earlier, unread = earlier_findings(plan.history, night.folder.name)
    judgement.notes += unread
    newest = [folder.name for folder in nights(plan.history) if folder.name < night.folder.name][-1:]
    # What it left open would be forgotten in silence.
    judgement.alarms += [Alarm("missing", "history", text) for text in unread if text.startswith(tuple(newest))]
    judgement.findings = findings_of(judgement.gated.candidates, earlier, plan.accepted, plan.places)
    publish(plan, night, judgement, runner)
    if judgement.findings:
        start = time.monotonic()
        duel = [*plan.own, "duel"]
        confirm(plan.history, night.folder, judgement.findings, earlier, environments, runner, duel, plan.confirmations)
        seconds = round(time.monotonic() - start, 1)
        night.append({"kind": "stage", "name": "confirmation", "status": "done", "exit_code": 0, "seconds": seconds})
        publish(plan, night, judgement, runner)
    prune(plan.history, {line["old_packages"] for line in judgement.findings if line["state"] in UNSETTLED})
    finished = now().isoformat(timespec="seconds")
    night.append({"kind": "end", "finished": finished, "exit_code": 1 if judgement.alarms else 0})
    return judgement


def standing(history: Path, stale_hours: float, moment: datetime.datetime) -> list[Alarm]:
    """The alarms of the newest night that ended, and whether it is too old; nothing is run."""
    known = [(folder, Night(folder)) for folder in nights(history)]
    ended = [folder for folder, night in known if night.ended]
    damaged = [Alarm("missing", "history", night.problem) for _, night in known if night.problem]
    if not ended:
        return [*damaged, Alarm("stale", "history", "not one night in it has ended")]
    hours = (moment - night_start(ended[-1].name)).total_seconds() / 3600
    try:
        lines = read_verdict(ended[-1] / "verdict.ndjson")
    except UsageError as error:
        damaged.append(Alarm("missing", "history", f"{ended[-1].name}: {error}"))
        lines = []
    alarms = damaged + [Alarm(line["alarm"], line["of"], line["message"]) for line in lines if line["kind"] == "alarm"]
    if hours > stale_hours:
        alarms.insert(0, Alarm("stale", "history", f"the newest night that ended, {ended[-1].name}, is {hours:.0f} hours old"))
    return alarms
