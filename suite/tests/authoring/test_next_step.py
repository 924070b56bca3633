"""``tensorproof check NAME --next``: the cheapest failure first, with the smallest input; then what to write."""

import argparse
import subprocess

import made_lines
import pytest
from fake_backend import BACKEND

from tensorproof.authoring import next_step
from tensorproof.authoring.next_step import (
    Stage,
    failing,
    lines_of_failure,
    lines_of_writing,
    record_of,
    stages_of,
    that_ran,
    to_write,
    unsupported_text,
    written_in,
)
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.contract.description import Description
from tensorproof.errors import UsageError
from tensorproof.operation_table import UNWRITTEN
from tensorproof.runs.records import Record
from tensorproof_reference.catalogue import all_operations


def described(sources=(), reasons=None, modes=("eager",), dtypes=("float64", "float32")) -> Description:
    return Description(
        *("fake", "cpu", tuple(dtypes), dict.fromkeys(modes, "all"), dict.fromkeys(sources, "native"), reasons or {}),
        *({}, {}, {}, None),
    )


def stages(**facts):
    description = described(**facts)
    return stages_of(description, written_in(description, all_operations()))


def test_one_sample_comes_first_and_compilers_after_gradients():
    names = [stage.name for stage in stages(sources=("relu", "dropout"), modes=("eager", "jit"))]
    assert names[0] == "arrays that come back as they went"
    assert names[1:] == ["one value each in float32", "values in float64, float32", "gradients", "mode jit", "distributions"]


def test_the_first_values_are_of_first_samples_only():
    first = stages(sources=("relu",))[1]
    assert f"--sample={next(iter(samples_of(all_operations()['relu'], 0)))}" in first.arguments
    assert sum(argument.startswith("--sample") for argument in first.arguments) == 1


def test_a_model_is_checked_when_its_operations_are_there():
    parts = ("dense", "sigmoid", "relu", "mean_squared_error", "sgd", "gradient_descent", "softmax_cross_entropy")
    assert "models and training" not in [stage.name for stage in stages(sources=("relu", "mnist_cnn"))]
    known = all_operations()
    models = [name for name, item in known.items() if item.model]
    assert stages(sources=(*(name for name, item in known.items() if not item.model), *models))[-1].name == "models and training"
    assert len(stages(sources=parts)) == 4


def test_easy_operations_are_written_first_and_declared_ones_never():
    left = [operation.name for operation in to_write(described(("relu",), {"tanh": "no such thing", "gelu": UNWRITTEN}))]
    assert left[0] == "sigmoid"
    assert "tanh" not in left
    assert "relu" not in left
    assert left.index("gelu") < left.index("conv2d") < left.index("lstm") < left.index("adam")


def test_a_backend_that_has_all_has_nothing_to_write():
    assert lines_of_writing(described(all_operations())) == []


def check(operation, size, dtype="float32", **changes):
    finding = {
        "output": "y",
        "outcome": "failed",
        "line": "wrong",
        "largest_z": 1e9,
        "rms_z": 1e9,
        "reason": "bars",
        "size": size,
    }
    return {
        "kind": "check",
        "check": "forward",
        "operation": operation,
        "sample": "plain",
        "dtype": dtype,
        "mode": "eager",
        "required": True,
        "status": "failed",
        "message": f"{operation} wrong",
        "findings": [finding],
        "declaration": "",
        "traceback": "",
        "source": "native",
        "placement": "",
        "command": "",
        "stale": False,
        **changes,
    }


def test_the_smallest_input_in_float32_is_mended_first():
    record = Record({"dtypes": ["float64", "float32"]}, [check("a", 9), check("b", 4), check("c", 1, dtype="float64")])
    found = failing(record)
    assert found is not None
    assert found["operations"] == ["b"]


def test_nothing_fails_where_nothing_is_bad():
    passed = check("a", 9, status="passed", findings=[])
    assert failing(Record({"dtypes": ["float32"]}, [passed])) is None


