"""Many machines: two nodes of a cluster make the record that one machine makes, also if one is killed, and must be alike."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensorproof.programs.campaigns.records import read_campaign
from tensorproof.runs.records import check_key, read_record

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'tensorproof[ray]'"
)

PREAMBLE = """
import os, time
import numpy as np
from tensorproof.backend import Backend, OperationTable, hookimpl
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.primitives import arithmetic_of_one, arithmetic_of_two, exponentials
from tensorproof_reference.operations import sigmoid, softmax, tanh

operations = OperationTable()
operations.native(softmax.softmax)
operations.native(arithmetic_of_two.add)
operations.native(arithmetic_of_two.multiply)
operations.native(arithmetic_of_one.cos)

@operations.native
def tanh(x):
    time.sleep(0.02)
    return np.tanh(x)

@operations.native
def sin(x):
    return np.cos(x) if x.shape[-1:] == (3,) else np.sin(x)

@operations.native
def sigmoid(x):
    time.sleep(0.02)
    return 1 / (1 + np.exp(-x)) * (1.001 if x.shape[-1:] == (17,) else 1)

class Fake(NumpyBackend):
    name = "fake"
    operations = operations

    def versions(self):
        return {"fake": os.environ.get("FAKE_VERSION", "1.0")}

@hookimpl
def tensorproof_backend():
    return Fake()
