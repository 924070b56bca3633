"""Operations from outside are described in a process apart: what they do at import ends that one, and is told in a sentence."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tensorproof.conformance.selection.cases import all_cases
from tensorproof.contract import outlines, outside
from tensorproof.contract.description import Description
from tensorproof_reference.catalogue import all_operations

Install = Callable[[str], Path]


@pytest.fixture
def brought(tmp_path: Path) -> Install:
    """Install a distribution that brings operations; returns the folder, for ``PYTHONPATH``."""

    def install(source: str) -> Path:
        folder = tmp_path / "outside"
        metadata = folder / "tensorproof_solids-2.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorproof-solids\nVersion: 2.0\n")
        (metadata / "entry_points.txt").write_text("[tensorproof.operations]\nsolids = solids\n")
        (folder / "solids.py").write_text(source)
        return folder

    return install


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import sys\nsys.exit(0)\n", "operations of 'solids' cannot be imported: SystemExit: 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "importing them ended the process (signal 11)"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_operations_that_leave_or_crash_at_import_are_a_usage_error(tensorproof, brought: Install, source, expected):
    outcome = tensorproof("list", "--op=relu", path=brought(source))
    assert outcome.code == 4, outcome.text
    assert expected in outcome.text
    assert "Traceback" not in outcome.text


def test_operations_that_hang_at_import_are_a_usage_error(brought: Install, monkeypatch):
    monkeypatch.syspath_prepend(brought("import time\ntime.sleep(600)\n"))
    monkeypatch.setattr(outlines, "SECONDS", 1)
    with pytest.raises(outlines.UsageError, match="operations of 'solids': importing them took longer than 1 s"):
        outlines.outlined_specification(0)


def test_reading_records_imports_no_operation_from_outside(tensorproof, brought: Install, tmp_path):
    tensorproof("check", "numpy", "-n0", "--op=tanh", "--check=declared", "--record=run.ndjson")
    folder = brought("open('imported', 'w').close()\n")
    compared = tensorproof("compare", "run.ndjson", "run.ndjson", path=folder)
    assert compared.code == 0, compared.text
    page = tensorproof("report", "run.ndjson", "-o", "page.html", path=folder)
    assert page.code == 0, page.text
    assert not (tmp_path / "imported").exists()


def test_an_outline_lists_the_same_cases_as_the_operation():
    """Told of operations of the specification that have conventions, nested inputs, a distribution, and neither."""
    basic = {name: all_operations()[name] for name in ("relu", "batch_norm", "lstm", "adam", "dropout", "one_hot")}
    outlined = {name: outlines._from_plain(outlines._to_plain(item, 0)) for name, item in basic.items()}
    description = Description("any", "any", ("float64", "float32"), {"any": "spread"}, {}, {}, {}, {}, {}, None)
    assert list(all_cases(description, outlined, 0)) == list(all_cases(description, basic, 0))
    for name, item in outlined.items():
        given = inspect.signature(basic[name].function).parameters.values()
        plain = inspect.signature(item.function).parameters.values()
        assert [(word.name, word.kind, word.default) for word in plain] == [
            (word.name, word.kind, word.default) for word in given
        ]
        assert item.conventions == basic[name].conventions
        assert item.function.__kwdefaults__ == (basic[name].function.__kwdefaults__ or {})
    assert outside.points() == ()
