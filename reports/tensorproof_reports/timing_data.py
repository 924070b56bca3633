"""What charts of timings are drawn from, and what a record of timings comes to: each contender against the others, by family."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorproof_reference.catalogue import known_operations
from tensorproof_reports import fields
from tensorproof_reports.break_even import EAGER, calls_to_break_even
from tensorproof_reports.duels import Duel, Place
from tensorproof_reports.fields import Line
from tensorproof_reports.timings import Row


def points_of(rows: Sequence[Row], lines: Sequence[Line], duels: Iterable[Duel]) -> list[dict[str, Any]]:
    """The measured series as charts need them, in the order of the record."""
    against = {(duel.place, duel.contender, duel.clock): duel for duel in reversed(list(duels))}
    references = {(duel.place, duel.reference, duel.clock) for duel in against.values()}
    found = []
    for row, line in zip(rows, lines, strict=True):
        if not row.measured:
            continue
        key = (row.place, row.contender, row.clock)
        duel, work, rates = against.get(key), fields.mapping(line, "work"), fields.mapping(line, "rates")
        flops, size = fields.positive(work, "flops"), fields.positive(work, "bytes")
        found.append(
            {
                "place": " ".join(row.place),
                "contender": row.contender,
                "median": row.median_ns,
                "bars": row.bars,
                "trusted": row.trusted,
                "ratio": duel.ratio if duel else 1.0 if key in references else None,
                "low": duel.low if duel else None,
                "high": duel.high if duel else None,
                "verdict": duel.verdict if duel else None,
                "flops": fields.positive(rates, "flops_per_s"),
                "intensity": flops / size if flops and size else None,
            }
        )
    return found


def roofs_of(limits: Line | None) -> dict[str, Any]:
    """The measured limits: operations a second by dtype, and bytes a second by footprint."""
    line = limits or {}
    peaks = fields.mapping(line, "gemm_flops_per_s")
    bandwidth = [fields.mapping({"bandwidth": entry}, "bandwidth") for entry in fields.sequence(line, "bandwidth")[:12]]
    return {
        "peaks": {fields.clipped(dtype, 20): fields.positive(peaks, dtype) for dtype in peaks},
        "bandwidth": [(fields.positive(at, "footprint_bytes"), fields.positive(at, "bytes_per_s")) for at in bandwidth],
    }


@dataclass
class Standing:
    """A contender against the reference contender, in the operations of one family."""

    contender: str
    reference: str
    family: str
    ratios: list[float] = field(default_factory=list, repr=False)
    verdicts: Counter[str] = field(default_factory=Counter)
    untrusted: int = 0
    """Duels left out, since a timing of theirs is not trusted."""

    @property
    def mean(self) -> float | None:
        """The geometric mean of the ratios of times."""
        return math.exp(statistics.fmean(map(math.log, self.ratios))) if self.ratios else None


def standings(duels: Iterable[Duel], families: dict[Place, str]) -> list[Standing]:
    """The standings by contender, then family; duels that are not trusted are counted, and not averaged."""
    found: dict[tuple[str, str, str], Standing] = {}
    for duel in duels:
        family = families.get(duel.place, "")
        for name in (family, "all"):
            key = (duel.contender, duel.reference, name)
            one = found.setdefault(key, Standing(duel.contender, duel.reference, name))
            if duel.untrusted or duel.ratio is None:
                one.untrusted += 1
            else:
                one.ratios.append(duel.ratio)
                one.verdicts[duel.verdict] += 1
    return sorted(found.values(), key=lambda one: (one.contender, one.reference, one.family != "all", one.family))


@dataclass
class Compiled:
    """A compiled mode of a backend against its eager mode."""

    contender: str
    eager: str
    ratios: list[float] = field(default_factory=list, repr=False)
    """Time compiled over time eager."""
    calls: list[float] = field(default_factory=list, repr=False)
    """Calls to break even; infinite where compiling never pays off."""
    compile_ns: list[float] = field(default_factory=list, repr=False)

    @property
    def mean(self) -> float:
        """The geometric mean of the ratios."""
        return math.exp(statistics.fmean(map(math.log, self.ratios)))

    @property
    def never(self) -> int:
        """How often compiling never pays off."""
        return sum(math.isinf(calls) for calls in self.calls)

    @property
    def median_calls(self) -> float | None:
        """The median number of calls to break even, where it pays off at all."""
        finite = [calls for calls in self.calls if not math.isinf(calls)]
        return statistics.median(finite) if finite else None

    @property
    def median_compile_ns(self) -> float | None:
        """The median time of compiling."""
        return statistics.median(self.compile_ns) if self.compile_ns else None


def compiled_against_eager(rows: Iterable[Row]) -> list[Compiled]:
    """Each compiled contender against the eager mode of the same backend, environment and device; trusted rows only."""
    usable = [row for row in rows if row.measured and row.trusted and row.median_ns]
    eager = {(row.place, row.runner, row.clock): row for row in usable if row.mode == EAGER}
    found: dict[tuple[str, str], Compiled] = defaultdict(lambda: Compiled("", ""))
    for row in usable:
        base = eager.get((row.place, row.runner, row.clock))
        if row.mode == EAGER or base is None or not row.median_ns or not base.median_ns:
            continue
        one = found[row.contender, base.contender]
        one.contender, one.eager = row.contender, base.contender
        one.ratios.append(row.median_ns / base.median_ns)
        if row.compile_ns is not None:
            one.calls.append(calls_to_break_even(row.compile_ns, base.median_ns, row.median_ns))
            one.compile_ns.append(row.compile_ns)
    return sorted(found.values(), key=lambda one: one.contender)


STEPS = ("forward", "forward+backward", "training step")
"""What of a model is timed."""


@dataclass
class ModelSpeed:
    """A contender's speed on a model and batch."""

    model: str
    batch: int
    """Examples in a call, as this version of the specification has it."""
    dtype: str
    contender: str
    speeds: dict[str, tuple[float, bool]] = field(default_factory=dict)
    """By step, examples a second, and whether the timing is trusted."""


def model_speeds(rows: Iterable[Row], lines: Iterable[Line]) -> list[ModelSpeed]:
    """The speeds by model, batch, dtype and contender; models of another version are left out, since their batches may differ."""
    known = known_operations()
    found: dict[tuple[str, int, str, str], ModelSpeed] = {}
    for row, line in zip(rows, lines, strict=True):
        name, workload, direction, dtype = row.place
        operation = known.get(name)
        if operation is None or operation.model is None or not row.measured or not row.median_ns:
            continue
        batch = operation.model.batches.get(workload)
        if batch is None or fields.number(line, "operation_version") != operation.version:
            continue
        key = (operation.model.name, batch, dtype, row.contender)
        step = STEPS[2] if operation.family == "training" else direction
        found.setdefault(key, ModelSpeed(*key)).speeds[step] = (1e9 * batch / row.median_ns, row.trusted)
    return [found[key] for key in sorted(found)]
