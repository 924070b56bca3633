"""Wrong values of one operation, divided into groups that are surely of different causes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorproof.runs.causes.symptoms import Point, judged_outputs, point, symptoms_of

Checks = Sequence[Mapping[str, Any]]
Key = tuple[str, str]
"""An output and a kind of deviation."""

NOT_FINITE = {"nan-made", "overflow", "infinity-lost", "infinity-sign"}
"""Deviations of one overflow: what exceeds the largest number becomes infinite, and infinity less infinity becomes NaN."""
IMPURE = {"not-repeatable", "result-kept", "input-changed"}
"""Deviations of calls that leave something behind; a check tells one of them."""
FOLLOWING = {"wrong", "zero-sign", *NOT_FINITE}
"""Deviations that a formula which is wrong everywhere may show at special values. It does not lose NaN."""


@dataclass
class Group:
    """Symptoms of one operation that have one cause, as far as the evidence goes."""

    operation: str
    keys: list[Key]
    points: set[Point] = field(default_factory=set)
    checks: set[int] = field(default_factory=set)
    became: set[str] = field(default_factory=set)
    evidence: list[str] = field(default_factory=list)
    fused: bool = False

    @property
    def kinds(self) -> set[str]:
        """Kinds of deviation."""
        return {kind for _, kind in self.keys}

    @property
    def places(self) -> set[tuple[str, str]]:
        """Pairs of dtype and mode."""
        return {(dtype, mode) for _, dtype, mode in self.points}

    def absorb(self, other: "Group", why: str) -> None:
        """Take in what has the same cause."""
        self.keys += [key for key in other.keys if key not in self.keys]
        self.points |= other.points
        self.checks |= other.checks
        self.became |= other.became
        self.evidence += [item for item in (*other.evidence, why) if item not in self.evidence]


@dataclass
class Judged:
    """Where each output of an operation was judged, and where its purity was."""

    points: Mapping[str, set[Point]]

    @classmethod
    def of(cls, checks: Checks, indices: Iterable[int]) -> "Judged":
        """From the checks of one operation that are all fused, or none."""
        points: dict[str, set[Point]] = defaultdict(set)
        for index in indices:
            check = checks[index]
            outputs = judged_outputs(check)
            # A check that judges no output (purity, randomness) is known by its own name.
            for output in outputs or [f"({check['check']})"]:
                if outputs or check["status"] in ("passed", "failed"):
                    points[output].add(point(check))
        return cls(points)


def groups_of(
    checks: Checks, operation: str, indices: Sequence[int], bad: Iterable[int], apart: Callable[[Group, Group], bool]
) -> list[Group]:
    """The groups among ``bad`` checks of an operation, of which ``indices`` are all; none may be of two defects surely different.

    ``apart`` says of two groups whether they are surely of two defects, whatever else they have in common.

    Two symptoms have one cause if they are at the very same points (where both outputs were judged), or of one kind and in
    the same dtypes and modes while others are right, or if a value that is wrong in every sample explains the rest.
    """
    judged = Judged.of(checks, indices)
    found: dict[Key, Group] = {}
    for index in bad:
        check = checks[index]
        for symptom in symptoms_of(check):
            key = (symptom.output or f"({check['check']})", symptom.kind)
            group = found.setdefault(key, Group(operation, [key]))
            group.points.add(point(check))
            group.checks.add(index)
            group.became |= {symptom.became} - {""}
    groups = list(found.values())
    everywhere = {(dtype, mode) for points in judged.points.values() for _, dtype, mode in points}
    while True:
        pair = next(
            (
                (first, second, why)
                for first in groups
                for second in groups
                if first is not second and (why := _one_cause(first, second, judged, everywhere)) and not apart(first, second)
            ),
            None,
        )
        if pair is None:
            return groups
        first, second, why = pair
        first.absorb(second, why)
        groups = [group for group in groups if group is not second]


def _points_of(judged: Judged, group: Group) -> set[Point]:
    return set().union(*(judged.points.get(output, set()) for output, _ in group.keys))


def _one_cause(first: Group, second: Group, judged: Judged, everywhere: set[tuple[str, str]]) -> str:
    """Why ``second`` has the cause of ``first``, or nothing."""
    outputs, others = ({output for output, _ in group.keys} for group in (first, second))
    names = " and ".join(dict.fromkeys(output for output, _ in (*first.keys, *second.keys)))
    same_places = first.places == second.places
    if outputs & others:
        if first.kinds <= NOT_FINITE and second.kinds <= NOT_FINITE and same_places:
            return "infinity and NaN are made in the same dtypes and modes"
        if first.kinds <= IMPURE and second.kinds <= IMPURE:
            return "calls leave something behind"
        if "wrong" in first.kinds and second.kinds <= FOLLOWING and _everywhere_wrong(first, second, judged):
            return "the values are wrong in every plain sample, so also at special ones"
        return ""
    common = _points_of(judged, first) & _points_of(judged, second)
    where = first.points & common
    if where and where == second.points & common:
        return f"{names} deviate in the very same samples, dtypes and modes"
    if first.kinds == second.kinds and same_places and first.places < everywhere:
        return f"{names} deviate alike in the same dtypes and modes, and in no others"
    after = second.points & common
    if not after or not after <= where:
        return ""
    values = all(not output.startswith("d_") for output in outputs | others)
    if values and second.kinds <= {"wrong", *IMPURE} and "wrong" in first.kinds:
        return f"{names}: the latter deviate only where the former do"
    # Wrong values have wrong gradients; where bars are wide, that shows in some samples only.
    gradients = all(output.startswith("d_") for output in others) and any(not output.startswith("d_") for output in outputs)
    if gradients and first.kinds == second.kinds == {"wrong"} and 2 * len(after) >= len(where):
        return f"{names}: gradients are wrong only where values are"
    return ""


def _everywhere_wrong(first: Group, second: Group, judged: Judged) -> bool:
    """Whether ``first`` is at every plain sample that was judged in the dtypes and modes of ``second``."""
    plain = {item for item in _points_of(judged, first) if item[0].startswith("plain") and item[1:] in second.places}
    return bool(plain) and plain <= first.points
