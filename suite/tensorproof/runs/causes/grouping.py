"""From the lines of a record to its causes: what is wrong together is told together, and nothing else is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tensorproof.runs.causes.adapters import Blame, adapter_blames
from tensorproof.runs.causes.composition import parts_of
from tensorproof.runs.causes.diagnoses import merged_by_diagnosis, two_mistakes
from tensorproof.runs.causes.symptoms import BAD, deviation, exception_of
from tensorproof.runs.causes.values import Checks, Group, groups_of

NEIGHBOUR = "tanh"
"""What operations are fused with."""
LEAST_WIDE = 8
"""Operations that must be wrong alike in one mode or dtype before these are one cause."""


@dataclass
class Found:
    """A cause as found: the bad checks that show it, and those that follow from it."""

    kind: str
    """A key of ``symptoms.DEVIATIONS``, a status, or ``mode``, ``precision``, ``exception``."""
    checks: set[int]
    evidence: list[str] = field(default_factory=list)
    group: Group | None = None
    subject: str = ""
    """The mode, dtype, exception or declaration that it is about."""
    consequences: dict[str, set[int]] = field(default_factory=dict)
    """Checks that follow, by operation (``fused`` ones by ``fused`` and the operation)."""


def found_causes(checks: Checks) -> list[Found]:
    """The causes of the bad checks, by number of checks. Each bad check is in one of them at least."""
    left = {index for index, check in enumerate(checks) if check["status"] in BAD}
    causes: list[Found] = []
    for rule in (_adapters, _wide_modes, _wide_dtypes, _wrong_dtypes, _exceptions, _endings, _undeclared):
        for cause in rule(checks, left):
            causes.append(cause)
            left = left.difference(cause.checks, *cause.consequences.values())
    values = _values(checks, left)
    fused = _fused(checks, left)
    alone = _explained(checks, _fused_neighbours(checks, fused, values), [*values, *causes])
    causes += _explained(checks, values, [*values, *causes]) + alone
    return sorted(causes, key=lambda cause: -len(cause.checks) - sum(map(len, cause.consequences.values())))


def _adapters(checks: Checks, left: set[int]) -> list[Found]:
    """Arrays that do not come back from the framework as they were: whatever needs them fails too."""
    return [_blamed(checks, blame) for blame in adapter_blames(checks, left)]


def _blamed(checks: Checks, blame: Blame) -> Found:
    found = Found("adapter", blame.checks, blame.evidence, subject=", ".join(sorted(blame.kinds)))
    for index in blame.consequences:
        found.consequences.setdefault(checks[index]["operation"], set()).add(index)
    return found


def known_causes(checks: Checks) -> list[Found]:
    """Known failures by declaration."""
    found: dict[str, set[int]] = defaultdict(set)
    for index, check in enumerate(checks):
        if check["status"] == "known_failure":
            found[check["declaration"]].add(index)
    return [Found("known", indices, ["one declaration speaks of them"], subject=text) for text, indices in found.items()]


def _place(check: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(check[name]) for name in ("operation", "sample", "check", "mode", "dtype"))


def _wide(
    checks: Checks, left: set[int], axis: str, twin: Callable[[str], Iterable[str]], word: str, among: Callable[[int], bool]
) -> list[Found]:
    """What is wrong in at least half of the operations in one value of an axis, and right in its twin."""
    passed = {_place(check) for check in checks if check["status"] == "passed"}
    bad = {_place(checks[index]) for index in left}
    ran: dict[str, set[str]] = defaultdict(set)
    suspects: dict[str, set[int]] = defaultdict(set)
    for index, check in enumerate(checks):
        if check["status"] not in (*BAD, "passed") or check["mode"] == "none":
            continue
        value = check[axis]
        ran[value].add(check["operation"])
        if index in left and among(index) and any(_place({**check, axis: other}) in passed for other in twin(value)):
            suspects[value].add(index)
    found = []
    for value, indices in suspects.items():
        operations = {checks[index]["operation"] for index in indices}
        for index in left - indices:
            check = checks[index]
            # In such an operation, a check whose twin is neither right nor wrong (a known failure, not meaningful) goes along.
            alike = check[axis] == value and check["operation"] in operations and among(index)
            if alike and not any(_place({**check, axis: other}) in bad for other in twin(value)):
                indices.add(index)
        wrong = {checks[index]["operation"] for index in indices if checks[index]["status"] == "failed"}
        if len(wrong) >= LEAST_WIDE and 2 * len(wrong) >= len(ran[value]):
            text = f"{len(wrong)} of {len(ran[value])} operations are wrong in {value}, and right in {' or '.join(twin(value))}"
            found.append(Found(word, indices, [text], subject=value))
    return found


def _wide_modes(checks: Checks, left: set[int]) -> list[Found]:
    """A mode in which most operations are wrong that are right when run eagerly."""
    return _wide(checks, left, "mode", lambda mode: () if mode == "eager" else ("eager",), "mode", lambda index: True)


def _wide_dtypes(checks: Checks, left: set[int]) -> list[Found]:
    """A dtype in which most operations are off by distance that are right in a narrower one: float64 computed in float32."""

    def by_distance(index: int) -> bool:
        failed = [item for item in checks[index].get("findings", ()) if item.get("outcome") == "failed"]
        return bool(failed) and all(deviation(item) == "wrong" for item in failed)

    return _wide(
        checks, left, "dtype", lambda dtype: ("float32",) if dtype != "float32" else ("float64",), "precision", by_distance
    )


def _wrong_dtypes(checks: Checks, left: set[int]) -> list[Found]:
    """Results of another dtype than asked, the same one in many operations: arrays are converted on their way."""
    found: dict[str, set[int]] = defaultdict(set)
    for index in left:
        failed = [item for item in checks[index].get("findings", ()) if item.get("outcome") == "failed"]
        texts = {str(item.get("line", "")).rpartition(": ")[2] for item in failed if item.get("reason") == "dtype"}
        if len(texts) == 1 and all(item.get("reason") == "dtype" for item in failed):
            found[texts.pop()].add(index)
    wide = {text: indices for text, indices in found.items() if len(_operations(checks, indices)) >= LEAST_WIDE}
    return [Found("dtype", indices, ["many operations return it"], subject=text) for text, indices in wide.items()]


def _operations(checks: Checks, indices: Iterable[int]) -> list[str]:
    return list(dict.fromkeys(checks[index]["operation"] for index in sorted(indices)))


def _exceptions(checks: Checks, left: set[int]) -> list[Found]:
    """The same exception at the same frame."""
    found: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for index in left:
        exception = exception_of(checks[index])
        if exception is not None:
            # Without a frame, only the operation says where it was.
            kind, frame, text = exception
            found[kind, frame or checks[index]["operation"], text].add(index)
    return [
        Found("exception", indices, [f"{kind}: {text}"[:160], *([f"raised at {frame}"] if frame else [])], subject=kind)
        for (kind, frame, text), indices in found.items()
    ]


def _endings(checks: Checks, left: set[int]) -> list[Found]:
    """The end of a process, by operation; a fallback, by the place that it fell back to, or by the mode that was eager."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for index in left:
        check = checks[index]
        if check["status"] == "fell_back":
            eager = "ran eagerly in mode" in check["message"]
            found["ran_eagerly" if eager else "fell_back", check["mode" if eager else "placement"]].add(index)
        elif check["status"] != "failed":
            found[check["status"], check["operation"]].add(index)
    return [Found(status, indices, subject=subject) for (status, subject), indices in found.items()]


