"""Writes ``selection/quick.tsv``, the quick set, chosen greedily from measurements, and ``quick_notices.tsv``, what it notices.

::

    python suite/tests/noticed.py core noticed.json
    pytest --backend=torch --record=torch.ndjson        # and other backends: what each check costs
    python suite/tests/write_quick_set.py core noticed.json torch.ndjson tensorflow.ndjson jax.ndjson

and so for ``extended``, with records of ``--profile=extended``. Without records, the set that there is stays, and what new faults
need is added::

    python suite/tests/write_quick_set.py core noticed.json

First comes the plain sample of every operation. Then come the checks that notice the most faults for their time, until each
fault is noticed once, then twice. While time is left, those come whose samples have the most traits that are new (``traits.py``).
Backends that compile every call set the limit for what all get; eager ones get more. Then the set is tried on faults that it was
not chosen from: the choice is made anew from seven tenths of them, in five draws, and the others counted.
"""

import functools
import heapq
import json
import math
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from faults import OF_PROFILE
from noticed import FIRST_MODE, all_offered
from small_operations import KNOWN
from traits import ALONE, Trait, traits_in_dtype

from tensorproof.conformance.selection import quick
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.runs.records import Record, read_record
from tensorproof_reference.catalogue import of_profile, specification_version

PAGES = {profile: Path(quick.__file__).with_name(name) for profile, name in quick.FILES.items()}
NOTICES = {profile: Path(__file__).with_name(f"quick_notices_{profile}.tsv") for profile in PAGES}
BUDGETS = {
    "core": {"torch": 160.0, "tensorflow": 430.0, "jax": 770.0},
    "extended": {"torch": 210.0, "tensorflow": 420.0, "jax": 770.0},
}
"""Processor seconds by profile and backend, as the records say that the set was chosen from. They are of a machine on which other
work waited: the set before, of 2,700 checks, took 92, 288 and 773 s there. ``docs/measurements.md`` has what a run takes. Of
``extended`` there are fewer records, and what is measured once is taken for the rest of its kind."""
DEAR = 1.0
"""Seconds from which on, on any backend, a check is too dear to be in for its operation's sake alone."""
OVERHEAD = 0.004
"""Seconds that pytest and the workers take for each check."""
TOGETHER = ("forward", "gradient", "purity")
"""The checks that share one run of a sample."""


class Check(NamedTuple):
    """A check without its backend."""

    first: bool
    """Whether it is made in the backend's first mode, or in its others."""
    operation: str
    sample: str
    dtype: str
    check: str


Bundle = tuple[Check, ...]
"""Checks that are made together, and cost what one run costs."""
Matrix = dict[str, frozenset[Check]]
"""By fault, the checks that notice it."""
Costs = Mapping[str, Mapping[Bundle, float]]
"""By backend, what bundles take, in processor seconds."""


def bundles(profile: str) -> list[Bundle]:
    """All that can be chosen for a profile, in order."""
    found: dict[tuple[object, ...], list[Check]] = defaultdict(list)
    for case in all_offered(profile):
        check = Check(case.mode == FIRST_MODE, case.operation, case.sample, case.dtype, case.check)
        found[*check[:4], "run" if check.check in TOGETHER else check.check].append(check)
    return [tuple(checks) for checks in found.values()]


def matrix_of(profile: str, path: Path) -> Matrix:
    """What ``noticed.py`` measured of a profile."""
    faults = OF_PROFILE[profile]
    table = json.loads(path.read_text(encoding="utf-8"))
    return {
        key: frozenset(Check(mode == FIRST_MODE, faults[key].operation, *names) for mode, *names in checks)
        for key, checks in table.items()
    }


