"""Measure how large pages of made-up records become, and what building them takes: ``python suite/tests/measure_pages.py``.

Each page is built in a process of its own. The exit code is 1 if one is over its limit. The nights are written to a folder
that is kept with ``--nights DIR`` (0.1 GB) and used again.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from made_records import made_checks, made_record
from nightly_records import night, series, write_timings

from tensorproof.runs.records import Record
from tensorproof.timing.results.records import read_timing_record
from tensorproof_reports.history import read_nights
from tensorproof_reports.page import write_page

SERIES, NIGHTS = 1_700, 60


@dataclass(frozen=True)
class Case:
    """A page to build, and its limits."""

    words: str
    checks: int
    wrong: float
    runs: int
    nights: bool
    megabytes: float
    seconds: float = float("inf")
    memory: float = float("inf")
    """In MB of 2**20 bytes."""


CASES = (
    Case("18,000 checks, all right", 18_000, 0.0, 1, False, 2, 10),
    Case("18,000 checks, 5 % wrong", 18_000, 0.05, 1, False, 2, 10),
    Case("18,000 checks, all wrong", 18_000, 1.0, 1, False, 2, 10),
    Case("18,000 checks, 5 % wrong, 1,700 series, 60 nights", 18_000, 0.05, 1, True, 2),
    Case("200,000 checks of 12 runs, 5 % wrong", 200_000, 0.05, 12, False, 8, memory=500),
    Case("200,000 checks of 12 runs, all wrong", 200_000, 1.0, 12, False, 8, memory=500),
)


def write_nights(folder: Path) -> None:
    """Sixty nights: noise of 2 %, and every fiftieth series 1.2 times as long from the 41st night on."""
    source = random.Random(0)
    for number in range(NIGHTS):
        ratios = {
            series(which): (1 + 0.02 * source.gauss(0, 1)) * (1.2 if which % 50 == 0 and number > 40 else 1.0)
            for which in range(SERIES)
        }
        write_timings(folder / night(number), ratios)


def records(case: Case) -> Iterator[Record]:
    """The runs, one after the other."""
    for number in range(case.runs):
        made_checks.cache_clear()  # the page lets a record go before it asks for the next one
        yield made_record(case.checks // case.runs, case.wrong, number, backend=f"backend{number}")


def built(case: Case, nights: Path) -> tuple[int, float, float]:
    """Bytes of a page, seconds of processor that building it took, and MB of memory."""
    if case.runs == 1:
        given: list[Record] | Iterator[Record] = list(records(case))
    else:
        given = records(case)  # 200,000 checks at once would need more memory than the page
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        began = time.process_time()
        timings = [read_timing_record(nights / night(NIGHTS - 1) / "timings.ndjson")] if case.nights else []
        write_page(given, path, timings, history=read_nights(nights) if case.nights else None)
        took = time.process_time() - began
        return path.stat().st_size, took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Build each page and print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=Path, default=None, metavar="DIR")
    options = parser.parse_args()
    over = False
    with tempfile.TemporaryDirectory() as folder:
        nights = options.nights or Path(folder)
        if not nights.is_dir() or not any(nights.iterdir()):
            write_nights(nights)
        for case in CASES:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                size, seconds, memory = pool.apply(built, (case, nights))
            good = size < 1e6 * case.megabytes and seconds < case.seconds and memory < case.memory
            over |= not good
            print(
                f"{'✓' if good else '✗'} {case.words}: {size / 1e6:.2f} MB, {seconds:.1f} s, {memory:.0f} MB of memory",
                flush=True,
            )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
