"""The upgrade question: what is newly wrong since an earlier run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tensorproof.conformance.selection.quick import quick_set
from tensorproof.errors import UsageError, printable
from tensorproof.runs.causes.cause import compared_causes
from tensorproof.runs.causes.symptoms import BAD
from tensorproof.runs.records import Record, check_key

FINE = ("passed", "known_failure", "unsupported", "not_meaningful")
SHOWN = 40


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another."""

    new_failures: tuple[str, ...]
    fixed: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    """What a person must know before the rest: that instruction sets differ, or that a run is not whole."""
    causes: tuple[str, ...]
    """The causes that are new, fixed or changed, in a line each."""
    details: tuple[str, ...]
    line: str

    @property
    def exit_code(self) -> int:
        """0 if nothing is newly failing, missing or crashed, else 1."""
        return 1 if self.new_failures or self.missing else 0


COMPARED = {
    "device": "devices",
    "seed": "seeds: the inputs differ",
    "specification": "specifications: operations or samples may have changed",
}
"""What two runs have in common if their checks are the same, and what a difference means."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What makes two runs less than comparable, each in words: ``seeds: the inputs differ (0, then 1)``."""
    pairs = ((words, old.get(key), new.get(key)) for key, words in COMPARED.items())
    return [printable(f"{words} ({was}, then {now})") for words, was, now in pairs if was != now]


def require_comparable(old: Record, header: Mapping[str, Any]) -> None:
    """Refuse an earlier record that a run cannot be compared with, before it begins.

    Raises:
        UsageError: it is of another backend, device or seed.
    """
    for key, option in (("backend", ""), ("device", "--device"), ("seed", "--seed")):
        was, now = old.header[key], header[key]
        if was != now:
            how = f"; give {option}={was}, or another record" if option else "; give a record of this backend"
            raise UsageError(printable(f"--baseline: {old.name} is of {key} {was}, and this run of {now}{how}"))


def compare(old: Record, new: Record) -> Comparison:
    """Compare two records of one backend.

    Raises:
        UsageError: they are of two backends.

    A check fails newly if it is wrong now and was not (a known failure that fails stays known), or if it passed and is now
    unsupported or no longer meaningful. It is missing if it passed and was not run now.

    Of a quick run and a full one, only what the quick one planned is compared.
    """
    if old.header["backend"] != new.header["backend"]:
        names = printable(f"{old.header['backend']} and {new.header['backend']}")
        raise UsageError(f"the records are of two backends, {names}; records of one backend are compared")
    before = {check_key(check): check for check in old.checks}
    after = {check_key(check): check for check in new.checks if check["status"] != "not_run"}
    quick = [_is_quick(record) for record in (old, new)]
    if quick == [True, False]:
        after = {key: check for key, check in after.items() if key in before}
    elif quick == [False, True]:
        planned = _planned_by(new)
        before = {key: check for key, check in before.items() if key in after or planned(check)}
    new_failures, fixed, details, notes = [], [], [], []
    for key, check in after.items():
        was = before.get(key, {}).get("status", "absent")
        now = check["status"]
        lost = was == "passed" and now != "passed"
        if (now in BAD and was not in BAD) or lost:
            new_failures.append(key)
            details.append(f"new: {key}: {was} → {now}: {check['message']}")
        elif was in (*BAD, "known_failure") and now == "passed":
            fixed.append(key)
            details.append(f"fixed: {key}: {was} → passed")
    missing = [key for key, check in before.items() if check["status"] in ("passed", *BAD) and key not in after]
    details += [f"missing: {key}: was {before[key]['status']}" for key in missing]
    if len(details) > SHOWN:
        details = [*details[:SHOWN], f"… and {len(details) - SHOWN} more"]
    sets = [(record.header.get("instructions") or {}).get("name", "unknown") for record in (old, new)]
    if sets[0] != sets[1]:
        notes.append(f"the records are of different instruction sets: {sets[0]}, then {sets[1]}; kernels may differ")
    notes += [f"the records are of different {words}" for words in differences(old.header, new.header)]
    notes += [note for which, record in (("earlier", old), ("later", new)) if (note := _what_is_not_compared(which, record))]
    line = f"{_title(old, new)}: {len(new_failures)} new failures, {len(fixed)} fixed, {len(missing)} missing"
    if quick[0] != quick[1]:
        which, one = ("earlier", old) if quick[0] else ("later", new)
        line += f"; the {which} run was made with --quick: only its {len(one.checks)} checks are compared"
    # Of runs that checked different things, a cause may be missing only for want of looking.
    causes = compared_causes(old, new) if quick[0] == quick[1] else []
    return Comparison(tuple(new_failures), tuple(fixed), tuple(missing), tuple(notes), tuple(causes), tuple(details), line)


def _what_is_not_compared(which: str, record: Record) -> str:
    """How much of a run is not in its record, in words; empty if all is."""
    made = sum(check["status"] != "not_run" for check in record.checks)
    planned = int(record.header["planned"])
    if made >= planned:
        return ""
    return f"the {which} run is incomplete: {made:,} of {planned:,} checks were made, and the others are not compared"


def _title(old: Record, new: Record) -> str:
    name = str(new.header["backend"])
    before, after = (str(record.header["versions"].get(name, "?")) for record in (old, new))
    return f"{name} {before} → {after}"


def _is_quick(record: Record) -> bool:
    return bool(record.header.get("options", {}).get("quick"))


def _planned_by(record: Record) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a quick run planned a check: one that it did not get to is missing, one that it left out is not."""
    started = {check_key(check) for check in record.checks}
    first_mode = next(iter(record.header["modes"]))
    chosen = quick_set(record.header["options"]["profile"])
    first, others = chosen.in_first_mode(first_mode), chosen.compiled

    def planned(check: Mapping[str, Any]) -> bool:
        row = (check["operation"], check["sample"], check["dtype"], check["check"])
        return check_key(check) in started or row in (first if check["mode"] == first_mode else others)

    return planned
