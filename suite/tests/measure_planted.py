"""Measure how soon a campaign finds each planted miscompilation, what it blames, and how small the program becomes.

``python suite/tests/measure_planted.py [--source all] [--programs 3000] [--seed 0]`` prints a table of ``docs/programs.md``;
with ``--source mixed`` of those that concern casts.
"""

import argparse
import time
from itertools import islice

from made_programs import material, mixed_material
from planted_casts import PLANTED_CASTS
from planted_findings import first_found, told
from planted_rewrites import PLANTED
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.judging import Subject
from tensorproof.programs.sources.everything import SOURCES


def main() -> None:
    """Print a line for each miscompilation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="all", choices=SOURCES)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None)
    options = parser.parse_args()
    table, made = (PLANTED_CASTS, mixed_material) if options.source == "mixed" else (PLANTED, material)
    programs = list(islice(SOURCES[options.source](made(seed=options.seed)), options.programs))
    print("| miscompilation | found by program | source | nodes | blamed | seconds |\n|---|---|---|---|---|---|")
    for name in options.only or table:
        planted = table[name]
        subject = Subject(SmallBackend(planted.fault), "cpu", KNOWN)
        began = time.perf_counter()
        found = first_found(subject, planted, programs)
        if found is None:
            print(f"| {name} | not of {len(programs)} | | | | {time.perf_counter() - began:.1f} |", flush=True)
            continue
        number, program, verdict = found
        finding = told(subject, program, verdict)
        operations = {node.operation for node in finding.smallest.nodes}
        right = "" if set(planted.operations) <= operations else " (wrong)"
        line = (name, number, programs[number][0] or "random", len(finding.smallest.nodes), finding.blamed + right)
        print("| " + " | ".join(map(str, line)), f"| {time.perf_counter() - began:.1f} |", flush=True)


if __name__ == "__main__":
    main()