def test_the_commonest_reason_of_what_is_unsupported_is_told():
    checks = [check("a", 1, status="unsupported", message=text) for text in ("no gradient", "no\x1bgradient", "no gradient")]
    assert unsupported_text(Record({}, checks)) == ", 3 unsupported: no gradient"


def test_a_plugin_is_led_from_its_failure_to_what_is_left(tensorproof, plugin):
    wrong = "@operations.native\ndef sigmoid(x):\n    return 1 / (1 + np.exp(-np.minimum(x, 1)))\n"
    outcome = tensorproof("check", "fake", "--next", path=plugin("fake", wrong + BACKEND))
    assert outcome.code == 1, outcome.text
    lines = outcome.text.splitlines()
    assert lines[0] == "done   adapter: fake on cpu, float64, float32, eager; 2 of 80 operations"
    assert lines[1].startswith("done   arrays that come back as they went: ")
    assert lines[2] == "now    one value each in float32"
    assert "tensorproof check fake --op=sigmoid --check=forward" in outcome.text
    assert lines[-1] == "then   values in float64, float32; gradients"


@pytest.mark.parametrize(("option", "expected"), [("--device=npu", "no device 'npu'"), ("--declarations=no.toml", "no.toml")])
def test_a_usage_error_of_a_stage_is_the_command_s(tensorproof, option, expected):
    outcome = tensorproof("check", "numpy", "--next", option)
    assert outcome.code == 4
    assert expected in outcome.text


def parts_of_a_stage(monkeypatch, path, parts):
    """The record of a stage whose runs leave these statuses, one run after another; and the commands of the runs."""
    commands = []

    def run(command, **keywords):
        statuses = parts[len(commands)]
        commands.append(command)
        if statuses is not None:
            checks = [
                made_lines.check(sample=f"plain_{number}", status=status, findings=[]) for number, status in enumerate(statuses)
            ]
            made_lines.write(path, [made_lines.run(planned=len(checks)), *checks])
        return subprocess.CompletedProcess(command, 0, "", "ERROR: cannot go on")

    monkeypatch.setattr(next_step.subprocess, "run", run)
    options = argparse.Namespace(backend="fake", device="", plugins=[], declarations=[])
    return record_of(options, Stage("values", ("--op=add",)), path), commands


def test_a_long_stage_ends_with_the_part_that_has_a_failure(monkeypatch, tmp_path):
    parts = [("passed", "not_run", "not_run"), ("passed", "failed", "not_run")]
    record, commands = parts_of_a_stage(monkeypatch, tmp_path / "run.ndjson", parts)
    assert ["--resume" in command for command in commands] == [False, True]
    assert all("--time-budget=60" in command for command in commands)
    assert [check["status"] for check in that_ran(record)] == ["passed", "failed"]
    assert lines_of_failure(record, failing(record))[0] == "       1 of 2 checks so far fail; first mend"


def test_a_stage_without_failure_runs_to_its_end(monkeypatch, tmp_path):
    parts = [("passed", "not_run"), ("passed", "passed")]
    record, commands = parts_of_a_stage(monkeypatch, tmp_path / "run.ndjson", parts)
    assert len(commands) == 2
    assert failing(record) is None


def test_a_backend_that_loads_longer_than_a_part_has_no_limit(monkeypatch, tmp_path):
    record, commands = parts_of_a_stage(monkeypatch, tmp_path / "run.ndjson", [("not_run",), ("passed",)])
    assert "--time-budget=60" not in commands[1]
    assert len(record.checks) == 1


def test_a_stage_that_cannot_go_on_is_a_usage_error(monkeypatch, tmp_path):
    parts = [("passed", "not_run"), ("passed", "not_run"), ("passed", "not_run")]
    with pytest.raises(UsageError, match="cannot go on"):
        parts_of_a_stage(monkeypatch, tmp_path / "run.ndjson", parts)