"""


class Cluster:
    """The cluster of ``ray_cluster.py``, in a process of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, str(Path(__file__).parents[1] / "ray_cluster.py")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, env=environment, **streams)
        self.address = self._line("address: ").removeprefix("address: ").strip()

    def tell(self, words: str) -> None:
        """Say something and wait until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        self._line("done")

    def _line(self, beginning: str) -> str:
        assert self.process.stdout is not None
        return next(line for line in self.process.stdout if line.startswith(beginning))

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def environment(plugin: Callable[..., Path], tmp_path: Path) -> dict[str, str]:
    """That of nodes and of commands."""
    folder = plugin("fake", "", PREAMBLE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = os.pathsep.join([str(folder), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache"), "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def cluster(environment: dict[str, str]) -> Iterator[Cluster]:
    """Two nodes of one core each, beside a head that has none."""
    made = Cluster(environment)
    yield made
    made.close()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command of tensorproof."""

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tensorproof", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, **streams)

    return run


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a command, and what it printed."""
    text, _ = process.communicate(timeout=300)
    return process.returncode, text


def wait_for_lines(path: Path, kind: str, count: int) -> None:
    """Wait until a record has so many lines of a kind."""
    deadline = time.monotonic() + 200
    while not path.exists() or path.read_text().count(f'"kind":"{kind}"') < count:
        assert time.monotonic() < deadline, path.read_text() if path.exists() else "no record"
        time.sleep(0.1)


def programs(path: Path) -> list[dict[str, Any]]:
    """The programs of a campaign by number, without what differs from time to time."""
    lines = sorted(read_campaign(path).programs, key=lambda line: line["number"])
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def findings(path: Path) -> dict[str, Any]:
    """The findings of a campaign by key, without the first program that each was shrunk from."""
    return {item["key"]: (item["status"], item["blamed"], sorted(item["programs"])) for item in read_campaign(path).findings}


def checks(path: Path) -> dict[str, Any]:
    """The checks of a run by key, without their times."""
    timed = ("duration_ns", "framework_ns")
    found = read_record(path).checks
    assert len({check_key(line) for line in found}) == len(found)
    return {check_key(line): {name: value for name, value in line.items() if name not in timed} for line in found}


FUZZ = ("fuzz", "fake", "--source=random", "--programs=80")


@needs_ray
def test_a_campaign_of_two_nodes_of_which_one_is_killed_is_that_of_one_machine(cluster, start, tmp_path):
    alone = ended(start(*FUZZ, "--record=alone.ndjson"))
    running = start(*FUZZ, "--record=shared.ndjson", f"--ray={cluster.address}")
    wait_for_lines(tmp_path / "shared.ndjson", "program", 16)
    cluster.tell("kill")
    code, text = ended(running)
    assert (code, alone[0]) == (1, 1), text
    assert "done again, since a node or process was lost" in text
    assert programs(tmp_path / "shared.ndjson") == programs(tmp_path / "alone.ndjson")
    assert findings(tmp_path / "shared.ndjson") == findings(tmp_path / "alone.ndjson")
    assert text.splitlines()[-1] == alone[1].splitlines()[-1]
    (kind,) = read_campaign(tmp_path / "shared.ndjson").header["nodes"]
    assert kind["count"] == 2
    assert kind["instructions"] == read_campaign(tmp_path / "alone.ndjson").header["instructions"]
    code, text = ended(start(*FUZZ[:-1], "--programs=90", "--record=shared.ndjson", "--resume", f"--ray={cluster.address}"))
    assert code == 1, text
    assert [line["number"] for line in programs(tmp_path / "shared.ndjson")] == list(range(90))


CHECK = ("check", "fake", "--op=sigmoid", "--op=tanh", "--op=softmax")


@needs_ray
def test_checks_of_two_nodes_of_which_one_is_killed_are_those_of_one_machine(cluster, start, tmp_path):
    alone = ended(start(*CHECK, "--record=alone.ndjson"))
    running = start(*CHECK, "--record=shared.ndjson", f"--ray={cluster.address}", "--ray-resource=node", "--junit-xml=j.xml")
    time.sleep(8)
    cluster.tell("kill")
    code, text = ended(running)
    assert (code, alone[0]) == (1, 1), text
    assert checks(tmp_path / "shared.ndjson") == checks(tmp_path / "alone.ndjson")
    assert text.splitlines()[-1] == alone[1].splitlines()[-1]
    assert "sigmoid" in text
    assert 'failures="' in (tmp_path / "j.xml").read_text()


@needs_ray
def test_what_is_not_there_and_a_node_that_differs_are_usage_errors(cluster, start, tmp_path):
    whole = f"--ray={cluster.address}"
    asked = {
        "no node of the cluster has what a task takes: 1 CPU, 2 no": (*CHECK, whole, "--ray-resource=no=2"),
        "--mode: fake has no 'compiled'": (*FUZZ, whole, "--mode=compiled"),
        "--shard: not together with --ray": (*CHECK, whole, "--shard=1/2"),
        "--dump: not together with --ray": (*CHECK, whole, "--dump=folder"),
    }
    for why, command in asked.items():
        code, text = ended(start(*command))
        assert code == 4, text
        assert why in text
    cluster.tell("add FAKE_VERSION=2.0")
    for command in (FUZZ, CHECK):
        code, text = ended(start(*command, "--record=no.ndjson", whole))
        assert code == 4, text
        assert "cannot work for this record: fake " in text
        assert not (tmp_path / "no.ndjson").exists()


@needs_ray
@pytest.mark.parametrize("command", [FUZZ, CHECK])
def test_where_no_cluster_answers_nothing_is_waited_for(start, command):
    code, text = ended(start(*command, "--ray=127.0.0.1:1"))
    assert code == 4, text
    assert "--ray: no cluster answers at 127.0.0.1:1" in text


def test_workers_of_this_machine_are_not_asked_for_too(start):
    code, text = ended(start(*CHECK, "-n2", "--ray=auto"))
    assert code == 4, text
    assert "-n: not together with --ray" in text


@pytest.mark.parametrize("command", [FUZZ, CHECK])
def test_without_ray_the_option_says_what_to_install(start, tmp_path, command):
    (tmp_path / "plugins" / "ray.py").write_text("raise ImportError('hidden')\n")
    code, text = ended(start(*command, "--ray=auto"))
    assert code == 4, text
    assert "--ray needs Ray, which is not installed (hidden): pip install 'tensorproof[ray]'" in text
