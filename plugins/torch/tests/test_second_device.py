"""A second device of PyTorch is brought up with a declarations file and no change to the plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DECLARATIONS = """
[[device]]
name = "second:0"
dtypes = ["float32"]
modes = ["eager"]
"""


def check(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, dict[str, int], dict[str, object]]:
    (folder / "device.toml").write_text(DECLARATIONS)
    record = folder / "run.ndjson"
    command = [
        *(sys.executable, "-m", "tensorproof", "check", "torch", "--device=second:0", "-p", "second_device"),
        *("--declarations=device.toml", f"--record={record}", *arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    lines = [json.loads(text) for text in record.read_text().splitlines()] if record.exists() else []
    counts: dict[str, int] = {}
    for line in lines:
        if line["kind"] == "check" and line["check"] != "declared":
            counts[line["status"]] = counts.get(line["status"], 0) + 1
    return done.returncode, done.stdout + done.stderr, counts, lines[0] if lines else {}


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_device_made_in_python_is_checked_in_its_declared_dtypes_and_modes(tmp_path, workers):
    code, text, counts, header = check(tmp_path, "--op=softmax", "--op=sigmoid", workers)
    assert header["dtypes"] == ["float32"], text
    assert header["modes"] == {"eager": "all"}
    assert counts["passed"] > 100, text
    assert not set(counts) - {"passed", "unsupported", "not_meaningful"}, text
    assert code == 0, text


def test_what_the_device_gets_wrong_is_noticed(tmp_path):
    """It drops the strides of its tensors, so a transposed input is read in the wrong order."""
    code, text, counts, _ = check(tmp_path, "--op=matmul", "--sample=strided_transposed_stack", "--check=forward", "-n0")
    assert counts == {"failed": 1}, text
    assert code == 1


def test_silent_fall_back_to_the_host_is_no_pass(tmp_path):
    code, text, counts, _ = check(tmp_path, "--op=relu", "--check=forward", "-n0", SECOND_DEVICE_FALLS_BACK="aten::relu")
    assert counts.get("fell_back", 0) > 10, text
    assert "passed" not in counts
    assert code == 1


def test_without_the_module_the_device_is_absent(tmp_path):
    command = [sys.executable, "-m", "tensorproof", "check", "torch", "--device=second:0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 4
    assert "no device 'second:0'" in done.stderr + done.stdout
