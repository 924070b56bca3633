"""``tensorproof new``: what it writes installs and passes at once, and holds a stub for each operation."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tensorproof.authoring.scaffold import files_of
from tensorproof.backend import OperationTable, PluginError
from tensorproof.errors import UsageError
from tensorproof.operation_table import UNWRITTEN
from tensorproof_reference.registry import basic_operations


@pytest.fixture
def new_plugin(tensorproof, tmp_path: Path) -> Path:
    """The folder of a new plugin, with the metadata that an installation gives it."""
    assert tensorproof("new", "mine", "--dir=mine").code == 0
    folder = tmp_path / "mine"
    group = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]["tensorproof.backends"]
    metadata = folder / "tensorproof_mine-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorproof-mine\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tensorproof.backends]\nmine = {group['mine']}\n")
    return folder


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [variables.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_every_operation_is_there_or_a_stub():
    sources = [text for name, text in files_of("mine").items() if name.endswith(".py")]
    functions = [node.name for text in sources for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert set(basic_operations()) <= set(functions)


def test_stubs_have_formula_and_page():
    text = files_of("mine")["tensorproof_mine/functions.py"]
    assert ":math:`y_k = e^{x_k} / \\sum_j e^{x_j}`" in text
    assert "tensorproof show softmax" in text


def test_its_own_tests_pass(new_plugin):
    done = pytest_in(new_plugin, "tests")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_conformance_runs_in_its_folder_and_passes(new_plugin):
    done = pytest_in(new_plugin, "--backend=mine", "--op=relu", "--op=softmax", "--check=forward", "-n0")
    assert done.returncode == 0, done.stdout
    assert "unsupported" in done.stdout


def test_a_mistake_in_it_fails(new_plugin):
    path = new_plugin / "tensorproof_mine" / "functions.py"
    path.write_text(path.read_text().replace("np.maximum(x, 0)", "np.maximum(x, 1)"))
    assert pytest_in(new_plugin, "--backend=mine", "--op=relu", "--check=forward", "-n0").returncode == 1


def test_a_folder_that_holds_something_is_left_alone(tensorproof, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("mine")
    outcome = tensorproof("new", "mine", "--dir=mine")
    assert outcome.code == 4
    assert "is there already" in outcome.text
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-npu", "lower-case letters"),
        ("class", "cannot name a backend"),
        ("../x", "cannot name"),
        ("numpy", "choose another name"),
    ],
)
def test_a_name_that_no_backend_can_have_is_refused(name, expected):
    with pytest.raises(UsageError, match=expected):
        files_of(name)


def test_a_stub_must_have_the_signature_of_its_operation():
    table = OperationTable()

    def softmax(x, axis=-1):
        """A keyword that is none."""

    with pytest.raises(PluginError, match=r"softmax\(x, \*, axis=-1\)"):
        table.unwritten(softmax)


def test_a_stub_is_no_implementation():
    table = OperationTable()

    @table.unwritten
    def relu(x):
        """Later."""

    assert table.reasons == {"relu": UNWRITTEN}
    assert not table.implementations
