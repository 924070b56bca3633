"""What becomes of tasks on a cluster, and which nodes work for one record: with a made-up Ray, which needs none."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import pytest

from tensorproof.errors import UsageError
from tensorproof.machines import cluster as cluster_module
from tensorproof.machines.cluster import MOST_LOST, Cluster, NotDone, needs_of
from tensorproof.machines.nodes import difference, nodes_lines, require_alike
from tensorproof.machines.shards import arguments_of, files_of


class RayError(Exception):
    """What Ray raises for what is lost."""


class RayTaskError(RayError):
    """What Ray raises for what a task raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class MadeUpRay:
    """A cluster of nodes in this process: tasks run when they are asked for; some are lost, by number."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, lost: Any = (), nodes: int = 2) -> None:
        self.lost = set(lost)
        self.count = nodes
        self.started: list[Any] = []
        self.cancelled: list[int] = []

    def nodes(self) -> list[dict[str, Any]]:
        """Nodes of one core."""
        node = {"Alive": True, "Resources": {"CPU": 1.0}, "NodeManagerPort": 1}
        return [{**node, "NodeID": str(number), "NodeManagerAddress": f"10.0.0.{number}"} for number in range(self.count)]

    def remote(self, **needs: Any) -> Any:
        """What makes a task of a function."""

        def made(task: Any) -> Any:
            return SimpleNamespace(remote=lambda request: self._start(task, request))

        return made

    def _start(self, task: Any, request: Any) -> int:
        self.started.append((task, request))
        return len(self.started) - 1

    def wait(self, refs: list[int], **how: Any) -> tuple[list[int], list[int]]:
        """The last one is ready first."""
        return refs[-1:], refs[:-1]

    def get(self, ref: int) -> Any:
        """Run a task."""
        if ref in self.lost:
            raise RayError
        task, request = self.started[ref]
        try:
            return task(request)
        except Exception as error:
            raise RayTaskError(error) from error

    def cancel(self, ref: int, force: bool) -> None:
        """Note it."""
        self.cancelled.append(ref)


def doubled(request: Any) -> dict[str, Any]:
    """A task."""
    if request["x"] == 13:
        raise ValueError("unlucky")
    return {"x": 2 * request["x"]}


def answers(ray: MadeUpRay, numbers: Any) -> tuple[Cluster, list[int]]:
    """What a cluster gives for some numbers."""
    cluster = Cluster(ray, {"CPU": 1.0})
    return cluster, [answer["x"] for answer in cluster.answers(doubled, ({"x": number} for number in numbers))]


def test_every_task_is_answered_once():
    cluster, found = answers(MadeUpRay(), range(12))
    assert sorted(found) == list(range(0, 24, 2))
    assert cluster.notes == []


def test_what_is_lost_is_done_again_and_said():
    ray = MadeUpRay(lost=(0, 3, 5))
    cluster, found = answers(ray, range(10))
    assert sorted(found) == list(range(0, 20, 2))
    assert len(ray.started) == 13
    assert cluster.notes == ["done again, since a node or process was lost: tasks of the cluster: 3"]


def test_what_is_always_lost_is_given_up():
    ray = MadeUpRay(lost=range(100))
    with pytest.raises(NotDone, match=f"a task was lost {MOST_LOST} times"):
        answers(ray, range(2))


def test_what_a_task_raises_ends_the_work_and_what_is_under_way():
    ray = MadeUpRay()
    with pytest.raises(NotDone, match="a task failed on a node: ValueError: unlucky"):
        answers(ray, [1, 2, 13, 4, 5, 6])
    assert ray.cancelled


def test_a_cluster_without_any_node_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(cluster_module, "GONE_SECONDS", -1.0)
    ray = MadeUpRay(nodes=0)
    ray.wait = lambda refs, **how: ([], refs)  # type: ignore[method-assign]
    with pytest.raises(NotDone, match="no node of the cluster is left"):
        answers(ray, range(3))
    assert ray.cancelled == [0, 1]


def test_no_more_is_asked_for_than_the_cluster_has_room_for():
    taken = []

    def numbers() -> Any:
        for number in range(100):
            taken.append(number)
            yield {"x": number}

    found = Cluster(MadeUpRay(nodes=3), {"CPU": 1.0}).answers(doubled, numbers())
    next(found)
    assert len(taken) == 6
    found.close()


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, {"CPU": 1.0}),
        ({"ray_gpus": 0.5, "ray_cpus": 2.0}, {"CPU": 2.0, "GPU": 0.5}),
        ({"ray_resource": ["board", "slot=2"]}, {"CPU": 1.0, "board": 1.0, "slot": 2.0}),
        ({"ray_cpus": 0.0}, None),
        ({"ray_gpus": -1.0}, None),
        ({"ray_resource": ["slot=x"]}, None),
    ],
)
def test_what_a_task_takes(options, needs):
    given = Namespace(**{"ray_cpus": 1.0, "ray_gpus": 0.0, "ray_resource": [], **options})
    if needs is None:
        with pytest.raises(UsageError, match=r"--ray"):
            needs_of(given)
    else:
        assert needs_of(given) == needs


NODE = {
    "tensorproof": "0.1.0",
    "specification": "300",
    "plugin": "0.1",
    "versions": {"torch": "2.13", "numpy": "2.4"},
    "device": "cpu",
    "instructions": "onednn avx2",
    "machine": {"processor": "one"},
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        ({"machine": {"processor": "another"}}, ""),
        ({"versions": {"torch": "2.14", "numpy": "2.4"}}, "torch 2.14 there, 2.13 elsewhere"),
        ({"versions": {"torch": "2.13"}}, "numpy missing there, 2.4 elsewhere"),
        ({"plugin": "0.2"}, "plugin 0.2 there, 0.1 elsewhere"),
        ({"tensorproof": "0.2.0"}, "tensorproof 0.2.0 there, 0.1.0 elsewhere"),
        ({"instructions": ""}, "instructions none there, onednn avx2 elsewhere"),
    ],
)
def test_nodes_must_be_alike_in_all_that_has_a_say(changed, words):
    assert difference(NODE, {**NODE, **changed}) == words
    nodes = {"10.0.0.1:1": NODE, "10.0.0.2:1": {**NODE, **changed}}
    if words:
        with pytest.raises(UsageError, match=r"node 10\.0\.0\.2:1 cannot work for this record: "):
            require_alike(nodes)
    else:
        assert require_alike(nodes) == NODE


def test_machines_are_counted_by_kind():
    other = {**NODE, "machine": {"processor": "another"}}
    assert [(item["machine"]["processor"], item["count"]) for item in nodes_lines([NODE, other, NODE])] == [
        ("one", 2),
        ("another", 1),
    ]


def test_a_shard_is_asked_with_all_that_has_a_say(tmp_path):
    (tmp_path / "more.toml").write_text("# mine\n")
    names = ("device", "instructions", "check_timeout", "compile_cache", "reference_cache")
    plain = {**dict.fromkeys(names), **dict.fromkeys(("quick", "thorough", "no_reference_cache"), False)}
    listed = {"op": ["relu", "tanh"], "sample": [], "dtype": ["float32"], "mode": [], "check": [], "plugins": ["mine", "no:x"]}
    given = {"backend": "torch", "profile": "all", "seed": 3, "strict_declarations": True}
    options = Namespace(**plain, **listed, **given, declarations=[str(tmp_path / "more.toml")])
    assert arguments_of(options) == [
        *("torch", "-p", "mine", "--op=relu", "--op=tanh", "--dtype=float32", "--profile=all", "--seed=3"),
        *("--strict-declarations", "--declarations=1/more.toml"),
    ]
    assert files_of(options) == {"1/more.toml": "# mine\n"}
