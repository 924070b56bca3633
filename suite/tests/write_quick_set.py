"""Writes ``suite/tensorproof/conformance/selection/quick.tsv``: the quick set, chosen greedily from measurements.

::

    python suite/tests/noticed.py noticed.json
    pytest --backend=torch --record=torch.ndjson        # and other backends: what each check costs
    python suite/tests/write_quick_set.py noticed.json torch.ndjson jax.ndjson tensorflow.ndjson

A check is worth the faults that it notices and that no chosen one noticed yet; each fault counts twice, so that most are noticed
by two checks. The next check is always that of the greatest worth for its cost, until the budget is spent. Then the set is tried
on faults that it was not chosen from: the choice is made anew from seven tenths of them, in ten draws, and the others counted.
"""

import json
import random
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from faults import ALL

from tensorproof.conformance.selection.cases import samples_of
from tensorproof.conformance.selection.quick import FILE, Row
from tensorproof_reference.catalogue import all_operations, specification_version

PAGE = Path(__file__).parents[2] / "suite" / "tensorproof" / "conformance" / "selection" / FILE
BUDGET = 100.0
"""Seconds of one core for first modes, and ``COMPILED`` for others, by the mean of the records given."""
COMPILED = 25.0
TIMES = 2
"""How many chosen checks are to notice each fault."""
MISSING = 1.0
"""The cost in seconds of a check that no record has."""

Noticed = Mapping[str, Collection[Row]]
"""By fault, the checks that notice it."""


def noticed_rows(path: Path, compiled: bool) -> dict[str, set[Row]]:
    """What the file of ``noticed.py`` says of eager checks, or of compiled ones."""
    table = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for key, checks in table.items():
        operation = ALL[key].operation
        found[key] = {
            (operation, sample, dtype, check)
            for mode, sample, dtype, check in checks
            if (mode == "compiled") == compiled and check != "declared"
        }
    return found


def costs_of(paths: Iterable[Path], compiled: bool) -> dict[Row, float]:
    """The mean over records of what a check costs in seconds, in first modes or in others."""
    found: dict[Row, list[float]] = defaultdict(list)
    for path in paths:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        first = next(iter(lines[0]["modes"]))
        for line in lines:
            if line["kind"] == "check" and line["duration_ns"] and (line["mode"] != first) == compiled:
                row = (line["operation"], line["sample"], line["dtype"], line["check"])
                found[row].append(line["duration_ns"] / 1e9)
    return {row: sum(values) / len(values) for row, values in found.items()}


def chosen(noticed: Noticed, costs: Mapping[Row, float], start: Collection[Row], budget: float) -> list[Row]:
    """Greedy cover: ``start``, and then checks in the order of their worth for their cost, within the budget.

    A program is compiled or traced once for all checks of a sample in a dtype, so only the first of them pays for it: as much as
    the dearest of them.
    """
    by_check: dict[Row, list[str]] = defaultdict(list)
    for key, rows in noticed.items():
        for row in rows:
            by_check[row].append(key)
    wanted = {key: min(TIMES, len(rows)) for key, rows in noticed.items()}
    whole: dict[tuple[str, str, str], float] = defaultdict(float)
    for row, seconds in costs.items():
        whole[row[:3]] = max(whole[row[:3]], seconds)
    begun: set[tuple[str, str, str]] = set()
    taken: list[Row] = []
    spent = 0.0

    def cost(row: Row) -> float:
        return costs.get(row, MISSING) if row[:3] in begun else whole.get(row[:3], MISSING)

    def take(row: Row) -> None:
        nonlocal spent
        taken.append(row)
        spent += cost(row)
        begun.add(row[:3])
        for key in by_check[row]:
            wanted[key] = max(0, wanted[key] - 1)

    for row in start:
        take(row)
    while True:
        # A fault that nothing has noticed yet is worth ten times one that a second check would notice.
        worth = {
            row: sum(10 if wanted[key] == TIMES else 1 for key in keys if wanted[key]) / (0.01 + cost(row))
            for row, keys in by_check.items()
        }
        best = max(sorted(worth), key=worth.__getitem__, default=None)
        if best is None or worth[best] <= 0 or spent + cost(best) > budget:
            return taken
        take(best)


def plain_rows(operations: Iterable[str]) -> list[Row]:
    """The first sample of every operation in float32, with its gradient if it has one: what every run looks at."""
    rows = []
    for name in operations:
        operation = all_operations()[name]
        if operation.model is not None or operation.random:
            continue
        sample = next(iter(samples_of(operation, 0).values()))
        gradient = sample.gradient and operation.vjp is not None and not sample.raises
        if "float32" in sample.dtypes:
            rows.append((name, sample.name, "float32", "gradient" if gradient else "forward"))
    return rows


def share(noticed: Noticed, rows: Collection[Row]) -> int:
    """How many faults a set notices."""
    return sum(not set(rows).isdisjoint(found) for found in noticed.values())


def held_out(noticed: Noticed, costs: Mapping[Row, float], start: Collection[Row], budget: float) -> float:
    """The share of faults that a set notices which was chosen without them: the mean of ten draws."""
    shares = []
    for seed in range(10):
        keys = sorted(noticed)
        random.Random(seed).shuffle(keys)
        cut = 7 * len(keys) // 10
        rows = chosen({key: noticed[key] for key in keys[:cut]}, costs, start, budget)
        others = {key: noticed[key] for key in keys[cut:]}
        shares.append(share(others, rows) / len(others))
    return sum(shares) / len(shares)


def text_of(first: Collection[Row], compiled: Collection[Row], noticed: int) -> str:
    """The file's text."""
    lines = [f"# faults {len(ALL)}", f"# noticed {noticed}", f"# specification {specification_version()}"]
    lines += ["\t".join(("first", *row)) for row in sorted(first)]
    lines += ["\t".join(("compiled", *row)) for row in sorted(compiled)]
    return "\n".join(lines) + "\n"


def main(measured: Path, records: list[Path]) -> None:
    """Choose, write, and say what was chosen."""
    eager, compiled = noticed_rows(measured, False), noticed_rows(measured, True)
    costs, dear = costs_of(records, False), costs_of(records, True)
    formulas = {key: rows for key, rows in eager.items() if rows}
    others = {key: {row for row in rows if row in dear} for key, rows in compiled.items() if not eager[key]}
    start = plain_rows(all_operations())
    first = chosen(formulas, costs, start, BUDGET)
    second = chosen({key: rows for key, rows in others.items() if rows}, dear, [], COMPILED)
    noticed = share(formulas, first) + share(others, second)
    PAGE.write_text(text_of(set(first), set(second), noticed), encoding="utf-8")
    spent = sum(costs.get(row, MISSING) for row in set(first)), sum(dear.get(row, MISSING) for row in set(second))
    print(f"{len(set(first))} checks of {spent[0]:.0f} s in first modes, {len(set(second))} of {spent[1]:.0f} s in others")
    print(f"notice {noticed} of {len(ALL)} faults; of faults not chosen from: {held_out(formulas, costs, start, BUDGET):.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
