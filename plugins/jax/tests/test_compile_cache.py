"""Programs that JAX compiles in a run of conformance are found again by the next."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from tensorproof_jax import framework


def test_a_second_run_makes_no_program_anew(tmp_path: Path):
    command = [sys.executable, "-m", "tensorproof", "check", "jax", "--op=softmax", "--sample=plain_rows", "--dtype=float32"]
    command += ["--mode=jit", "--compile-cache=kept"]

    def check(record: str) -> tuple[bool, set[tuple[Path, int]]]:
        subprocess.run([*command, f"--record={record}"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
        header = json.loads((tmp_path / record).read_text().partition("\n")[0])
        programs = (tmp_path / "kept" / "jax").rglob("*-cache")
        return header["compiled_before"], {(path, path.stat().st_mtime_ns) for path in programs}

    before, made = check("first.ndjson")
    assert not before
    assert made
    assert check("second.ndjson") == (True, made)


def test_another_build_of_the_same_version_has_a_folder_of_its_own(monkeypatch):
    now = framework.default_cache()
    assert framework.default_cache() == now
    monkeypatch.setattr(framework, "distribution", lambda name: SimpleNamespace(read_text=lambda file: "jaxlib.so,sha256=b,1"))
    assert framework.default_cache() != now
    assert framework.default_cache().parent == now.parent
