"""Whatever ends a check has a line, once; whatever ends a run has a closing line, a summary and a page."""

import inspect
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disturbed import SLOW, kill_all, left_of, lines_of, output_of, start, wait_for
from fake_backend import BACKEND, backend

from tensorproof_reference.catalogue import all_operations

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")

Plugin = Callable[..., Path]
ONE = ("--check=forward", "--dtype=float32")


def checks_of(record: Path) -> list[dict[str, Any]]:
    return lines_of(record, "check")


ODD = {
    "relu": "sys.exit(0)",
    "sigmoid": "raise KeyboardInterrupt",
    "softplus": "raise Panic('a panic of an extension')",
    "silu": "raise Mute()",
    "gelu": "return np.array(['text'])",
    "softmax": "return Elsewhere(reference_tanh.tanh(x))",
    "log_softmax": "raise ValueError('bad \\udc80 name')",
    "leaky_relu": "os.fork(); return reference_tanh.tanh(x)",
}


def signature(name: str) -> str:
    parameters = inspect.signature(all_operations()[name].function).parameters.values()
    return str(inspect.Signature([item.replace(annotation=item.empty) for item in parameters]))


def test_whatever_an_operation_raises_or_answers_has_a_line_and_the_others_run(tensorproof, plugin: Plugin, tmp_path):
    functions = "".join(f"@operations.native\ndef {name}{signature(name)}:\n    {action}\n" for name, action in ODD.items())
    source = f"""
class Panic(BaseException): pass
class Mute(Exception):
    def __str__(self): raise RuntimeError("no text")
class Anything: pass
class Elsewhere(np.ndarray):
    def __new__(cls, value): return np.asarray(value).view(cls)
{functions}
"""
    device_of = """
def device_of(self, value):
    return Anything() if isinstance(value, Elsewhere) else "cpu"
"""
    record = tmp_path / "run.ndjson"
    samples = ("width_1", "width_2")  # each that loses its worker costs a new one
    chosen = [*(f"--op={name}" for name in (*ODD, "tanh")), *(f"--sample={name}" for name in samples)]
    outcome = tensorproof(
        "check", "fake", "-n1", *chosen, *ONE, f"--record={record}", path=plugin("fake", source + backend(device_of))
    )
    assert outcome.code == 1, outcome.text
    assert "INTERNALERROR" not in outcome.text
    found: dict[str, set[str]] = {}
    for line in checks_of(record):
        found.setdefault(str(line["operation"]), set()).add(str(line["status"]))
    assert found.pop("tanh") == {"passed"}
    assert "failed" in found.pop("leaky_relu")  # wrong values; the checks below count each sample once
    assert found == {name: {"error"} for name in ODD if name != "leaky_relu"}
    assert max(Counter(json.dumps([line[key] for key in ("operation", "sample")]) for line in checks_of(record)).values()) == 1
    (end,) = lines_of(record, "end")
    (header,) = lines_of(record, "run")
    assert sum(end["counts"].values()) == header["planned"] == len(checks_of(record))
    messages = {str(line["operation"]): str(line["message"]) for line in checks_of(record)}
    assert messages["relu"] == "SystemExit: 0"
    assert messages["silu"] == "Mute: (its message raises RuntimeError)"
    assert "to_numpy: expected an array of numbers" in messages["gelu"]
    assert "device_of: expected a text, got Anything" in messages["softmax"]


UNREPORTED = {
    "relu": "sys.setrecursionlimit(60)",
    "sigmoid": "time.perf_counter = time.time = lambda: -1e30; time.perf_counter_ns = lambda: -10**30",
    "softplus": "raise ValueError('a program of a compiler ' * 10**6)",
    "silu": "raise ValueError('a-b.' * 10**5)",
    "gelu": "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
}
"""What keeps a report from being made or sent, makes one that is too long, or keeps the worker from going on after it."""


