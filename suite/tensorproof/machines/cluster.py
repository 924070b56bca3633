"""Tasks on the nodes of a Ray cluster: all of this project that knows Ray.

Nothing here knows what a task does. A task is a function of this package: it takes plain data and returns plain data. What is on
a node that is lost is done again elsewhere.
"""

import argparse
import contextlib
import importlib
import os
import signal
import socket
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tensorproof.conformance.selection.options import Adder
from tensorproof.errors import UsageError, sentence

INSTALL = "pip install 'tensorproof[ray]'"
MOST_LOST = 3
"""So many times a task may be lost with its node or process; then it is the task's own fault."""
AHEAD = 2
"""Tasks for each that can run at once, so that no node waits for its next one."""
TICK = 1.0
ANSWER_SECONDS = 300.0
"""How long nodes may take to say what they are; one that works for others takes longer, and is asked with its first task."""

GONE_SECONDS = 120.0
"""How long a cluster may be without a node that has what a task takes: another may be on its way."""
CONNECT_SECONDS = 10.0

Plain: TypeAlias = Mapping[str, Any]
Task: TypeAlias = Callable[[Plain], dict[str, Any]]


class NotDone(Exception):
    """A task that cannot be done; the message says why."""


def add_ray_options(add: Adder) -> None:
    """Add the options that give work to a cluster."""
    place = "share the work out to the nodes of a Ray cluster: auto, local or HOST:PORT"
    add("--ray", metavar="ADDRESS", default=None, help=place)
    add("--ray-cpus", type=float, default=1.0, metavar="N", help="cores that a task on a node takes (default: 1)")
    add("--ray-gpus", type=float, default=0.0, metavar="N", help="GPUs that a task on a node takes (default: 0)")
    own = "resource of your own that a task on a node takes (repeat for several; default: 1 of it)"
    add("--ray-resource", action="append", default=[], metavar="NAME[=N]", help=own)


def needs_of(options: argparse.Namespace) -> dict[str, float]:
    """What each task takes, as Ray names it.

    Raises:
        UsageError: an option is no number above zero (GPUs: below zero).
    """
    needs = {"CPU": options.ray_cpus, "GPU": options.ray_gpus}
    for text in options.ray_resource:
        name, _, count = text.partition("=")
        try:
            needs[name] = float(count or 1)
        except ValueError:
            raise UsageError(f"--ray-resource: expected NAME or NAME=N, got {text!r}") from None
    for name, count in needs.items():
        if not (count > 0 or (name == "GPU" and count == 0)):
            raise UsageError(f"--ray: a task takes more than 0 of {name}, got {count:g}")
    return {name: count for name, count in needs.items() if count}


