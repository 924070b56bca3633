"""Operations that another distribution brings: checked and counted by a profile of their own, with functions of a backend."""

import json
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tensorproof.contract import outside
from tensorproof.contract.backends import load, specification
from tensorproof.errors import UsageError

MODULE = """
    import numpy as np
    from tensorproof.backend import OperationTable, hookimpl
    from tensorproof_reference.operation import Operation, Sample

    def cube(x):
        '''Each number times its square: :math:`y = x^3`.'''
        return x * x * x

    def vjp(dy, x):
        return {"x": 3 * dy * x * x}

    def samples(stream):
        yield Sample(name="plain_values", inputs={"x": stream("x").normal((3, 4))})

    CUBE = Operation(function=cube, vjp=vjp, samples=samples, family="elementwise", profile="PROFILE")
    table = OperationTable({"cube": CUBE})

    @table.composed
    def cube(x):
        return FORMULA

    @hookimpl
    def tensorproof_operations():
        return [CUBE]

    @hookimpl
    def tensorproof_implementations(backend):
        return RETURNED
"""
RIGHT = {"PROFILE": "solids", "FORMULA": "x * x * x", "RETURNED": "table if backend == 'numpy' else None"}


@pytest.fixture
def brought(tmp_path: Path, monkeypatch):
    """Install a distribution that brings operations, in its folder and in this process; returns the folder."""

    def install(**changes: str) -> Path:
        folder = tmp_path / "outside"
        metadata = folder / "tensorproof_solids-2.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorproof-solids\nVersion: 2.0\n")
        module = f"solids_{abs(hash(str(tmp_path)))}"
        (metadata / "entry_points.txt").write_text(f"[tensorproof.operations]\nsolids = {module}\n")
        source = textwrap.dedent(MODULE)
        for word, text in {**RIGHT, **changes}.items():
            source = source.replace(word, text)
        (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(outside, "points", lambda: (EntryPoint("solids", module, outside.GROUP),))
        return folder

    return install


@pytest.fixture
def numpy_backend(monkeypatch):
    """The NumPy backend, whose table is as it was afterwards."""
    table = load("numpy").operations
    for name in ("specification", "implementations", "reasons"):
        monkeypatch.setattr(table, name, getattr(table, name))


def test_they_are_in_the_specification_after_its_own(brought):
    brought()
    assert list(specification())[-1] == "cube"


@pytest.mark.usefixtures("numpy_backend")
def test_a_backend_has_the_functions_that_are_brought_for_it(brought):
    brought()
    table = load("numpy").operations
    assert table.implementations["cube"].source == "composed"
    assert "cube" in table.specification


@pytest.mark.usefixtures("numpy_backend")
def test_a_backend_that_nothing_is_brought_for_lacks_them(brought):
    brought(RETURNED="None")
    assert "cube" not in load("numpy").operations.implementations


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PROFILE": "core"}, "cube is of profile 'core', which is the specification's; write profile='solids'"),
        ({"PROFILE": "extended"}, "cube is of profile 'extended', which is the specification's; write profile='solids'"),
        ({"PROFILE": "all"}, "cube is of profile 'all', which is the specification's; write profile='solids'"),
        ({"cube": "relu"}, "relu exists already"),
        ({"cube": "exp"}, "exp exists already"),
        ({"def samples": "1 / 0\ndef samples"}, "cannot be imported: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_told_from_the_core_is_refused(brought, changes, expected):
    brought(**changes)
    with pytest.raises(UsageError, match=expected):
        specification()


@pytest.mark.usefixtures("numpy_backend")
def test_a_hook_that_returns_no_table_is_told_so(brought):
    brought(RETURNED="{'cube': cube}")
    with pytest.raises(UsageError, match="tensorproof_implementations returned dict; it must return an OperationTable, or None"):
        load("numpy")


def test_they_are_checked_by_their_profile_and_never_by_core(brought, tensorproof, tmp_path):
    folder = brought()
    ran = tensorproof("check", "numpy", "--profile=solids", "-n0", "--record=solids.ndjson", path=folder)
    assert ran.code == 0, ran.text
    assert ran.text.splitlines()[-1].startswith("profile solids: conforms (")
    header, *lines = map(json.loads, (tmp_path / "solids.ndjson").read_text(encoding="utf-8").splitlines())
    assert {line["operation"] for line in lines if line["kind"] == "check"} == {"adapter", "cube"}
    assert header["versions"]["tensorproof-solids"] == "2.0"
    listed = tensorproof("list", "--names", path=folder)
    assert "cube" not in listed.text.split()


def test_a_mistake_in_them_is_noticed(brought, tensorproof):
    folder = brought(FORMULA="x * x")
    ran = tensorproof("check", "numpy", "--profile=solids", "-n0", path=folder)
    assert ran.code == 1
    assert "--op=cube" in ran.text