def costs_of(records: Iterable[Record], everything: Iterable[Bundle]) -> dict[Bundle, float]:
    """What each bundle takes on a backend, in all modes that it is for: the least of several records, since others may disturb.

    What no record has is taken to cost the median of its kind in its family, or in all.
    """
    times: dict[Check, float] = {}
    for record in records:
        first = next(iter(record.header["modes"]))
        found: dict[Check, float] = defaultdict(float)
        for item in record.checks:
            if item["mode"] != "none" and item["status"] != "unsupported" and item["operation"] in KNOWN:
                names = (item[key] for key in ("operation", "sample", "dtype", "check"))
                found[Check(item["mode"] == first, *names)] += item["duration_ns"] / 1e9
        times |= {check: min(taken, times.get(check, taken)) for check, taken in found.items()}
    kinds: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for check, taken in times.items():
        kinds[check.first, check.check].append(taken)
        kinds[check.first, check.check, KNOWN[check.operation].family].append(taken)
    typical = {kind: statistics.median(values) for kind, values in kinds.items()}

    def cost(check: Check) -> float:
        kind = (check.first, check.check)
        return times.get(check, typical.get((*kind, KNOWN[check.operation].family), typical.get(kind, 0.0)))

    return {bundle: sum(cost(check) + OVERHEAD for check in bundle) for bundle in everything}


def noticed_by(matrix: Matrix, everything: Iterable[Bundle]) -> dict[Bundle, set[str]]:
    """The faults that each bundle notices."""
    whose = {check: bundle for bundle in everything for check in bundle}
    found: dict[Bundle, set[str]] = {bundle: set() for bundle in everything}
    for fault, checks in matrix.items():
        for check in checks & whose.keys():
            found[whose[check]].add(fault)
    return {bundle: faults for bundle, faults in found.items() if faults}


class Choice:
    """The bundles chosen so far, and what is left of each backend's time."""

    def __init__(self, budget: Mapping[str, float], costs: Costs, start: Iterable[Bundle] = ()) -> None:
        self.budget = budget
        self.costs = costs
        self.left = {name: budget[name] for name in costs}
        self.chosen: dict[Bundle, None] = {}
        for bundle in start:
            self.take(bundle)

    def price(self, bundle: Bundle) -> float:
        """The greatest share of the time that a bundle takes on a backend; never 0."""
        return max(table[bundle] / self.budget[name] for name, table in self.costs.items()) + 1e-6

    def fits(self, bundle: Bundle) -> bool:
        """Whether there is time for a bundle on every backend."""
        return all(table[bundle] <= self.left[name] for name, table in self.costs.items())

    def take(self, bundle: Bundle) -> None:
        """Choose a bundle, once."""
        if bundle not in self.chosen:
            self.chosen[bundle] = None
            for name, table in self.costs.items():
                self.left[name] -= table[bundle]

    def cover(self, found: Mapping[Bundle, set[str]], times: int) -> None:
        """Choose what notices the most faults for its time, again and again, until each is noticed ``times`` times."""
        seen: dict[str, int] = defaultdict(int)
        for bundle in self.chosen:
            for fault in found.get(bundle, ()):
                seen[fault] += 1
        waiting = {bundle: faults for bundle, faults in found.items() if bundle not in self.chosen}
        while True:
            waiting = {b: left for b, faults in waiting.items() if (left := {f for f in faults if seen[f] < times})}
            gains = {bundle: len(faults) / self.price(bundle) for bundle, faults in waiting.items() if self.fits(bundle)}
            if not gains:
                return
            best = max(gains, key=gains.__getitem__)
            self.take(best)
            for fault in waiting.pop(best):
                seen[fault] += 1

    def broaden(self, candidates: Iterable[Bundle]) -> None:
        """Choose what has the most traits for its time that none chosen before has, until nothing new fits.

        What a bundle adds only falls as others are chosen. So one that still adds most after it is counted anew is the best.
        """
        seen = {trait for bundle in self.chosen for trait in traits_of(bundle)}
        worth = {bundle: traits_of(bundle) for bundle in candidates if bundle not in self.chosen}

        def gain(bundle: Bundle) -> float:
            return sum(value for trait, value in worth[bundle].items() if trait not in seen) / self.price(bundle)

        waiting = [(-gain(bundle), place, bundle) for place, bundle in enumerate(worth)]
        heapq.heapify(waiting)
        while waiting:
            _, place, bundle = heapq.heappop(waiting)
            if not self.fits(bundle) or not (left := gain(bundle)):
                continue
            if waiting and left < -waiting[0][0]:
                heapq.heappush(waiting, (-left, place, bundle))
            else:
                self.take(bundle)
                seen |= worth[bundle].keys()

    def fill(self, matrix: Matrix, everything: list[Bundle], basis: Iterable[Bundle]) -> None:
        """Choose the basis, then for faults, then for traits, which find the faults that nobody has planted."""
        for bundle in basis:
            if max(table[bundle] for table in self.costs.values()) <= DEAR and self.fits(bundle):
                self.take(bundle)
        found = noticed_by(matrix, everything)
        self.cover(found, 1)
        # Other modes cost a compilation for each sample, seconds on some backends: once is enough there.
        first = [bundle for bundle in everything if bundle[0].first]
        self.cover({bundle: found[bundle] for bundle in first if bundle in found}, 2)
        self.broaden(first)


