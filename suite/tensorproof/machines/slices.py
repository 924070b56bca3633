"""Slices of a campaign on the nodes of a cluster: which programs go there, what is done there, and what comes back."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tensorproof.contract.backends import specification
from tensorproof.errors import UsageError
from tensorproof.machines.cluster import Cluster, NotDone, Plain
from tensorproof.machines.nodes import difference, identity_of, nodes_lines, require_alike
from tensorproof.processes import guard_for_life
from tensorproof.programs.campaigns.batches import Found, Judging, Numbered, declared_lines
from tensorproof.programs.campaigns.crew import Crew
from tensorproof.programs.program import from_plain
from tensorproof.worker_process import WorkerFailure

SLICE = 16
"""Programs of a slice at least: seconds of work, of which no more is lost with a node."""


class Slices:
    """Judges a campaign's programs on the nodes of a cluster."""

    def __init__(self, cluster: Cluster, crew: Plain, mode: str) -> None:
        """Ask every node what it is.

        Args:
            cluster: where tasks run.
            crew: what makes a ``Crew`` there: backend, device, modules and timeout.
            mode: to run in.

        Raises:
            UsageError: the backend or device does not exist on a node, or nodes differ.
            NotDone: a node cannot say what it is.
        """
        self.cluster = cluster
        self.seconds = 0.0
        answers = cluster.ask_each(hello, {"crew": dict(crew)})
        for address, answer in answers.items():
            if "usage" in answer:
                raise UsageError(f"node {address}: {answer['usage']}")
        identities = {address: answer["identity"] for address, answer in answers.items()}
        self._about = {"crew": dict(crew), "mode": mode, "wanted": dict(require_alike(identities))}
        self.hello: dict[str, Any] = next(iter(answers.values()))["hello"]
        self.nodes = nodes_lines(identities.values())

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was lost."""
        return self.cluster.notes

    def declared(self, dtype: str, seed: int) -> Iterator[dict[str, Any]]:
        """The lines of the programs that are declared to fail.

        Raises:
            NotDone: they cannot be run.
        """
        for answer in self.cluster.answers(declared, iter([{**self._about, "dtype": dtype, "seed": seed}])):
            yield from _accepted(answer)["lines"]

    def judged(self, batches: Iterator[list[Numbered]], known: set[str]) -> Iterator[Found]:
        """What comes of batches, slice by slice.

        Raises:
            NotDone: a slice is lost again and again, or a node differs from the others.
        """
        for answer in self.cluster.answers(judge, self._requests(batches, known)):
            self.seconds += _accepted(answer)["seconds"]
            for line, finding in answer["found"]:
                yield Found(line, finding)

    def _requests(self, batches: Iterator[list[Numbered]], known: set[str]) -> Iterator[Plain]:
        """A request for each slice; batches stay whole, so that the same programs are compiled as one as on one machine."""
        held: list[list[Any]] = []
        for batch in batches:
            held.append([(number, label, asdict(program)) for number, label, program in batch])
            if sum(map(len, held)) >= SLICE:
                yield {**self._about, "batches": held, "known": sorted(known)}
                held = []
        if held:
            yield {**self._about, "batches": held, "known": sorted(known)}


def _accepted(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer, unless the node that gives it is another than the rest.

    Raises:
        NotDone: it is.
    """
    if "refused" in answer:
        raise NotDone(f"a node that joined later cannot work for this record: {answer['refused']}")
    return answer


class _Kept:
    """The crew of this process, from task to task: a framework takes seconds to import."""

    crews: dict[tuple[Any, ...], Crew] = {}


def _crew(about: Mapping[str, Any]) -> Crew:
    """The crew that tasks like this one share, its worker started.

    Raises:
        UsageError: the backend or device does not exist.
        NotDone: its worker does not start.
    """
    guard_for_life()
    key = (*map(str, about.values()), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if key not in _Kept.crews:
        for crew in _Kept.crews.values():
            crew.close()
        _Kept.crews = {key: Crew(about["backend"], about["device"], tuple(about["modules"]), about["timeout"])}
    try:
        _Kept.crews[key].start()
    except WorkerFailure as failure:
        raise NotDone(f"backend {about['backend']!r}: its worker does not start: {failure.message}") from None
    return _Kept.crews[key]


def hello(request: Plain) -> dict[str, Any]:
    """On a node: what its worker says of itself, and what the node is."""
    try:
        crew = _crew(request["crew"])
    except UsageError as error:
        return {"usage": str(error)}
    return {"hello": crew.hello, "identity": identity_of(crew.hello["description"])}


def declared(request: Plain) -> dict[str, Any]:
    """On a node: what became of the programs that are declared to fail."""
    crew = _crew(request["crew"])
    refused = difference(request["wanted"], identity_of(crew.hello["description"]))
    if refused:
        return {"refused": refused}
    try:
        return {"lines": list(declared_lines(crew, request["dtype"], request["mode"], request["seed"]))}
    except WorkerFailure as failure:
        raise NotDone(f"the programs that are declared to fail: {failure.message}") from None


def judge(request: Plain) -> dict[str, Any]:
    """On a node: what came of the batches of a slice."""
    crew = _crew(request["crew"])
    refused = difference(request["wanted"], identity_of(crew.hello["description"]))
    if refused:
        return {"refused": refused}
    before = crew.seconds
    judging = Judging(crew, request["mode"], dict(specification()), set(request["known"]))
    found = [
        (one.line, one.finding)
        for batch in request["batches"]
        for one in judging.judged([(number, label, from_plain(program)) for number, label, program in batch])
    ]
    return {"found": found, "seconds": crew.seconds - before}
