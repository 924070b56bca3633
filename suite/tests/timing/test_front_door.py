"""``pytest --backend=NAME --benchmark-only`` and ``tensorproof time`` and ``duel``, as a user types them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorproof as package
from tensorproof.timing.front_door import CONDITIONS
from tensorproof.timing.results.records import METHOD, read_timing_record

CONFORMANCE = Path(package.__file__).parent / "conformance"
ONE = ("--op=relu", "--workload=S", "--direction=forward")


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder of its own, as in a checkout without other configuration."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-p", "tensorproof.pytest_plugin", "-c", os.devnull, f"--rootdir={folder}"]
    command += ["--import-mode=importlib", "-p", "no:cacheprovider", str(CONFORMANCE), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables, check=False)


@pytest.fixture(scope="module")
def benchmarked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of one series through pytest-benchmark, saved and recorded."""
    folder = tmp_path_factory.mktemp("benchmarked")
    arguments = (*ONE, "--backend=numpy", "--benchmark-only", "--benchmark-json=b.json", "--benchmark-save=first")
    return folder, run_pytest(folder, *arguments, "--record=t.ndjson", "--series-seconds=0.2")


def test_samples_reach_the_table_and_the_json_of_pytest_benchmark(benchmarked):
    folder, done = benchmarked
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_timing[numpy:cpu-eager-relu-S-forward-float32]" in done.stdout
    (benchmark,) = json.loads((folder / "b.json").read_text())["benchmarks"]
    (line,) = read_timing_record(folder / "t.ndjson").timings
    clock = line["clocks"]["throughput hot"]
    assert benchmark["stats"]["rounds"] == len(clock["samples_ns"])
    assert benchmark["stats"]["min"] * 1e9 == pytest.approx(min(clock["samples_ns"]), rel=1e-3)
    assert benchmark["extra_info"]["error"]["outcome"] == "passed"
    assert benchmark["extra_info"]["clock"] == "throughput hot"


def test_the_run_leaves_a_complete_record(benchmarked):
    folder, _ = benchmarked
    record = read_timing_record(folder / "t.ndjson")
    assert record.complete
    assert record.limits is not None
    assert record.header["launches"] == 1
    (line,) = record.timings
    assert set(line["clocks"]) == {"throughput hot", "latency hot", "latency cold"}
    assert all("ok" in answer for answer in line["trust"].values())


def test_saved_runs_are_compared_and_a_slow_down_fails(benchmarked):
    folder, _ = benchmarked
    (saved,) = folder.glob(".benchmarks/*/0001_first.json")
    told = json.loads(saved.read_text())
    for benchmark in told["benchmarks"]:
        for name in ("min", "max", "mean", "median"):
            benchmark["stats"][name] /= 100.0
    saved.write_text(json.dumps(told))
    done = run_pytest(
        folder, *ONE, "--backend=numpy", "--benchmark-only", "--benchmark-compare", "--benchmark-compare-fail=median:50%"
    )
    assert done.returncode == 1
    assert "Performance has regressed" in done.stdout + done.stderr


@pytest.fixture
def saved(benchmarked, tmp_path: Path) -> Path:
    """A folder with a copy of what the first run has stored."""
    shutil.copytree(benchmarked[0] / ".benchmarks", tmp_path / ".benchmarks")
    return tmp_path


def compared(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of the series that is compared with what is stored in a folder."""
    options = ("--backend=numpy", "--benchmark-only", "--benchmark-compare", "--benchmark-compare-fail=median:1%")
    return run_pytest(folder, *ONE, *options, "--series-seconds=0.2", *arguments)


def test_the_conditions_of_measuring_are_stored(saved):
    (file,) = saved.glob(".benchmarks/*/*.json")
    conditions = json.loads(file.read_text())["machine_info"]["tensorproof"]
    assert set(conditions) == set(CONDITIONS)
    assert conditions["threads"] == 1
    assert conditions["launches"] == 1


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("threads", 7, "threads 7, here 1"),
        ("method", 0, f"method 0, here {METHOD}"),
        ("machine", "a made-up machine", "machine a made-up machine, here"),
        ("instructions", "sse2", "instructions sse2, here"),
        ("cores", 999, "cores 999, here"),
    ],
)
def test_runs_under_other_conditions_are_not_compared(saved, name, value, shown):
    (file,) = saved.glob(".benchmarks/*/*.json")
    stored = json.loads(file.read_text())
    stored["machine_info"]["tensorproof"][name] = value
    file.write_text(json.dumps(stored))
    done = compared(saved)
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"--benchmark-compare: the stored run was measured under other conditions: {shown}" in done.stderr
    assert "regressed" not in done.stdout + done.stderr


def test_other_launches_are_other_conditions_and_are_told_before_anything_is_measured(saved):
    done = compared(saved, "--launches=2")
    assert done.returncode == 4
    assert "launches 1, here 2" in done.stderr
    assert "test session starts" not in done.stdout


def test_a_run_that_was_stored_without_its_conditions_is_not_compared(saved):
    (file,) = saved.glob(".benchmarks/*/*.json")
    stored = json.loads(file.read_text())
    del stored["machine_info"]["tensorproof"]
    file.write_text(json.dumps(stored))
    done = compared(saved)
    assert done.returncode == 4
    assert "the stored run does not say under which conditions it was measured" in done.stderr


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        pytest.param("--sample=plain", "--workload", id="samples"),
        pytest.param("-n2", "timings stay in one process", id="workers"),
        pytest.param("--workload=XL", "there are: S, M, L", id="workload"),
        pytest.param("--direction=backward", "there are: forward, forward+backward", id="direction"),
        pytest.param("--op=dropout", "is not timed", id="untimed operation"),
        pytest.param("--launches=0", "--launches: expected at least 1", id="launches"),
        pytest.param("--threads=100000", "--threads", id="threads"),
    ],
)
def test_a_usage_error_says_what_to_type_instead(tmp_path, argument, message):
    done = run_pytest(tmp_path, "--backend=numpy", "--benchmark-only", argument)
    assert done.returncode == 4
    assert message in done.stderr


def test_conformance_collects_no_timings(tmp_path):
    done = run_pytest(tmp_path, "--backend=numpy", "--op=relu", "--collect-only", "-q", "-n0")
    assert done.returncode == 0
    assert "test_timing" not in done.stdout
    assert "test_forward" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("numpy", "numpy"), "named twice", id="twice"),
        pytest.param(("nump",), "did you mean numpy", id="backend"),
        pytest.param(("numpy", "--env=old"), "LABEL=PATH", id="environment"),
        pytest.param(("numpy", "--env=old=nowhere"), "no virtual environment", id="path"),
        pytest.param(("numpy", "--op=sofmax"), "did you mean softmax", id="operation"),
        pytest.param(("numpy", "--shard=3/2"), "--shard", id="shard"),
        pytest.param(("numpy", "--device=gpu:9", "--op=relu"), "gpu:9", id="device"),
    ],
)
def test_bad_arguments_of_a_duel_are_named(tensorproof, arguments, message):
    done = tensorproof("duel", *arguments)
    assert done.code == 4
    assert message in done.text
