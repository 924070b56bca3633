"""The reference apart from the backend: right answers from its process and its cache, whatever a plugin does to NumPy."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_backend import BACKEND

from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.reference_process import store as store_module
from tensorproof.conformance.reference_process.client import ReferenceFailure, ReferenceProcess
from tensorproof.conformance.reference_process.encoding import from_bytes, key_of, to_bytes
from tensorproof.conformance.reference_process.store import Store, delete_unused
from tensorproof.conformance.selection.cases import samples_of
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.errorbars.rules import precision_of


def expectation(name: str, dtype: str = "float32", sample: int = 0, **keywords: Any) -> Expectation:
    operation = all_operations()[name]
    chosen = list(samples_of(operation, 0).values())[sample]
    chosen = replace(chosen, keywords={**chosen.keywords, **keywords})
    return Expectation(operation, chosen, dtype, 0, precision_of(dtype), keywords.get("source"))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceProcess]:
    found = ReferenceProcess(tmp_path_factory.mktemp("cache"))
    yield found
    found.close()


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    x, y = np.asarray(a), np.asarray(b)
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("part", ["outputs", "closest", "cotangents", "gradients", "fused"])
@pytest.mark.parametrize("operation", ["softmax", "lstm", "max_pool2d"])
def test_the_process_and_its_cache_give_to_the_bit_what_is_computed_here(process, operation, part):
    here = expectation(operation)
    expected = getattr(here, part)
    before = process.counts.copy()
    assert same(process(here, part), expected)
    process(expectation("relu"), "outputs")  # by now the process has kept the part before
    assert same(process(expectation(operation), part), expected)
    assert process.counts["kept"] - before["kept"] >= 1


def test_optimizers_integers_and_models_pass_through_the_process(process):
    for name in ("adam", "accuracy_score", "xor_mlp_training", "xor_mlp_fitting"):
        if name in all_operations():
            here = expectation(name)
            assert same(process(here, "outputs"), here.outputs), name


def test_a_replaced_function_of_numpy_changes_nothing_that_is_expected(process, monkeypatch):
    expected = expectation("relu", "float64").outputs
    asked = expectation("relu", "float64")
    monkeypatch.setattr(np, "maximum", np.minimum)
    assert same(process(asked, "outputs"), expected)
    assert not same(expectation("relu", "float64").outputs, expected)


def test_arguments_that_were_rounded_otherwise_are_refused(process):
    asked = expectation("relu", sample=1)
    asked.arguments = replace(asked.arguments, fingerprint="0" * 64)
    with pytest.raises(ReferenceFailure, match="rounds arguments to other numbers"):
        process(asked, "outputs")


def test_what_the_reference_raises_reaches_the_check(process):
    with pytest.raises(ReferenceFailure, match="axis"):
        process(expectation("softmax", axis=7), "outputs")


def test_a_reference_process_that_ends_is_started_again_once_for_a_question(monkeypatch):
    process = ReferenceProcess(None)
    process(expectation("relu"), "outputs")
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    assert same(process(expectation("relu"), "gradients"), expectation("relu").gradients)
    started = process._started

    def killed() -> "subprocess.Popen[bytes]":
        new = started()
        new.kill()
        return new

    process.close()
    monkeypatch.setattr(process, "_started", killed)
    with pytest.raises(ReferenceFailure, match="ended with exit code -9, 2 times"):
        process(expectation("relu"), "gradients")
    process.close()


def test_an_answer_that_was_not_waited_for_is_not_taken_for_the_next(monkeypatch):
    """What an operation left behind, such as a timer, may interrupt the next check anywhere."""
    process = ReferenceProcess(None)
    process(expectation("relu"), "outputs")

    class InterruptedOnce:
        def __init__(self, pipe: Any) -> None:
            self.close = pipe.close
            self.pipe = pipe
            self.waiting = True

        def read(self, count: int) -> bytes:
            if self.waiting:
                self.waiting = False
                raise KeyboardInterrupt
            return bytes(self.pipe.read(count))

    assert process._process is not None
    monkeypatch.setattr(process._process, "stdout", InterruptedOnce(process._process.stdout))
    with pytest.raises(KeyboardInterrupt):
        process(expectation("tanh"), "outputs")
    assert same(process(expectation("sigmoid"), "outputs"), expectation("sigmoid").outputs)
    process.close()


def in_a_process_of_its_own(program: str, output: int | None = None) -> "subprocess.CompletedProcess[bytes]":
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        [sys.executable, "-P", "-c", f"import os, sys; from test_reference_process import *\n{program}"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=output,
        check=False,
        timeout=120,
    )


def test_a_child_that_an_operation_forks_asks_nothing():
    """Its question would go through the same pipe, and it or its parent would read the other's answer."""
    program = (
        "process = ReferenceProcess(None); child = os.fork()\n"
        "if child == 0: process(expectation('relu'), 'outputs')\n"
        "sys.exit(10 * process.counts['computed'] + os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 2)"
    )
    assert in_a_process_of_its_own(program).returncode == 1