@functools.cache
def traits_of(bundle: Bundle) -> Mapping[Trait, float]:
    """What is particular about a bundle, among all operations'."""
    check = bundle[0]
    if check.check not in TOGETHER:
        return {(check.operation, check.check): ALONE}
    sample = samples_of(KNOWN[check.operation], 0)[check.sample]
    return {(check.operation, *trait): worth for trait, worth in traits_in_dtype(sample, check.dtype).items()}


def plain(everything: Iterable[Bundle]) -> list[Bundle]:
    """The first sample of every operation in the first mode, in float32 or the only dtype that it is checked in."""
    found: dict[str, Bundle] = {}
    for bundle in everything:
        check = bundle[0]
        if check.first:
            held = found.setdefault(check.operation, bundle)[0]
            if check.sample == held.sample and check.dtype == "float32" != held.dtype:
                found[check.operation] = bundle
    return list(found.values())


def choose(
    budget: Mapping[str, float], matrix: Matrix, everything: list[Bundle], costs: Costs, compiling: frozenset[str]
) -> tuple[Choice, Choice]:
    """The quick set, learnt from the faults in ``matrix``: for backends that compile every call, and for eager ones."""
    basic = [bundle for bundle in plain(everything) if KNOWN[bundle[0].operation].model is None]
    every = Choice(budget, {name: table for name, table in costs.items() if name in compiling})
    every.fill(matrix, everything, basic)
    eager = Choice(budget, {name: table for name, table in costs.items() if name not in compiling}, every.chosen)
    # What compiling backends get of other modes is all: there are few faults of compilers, and seconds for each.
    first = [bundle for bundle in everything if bundle[0].first or bundle in every.chosen]
    eager.fill(matrix, first, plain(everything))
    return every, eager


def added(profile: str, matrix: Matrix, everything: list[Bundle]) -> tuple[Choice, Choice]:
    """The quick set that there is, and the fewest checks that make it notice each fault twice, as ``choose`` gives them."""
    held = quick.quick_set(profile)
    found = noticed_by(matrix, everything)
    first = {bundle: faults for bundle, faults in found.items() if bundle[0].first}
    costs = {"any backend": dict.fromkeys(everything, 1.0)}

    def choice(kept: Callable[[Check], bool], start: Iterable[Bundle]) -> Choice:
        held_bundles = [bundle for bundle in everything if all(map(kept, bundle))]
        grown = Choice({"any backend": math.inf}, costs, [*start, *held_bundles])
        grown.cover(found, 1)
        grown.cover(first, 2)
        return grown

    every = choice(lambda check: check[1:] in (held.first if check.first else held.compiled), ())
    return every, choice(lambda check: check.first and check[1:] in held.eager, every.chosen)


def noticed(matrix: Matrix, chosen: Iterable[Bundle]) -> dict[str, frozenset[Check]]:
    """For each fault that the chosen bundles notice, the checks of them that do."""
    checks = frozenset(check for bundle in chosen for check in bundle)
    return {fault: found & checks for fault, found in matrix.items() if found & checks}


