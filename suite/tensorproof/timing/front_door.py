"""``pytest --backend=NAME --benchmark-only``: timings through pytest-benchmark's own fixture, table, storage and comparison.

A plugin that ``tensorproof.pytest_plugin`` registers for such a run. The engine measures in a worker process; its samples are
replayed through pytest-benchmark's fixture by a timer that reads what they say, so everything that pytest-benchmark does with
samples keeps working. The run also leaves a record of timings, as ``tensorproof time`` does.
"""

import argparse
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tensorproof.errors import UsageError, printable, shown
from tensorproof.lines.writing import LineFile
from tensorproof.processes import interruption
from tensorproof.runs.recording import default_path
from tensorproof.timing.engine import Engine
from tensorproof.timing.plan import Group
from tensorproof.timing.results.lines import MAIN_CLOCK
from tensorproof.timing.results.recording import closing_line, open_record
from tensorproof.timing.session import Session, engine_of, machine_limits, opened

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

Timed: TypeAlias = Group
"""One series: a group of one contender."""
Replay: TypeAlias = Callable[[Timed], None]


CONDITIONS = ("threads", "cores", "launches", "method", "machine", "device", "instructions")
"""What a stored run says of how it was measured; runs that differ in one of these are not compared."""


def conditions_of(header: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions of a run of one backend, from the header of its record of timings."""
    machine, (backend,) = header["machine"], header["backends"]
    return {
        "threads": header["threads"],
        "cores": machine["cores"],
        "launches": header["launches"],
        "method": header["method"],
        "machine": f"{machine['processor']} {machine['architecture']} {machine['system']}",
        "device": backend["device"],
        "instructions": backend["instructions"],
    }


def require_same_conditions(here: Mapping[str, Any], stored: Mapping[str, Any] | None) -> None:
    """Refuse to compare runs that were not measured alike.

    Raises:
        UsageError: a condition differs, or the stored run does not say.
    """
    advice = "measure both alike, or leave --benchmark-compare out"
    if not isinstance(stored, Mapping):
        raise UsageError(f"--benchmark-compare: the stored run does not say under which conditions it was measured; {advice}")
    texts = [f"{name} {stored.get(name)}, here {here[name]}" for name in CONDITIONS if stored.get(name) != here[name]]
    if texts:
        text = "; ".join(texts)
        raise UsageError(f"--benchmark-compare: the stored run was measured under other conditions: {text}; {advice}")


class ReplayedClock:
    """A timer that shows what it is told to, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        """The time."""
        return self.now


CLOCK = ReplayedClock()


def replayed_timer() -> float:
    """The timer that pytest-benchmark's table names."""
    return CLOCK.read()


def options_for(option: argparse.Namespace, backend: str) -> argparse.Namespace:
    """The options of pytest's command line as those of ``tensorproof time``.

    Raises:
        UsageError: one of them has no meaning for timings.
    """
    for name in ("sample", "check"):
        if getattr(option, name):
            raise UsageError(f"--{name}: timings have workloads instead of samples and checks; leave it out, or use --workload")
    if getattr(option, "numprocesses", None):
        raise UsageError("-n: timings stay in one process; leave it out")
    return argparse.Namespace(
        **{
            **vars(option),
            "backends": [backend],
            "env": [],
            "resume": False,
            "request_timeout": option.check_timeout,
        }
    )


class TimingPlugin:
    """The hooks and fixtures of a run of timings."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._stack = contextlib.ExitStack()
        self.session: Session = self._stack.enter_context(opened(options))
        self.engine: Engine | None = None
        self.path = Path(options.record) if options.record else default_path("timings")
        self._file: LineFile | None = None
        self.series = [
            Group(group.operation, group.workload, group.direction, group.dtype, (contender,))
            for group in self.session.groups
            for contender in group.contenders
        ]
        self.lines: list[dict[str, Any]] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Store the conditions with the samples."""
        machine_info["tensorproof"] = conditions_of(self.session.header)

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_compare_machine_info(self, compared_benchmark: Mapping[str, Any]) -> None:
        """Compare nothing that was measured under other conditions; pytest-benchmark asks before anything runs."""
        try:
            require_same_conditions(conditions_of(self.session.header), compared_benchmark["machine_info"].get("tensorproof"))
        except UsageError as error:
            self._stack.close()
            raise pytest.UsageError(str(error)) from None

    def pytest_report_header(self) -> list[str]:
        """Backend, versions, and how it is timed."""
        (backend,) = self.session.header["backends"]
        options = self.session.options
        versions = "  ".join(f"{name} {version}" for name, version in {**backend["versions"], **backend["arithmetic"]}.items())
        return [
            f"tensorproof: timing {backend['backend']} on {backend['device']}, {len(self.series)} series, "
            f"{options.threads} threads, {options.launches} launches, {options.rounds} rounds",
            printable(versions),
        ]

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave the checks of conformance alone."""
        return True if collection_path == BENCHMARKS.parent / "conformance" else None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each series, named so that it can be selected exactly."""
        if "timed" not in metafunc.fixturenames:
            return
        metafunc.parametrize("timed", [_parameter(group) for group in self.series])

    @pytest.fixture
    def replay(self, benchmark: Any) -> Replay:
        """Measures a series and hands its samples to pytest-benchmark."""

        def run(timed: Timed) -> None:
            line = self._measured(timed)
            if line["status"] == "unsupported":
                pytest.skip(shown(f"unsupported: {line['message']}"))
            if line["status"] != "measured":
                said = f"{line['status'].replace('_', ' ')}: {line['message']}"
                texts = (said, line["traceback"], f"reproduce: {line['command']}")
                pytest.fail(shown("\n".join(text for text in texts if text)), pytrace=False)
            _replayed(benchmark, line)

        return run

    def _measured(self, timed: Timed) -> dict[str, Any]:
        if self.engine is None or self._file is None:
            self._file, _, _ = open_record(self.path, self.session.header, self.session.groups, resume=False)
            limits = machine_limits(self.session)
            self._file.append(limits)
            self.engine = engine_of(self.session, limits)
        (line,) = self.engine.measure(timed)
        self.lines.append(line)
        self._file.append(line)
        return line

    def pytest_unconfigure(self) -> None:
        """End the workers, and the record."""
        self._stack.close()
        if self._file is not None and self.engine is not None:
            why = f"interrupted ({interruption()})" if interruption() else ""
            self._file.append(closing_line(self.lines, self.engine, why))
            self._file.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Where the record is, and what in it is not to be trusted."""
        if self._file is None:
            return
        for line in self.lines:
            doubts = [answer["message"] for answer in line.get("trust", {}).values() if answer["ok"] is False]
            if doubts:
                terminalreporter.write_line(shown(f"not to be trusted: {_name(line)}: {'; '.join(doubts)}"))
        terminalreporter.write_line(f"record: {self.path}")


def _name(line: dict[str, Any]) -> str:
    return f"{line['contender']} {line['operation']} {line['workload']} {line['direction']} {line['dtype']}"


def _parameter(group: Group) -> Any:
    (contender,) = group.contenders
    words = (contender.mode, group.operation, group.workload, group.direction, group.dtype)
    name = "-".join((f"{contender.backend}:{contender.device}", *words))
    marks = [
        pytest.mark.case(
            op=group.operation,
            workload=group.workload,
            direction=group.direction,
            dtype=group.dtype,
            mode=contender.mode,
            device=contender.device,
        ),
        pytest.mark.benchmark(group=f"{group.operation} {group.workload} {group.direction} {group.dtype}", timer=replayed_timer),
    ]
    return pytest.param(group, id=name, marks=marks)


def _replayed(benchmark: Any, line: dict[str, Any]) -> None:
    """Give pytest-benchmark the samples of a series: a round of one call for each, which takes what the sample says."""
    clock = line["clocks"][MAIN_CLOCK]
    samples = iter(clock["samples_ns"])

    def call() -> None:
        CLOCK.now += next(samples) * 1e-9

    benchmark.extra_info.update(
        {
            "clock": MAIN_CLOCK,
            "calls": clock["calls"],
            "median_interval_ns": [clock["low_ns"], clock["high_ns"]],
            "anchor": line["anchor"],
            "work": line["work"],
            "rates": line["rates"],
            "compile": line["compile"],
            "memory": line["memory"],
            "error": line["error"],
            "not_to_be_trusted": [name for name, answer in line["trust"].items() if answer["ok"] is False],
        }
    )
    # Each reading is a sum; from zero the differences are the samples.
    CLOCK.now = 0.0
    benchmark.pedantic(call, rounds=len(clock["samples_ns"]), iterations=1)