def test_the_process_ends_with_the_one_that_started_it():
    program = (
        "process = ReferenceProcess(None); process(expectation('relu'), 'outputs')\n"
        "print(process._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = in_a_process_of_its_own(program, subprocess.PIPE)
    # Standard error is inherited, so this returns only when nobody has the pipe any more; then the process is gone, or going.
    pid = int(done.stdout)
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.01)
    raise AssertionError("it still runs")


def test_a_key_depends_on_all_that_an_expectation_does():
    keys = [
        key_of(expectation("softmax")),
        key_of(expectation("softmax", "float64")),
        key_of(expectation("softmax", sample=1)),
        key_of(expectation("softmax", axis=0)),
        key_of(expectation("softmax", axis=(0,))),
        key_of(expectation("softmax", axis=[0])),
        key_of(expectation("softmax", axis=0.0)),
        key_of(expectation("softmax", drawn={"a": np.zeros(3)})),
        key_of(expectation("softmax", drawn={"a": np.ones(3)})),
        key_of(expectation("log_softmax")),
    ]
    assert len(set(keys)) == len(keys)
    reduced = expectation("softmax")
    reduced.precision = precision_of("float32", matmul_input_bits=8)
    assert key_of(reduced) != keys[0]


@pytest.mark.parametrize(
    "array", [np.array(-0.0), np.array([np.nan, np.inf]), np.zeros((0, 3)), np.array([1, 2]), np.array([True]), np.eye(3)[:, ::2]]
)
def test_arrays_come_back_from_bytes_as_they_were_and_cannot_be_written_to(array):
    (found,) = from_bytes(to_bytes({"y.0": (array,)}))["y.0"]
    assert same(found, np.ascontiguousarray(array).reshape(array.shape))
    assert not found.flags.writeable


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, to_bytes({"y": (np.ones(4),)})[:-1], to_bytes({"y": (np.ones(4),)}) + b"."])
def test_bytes_of_another_form_are_refused(data):
    with pytest.raises(ValueError, match=r"bytes|header|JSON|decode|Expecting|buffer"):
        from_bytes(data)


