"""What a person reads at the end of a run: each failure once, the frames of plugin and framework, and the verdict last."""

import os
import shutil
import subprocess
import sys

import pytest

import tensorproof.pytest_plugin as front_door

BROKEN = """
    import ctypes

    def relu(x):
        return np.where(x > 0, x, 0.0).astype(x.dtype)

    def tanh(x):
        if np.isnan(x).any():
            ctypes.string_at(0)
        return np.tanh(x)

    def sigmoid(x):
        if x.shape[-1] == 1:
            raise RuntimeError("no \\x1b[31mwidth 1")
        return 1 / (1 + np.exp(-x))


    operations = OperationTable()
    for function in (relu, tanh, sigmoid):
        operations.native(function)

    class Mine(NumpyBackend):
        name = "mine"
        operations = operations

        def dtypes(self, device):
            return ("float32",)

    @hookimpl
    def tensorproof_backend():
        return Mine()
"""


@pytest.fixture
def output(plugin, tensorproof) -> list[str]:
    folder = plugin("mine", BROKEN)
    return tensorproof(
        *("check", "mine", "--check=forward", "--op=relu", "--op=tanh", "--op=sigmoid", "--report=page.html"), path=folder
    ).text.splitlines()


def test_what_a_person_reads_of_a_broken_backend(output):
    text = "\n".join(output)
    assert output[-1].startswith("profile core: does not conform")
    assert output.index("report: page.html") < len(output) - 1

    message = "relu nan_each_lane float32 y: "
    assert sum(line.startswith(message) for line in output) == 1, "told once, in its own section"
    assert "Failed: failed" not in text
    assert sum(line.startswith("FAILED relu nan_each_lane float32 eager forward") for line in output) == 1, "named as it happens"

    assert "Extension modules" not in text
    crash = next(index for index, line in enumerate(output) if line.startswith("crashed: the process ended (signal 11)"))
    assert any("in tanh" in line for line in output[crash : crash + 5])
    assert not any("xdist" in line or "_pytest" in line or "conformance/" in line for line in output[crash : crash + 5])

    assert any(line.startswith("_") and " test_forward[mine:cpu-eager-tanh" in line for line in output), "its heading is its name"

    error = next(index for index, line in enumerate(output) if line.startswith("error: RuntimeError"))
    end = next(index for index in range(error, len(output)) if output[index].startswith("reproduce: "))
    assert "in sigmoid" in "\n".join(output[error:end])
    assert sum("RuntimeError" in line for line in output[error:end]) == 1
    assert "\x1b" not in text
    assert not any(line.endswith("%]") for line in output)


def test_without_workers_each_line_of_progress_stands_alone(tensorproof):
    output = tensorproof("check", "numpy", "--check=forward", "--op=relu", "--dtype=float32", "-n0").text.splitlines()
    progress = [line for line in output if " checks (" in line]
    assert 5 < len(progress) <= 10
    assert all(line[0].isdigit() for line in progress)


def test_checks_of_another_checkout_are_refused(tmp_path):
    other = tmp_path / "suite" / "tensorproof" / "conformance"
    shutil.copytree(front_door.CONFORMANCE, other)
    command = [sys.executable, "-m", "pytest", "-p", "tensorproof.pytest_plugin", "-c", os.devnull, str(other), "--backend=numpy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 4
    assert "are not those of the installed tensorproof" in done.stderr
    assert "pip install -e ." in done.stderr


def test_the_verdict_is_last_in_a_pipe_too_when_pytest_is_the_command(tmp_path):
    chosen = ("--op=relu", "--sample=plain_both_signs", f"--record={tmp_path / 'run.ndjson'}", "-q")
    command = [sys.executable, "-m", "pytest", "-p", "tensorproof.pytest_plugin", "-c", os.devnull, "--backend=numpy", *chosen]
    ended = subprocess.run(
        [*command, "--pyargs", "tensorproof.conformance"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("profile core: incomplete")