@dataclass
class Cluster:
    """A cluster that this process gives tasks to."""

    ray: Any
    needs: Mapping[str, float]
    lost: int = 0
    """Tasks that were done again, since their node or process was lost."""
    _tasks: dict[Task, Any] = field(default_factory=dict)

    def ask_each(self, task: Task, request: Plain) -> dict[str, dict[str, Any]]:
        """What a task gives on each node that has what it needs, by the node's address; without nodes that do not answer.

        Raises:
            NotDone: the task fails on a node.
        """
        pinned = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        asked = {}
        for node in self._able():
            strategy = pinned(node_id=node["NodeID"], soft=False)
            ref = self._remote(task).options(scheduling_strategy=strategy).remote(dict(request))
            asked[ref] = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
        ready, late = self.ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS) if asked else ([], [])
        for ref in late:
            self.ray.cancel(ref, force=True)
        answers = {asked[ref]: self._answer(ref) for ref in ready}
        return {node: answer for node, answer in answers.items() if answer is not None}

    def answers(self, task: Task, requests: Iterator[Plain]) -> Iterator[dict[str, Any]]:
        """What a task gives for each request, as it comes. Requests are taken as there is room for them.

        Raises:
            NotDone: the task fails, or is lost again and again.
        """
        running: dict[Any, tuple[Plain, int]] = {}
        again: deque[tuple[Plain, int]] = deque()
        seen = time.monotonic()
        try:
            while True:
                room = AHEAD * self.at_once
                while len(running) < room:
                    request, tries = again.popleft() if again else (next(requests, None), 0)
                    if request is None:
                        break
                    running[self._remote(task).remote(dict(request))] = request, tries
                if not running:
                    return
                ready, _ = self.ray.wait(list(running), num_returns=1, timeout=TICK)
                seen = time.monotonic() if ready or self._able() else seen
                if time.monotonic() > seen + GONE_SECONDS:
                    raise NotDone("no node of the cluster is left that has what a task takes")
                for ref in ready:
                    request, tries = running.pop(ref)
                    answer = self._answer(ref)
                    if answer is not None:
                        yield answer
                        continue
                    self.lost += 1
                    if tries + 1 >= MOST_LOST:
                        raise NotDone(
                            f"a task was lost {MOST_LOST} times with its process or node; memory may have run out there"
                        )
                    again.append((request, tries + 1))
        finally:
            for ref in running:
                with contextlib.suppress(Exception):  # what is lost need not be ended
                    self.ray.cancel(ref, force=True)

    def _remote(self, task: Task) -> Any:
        if task not in self._tasks:
            own = {name: count for name, count in self.needs.items() if name not in ("CPU", "GPU")}
            needs = {"num_cpus": self.needs["CPU"], "num_gpus": self.needs.get("GPU", 0), "resources": own}
            # Ray's own tries would be silent; ours are counted.
            self._tasks[task] = self.ray.remote(max_retries=0, **needs)(task)
        return self._tasks[task]

    def _answer(self, ref: Any) -> dict[str, Any] | None:
        """What a task gave; ``None`` if it was lost with its node or process.

        Raises:
            NotDone: it raised an exception.
        """
        try:
            answer: dict[str, Any] = self.ray.get(ref)
            return answer
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, NotDone):
                raise NotDone(str(error.cause)) from None
            raise NotDone(f"a task failed on a node: {sentence(error.cause or error)}") from None
        except self.ray.exceptions.RayError:
            return None

    def _able(self) -> list[dict[str, Any]]:
        """The nodes that have what a task needs."""
        return [
            node
            for node in self.ray.nodes()
            if node["Alive"] and all(node["Resources"].get(name, 0) >= count for name, count in self.needs.items())
        ]

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was lost."""
        return [f"done again, since a node or process was lost: tasks of the cluster: {self.lost}"] if self.lost else []

    @property
    def at_once(self) -> int:
        """How many tasks can run at once."""
        fit = (min(int(node["Resources"][name] // count) for name, count in self.needs.items()) for node in self._able())
        return max(1, sum(fit))


@contextlib.contextmanager
def connected(options: argparse.Namespace) -> Iterator[Cluster]:
    """The cluster that the options name.

    Raises:
        UsageError: Ray is not installed, no cluster answers, or no node has what a task needs.
    """
    needs = needs_of(options)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = _imported()
    except ImportError as error:
        raise UsageError(f"--ray needs Ray, which is not installed ({error}): {INSTALL}") from None
    try:
        _require_answer(options.ray)
        with _own_signals(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=options.ray, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except Exception as error:  # Ray raises many kinds
        raise UsageError(f"--ray: no cluster answers at {options.ray}: {sentence(error)[:300]}") from None
    try:
        cluster = Cluster(ray, needs)
        if not cluster._able():
            wanted = ", ".join(f"{count:g} {name}" for name, count in needs.items())
            raise UsageError(f"--ray: no node of the cluster has what a task takes: {wanted}")
        yield cluster
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Look whether anything listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        OSError: nothing does.
        ValueError: the port is no number.
    """
    host, colon, port = address.rpartition(":")
    if colon and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


def _imported() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("ray")


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's own handlers of signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