def held_out(
    budget: Mapping[str, float], matrix: Matrix, everything: list[Bundle], costs: Costs, compiling: frozenset[str]
) -> list[tuple[float, float]]:
    """The shares of faults noticed that the set was not learnt from, on compiling and on eager backends, in five draws."""
    shares = []
    for seed in range(5):
        keys = sorted(matrix)
        random.Random(seed).shuffle(keys)
        cut = 7 * len(keys) // 10
        both = choose(budget, {key: matrix[key] for key in keys[:cut]}, everything, costs, compiling)
        others = {key: matrix[key] for key in keys[cut:]}
        compiled, eager = (len(noticed(others, choice.chosen)) / len(others) for choice in both)
        shares.append((compiled, eager))
    return shares


def text_of(profile: str, every: Choice, eager: Choice, counts: tuple[int, int]) -> str:
    """The file of a profile's quick set."""
    lines = [f"# faults {len(OF_PROFILE[profile])}", f"# noticed {counts[1]}", f"# noticed_compiled {counts[0]}"]
    lines.append(f"# specification {specification_version(profile)}")
    known = {bundle[0].operation for bundle in eager.chosen}
    lines += [f"large\t{name}" for name in sorted(of_profile(KNOWN, profile)) if name not in known]
    rows = []
    for bundle in eager.chosen:
        word = "eager" if bundle not in every.chosen else "first" if bundle[0].first else "compiled"
        rows += ["\t".join((word, *check[1:])) for check in bundle]
    order = ("first", "eager", "compiled")
    return "\n".join([*lines, *sorted(rows, key=lambda row: (order.index(row.partition("\t")[0]), row))]) + "\n"


def notices_text(profile: str, compiled: Mapping[str, frozenset[Check]], eager: Mapping[str, frozenset[Check]]) -> str:
    """A line for each fault: how many checks notice it, on compiling and eager backends, and one of them: mode to check."""
    lines = []
    for key in OF_PROFILE[profile]:
        found = sorted(compiled.get(key, ())) or sorted(eager.get(key, ()))
        # What a fault leaves behind from call to call shows in purity by itself, and elsewhere only after other checks.
        named = max(found, key=lambda check: (check.check == "purity", check)) if found else None
        words = ["first" if named.first else "compiled", *named[2:]] if named else []
        lines.append("\t".join([key, str(len(compiled.get(key, ()))), str(len(eager.get(key, ()))), *words]))
    return "\n".join(lines) + "\n"


def main(profile: str, measured: Path, paths: list[Path]) -> None:
    """Choose for a profile, write, and say what was chosen."""
    matrix, everything = matrix_of(profile, measured), bundles(profile)
    records: dict[str, list[Record]] = defaultdict(list)
    for record in map(read_record, paths):
        records[record.header["backend"]].append(record)
    costs = {name: costs_of(group, everything) for name, group in records.items()}
    compiling = frozenset(name for name, group in records.items() if next(iter(group[0].header["modes"])) != "eager")
    if records:
        every, eager = choose(BUDGETS[profile], matrix, everything, costs, compiling)
    else:
        every, eager = added(profile, matrix, everything)
    found = noticed(matrix, every.chosen), noticed(matrix, eager.chosen)
    PAGES[profile].write_text(text_of(profile, every, eager, (len(found[0]), len(found[1]))), encoding="utf-8")
    NOTICES[profile].write_text(notices_text(profile, *found), encoding="utf-8")
    for word, choice, keys in (("compiling", every, found[0]), ("eager", eager, found[1])):
        seconds = ", ".join(f"{name} {choice.budget[name] - left:.0f} s" for name, left in choice.left.items())
        times = f" ({seconds})" if records else ""
        twice = sum(len(checks) > 1 for checks in keys.values())
        checks, faults = sum(map(len, choice.chosen)), len(OF_PROFILE[profile])
        print(f"{word}: {checks} checks{times} notice {len(keys)} of {faults} faults, {twice} of them twice")
    if not records:
        return
    shares = held_out(BUDGETS[profile], matrix, everything, costs, compiling)
    for word, values in zip(("compiling", "eager"), zip(*shares, strict=True), strict=True):
        print(f"{word}: of faults not chosen from: {statistics.mean(values):.1%}, at least {min(values):.1%}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
