"""What is said of a group of wrong values: the only known mistake that explains them; and which groups one mistake explains."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorproof.runs.causes.symptoms import deviation, named
from tensorproof.runs.causes.values import Checks, Group

LEAST_SAMPLES = 2
"""Samples that must show a mistake."""
KEPT = "the result of an earlier call"
"""What is said of results that are kept; the check of purity tells that too."""

Compared = Sequence[tuple[str, Mapping[str, Any]]]
"""Findings that were compared with known mistakes, each with its sample."""


def _either_way(mistake: str) -> str:
    """A mistake in the choice of a value, whatever the values: a backend may take each for the other.

    >>> _either_way("reset=after in place of before"), _either_way("mean in place of sum")
    ('another value of reset', 'sum and mean exchanged')
    """
    if mistake in ("sum in place of mean", "mean in place of sum"):
        return "sum and mean exchanged"
    return re.sub(r"^(\w+)=\S+ in place of \S+$", r"another value of \1", mistake)


READINGS: tuple[tuple[str, Callable[[str], str]], ...] = (("fits", str), ("fits", _either_way), ("likenesses", str))
"""What is looked for, one after the other: a known mistake comes before a mere likeness of the result, which it may imply."""


def _compared(checks: Checks, group: Group) -> Compared:
    return [
        (check["sample"], finding)
        for check in (checks[index] for index in sorted(group.checks))
        for finding in check["findings"]
        if ("fits" in finding or "likenesses" in finding) and (named(str(finding["output"])), deviation(finding)) in group.keys
    ]


def _found(checks: Checks, group: Group) -> tuple[str, Callable[[str], str]]:
    """The diagnosis of a group, and how it was read."""
    compared = _compared(checks, group)
    # Where values are wrong, these tell, since wrong gradients follow from them.
    values = [item for item in compared if not str(item[1]["output"]).startswith("d_")]
    for kind, reading in READINGS:
        names = _everywhere(values or compared, kind, reading)
        if names:
            return (names[0] if len(names) == 1 else ""), reading
    return "", str


def diagnosis(checks: Checks, group: Group) -> str:
    """The only mistake that fits every failure that was compared with any, and that two samples show; or nothing."""
    return _found(checks, group)[0]


def _everywhere(compared: Compared, kind: str, reading: Callable[[str], str]) -> list[str]:
    """What fits all findings and is shown by enough samples; older records lack likenesses."""
    everywhere: list[str] | None = None
    shown: dict[str, set[str]] = {}
    for sample, finding in compared:
        if kind not in finding:
            continue
        names = list(dict.fromkeys(reading(str(name)) for name in finding.get(kind, ())))
        for name in names:
            shown.setdefault(name, set()).add(sample)
        names += [reading(str(name)) for name in finding.get("consistent", ())]
        everywhere = names if everywhere is None else [name for name in everywhere if name in names]
    return [name for name in dict.fromkeys(everywhere or ()) if len(shown.get(name, ())) >= LEAST_SAMPLES]


def merged_by_diagnosis(checks: Checks, groups: Sequence[Group]) -> list[Group]:
    """The groups of one operation, those together that one mistake explains: the diagnosis of the one fits all of the other."""
    left = list(groups)
    for group in groups:
        if group not in left:
            continue
        found, reading = _found(checks, group)
        if not found:
            continue
        for other in [item for item in left if item is not group and item.fused == group.fused]:
            if _also(checks, other, found, reading):
                group.absorb(other, f"one mistake explains both: {found}")
                left = [item for item in left if item is not other]
    return left


def two_mistakes(checks: Checks, first: Group, second: Group) -> bool:
    """Whether each of two groups shows a known mistake of its own, and neither mistake explains the other group."""
    mistakes = []
    for group, other in ((first, second), (second, first)):
        names = _everywhere(_compared(checks, group), "fits", str)
        if len(names) != 1 or _also(checks, other, names[0], str):
            return False
        mistakes += names
    return mistakes[0] != mistakes[1]


def _also(checks: Checks, group: Group, mistake: str, reading: Callable[[str], str]) -> bool:
    """Whether a mistake that another group shows explains a group, too."""
    if mistake == KEPT and group.kinds == {"result-kept"}:
        return True
    compared = _compared(checks, group)
    lists = [
        [*finding.get("fits", ()), *finding.get("likenesses", ()), *finding.get("consistent", ())] for _, finding in compared
    ]
    return bool(lists) and all(mistake in map(reading, map(str, names)) for names in lists)
