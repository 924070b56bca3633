"""Duels: pairs of contenders that were timed in the same rounds, from a record to rows of a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from tensorproof_reports import fields, units
from tensorproof_reports.fields import Line

VERDICTS = {
    "faster": ("▲", "faster"),
    "slower": ("▼", "slower"),
    "same": ("=", "same"),
    "not_resolved": ("?", "not resolved"),
}
"""By verdict of a comparison, the symbol and the word beside its colour."""

VERDICT_MEANINGS = {
    "faster": "the contender takes less time than the reference contender, by more than 2 %",
    "slower": "the contender takes more time than the reference contender, by more than 2 %",
    "same": "within 2 % of each other",
    "not_resolved": "the rounds do not tell; it may be faster, slower or the same",
}

Place = tuple[str, str, str, str]
"""Operation, workload, direction and dtype: what the contenders of a group of rounds have in common."""

WORKLOADS = ("S", "M", "L")


def place_of(line: Line) -> Place:
    """Where a line of the record belongs."""
    return (
        fields.name_of(line, "operation"),
        fields.name_of(line, "workload"),
        fields.name_of(line, "direction"),
        fields.name_of(line, "dtype"),
    )


def order_of(place: Place) -> tuple[str, int, str, str, str]:
    """The order of places on the page: by operation, then size, direction and dtype."""
    operation, workload, direction, dtype = place
    return operation, WORKLOADS.index(workload) if workload in WORKLOADS else len(WORKLOADS), workload, direction, dtype


@dataclass(frozen=True)
class Duel:
    """One duel, ready to be shown.

    ``ratio`` is the time of the contender over that of the reference contender, ``low`` and ``high`` its 95 % interval; ``None``
    where the record has no positive number.
    """

    place: Place
    reference: str
    contender: str
    clock: str
    ratio: float | None
    low: float | None
    high: float | None
    verdict: str
    doubt: str
    """Why the verdict is not the record's; empty if it is."""
    rounds: str
    launches: str
    launch_ratios: str
    untrusted: tuple[str, ...] = ()
    """Which of the two contenders' timings are not trusted."""

    @property
    def symbol(self) -> str:
        """The verdict's symbol."""
        return VERDICTS[self.verdict][0]

    @property
    def word(self) -> str:
        """The verdict in words."""
        return VERDICTS[self.verdict][1]

    @property
    def ratio_text(self) -> str:
        """The ratio and its interval."""
        if self.ratio is None:
            return units.MISSING
        whole = self.low is not None and self.high is not None
        interval = f" [{units.ratio(self.low)}, {units.ratio(self.high)}]" if whole else " [no interval]"
        return units.ratio(self.ratio) + interval

    @property
    def factor_text(self) -> str:
        """By what factor the contender is faster or slower; nothing if it is neither."""
        if self.ratio is None or self.verdict not in ("faster", "slower"):
            return ""
        return f" {units.ratio(1.0 / self.ratio if self.verdict == 'faster' else self.ratio)}×"

    @property
    def title(self) -> str:
        """What a reader should know beyond the cells."""
        parts = [self.doubt] if self.doubt else []
        if self.untrusted:
            parts.append(f"not trusted: {', '.join(self.untrusted)}")
        if self.launch_ratios:
            parts.append(f"by launch: {self.launch_ratios}")
        return "; ".join(parts)


def _judged(line: Line, ratio: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """The verdict to show, and why it is not the record's."""
    said = fields.name_of(line, "verdict")
    if said not in VERDICTS:
        return "not_resolved", f"the record says {said!r}, which is no verdict"
    if said == "not_resolved":
        return said, ""
    if ratio is None or low is None or high is None:
        return "not_resolved", f"the record says {said}, but its ratio or interval is no positive number"
    if not low <= ratio <= high:
        return "not_resolved", f"the record says {said}, but its ratio lies outside its interval"
    if (said == "faster" and ratio >= 1) or (said == "slower" and ratio <= 1):
        return "not_resolved", f"the record says {said}, but its ratio says otherwise"
    return said, ""


def duel_of(line: Line, untrusted: Mapping[tuple[Place, str], bool]) -> Duel:
    """A duel from its line; ``untrusted`` tells by place and contender whose timings failed a check of trust.

    Raises:
        TypeError: a field is missing or of a wrong type.
    """
    place = place_of(line)
    reference, contender = fields.name_of(line, "reference"), fields.name_of(line, "contender")
    ratio, low, high = (fields.positive(line, name) for name in ("ratio", "low", "high"))
    verdict, doubt = _judged(line, ratio, low, high)
    rounds, launches = fields.number(line, "rounds"), fields.number(line, "launches")
    by_launch = fields.positives(line, "launch_ratios")[:12]
    return Duel(
        place,
        reference,
        contender,
        fields.text(line, "clock", 80),
        ratio,
        low,
        high,
        verdict,
        doubt,
        units.count(rounds),
        units.count(launches),
        ", ".join(units.ratio(value) for value in by_launch),
        tuple(name for name in dict.fromkeys((reference, contender)) if untrusted.get((place, name))),
    )


def grouped(duels: list[Duel]) -> list[tuple[Place, list[Duel]]]:
    """Duels by place, in the order of the page, those of a place by reference and contender."""
    groups: dict[Place, list[Duel]] = {}
    for duel in sorted(duels, key=lambda duel: (order_of(duel.place), duel.clock, duel.reference, duel.contender)):
        groups.setdefault(duel.place, []).append(duel)
    return list(groups.items())