def _undeclared(checks: Checks, left: set[int]) -> list[Found]:
    """Operations of which the backend says nothing."""
    indices = {index for index in left if checks[index]["check"] == "declared"}
    return [Found("not-declared", indices)] if indices else []


def _by_operation(checks: Checks, indices: Iterable[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        found[checks[index]["operation"]].append(index)
    return found


def _values(checks: Checks, left: set[int]) -> list[Found]:
    bad = _by_operation(checks, sorted(index for index in left if checks[index]["check"] != "fused"))
    apart = partial(two_mistakes, checks)
    every = _by_operation(checks, (index for index, check in enumerate(checks) if check["check"] != "fused"))
    groups = [
        group
        for operation, indices in bad.items()
        for group in merged_by_diagnosis(checks, groups_of(checks, operation, every[operation], indices, apart))
    ]
    return [Found(_kind(group), group.checks, group.evidence, group) for group in groups]


def _kind(group: Group) -> str:
    """The kind of most of the group's deviations that names it: the first symptom's."""
    return group.keys[0][1]


def _fused(checks: Checks, left: set[int]) -> list[Found]:
    bad = _by_operation(checks, sorted(index for index in left if checks[index]["check"] == "fused"))
    every = _by_operation(checks, (index for index, check in enumerate(checks) if check["check"] == "fused"))
    groups = [
        group
        for operation, indices in bad.items()
        for group in groups_of(checks, operation, every[operation], indices, lambda first, second: False)
    ]
    for group in groups:
        group.fused = True
    return [Found(_kind(group), group.checks, group.evidence, group) for group in groups]


def _fused_neighbours(checks: Checks, fused: list[Found], values: list[Found]) -> list[Found]:
    """The fused ones that neither their own operation nor their neighbour ``tanh`` explains; the others go beneath those."""
    alone = []
    blamed = Found("neighbour", set(), subject=NEIGHBOUR)
    for cause in fused:
        assert cause.group is not None
        name = f"fused {cause.group.operation}"
        reason = _value_cause(cause.group, values)
        if reason is not None:
            reason.consequences.setdefault(name, set()).update(cause.checks)
        elif all(_alone(checks[index]) == {NEIGHBOUR} for index in cause.checks):
            blamed.checks |= cause.checks
            blamed.evidence = [f"{NEIGHBOUR} fails alone on the same values"]
        else:
            alone.append(cause)
    return [*alone, blamed] if blamed.checks else alone


def _value_cause(group: Group, values: list[Found]) -> Found | None:
    """The cause in the operation itself, or in its neighbour, in the dtypes and modes where the fused ones are wrong."""
    for name in (group.operation, NEIGHBOUR):
        for other in values:
            if other.group and other.group.operation == name and other.group.places & group.places:
                return other
    return None


def _alone(check: Mapping[str, Any]) -> set[str]:
    """The parts of fused operations that fail alone, as the check found; older records do not say."""
    return {str(name) for finding in check["findings"] for name in finding.get("alone", ())}


def _explained(checks: Checks, causes: list[Found], among: list[Found]) -> list[Found]:
    """The causes that no wrong part explains; the others go beneath that part's."""
    own, explained = [], []
    for cause in causes:
        reason = _part(cause, among)
        if reason is None or reason is cause:
            own.append(cause)
        else:
            explained.append((cause, reason))
    for cause, reason in explained:
        assert cause.group is not None
        # A part may itself follow from another: what is at the bottom is the cause.
        seen = {id(cause)}
        while (deeper := next((why for item, why in explained if item is reason), None)) is not None and id(deeper) not in seen:
            seen.add(id(reason))
            reason = deeper
        name = f"fused {cause.group.operation}" if cause.group.fused else cause.group.operation
        reason.consequences.setdefault(name, set()).update(cause.checks)
        for other, indices in cause.consequences.items():
            reason.consequences.setdefault(other, set()).update(indices)
    return own


SPECIAL = {"nan-lost", "nan-made", "overflow", "infinity-lost", "infinity-sign", "zero-sign"}


def _part(cause: Found, among: list[Found]) -> Found | None:
    """The cause in a part of the operation that explains this one: in all of its dtypes and modes, and of a kind that can."""
    group = cause.group
    if group is None:
        return None
    parts = parts_of(group.operation)
    candidates = [
        other
        for other in among
        if other.group is not None
        and not other.group.fused
        and other.group.operation in parts
        and group.places <= other.group.places
        # What is wrong at special values only does not explain what is wrong at ordinary ones.
        and (not other.group.kinds <= SPECIAL or _special(group))
        and _value_explains(other.group, group)
    ]
    return max(candidates, key=lambda other: len(other.checks), default=None)


def _value_explains(part: Group, whole: Group) -> bool:
    """Whether the part's outputs are wrong, or only its gradients and the whole's too."""
    gradients = all(output.startswith("d_") for output, _ in part.keys)
    values = any(output in ("y", "loss") for output, _ in whole.keys)
    return not (gradients and values and not whole.operation.endswith(("_training", "_fitting")))


def _special(group: Group) -> bool:
    samples = {sample.split("_")[0] for sample, _, _ in group.points}
    return group.kinds <= SPECIAL or samples <= {"nan", "infinity", "magnitude", "zeros"}
