"""An engine with real worker processes, for backends made up for tests."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tensorproof.contract.backends import specification
from tensorproof.timing import engine as engines
from tensorproof.timing.crews import Crew, Origin, anchor_crew, describe_crew, own_python
from tensorproof.timing.engine import Engine, Settings
from tensorproof.timing.plan import Contender, Group
from tensorproof.timing.resources import worker_cores
from timing_faults import BACKENDS

FAST = {"gemm_flops_per_s": {"float32": 1e12}, "bandwidth": [{"footprint_bytes": 1, "bytes_per_s": 1e12}]}
"""The limits of a machine that nothing here comes near."""
ROUNDS = 9

Line = dict[str, Any]


def install(folder: Path) -> str:
    """Make the backends known under a folder; returns what ``PYTHONPATH`` must be for processes to find them."""
    metadata = folder / "tensorproof_timing_faults-0.1.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorproof-timing-faults\nVersion: 0.1\n")
    points = "".join(f"{name} = timing_faults.{place}\n" for name, place in BACKENDS.items())
    (metadata / "entry_points.txt").write_text(f"[tensorproof.backends]\n{points}")
    # What is tested may be another checkout than the one that is installed.
    return os.pathsep.join([str(folder), str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])


@dataclass
class Bench:
    """Workers that stay from one measurement to the next."""

    anchors: Crew
    crews: dict[str, Crew]
    folder: Path
    stack: ExitStack

    def crew(self, backend: str) -> Crew:
        """The crew of a backend."""
        if backend not in self.crews:
            crew = Crew(Origin(backend, "", own_python(), None), 1, worker_cores(1), self.folder / "compiled")
            self.stack.callback(crew.close)
            self.crews[backend] = crew
        return self.crews[backend]

    def measure(
        self,
        contenders: Sequence[str],
        operation: str = "gelu",
        direction: str = "forward",
        launches: int = 1,
        rounds: int = ROUNDS,
        seconds: float = 60.0,
        limits: Line = FAST,
    ) -> tuple[dict[str, Line], list[Line]]:
        """Time contenders (``slipshod eager``) in one group; timings by contender, and duels."""
        operations = {operation: specification()[operation]}
        names = list(dict.fromkeys(item.split()[0] for item in contenders))
        crews = [self.crew(name) for name in names]
        described = [describe_crew(crew, specification(), [], 0) for crew in crews]  # declarations name others too
        settings = Settings(launches=launches, rounds=rounds, threads=1, seconds=seconds, seed=0, series_seconds=60.0)
        engine = Engine(crews, described, self.anchors, operations, settings, limits, self.folder)
        group = Group(
            operation,
            "S",
            direction,
            "float32",
            tuple(
                Contender(names.index(name), name, name, "", "cpu", mode) for name, mode in (item.split() for item in contenders)
            ),
        )
        with mock.patch.object(engines, "MOST_ROUNDS", rounds):
            lines = list(engine.measure(group))
        timings = {line["contender"]: line for line in lines if line["kind"] == "timing"}
        return timings, [line for line in lines if line["kind"] == "duel"]


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A bench with a worker for the anchor; all workers end with it."""
    with mock.patch.dict(os.environ, {"PYTHONPATH": install(folder / "path")}), ExitStack() as stack:
        anchors = anchor_crew(1, worker_cores(1), folder)
        stack.callback(anchors.close)
        yield Bench(anchors, {}, folder, stack)


def doubts(line: Line) -> list[str]:
    """The names of the questions that a timing's trust answers with no."""
    return [name for name, answer in line.get("trust", {}).items() if answer["ok"] is False]
