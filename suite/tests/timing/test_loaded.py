"""Environments that do not supply what is timed are refused: one file for two, or a module of the current folder."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_backend import backend

from tensorproof.errors import UsageError
from tensorproof.timing.crews import Crew, Origin, own_python, require_own_files
from tensorproof.timing.results.records import read_timing_record
from tensorproof.timing.worker.loaded import framework_files, place_of

PLUGIN = "import fakework\n" + backend("""
declarations = None

def versions(self):
    return {"fakework": fakework.__version__}
""")
Environment = Callable[..., str]


@pytest.fixture
def environment(tmp_path: Path, plugin: Callable[..., Path]) -> Environment:
    """Makes an interpreter that finds a framework of some version, and the plugin for it; returns its path."""
    plugins = plugin("fake", PLUGIN)

    def make(name: str, version: str, framework: Path | None = None) -> str:
        folder = tmp_path / "environments" / name
        folder.mkdir(parents=True)
        if framework is None:
            (folder / "fakework.py").write_text(f'__version__ = "{version}"\n')
        script = folder / "python"
        path = os.pathsep.join([str(framework or folder), str(plugins)])
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{path}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
        script.chmod(0o755)
        return f"--env={name}={script}"

    return make


SHORT = ("--op=tanh", "--workload=S", "--direction=forward", "--series-seconds=0.1", "--rounds=6", "--launches=1")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder to run in that holds a module of the framework's name."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "fakework.py").write_text('__version__ = "0.0.checkout"\n')
    return folder


def test_two_environments_with_one_file_are_refused(tensorproof, environment: Environment, checkout: Path, tmp_path: Path):
    first = environment("old", "1.0")
    second = environment("new", "1.0", framework=tmp_path / "environments" / "old")
    done = tensorproof("duel", "fake", first, second, *SHORT, folder=checkout)
    assert done.code == 4, done.text
    assert "--env: old and new load the same files of fakework (in another folder); give each an environment" in done.text


def test_a_framework_from_the_current_folder_is_refused(tensorproof, environment: Environment, checkout: Path):
    folders = [environment("old", "1.0"), environment("new", "2.0", framework=checkout)]
    done = tensorproof("duel", "fake", *folders, *SHORT, folder=checkout)
    assert done.code == 4, done.text
    assert "--env: new fake loads fakework from the current folder, not from its environment" in done.text


def test_a_checkout_in_the_current_folder_does_not_stand_in_for_what_is_installed(
    tensorproof, environment: Environment, checkout: Path
):
    folders = [environment(name, version) for name, version in (("old", "1.0"), ("new", "2.0"))]
    done = tensorproof("duel", "fake", *folders, *SHORT, "--record=duel.ndjson", "--report=page.html", folder=checkout)
    assert done.code == 0, done.text
    assert "old fake: fakework 1.0; from another folder" in done.text
    assert "new fake: fakework 2.0; from another folder" in done.text
    assert [item["place"] for item in read_timing_record(checkout / "duel.ndjson").header["backends"]] == ["another folder"] * 2
    assert "new fake eager" in done.text
    assert any(verdict in done.text for verdict in ("faster", "slower", "= same", "not resolved"))
    (line,) = read_timing_record(checkout / "duel.ndjson").duels
    assert line["reference"] == "old fake eager"
    page = (checkout / "page.html").read_text(encoding="utf-8")
    assert "from another folder" in page
    assert "new fake eager" in page
    assert "record: " not in page


def crew(label: str, **told: object) -> Crew:
    found = Crew(Origin("torch", label, own_python(), None), 1, None, Path())
    found.hello = {"loaded": told}
    return found


def test_files_that_differ_in_one_module_are_two_builds():
    one = {"files": {"tensorflow": "/a/t", "keras": "/a/k"}, "place": "its environment"}
    other = {"files": {"tensorflow": "/a/t", "keras": "/b/k"}, "place": "its environment"}
    require_own_files([crew("old", **one), crew("new", **other)])
    with pytest.raises(UsageError, match="old and new load the same files of tensorflow, keras"):
        require_own_files([crew("old", **one), crew("new", **one)])


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("/home/ann/env/lib/x.py", "its environment"),
        ("/usr/lib/python3/x.py", "the base interpreter"),
        ("/home/ann/x.py", "the current folder"),
        ("/elsewhere/x.py", "another folder"),
    ],
)
def test_places_are_told_by_kind(file, place):
    assert place_of({"x": file}, Path("/home/ann"), Path("/home/ann/env"), Path("/usr")) == place


def test_of_several_modules_the_one_from_the_current_folder_is_told():
    files = {"a": "/home/ann/env/a.py", "b": "/home/ann/b.py"}
    assert place_of(files, Path("/home/ann"), Path("/home/ann/env"), Path("/usr")) == "the current folder"


def test_a_framework_without_a_module_of_its_name_is_the_plugin():
    backend = SimpleNamespace(versions=lambda: {"no such module": "1"})
    assert framework_files(backend) == {"types": str(Path(sys.modules["types"].__file__).resolve())}
