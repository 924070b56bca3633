"""What a killed process has left half written in Inductor's folder spoils no later run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tensorproof_torch.unfinished import delete_unfinished

CHOSEN = ("--op=relu", "--sample=plain_both_signs", "--dtype=float32", "--mode=compile", "--check=forward")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a program that is whole, and one whose building has not ended."""
    for place in ("ab/abc.main", "cd/cde.main"):
        path = tmp_path / f"{place}.so"
        path.parent.mkdir()
        path.write_bytes(b"program")
    (tmp_path / "cd" / "cde.main_CxxBuild").mkdir()
    (tmp_path / "locks").mkdir()
    return tmp_path


def test_what_is_not_finished_is_deleted(folder):
    assert delete_unfinished(folder) == ["cde.main.so"]
    assert sorted(path.name for path in folder.rglob("*main*")) == ["abc.main.so"]


def test_what_another_process_builds_now_is_left(folder):
    with FileLock(folder / "locks" / "cde.lock"):
        assert delete_unfinished(folder) == []
    assert (folder / "cd" / "cde.main.so").exists()


def test_a_run_after_a_killed_one_compiles_again(tmp_path):
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "programs")}

    def check(record: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tensorproof", "check", "torch", *CHOSEN, f"--record={record}"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert check("first.ndjson").returncode == 0
    programs = list((tmp_path / "programs").rglob("*.main.so"))
    for program in programs:
        program.write_bytes(b"")
    broken = check("second.ndjson")
    assert broken.returncode == 1
    assert "file too short" in broken.stdout
    for program in programs:
        program.with_name(program.name.replace(".so", "_CxxBuild")).mkdir()
    assert check("third.ndjson").returncode == 0
