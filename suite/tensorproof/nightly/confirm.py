"""The third gate: old and new packages of a candidate as two contenders of the same rounds, in six launches each.

What becomes of a candidate, its ``state``:

``slower``         confirmed: a regression, the only state that alarms
``faster``         confirmed: an improvement
``cleared``        the two are the same, or differ by less than 3 %
``not_resolved``   the rounds could not tell; measured again next night
``same_packages``  nothing changed but the machine, tensorproof itself, or chance; nothing to measure
``unconfirmable``  the old packages cannot be installed any more, or the measurement failed
``over_limit``     more candidates than a night may confirm; measured next night
``waiting``        not measured yet
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.outputs import write_beside
from tensorproof.lines.writing import whole_text
from tensorproof.nightly.accepted import Accepted
from tensorproof.nightly.environments import NotBuilt, rebuild
from tensorproof.nightly.gates import SMALLEST, Change
from tensorproof.nightly.history import CLOCK, NIGHT_SCHEMA, has_ended, nights, now, read_verdict
from tensorproof.nightly.packages import Environment, difference, digest_of, kept_pins
from tensorproof.nightly.processes import Runner, lines_done
from tensorproof.nightly.series import Series
from tensorproof.timing.results.records import read_timing_record

LAUNCHES = 6
SETTLED_BY_DUEL = ("slower", "faster", "cleared")
"""A duel of two sets of packages that ended so is not repeated."""
CARRIED = ("slower", "over_limit", "waiting")
"""What stays a finding of the next night even when the gates no longer see it."""
UNSETTLED = (*CARRIED, "not_resolved")
"""While a finding is in these states, its old environment is kept."""


def finding(change: Change) -> dict[str, Any]:
    """The line of a candidate in ``verdict.ndjson``."""
    return {
        "kind": "finding",
        "series": asdict(change.history.series),
        "machine": change.history.machine.digest,
        "since": change.since,
        "last_before": change.last_before,
        "factor": change.factor,
        "p_value": change.p_value,
        "nights_before": change.nights_before,
        "nights_after": change.nights_after,
        "state": "waiting",
        "message": "",
        "old_packages": "",
        "new_packages": "",
        "duel": None,
        "first_alarm": "",
    }


def series_of(line: Mapping[str, Any]) -> Series:
    """The series of a finding."""
    return Series(**line["series"])


def earlier_findings(history: Path, night: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The findings of the nights before, the newest night first, and which nights' findings cannot be read, and why."""
    found, unread = [], []
    for folder in reversed([folder for folder in nights(history) if folder.name < night]):
        path = folder / "verdict.ndjson"
        try:
            lines = read_verdict(path) if path.exists() else []
        except UsageError as error:
            unread.append(f"{folder.name}: {error}; its findings are left out")
            continue
        found += [{**line, "night": folder.name} for line in lines if line["kind"] == "finding"]
    return found, unread


def findings_of(
    changes: Iterable[Change], earlier: Sequence[dict[str, Any]], accepted: Sequence[Accepted], backends: Iterable[str]
) -> list[dict[str, Any]]:
    """Tonight's findings: the candidates, and what earlier nights left open and nobody accepted."""
    found = {(series_of(line), line["machine"]): line for line in map(finding, changes)}
    last: dict[tuple[Series, str], dict[str, Any]] = {}
    for line in earlier:
        last.setdefault((series_of(line), line["machine"]), line)
    names = set(backends)
    for key, line in last.items():
        series, _ = key
        if line["state"] not in CARRIED or series.backend not in names:
            continue
        if any(entry.covers(series.name, line["since"]) for entry in accepted):
            continue
        kept = {name: value for name, value in line.items() if name != "night"}
        # The gates may place the change a night apart now, and the packages to go back to are those before the first alarm.
        found[key] = {**kept, "message": "", "state": "waiting", "duel": None, "open": line["state"] == "slower"}
    return list(found.values())


def confirm(
    history: Path,
    night: Path,
    findings: Sequence[dict[str, Any]],
    earlier: Sequence[Mapping[str, Any]],
    environments: Mapping[str, Environment],
    runner: Runner,
    duel_command: Sequence[str],
    limit: int,
) -> None:
    """Give each finding its state, by what was measured before of the same packages, or by measuring it now."""
    settled = {
        (series_of(line), line["machine"], line["old_packages"], line["new_packages"]): line
        for line in reversed(earlier)
        if line["state"] in SETTLED_BY_DUEL and line["old_packages"]
    }
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    measured_now = 0
    for line in findings:
        series = series_of(line)
        current = environments.get(series.backend)
        if current is None:
            _set(line, "unconfirmable", "could not be confirmed: tonight's environment is missing")
            continue
        if current.text != kept_pins(night, series.backend):
            _set(line, "unconfirmable", "could not be confirmed: the environment has other packages than those that were timed")
            continue
        old = _old_pins(history, line)
        if old is None:
            _set(line, "unconfirmable", f"could not be confirmed: the packages of {line['last_before']} were not kept")
            continue
        line.update(old_packages=digest_of(old), new_packages=current.digest)
        if line["old_packages"] == line["new_packages"]:
            _set(line, "same_packages", "not confirmed: same packages; the machine, tensorproof itself, or chance")
            continue
        known = settled.get((series, line["machine"], line["old_packages"], line["new_packages"]))
        if known is not None:
            line["duel"] = known["duel"]
            words = str(known["message"])
            _set(line, known["state"], words if "measured on" in words else f"{words}, measured on {known['night']}")
            continue
        measured_now += 1
        if measured_now > limit:
            _set(line, "over_limit", f"not measured: more than {limit} candidates tonight")
            continue
        key = (series.backend, series.device, series.mode, series.workload, series.direction, series.dtype, line["old_packages"])
        groups.setdefault(key, []).append(line)
    for lines in groups.values():
        _measure(history, night, lines, environments[series_of(lines[0]).backend], runner, duel_command)
    for line in findings:
        if line["state"] == "slower" and not line["first_alarm"]:
            line["first_alarm"] = night.name