def test_a_check_that_cannot_be_reported_has_a_line_and_the_others_run(tensorproof, plugin: Plugin, tmp_path):
    answer = "return reference_tanh.tanh(x)"
    functions = "".join(
        f"@operations.native\ndef {name}{signature(name)}:\n    {action}\n    {answer}\n" for name, action in UNREPORTED.items()
    )
    functions = f"import resource\n{functions}"
    chosen = (
        *(f"--op={name}" for name in (*UNREPORTED, "tanh")),
        *ONE,
        "--sample=width_1",
        "--check-timeout=30",
        "--record=run.ndjson",
    )
    outcome = tensorproof("check", "fake", *chosen, path=plugin("fake", functions + BACKEND))
    assert outcome.code == 1, outcome.text[-2000:]
    assert "INTERNALERROR" not in outcome.text
    checks = checks_of(tmp_path / "run.ndjson")
    found = {name: {check["status"] for check in checks if check["operation"] == name} for name in (*UNREPORTED, "tanh")}
    expected = {"relu": "crashed", "sigmoid": "crashed", "softplus": "error", "silu": "error", "gelu": "failed", "tanh": "passed"}
    assert found == {name: {status} for name, status in expected.items()}
    assert any("could not report the check any more: RecursionError" in check["message"] for check in checks)
    assert max(len(check["message"]) for check in checks) < 11_000


def test_a_crash_that_leaves_a_child_and_a_hang_without_its_timer_cost_a_check_each(plugin: Plugin, tmp_path):
    """The child holds the worker's pipe; the stopped worker's own timer stands still."""
    source = """
def once(name):
    try:
        open(os.environ["RELIABILITY_TEST"] + "/" + name, "x").close()
    except FileExistsError:
        return False
    return True

@operations.native
def sigmoid(x):
    if once("crash"):
        if os.fork() == 0:
            time.sleep(600)
        os.kill(os.getpid(), signal.SIGSEGV)
    return reference_sigmoid.sigmoid(x)

@operations.native
def relu(x):
    if once("stop"):
        os.kill(os.getpid(), signal.SIGSTOP)
    return np.maximum(x, 0)
"""
    folder = plugin("fake", source + BACKEND)
    arguments = ("check", "fake", "--op=sigmoid", "--op=relu", *ONE, "--check-timeout=3", "--record=run.ndjson")
    run = start(tmp_path, *arguments, plugins=folder)
    try:
        assert run.wait(timeout=300) == 1, output_of(tmp_path)
        statuses = Counter(line["status"] for line in checks_of(tmp_path / "run.ndjson"))
        assert (statuses["crashed"], statuses["timed_out"]) == (1, 1), output_of(tmp_path)
        (header,) = lines_of(tmp_path / "run.ndjson", "run")
        assert sum(statuses.values()) == header["planned"]
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_ended_keeps_what_it_has_and_leaves_nothing_running(plugin: Plugin, tmp_path, number):
    folder = plugin("fake", SLOW + BACKEND)
    chosen = ("--op=tanh", "--op=sigmoid", *ONE, "--record=run.ndjson", "--report=page.html")
    run = start(tmp_path, "check", "fake", *chosen, plugins=folder)
    try:
        assert wait_for((tmp_path / "slow").exists), output_of(tmp_path)
        assert wait_for(lambda: len(checks_of(tmp_path / "run.ndjson")) > 0)
        os.kill(run.pid, number)
        code = run.wait(timeout=60)
        assert left_of(tmp_path) == {}
    finally:
        kill_all(tmp_path)
    text = output_of(tmp_path)
    assert len(checks_of(tmp_path / "run.ndjson")) > 0
    if number == signal.SIGKILL:
        assert code == -9
        assert lines_of(tmp_path / "run.ndjson", "end") == []
        return
    assert code == 2, text
    (end,) = lines_of(tmp_path / "run.ndjson", "end")
    assert end["ended"] == f"interrupted ({signal.Signals(number).name})"
    assert {line["status"] for line in checks_of(tmp_path / "run.ndjson")} == {"passed"}
    assert "ended early: interrupted" in text
    assert "profile core: incomplete" in text
    assert "Traceback" not in text
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("raise RuntimeError('only one may use the device')", "RuntimeError: only one may use the device"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("sys.stdout = None", "'NoneType' object has no attribute"),
    ],
)
def test_a_backend_that_starts_only_where_it_is_described_ends_the_run_in_one_sentence(
    tensorproof, plugin: Plugin, tmp_path, action, expected
):
    source = f"if 'xdist' in sys.modules:\n    {action}\n" + BACKEND
    outcome = tensorproof("check", "fake", "--op=tanh", *ONE, "--record=run.ndjson", path=plugin("fake", source))
    assert outcome.code == 3, outcome.text
    assert outcome.text.count(expected) == 1, outcome.text
    assert "a worker does not start: " in outcome.text
    assert "Traceback" not in outcome.text
    assert "profile core: incomplete" in outcome.text
    (end,) = lines_of(tmp_path / "run.ndjson", "end")
    assert expected in str(end["ended"])
