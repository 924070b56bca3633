"""A night that measures nothing, as a fixture."""

import argparse
import datetime
import functools
import sys
from pathlib import Path

import made_lines
import numpy as np
import pytest
from nightly_records import BEGIN, StubRunner, night, noise, series, write_conformance, write_pins, write_timings

from tensorproof.nightly import command, history
from tensorproof.nightly import night as night_module
from tensorproof.nightly.packages import look_into

COUNT, NIGHTS = 12, 12
BACKENDS = ("torch", "jax")
quick_look = functools.cache(look_into)


class Place:
    """A history of twelve nights, and what is needed for a thirteenth."""

    COUNT, NIGHTS, BACKENDS = COUNT, NIGHTS, BACKENDS

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.history = tmp_path / "history"
        self.monkeypatch = monkeypatch
        self.moment = BEGIN + datetime.timedelta(days=NIGHTS)
        logs = noise(np.random.default_rng(0), NIGHTS + 1, COUNT) / 4
        self.names = [series(number, BACKENDS[number % 2]) for number in range(COUNT)]
        for index in range(NIGHTS):
            folder = self.history / night(index)
            write_timings(folder, dict(zip(self.names, np.exp(logs[:, index]), strict=True)))
            for backend in BACKENDS:
                write_conformance(folder, backend, ["passed", "passed"])
                write_pins(folder, backend, "2.13.0")
            made_lines.write(folder / "night.ndjson", [made_lines.NIGHT_END])
        self.ratios = dict(zip(self.names, np.exp(logs[:, NIGHTS]), strict=True))
        self.folder = self.history / night(NIGHTS)
        monkeypatch.setattr(history, "now", lambda: self.moment)
        # The same Python says the same each time, and takes its time.
        monkeypatch.setattr(night_module, "look_into", quick_look)
        monkeypatch.chdir(tmp_path)

    def run(self, runner: StubRunner | None = None, *arguments: str, backends=BACKENDS) -> int:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        given = [f"--history={self.history}", *(f"--env={name}={sys.executable}" for name in backends), *arguments]
        return command.run(parser.parse_args(given), lambda seconds, inherited: runner or StubRunner(self.ratios))

    def slower(self, factor: float = 1.3) -> dict:
        """Tonight's ratios with one series slower."""
        return {**self.ratios, self.names[0]: self.ratios[self.names[0]] * factor}

    def summary(self) -> str:
        return (self.folder / "summary.md").read_text()

    def states(self) -> list[str]:
        return [line["state"] for line in history.read_verdict(self.folder / "verdict.ndjson") if line["kind"] == "finding"]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Place:
    return Place(tmp_path, monkeypatch)