def _set(line: dict[str, Any], state: str, message: str) -> None:
    # A confirmed regression stays one until it is measured to be gone, or accepted.
    if line.pop("open", False) and state in ("over_limit", "unconfirmable", "not_resolved"):
        message = f"still open since {line['first_alarm'] or line['since']}; tonight: {message}"
        state = "slower"
    line.update(state=state, message=message)


def _old_pins(history: Path, line: Mapping[str, Any]) -> str | None:
    return kept_pins(history / str(line["last_before"]), series_of(line).backend)


def _measure(
    history: Path,
    night: Path,
    lines: Sequence[dict[str, Any]],
    current: Environment,
    runner: Runner,
    duel_command: Sequence[str],
) -> None:
    """Duel the series of one group: they share backend, mode, workload, direction, dtype and packages."""
    series = series_of(lines[0])
    old = _old_pins(history, lines[0]) or ""
    changed = difference(old, current.text)
    shared = (series.device, series.mode, series.workload, series.direction, series.dtype, lines[0]["old_packages"])
    name = f"duel_{series.backend}_{digest_of(json.dumps([*shared, current.digest]))}"
    log = night / "logs" / f"{name}.log"
    try:
        folder = rebuild(history, old, current, runner, log)
    except NotBuilt as error:
        for line in lines:
            _set(line, "unconfirmable", f"could not be confirmed: the old packages cannot be installed: {error.reason}")
        return
    record = night / f"{name}.ndjson"
    command = [*duel_command, series.backend, f"--env=old={folder}", f"--env=new={current.python}"]
    command += [f"--op={series_of(line).operation}" for line in lines]
    command += [f"--workload={series.workload}", f"--direction={series.direction}", f"--dtype={series.dtype}"]
    command += [f"--mode={series.mode}", f"--device={series.device}", f"--launches={LAUNCHES}", f"--record={record}"]
    command += ["--resume"] if record.exists() else []
    title = f"{series.backend}: old packages against new, {len(lines)} series"
    code = 0 if has_ended(record) else runner(command, log, title, lines_done(record, "duel"))
    why = "no result"
    try:
        measured = read_timing_record(record).duels
    except UsageError as error:
        measured, why = [], str(error)
    duels = {duel["operation"]: duel for duel in map(_duel, measured) if duel is not None}
    for line in lines:
        duel = duels.get(line["series"]["operation"])
        if duel is None:
            _set(line, "unconfirmable", f"could not be confirmed: the measurement ended with exit code {code} and {why}")
            continue
        line["duel"] = duel
        state, words = verdict_of(duel)
        _set(line, state, f"{words} ({changed})")


def _duel(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """A line of a duel of new against old on the clock of the history, or ``None``; turned round if old was against new."""
    if line["clock"] != CLOCK:
        return None
    names = [str(line.get(name, "")).split(" ")[0] for name in ("reference", "contender")]
    # An end of the interval is absent if there were too few rounds for one.
    ratio, low, high = (_number(line.get(name)) for name in ("ratio", "low", "high"))
    if ratio is None:
        return None
    verdict = str(line.get("verdict"))
    if names == ["new", "old"]:
        ratio, low, high = 1 / ratio, high and 1 / high, low and 1 / low
        verdict = {"slower": "faster", "faster": "slower"}.get(verdict, verdict)
    elif names != ["old", "new"]:
        return None
    return {"operation": str(line.get("operation")), "ratio": ratio, "low": low, "high": high, "verdict": verdict}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) and 0 < value < 1e9 else None


def verdict_of(duel: Mapping[str, Any]) -> tuple[str, str]:
    """The state that a duel gives a finding, and the words for it."""
    low, high = ("–" if duel[name] is None else f"{duel[name]:.3f}" for name in ("low", "high"))
    words = f"new/old {duel['ratio']:.3f} ({low} to {high})"
    verdict = duel["verdict"]
    if verdict in ("slower", "faster"):
        if max(duel["ratio"], 1 / duel["ratio"]) < 1 + SMALLEST:
            return "cleared", f"{words}: less than {SMALLEST:.0%}"
        return verdict, words
    return ("cleared", words) if verdict == "same" else ("not_resolved", words)


def write_verdict(night: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write ``verdict.ndjson`` whole, or leave the old one. Its closing line shows whether it is still as it was written."""
    found = list(lines)
    alarms = any(line["kind"] == "alarm" for line in found)
    end = {"kind": "end", "finished": now().isoformat(timespec="seconds"), "exit_code": int(alarms)}
    write_beside(night / "verdict.ndjson", whole_text([*found, end], NIGHT_SCHEMA))
