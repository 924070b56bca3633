"""Measure the gates on simulated histories: false candidates without a change, and how soon changes of 5, 10 and 20 % are found.

``python suite/tests/measure_gates.py [--nights 60] [--series 200] [--histories 20]`` prints tables of ``docs/measurements.md``.
The noise is that of ``nightly_records.noise``; *together* adds 1 % that all series of a night share: what the anchor did not
take out.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from nightly_records import history_of, night, noise

from tensorproof.nightly.gates import RATE, gate

NOISES = {
    "normal": {},
    "heavy tails (Student, 4 degrees)": {"degrees": 4.0},
    "normal, and 1 % together": {"common": 0.01},
}
SHARE = 0.05
"""The share of series that a change slows down."""


def candidates(logs: np.ndarray) -> tuple[set[int], int]:
    """The numbers of the candidates of a simulated night, and how many series had a change point."""
    histories = [history_of(np.exp(row), number) for number, row in enumerate(logs)]
    gated = gate(histories, night(logs.shape[1] - 1))
    return {int(change.history.series.operation.removeprefix("op")) for change in gated.candidates}, gated.changes


def without_change(nights: int, series: int, histories: int) -> Iterator[str]:
    """False candidates a night, gate by gate, and in how many nights there was one."""
    yield "| noise | nights | series | change points | candidates | nights with a candidate |"
    yield "|---|---|---|---|---|---|"
    for words, options in NOISES.items():
        for length in (8, 15, nights):
            generator = np.random.default_rng(1)
            found = [candidates(noise(generator, length, series, **options)) for _ in range(histories)]
            false = [len(numbers) for numbers, _ in found]
            points = np.mean([count for _, count in found])
            some = np.mean([count > 0 for count in false])
            yield f"| {words} | {length} | {series} | {points:.1f} | {np.mean(false):.2f} | {some:.0%} |"


def with_change(nights: int, series: int, histories: int) -> Iterator[str]:
    """The share of changed series that are candidates, by size of the change and nights since."""
    yield "| noise | change | 1st night | 2nd | 3rd | 5th | false among candidates |"
    yield "|---|---|---|---|---|---|---|"
    changed = max(1, round(SHARE * series))
    for words, options in NOISES.items():
        for step in (0.05, 0.10, 0.20):
            shares, false, all_found = [], 0, 0
            for after in (1, 2, 3, 5):
                generator = np.random.default_rng(2)
                right = 0
                for _ in range(histories):
                    logs = noise(generator, nights, series, **options)
                    logs[:changed, -after:] += np.log1p(step)
                    numbers, _ = candidates(logs)
                    right += sum(number < changed for number in numbers)
                    false += sum(number >= changed for number in numbers)
                    all_found += len(numbers)
                shares.append(f"{right / (histories * changed):.0%}")
            yield f"| {words} | {step:.0%} | {' | '.join(shares)} | {false / max(1, all_found):.1%} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--histories", type=int, default=20)
    options = parser.parse_args()
    arguments = (options.nights, options.series, options.histories)
    print(f"Without a change (an unguarded test at {RATE:.0%} would find {RATE * options.series:.0f} a night):\n")
    for line in without_change(*arguments):
        print(line, flush=True)
    print(f"\nWith {SHARE:.0%} of the series slower:\n")
    for line in with_change(*arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