def damage_row(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE parts SET data = X'00'")


def damage_file(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def cut_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def test_a_large_entry_is_a_file_and_a_damaged_one_is_never_believed(tmp_path):
    store, data = Store(tmp_path, "f"), b"right" * store_module.FILE_BYTES
    before = store.size()
    store.put("key", data)
    assert store.get("key") == data
    assert store.size() >= before + len(data)
    (file,) = store.path.with_suffix("").iterdir()
    for damaged in (b"", b"short", file.read_bytes()[:-1], file.read_bytes()[:-1] + b"?"):
        file.write_bytes(damaged)
        assert store.get("key") is None
    store.put("key", data)
    assert store.get("key") == data
    store.close()
    os.utime(store.path, (0, 0))
    delete_unused(tmp_path, tmp_path / "other")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [damage_row, damage_file, cut_file])
def test_a_damaged_cache_is_computed_anew_and_never_believed(tmp_path, damage: Callable[[Path], None]):
    store = Store(tmp_path, "f")
    store.put("key", b"right")
    assert store.get("key") == b"right"
    store.close()
    damage(store.path)
    again = Store(tmp_path, "f")
    assert again.get("key") is None
    again.close()
    anew = Store(tmp_path, "f")
    anew.put("key", b"right")
    assert anew.get("key") == b"right"
    anew.close()


def test_a_folder_that_cannot_be_written_means_that_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file", "f")
    store.put("key", b"data")
    assert store.get("key") is None
    assert "exists" in store.problem


def test_no_more_is_kept_than_the_limit(tmp_path, monkeypatch):
    store = Store(tmp_path, "f")
    monkeypatch.setattr(store_module, "LIMIT_BYTES", store.size() + 1000)
    store.put("small", b"." * 10)
    store.put("large", b"." * 100_000)
    assert store.get("small") is not None
    assert store.get("large") is None
    store.close()


def test_what_takes_as_long_to_read_as_to_compute_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "LARGEST_ENTRY_BYTES", 1000)
    store = Store(tmp_path, "f")
    store.put("small", b"." * 1000)
    store.put("large", b"." * 1001)
    assert store.get("small") is not None
    assert store.get("large") is None
    store.close()


def test_the_file_of_another_specification_goes_when_nobody_has_used_it_for_long(tmp_path):
    old, new, own = (Store(tmp_path, name * 16) for name in "abc")
    for store in (old, new, own):
        store.close()
    for store in (old, own):
        os.utime(store.path, (0, 0))
    assert delete_unused(tmp_path, own.path) == [old.path.name]
    assert new.path.exists()
    assert own.path.exists()


def test_a_plugin_that_replaces_a_function_of_numpy_is_refused(tensorproof, plugin):
    path = plugin("fake", "np.maximum = np.minimum\n" + BACKEND)
    outcome = tensorproof("check", "fake", "--op=relu", path=path)
    assert outcome.code == 4, outcome.text
    assert "has replaced numpy.maximum" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_function_of_numpy_that_is_replaced_later_makes_errors_of_checks(tensorproof, plugin, tmp_path):
    source = "@operations.native\ndef relu(x):\n    np.maximum = np.minimum\n    return np.maximum(x, 0)\n"
    path = plugin("fake", source + BACKEND)
    outcome = tensorproof("check", "fake", "--op=relu", "--check=forward", path=path)
    assert outcome.code == 1, outcome.text
    assert "has replaced numpy.maximum" in outcome.text
    assert "does not conform (0 of " in outcome.text, outcome.text
    assert "1 cause" in outcome.text, outcome.text


def test_the_cache_lies_where_one_says_and_nowhere_if_one_wants_none(tensorproof, tmp_path):
    check = ("check", "numpy", "-n0", "--op=tanh", "--sample=plain_both_signs", "--dtype=float32", "--check=forward")
    cached = tmp_path / "cache" / "tensorproof"
    assert tensorproof(*check, "--no-reference-cache").code == 0
    assert not list(cached.glob("*"))
    assert tensorproof(*check).code == 0
    assert len(list(cached.glob("reference_*.sqlite"))) == 1
    assert tensorproof(*check, "--reference-cache=kept").code == 0
    assert [path.name for path in (tmp_path / "kept").glob("*.sqlite")] == [path.name for path in cached.glob("*.sqlite")]


def test_a_folder_that_is_named_and_cannot_be_used_is_a_usage_error(tensorproof, tmp_path):
    (tmp_path / "file").write_text("")
    for workers in ("-n0", "-n1"):
        outcome = tensorproof("check", "numpy", workers, "--op=tanh", "--reference-cache=file")
        assert outcome.code == 4, outcome.text
        assert "--reference-cache: file cannot be used" in outcome.text


def test_a_wrong_seed_is_a_usage_error_in_this_process_too(tensorproof):
    outcome = tensorproof("check", "numpy", "--op=tanh", "--seed=-1", "-n0")
    assert outcome.code == 4, outcome.text
    assert "Traceback" not in outcome.text
