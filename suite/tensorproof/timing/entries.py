"""What the engine knows of a run and of each contender in a group."""

import math
from dataclasses import dataclass, field
from typing import Any

from tensorproof.timing.plan import Contender
from tensorproof.timing.reference import Expected


@dataclass
class Settings:
    """How a run measures."""

    launches: int
    rounds: int
    threads: int
    seconds: float
    """After how long a request to a worker counts as hanging."""
    seed: int
    series_seconds: float
    """How long rounds go on, for each contender of a group, while intervals are wider than ±1 % or give no verdict."""
    resolution: float = 0.0
    """The logarithm of the ratio that the same code reached against itself."""


@dataclass
class Seconds:
    """Where the time of a run goes."""

    measuring: float = 0.0
    preparing: float = 0.0
    reference: float = 0.0
    starting: float = 0.0


@dataclass
class Entry:
    """A contender in a group: its launches, and what they have measured."""

    contender: Contender
    key: str
    expected: Expected | None = None
    status: str = "measured"
    message: str = ""
    traceback: str = ""
    prepared: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By launch, what compiling took."""
    call_ns: float = math.inf
    calls: int = 1
    blocks: list[dict[str, Any]] = field(default_factory=list)
    """One for each round, with its launch, in order."""
    finish: dict[str, Any] = field(default_factory=dict)
    cold_ns: list[float] = field(default_factory=list)
    device: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def running(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return self.status == "measured"
