"""The options of timing: what is selected, and what is refused, each with a message that says what to type instead."""

import argparse
import sys

import pytest

from tensorproof.contract.backends import specification
from tensorproof.errors import UsageError
from tensorproof.timing.options import add_command_options, check_numbers, chosen_of, origins_of, selected_operations
from tensorproof.timing.processes import python_of
from tensorproof.timing.resources import available_cores


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_command_options(parser)
    return parser.parse_args(["numpy", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads=0"], "--threads: expected at least 1, got 0"),
        (["--threads=9999"], f"--threads: this process may use {available_cores()} cores, got 9999"),
        (["--launches=0"], "--launches: expected at least 1, got 0"),
        (["--rounds=0"], "--rounds: expected at least 1, got 0"),
        (["--seed=-1"], "--seed: expected at least 0, got -1"),
        (["--request-timeout=0"], "--request-timeout: expected a positive number of seconds"),
        (["--request-timeout=1e300"], "--request-timeout: expected a positive number of seconds, at most 1000000"),
        (["--request-timeout=nan"], "--request-timeout: expected a positive number of seconds"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_number_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        check_numbers(options(*arguments))


def test_the_defaults_make_sense():
    check_numbers(options())
    assert chosen_of(options(), ["eager"]) == {
        "workload": ("S", "M"),
        "direction": ("forward", "forward+backward"),
        "dtype": ("float32",),
        "mode": (),
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--workload=XL", r"--workload: nothing is called 'XL'.*there are: S, M, L"),
        ("--direction=backward", r"--direction: nothing is called 'backward'.*there are: forward, forward\+backward"),
        ("--dtype=float3", r"--dtype: nothing is called 'float3'.*did you mean float32"),
        ("--mode=jit", r"--mode: nothing is called 'jit'.*there are: eager"),
    ],
    ids=lambda value: value if value.startswith("--") and "=" in value and ":" not in value else "",
)
def test_a_name_that_is_not_known_is_refused(argument, message):
    with pytest.raises(UsageError, match=message):
        chosen_of(options(argument), ["eager"])


def test_a_name_given_twice_counts_once():
    assert chosen_of(options("--workload=M", "--workload=S", "--workload=M"), [])["workload"] == ("M", "S")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--op=sofmax", "--op: nothing is called 'sofmax' .did you mean softmax"),
        ("--op=feedforward_fitting", "--op: feedforward_fitting is not timed: it has no workload"),
        ("--model=relu", "--model: nothing is called 'relu'"),
    ],
    ids=["op", "fitting", "model"],
)
def test_an_operation_that_cannot_be_timed_is_refused(argument, message):
    with pytest.raises(UsageError, match=message):
        selected_operations(options(argument), specification())


def test_a_model_is_timed_with_its_training_step():
    assert list(selected_operations(options("--model=feedforward"), specification())) == ["feedforward", "feedforward_training"]


def test_everything_that_has_a_workload_is_timed_unless_told_otherwise():
    found = selected_operations(options(), specification())
    assert len(found) > 50
    assert "feedforward_fitting" not in found


@pytest.mark.parametrize(
    ("backends", "environments", "message"),
    [
        (["torch"], ["venv"], "--env: expected LABEL=PATH, such as old=venvs/old, got 'venv'"),
        (["torch"], ["=venv"], "--env: expected LABEL=PATH"),
        (["torch"], ["old="], "--env: expected LABEL=PATH"),
        (["torch"], ["old=/nowhere"], "--env: /nowhere is no virtual environment"),
        (["torch"], [f"a={sys.executable}", f"a={sys.executable}"], "--env: a is given twice"),
        (["torch"], [f"torch={sys.executable}", f"a={sys.executable}"], "--env: a has nothing to supply"),
        (["torch", "torch"], [], "a backend is named twice; to compare it with itself"),
    ],
    ids=["no_label", "empty_label", "no_path", "no_environment", "twice", "no_use", "backend_twice"],
)
def test_an_environment_that_is_of_no_use_is_refused(backends, environments, message):
    with pytest.raises(UsageError, match=message):
        origins_of(backends, environments, None)


def test_environments_supply_backends():
    own = sys.executable
    assert [item.label for item in origins_of(["torch", "jax"], [], None)] == ["torch", "jax"]
    assert [item.label for item in origins_of(["torch"], [f"old={own}", f"new={own}"], "cpu")] == ["old torch", "new torch"]
    mixed = origins_of(["torch", "jax"], [f"torch={own}", f"old={own}"], None)
    assert [item.label for item in mixed] == ["torch", "old jax"]


def test_the_interpreter_of_an_environment_is_found(tmp_path):
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.symlink_to(sys.executable)
    assert python_of(tmp_path) == python
    assert python_of(python) == python
