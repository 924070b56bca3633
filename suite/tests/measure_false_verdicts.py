"""How often a duel is wrong: the same backend against itself, and against itself slowed by exactly 5 %, over and over.

    python suite/tests/measure_false_verdicts.py --backend torch --passes 20 [--load] [--op relu --op matmul] [--workload S]

Each pass starts new worker processes (three launches of each contender, as ``tensorproof duel`` does) and measures every group
once. After each call, the slowed contender waits for 5 % of the time that the call took, whatever the machine does; it takes a
backend whose calls return when their work is done (NumPy, PyTorch on a CPU). ``--load`` keeps another process busy on every
core meanwhile. Printed: the share of wrong verdicts between equals (``faster`` or ``slower``),
and how often the slowed one was found to be ``slower``.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorproof.timing.engine import Engine
from tensorproof.timing.options import add_command_options
from tensorproof.timing.session import engine_of, opened, self_test

SOURCE = """
from time import perf_counter_ns

from tensorproof.backend import hookimpl
from tensorproof.contract.backends import load

original = load("{backend}")


def stretched(call):
    left = 0

    def run(*arguments):
        nonlocal left
        start = perf_counter_ns()
        results = call(*arguments)
        end = perf_counter_ns()
        between = start - left  # what the last result's release took belongs to a call, but not what lies between two blocks
        taken = end - start + (between if between < end - start else 0)
        until = end + {factor} * (taken + 300)  # 300 ns: about what this function adds
        while perf_counter_ns() < until:
            pass
        left = perf_counter_ns()
        return results

    return run


class Stretched(type(original)):
    name = "{name}"

    def forward(self, function, mode):
        return stretched(super().forward(function, mode))

    def value_and_vjp(self, function, mode):
        return stretched(super().value_and_vjp(function, mode))


@hookimpl
def tensorproof_backend():
    return Stretched()
"""
CONTENDERS = {"first": 0.0, "same": 0.0, "slowed": 0.05}
"""By name, for what share of a call's time its wrapper waits afterwards. All three go through the same wrapper."""
DEFAULT_OPERATIONS = ("relu", "softmax", "tanh", "layer_norm", "dense", "mean_squared_error")


def write_contenders(folder: Path, backend: str) -> None:
    """Three backends that a process finds on its path."""
    for name, factor in CONTENDERS.items():
        text = SOURCE.format(backend=backend, name=name, factor=factor)
        (folder / f"tensorproof_{name}.py").write_text(text, encoding="utf-8")
        metadata = folder / f"tensorproof_{name}-0.1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tensorproof-{name}\nVersion: 0.1\n", encoding="utf-8")
        (metadata / "entry_points.txt").write_text(f"[tensorproof.backends]\n{name} = tensorproof_{name}\n", encoding="utf-8")


def _burn() -> None:
    while True:
        # Busy for a while and idle for a while, as other people's work is.
        until = time.perf_counter() + 0.05
        while time.perf_counter() < until:
            sum(range(1000))
        time.sleep(0.05)


@contextmanager
def load(wanted: bool) -> Iterator[None]:
    """Another process busy on every core, half of the time."""
    processes = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 1)] if wanted else []
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def verdicts(options: argparse.Namespace) -> Iterator[tuple[str, str, float, list[float]]]:
    """For each group: what the contender is, the verdict on it, its ratio, and the launches' ratios. Prints how noisy it is."""
    with opened(options) as session:
        resolution = self_test(session)
        print(f"resolution {resolution['spread']:.1%}", end=", ", flush=True)
        limits = {"gemm_flops_per_s": {}, "bandwidth": [], "resolution": resolution}
        engine: Engine = engine_of(session, limits)
        for group in session.groups:
            for line in engine.measure(group):
                if line["kind"] == "duel":
                    yield line["contender"].split()[0], line["verdict"], line["ratio"], line["launch_ratios"]
                elif line["status"] != "measured":
                    print(line["status"], line["operation"], line["message"], file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    own, rest = parser.parse_known_args()
    duel = argparse.ArgumentParser()
    add_command_options(duel)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("same", "slowed")}
    with tempfile.TemporaryDirectory() as folder, load(own.load):
        write_contenders(Path(folder), own.backend)
        sys.path.insert(0, folder)
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
        options = duel.parse_args([*CONTENDERS, *rest])
        options.op = options.op or list(DEFAULT_OPERATIONS)
        options.direction = options.direction or ["forward"]
        options.workload = options.workload or ["M"]
        for number in range(own.passes):
            for name, verdict, ratio, launches in verdicts(options):
                counts[name][verdict] += 1
                if own.verbose:
                    print(number, name, verdict, f"{ratio:.4f}", [f"{value:.4f}" for value in launches], flush=True)
            print(f"pass {number + 1} of {own.passes}: { ({name: dict(found) for name, found in counts.items()}) }", flush=True)
    equal, slower = counts["same"], counts["slowed"]
    wrong = equal["faster"] + equal["slower"]
    print(f"equal contenders: {wrong} wrong verdicts of {equal.total()} ({wrong / max(1, equal.total()):.1%}); {dict(equal)}")
    print(f"slower by 5 %: {slower['slower']} found of {slower.total()} ({slower['slower'] / max(1, slower.total()):.1%})")


if __name__ == "__main__":
    main()
