"""A second device of JAX, made by XLA on the host, is brought up with a declarations file and no change to the plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DECLARATIONS = """
[[device]]
name = "cpu:1"
dtypes = ["float32"]
modes = ["jit"]
"""


def check(folder: Path, *arguments: str, devices: int) -> tuple[int, str]:
    (folder / "device.toml").write_text(DECLARATIONS)
    command = [
        *(sys.executable, "-m", "tensorproof", "check", "jax", "--device=cpu:1", "--declarations=device.toml"),
        *("--op=softmax", "--check=forward", "--record=run.ndjson", *arguments),
    ]
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_every_result_is_computed_on_the_second_device(tmp_path, workers):
    code, text = check(tmp_path, workers, devices=2)
    assert code == 0, text
    lines = [json.loads(line) for line in (tmp_path / "run.ndjson").read_text().splitlines()]
    checks = [line for line in lines if line["kind"] == "check"]
    assert len(checks) > 20
    assert {line["placement"] for line in checks if line["status"] == "passed"} == {"cpu:1"}
    assert {(line["dtype"], line["mode"]) for line in checks} == {("float32", "jit")}


def test_absent_device_is_a_usage_error(tmp_path):
    code, text = check(tmp_path, devices=1)
    assert code == 4
    assert "no device 'cpu:1'" in text
