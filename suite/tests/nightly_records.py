"""Histories made up for tests: nights of synthetic records, and a runner that writes records instead of measuring."""

import datetime
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import made_lines
import numpy as np

from tensorproof.lines.writing import whole_text
from tensorproof.nightly.history import night_name
from tensorproof.nightly.series import MachineClass, Point, Series, SeriesHistory
from tensorproof.timing.results.records import SCHEMA as TIMING_SCHEMA

MACHINE = {**made_lines.MACHINE, "processor": "Test CPU"}
CLASS = MachineClass("0123456789", "Test CPU")
BEGIN = datetime.datetime(2026, 9, 1, 3, 0, tzinfo=datetime.UTC)
PINS = "# python 3.11.9\ntorch=={version}\n"


def night(index: int) -> str:
    """The name of the night ``index`` days after the first."""
    return night_name(BEGIN + datetime.timedelta(days=index))


def series(number: int, backend: str = "torch") -> Series:
    """One of many series."""
    return Series(backend, "cpu", "eager", f"op{number}", "M", "forward", "float32")


def header(backends: Sequence[str] = ("torch",), planned: int = 1, **changes: Any) -> dict[str, Any]:
    """The header of a record of timings."""
    return made_lines.timing_run(
        contenders=[
            {"name": f"{name} eager", "backend": name, "environment": "", "device": "cpu", "mode": "eager"} for name in backends
        ],
        backends=[
            {
                "label": name,
                "backend": name,
                "environment": "",
                "device": "cpu",
                "versions": {name: "2.13.0"},
                "arithmetic": {},
                "packages": {},
            }
            for name in backends
        ],
        **{"machine": MACHINE, "affinity": [0], "planned": planned, **changes},
    )


def timing(which: Series, ratio: float, **changes: Any) -> dict[str, Any]:
    """The line of a series."""
    return made_lines.timing(
        contender=f"{which.backend} {which.mode}",
        backend=which.backend,
        device=which.device,
        mode=which.mode,
        operation=which.operation,
        workload=which.workload,
        direction=which.direction,
        dtype=which.dtype,
        **{
            "clocks": {"throughput hot": made_lines.clock(ratio * 400_000.0)},
            "anchor": {"median_ns": 400_000.0, "ratio": ratio},
            **changes,
        },
    )


def duel(which: Series, ratio: float, verdict: str, reference: str = "old", contender: str = "new") -> dict[str, Any]:
    """The line of a duel."""
    return made_lines.duel(
        operation=which.operation,
        workload=which.workload,
        direction=which.direction,
        dtype=which.dtype,
        reference=f"{reference} {which.backend} {which.mode}",
        contender=f"{contender} {which.backend} {which.mode}",
        ratio=ratio,
        low=ratio * 0.99,
        high=ratio * 1.01,
        launches=6,
        verdict=verdict,
    )


def write_timings(
    folder: Path, ratios: Mapping[Series, float], ended: bool = True, name: str = "timings", **changes: Any
) -> Path:
    """A record of timings of a night, as a run writes it: a closing line has the digest of the others."""
    lines = [timing(which, float(ratio)) for which, ratio in ratios.items()]
    backends = sorted({which.backend for which in ratios})
    head = header(backends, **{"planned": len(lines), **changes})
    end = [made_lines.timing_end({"measured": len(lines)} if lines else {})] if ended else []
    limits = made_lines.limits(resolution={"ratio_low": 0.996, "ratio_high": 1.004, "spread": 0.004})
    return made_lines.write(folder / f"{name}.ndjson", [whole_text([head, limits, *lines, *end], TIMING_SCHEMA)])


def write_conformance(
    folder: Path, backend: str, statuses: Sequence[str], planned: int | None = None, ended: bool = True
) -> Path:
    """A record of conformance of a night: a check for each status."""
    planned = len(statuses) if planned is None else planned
    head = made_lines.run(backend=backend, versions={backend: "2.13.0"}, planned=planned)
    checks = [
        made_lines.check(operation=f"op{number}", status=status, message="off by | 3 bars" if status == "failed" else "")
        for number, status in enumerate(statuses)
    ]
    counts = Counter(statuses) + Counter({"not_run": max(0, planned - len(statuses))})
    end = [made_lines.end(counts)] if ended else []
    return made_lines.write(folder / f"conformance_{backend}.ndjson", [head, *checks, *end])


def write_pins(folder: Path, backend: str, version: str) -> None:
    """The packages of a night."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"packages_{backend}.txt").write_text(PINS.format(version=version))


def history_of(ratios: Sequence[float], number: int = 0) -> SeriesHistory:
    """The history of one series, one night after the other."""
    points = tuple(Point(night(index), float(ratio), 1.0, 1.0, 1.0, ()) for index, ratio in enumerate(ratios))
    return SeriesHistory(series(number), CLASS, points)


def noise(generator: np.random.Generator, nights: int, count: int, degrees: float = np.inf, common: float = 0.0) -> np.ndarray:
    """Log-ratios of series without a change, ``(count, nights)``.

    Each night is the median of three launches, whose levels differ by 1 to 3 % (standard deviation, one per series), plus 0.3 %
    for the rounds within a launch. ``degrees`` of freedom give heavier tails; ``common`` is what all series of a night share.
    """
    sigma = generator.uniform(0.01, 0.03, size=(count, 1))
    if np.isinf(degrees):
        launches = generator.normal(size=(count, nights, 3))
    else:
        launches = generator.standard_t(degrees, size=(count, nights, 3)) * np.sqrt((degrees - 2) / degrees)
    found: np.ndarray = sigma * np.median(launches, axis=2) + generator.normal(scale=0.003, size=(count, nights))
    return found + common * generator.normal(size=(1, nights))


class StubRunner:
    """Writes what each command would have written; ``failing`` maps the name of a command to what it does instead."""

    def __init__(
        self,
        ratios: Mapping[Series, float],
        statuses: Sequence[str] = ("passed", "passed"),
        duels: Callable[[Series], tuple[float, str]] = lambda which: (1.0, "same"),
        failing: Mapping[str, Callable[[Sequence[str]], int]] | None = None,
    ) -> None:
        self.ratios = ratios
        self.statuses = statuses
        self.duels = duels
        self.failing = dict(failing or {})
        self.commands: list[str] = []
        """The names of the commands that were run."""
        self.full: list[list[str]] = []

    def __call__(self, command: Sequence[str], log: Path, title: str, watch: Callable[[], tuple[int, int]]) -> int:
        """Run a command."""
        words = list(command)
        at = words.index("tensorproof") + 1 if "tensorproof" in words else words.index("-m") + 1
        name = words[at]
        self.commands.append(name if name != "check" else f"check {words[at + 1]}")
        self.full.append(words)
        for key in (self.commands[-1], name):
            if key in self.failing:
                return self.failing[key](words)
        given = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        if name == "check":
            write_conformance(Path(given["record"]).parent, words[at + 1], self.statuses)
        elif name == "time":
            backends = {word for word in words[at + 1 :] if not word.startswith("-")}
            record = Path(given["record"])
            write_timings(record.parent, {w: r for w, r in self.ratios.items() if w.backend in backends}, name=record.stem)
        elif name == "duel":
            chosen = {word.removeprefix("--op=") for word in words if word.startswith("--op=")}
            lines = [duel(which, *self.duels(which)) for which in self.ratios if which.operation in chosen]
            made_lines.write(Path(given["record"]), [header(planned=0), *lines, made_lines.timing_end({})])
        elif name == "report":
            Path(words[words.index("-o") + 1]).write_text("<html></html>")
        elif name == "venv":
            python = Path(words[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        return 0
