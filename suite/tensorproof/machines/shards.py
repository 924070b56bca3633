"""Shards of a conformance run on the nodes of a cluster: what is asked of a node, and what comes back."""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensorproof.conformance.selection.cases import Case, in_shard
from tensorproof.conformance.selection.options import command_for, modules_of
from tensorproof.contract.description import Description, describe_apart, described, switches_for
from tensorproof.errors import UsageError
from tensorproof.machines.cluster import Cluster, NotDone, Plain
from tensorproof.machines.nodes import difference, identity_of, nodes_lines, require_alike
from tensorproof.processes import guard_for_life, own_group
from tensorproof.runs.records import check_key, read_record

SHARD = 250
"""Checks of a shard at most: a minute or so, of which no more is lost with a node."""
LEAST = 25
"""Checks for which it is worth while to import a framework once more."""
REFUSED = ("shard", "dump", "time_budget", "usepdb", "collectonly", "benchmark_only")
"""Options that speak of this machine, or of checks one after the other."""
SEVERAL = ("op", "sample", "dtype", "mode", "check")
WHOLE = ("device", "instructions", "profile", "seed", "check_timeout", "compile_cache", "reference_cache")
SWITCHES = ("quick", "thorough", "strict_declarations", "no_reference_cache")
GOOD = (0, 1)
"""Exit codes of a shard that made its checks."""


class Shards:
    """Runs the checks of a plan on the nodes of a cluster."""

    def __init__(self, cluster: Cluster, options: Any) -> None:
        """Ask every node what the backend is there.

        Raises:
            UsageError: an option has no meaning on a cluster, the backend or device does not exist on a node, or nodes differ.
        """
        for name in REFUSED:
            if getattr(options, name, None):
                raise UsageError(f"--{name.replace('_', '-')}: not together with --ray; leave one of them out")
        self.cluster = cluster
        self.options = options
        asked = {name: getattr(options, name) for name in ("backend", "device", "instructions")}
        try:
            answers = cluster.ask_each(describe_node, {**asked, "modules": modules_of(options)})
        except NotDone as error:
            raise UsageError(f"--ray: {error}") from None
        for address, answer in answers.items():
            if "usage" in answer:
                raise UsageError(f"node {address}: {answer['usage']}")
        identities = {address: answer["identity"] for address, answer in answers.items()}
        self.wanted = dict(require_alike(identities))
        self.description: Description = described(next(iter(answers.values()))["description"])
        self.nodes = nodes_lines(identities.values())

    def lines(self, cases: Sequence[Case], done: Collection[str]) -> Generator[dict[str, Any], None, None]:
        """The line of each check that is not done yet, shard by shard.

        Raises:
            NotDone: a shard fails, is lost again and again, or a node differs from the others.
        """
        known = {case.key: case for case in cases}
        for answer in self.cluster.answers(check_shard, self._requests([case for case in cases if case.key not in done])):
            for line in answer["lines"]:
                case = known[check_key(line)]
                if case.key not in done:
                    yield {**line, "command": command_for(case, self.options)}

    def _requests(self, cases: Sequence[Case]) -> Iterator[Plain]:
        """A request for each shard in which a check is left."""
        most = max(math.ceil(len(cases) / SHARD), min(self.cluster.at_once, math.ceil(len(cases) / LEAST)))
        about = {"arguments": arguments_of(self.options), "files": files_of(self.options), "wanted": self.wanted}
        for index in range(1, most + 1):
            if any(in_shard(case, index, most) for case in cases):
                yield {**about, "shard": f"{index}/{most}"}


def arguments_of(options: Any) -> list[str]:
    """The arguments of ``tensorproof check`` that have a say in what comes out; declarations are files of their own."""
    found = [options.backend, *(word for module in modules_of(options) for word in ("-p", module))]
    found += [f"--{name}={value}" for name in SEVERAL for value in getattr(options, name)]
    given = {name: getattr(options, name) for name in WHOLE}
    found += [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    found += [f"--{name.replace('_', '-')}" for name in SWITCHES if getattr(options, name)]
    return [*found, *(f"--declarations={place}" for place in files_of(options))]


def files_of(options: Any) -> dict[str, str]:
    """The texts of further declarations, by the place that each has on a node."""
    paths = list(map(Path, options.declarations))
    try:
        return {f"{number}/{path.name}": path.read_text(encoding="utf-8") for number, path in enumerate(paths, start=1)}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--declarations: a file cannot be read: {error}") from None


def describe_node(request: Plain) -> dict[str, Any]:
    """On a node: what the backend is there, and what the node is."""
    guard_for_life()
    try:
        if request["instructions"]:
            os.environ.update(switches_for(request["backend"], request["instructions"], request["modules"]))
        plain = asdict(describe_apart(request["backend"], request["device"], request["modules"]))
    except UsageError as error:
        return {"usage": str(error)}
    return {"description": plain, "identity": identity_of(plain)}


def check_shard(request: Plain) -> dict[str, Any]:
    """On a node: the lines of the checks of a shard.

    Raises:
        NotDone: the shard did not come to its end, or this node is another than the rest.
    """
    guard_for_life()
    with tempfile.TemporaryDirectory(prefix="tensorproof_") as name:
        folder = Path(name)
        for place, text in request["files"].items():
            (folder / place).parent.mkdir()
            (folder / place).write_text(text, encoding="utf-8")
        path = folder / "shard.ndjson"
        own = ["-n1", f"--shard={request['shard']}", f"--record={path}"]
        command = [sys.executable, "-P", "-m", "tensorproof", "check", *request["arguments"], *own]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", check=False, process_group=own_group()
        )
        if done.returncode not in GOOD:
            last = (done.stdout + done.stderr).strip().splitlines()[-3:]
            raise NotDone(f"shard {request['shard']} ended with exit code {done.returncode}: {' | '.join(last)[:1000]}")
        record = read_record(path)
    kernels: Mapping[str, str] = record.header["instructions"]["kernels"]
    refused = difference(request["wanted"], identity_of({**record.header, "kernels": kernels}))
    if refused:
        raise NotDone(f"a node that joined later cannot work for this record: {refused}")
    return {"lines": record.checks}
