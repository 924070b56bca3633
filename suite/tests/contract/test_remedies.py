"""What a plugin's author reads after a mistake: the cause, and what to write instead."""

import types
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from tensorproof.backend import Backend, Implementation, OperationTable, PluginError, hookimpl
from tensorproof.conformance.execution import Runs
from tensorproof.conformance.expectation import expectation_of
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.contract import backends
from tensorproof.contract.backends import backend_of
from tensorproof.errors import UsageError
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.errorbars.rules import precision_of


class Mine(Backend):
    name = "mine"


def module(hook=None, mark=True) -> types.ModuleType:
    found = types.ModuleType("tensorproof_mine")
    if hook is not None:
        found.tensorproof_backend = hookimpl(hook) if mark else hook
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (module(), "tensorproof_mine has no function tensorproof_backend; end it with @hookimpl def tensorproof_backend"),
        (
            module(lambda: Mine(), mark=False),
            "tensorproof_backend in tensorproof_mine is not marked as a hook; write @hookimpl above",
        ),
        (module(lambda: None), r"tensorproof_backend returned None; it must return the backend: return MyBackend\(\)"),
        (module(lambda: Mine), r"returned the class Mine; it must return an object of it: return Mine\(\)"),
        (module(lambda: 3), "returned int, not a Backend; derive its class from tensorproof.backend.Backend"),
        (module(lambda: 1 / 0), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_hook_is_told_with_its_remedy(given, expected):
    with pytest.raises(UsageError, match=expected):
        backend_of(given, "mine")


def test_a_name_that_differs_is_told_with_both_names_and_which_to_change():
    with pytest.raises(UsageError) as caught:
        backend_of(module(lambda: Mine()), "yours")
    assert "the entry point is called 'yours', the backend calls itself 'mine'" in str(caught.value)
    assert "write name = 'yours' in Mine, or rename the entry point in pyproject.toml" in str(caught.value)


def installed_points(monkeypatch, *groups: str) -> None:
    points = EntryPoints(EntryPoint("mine", "tensorproof_mine", group) for group in groups)
    monkeypatch.setattr(backends, "entry_points", lambda **chosen: points.select(**chosen) if chosen else points)


@pytest.mark.parametrize("group", ["tensorproof.backend", "tensorproof_backends", "tensorprof.backends"])
def test_a_misspelt_group_is_told_with_what_is_in_it(monkeypatch, group):
    installed_points(monkeypatch, group, "console_scripts", "tensorproof.operations")
    with pytest.raises(UsageError) as caught:
        backends.load("mine")
    assert f"The group of entry points is 'tensorproof.backends', but {group!r} holds mine" in str(caught.value)


def test_groups_of_others_are_not_named(monkeypatch):
    installed_points(monkeypatch, "console_scripts", "tensorproof.operations")
    with pytest.raises(UsageError) as caught:
        backends.load("mine")
    assert str(caught.value).endswith("installed: none")


def run_of(function) -> None:
    """One eager run of softmax as ``function``."""

    class Wrong(NumpyBackend):
        operations = OperationTable()

    Wrong.operations.implementations["softmax"] = Implementation(function, "native")
    operation = all_operations()["softmax"]
    sample = samples_of(operation, 0)["plain_rows"]
    expectation = expectation_of(operation, sample, "float32", 0, precision_of("float32"))
    Runs(Wrong(), "cpu").of(expectation, "eager", ("x",)).first(gradient=False)


def test_an_operation_that_returns_nothing_is_told_so():
    with pytest.raises(PluginError, match="softmax returned None, expected y: its function lacks a return"):
        run_of(lambda x, *, axis=-1: None)


@pytest.mark.parametrize(("returned", "word"), [([1.0], "list"), ({"y": 1.0}, "dict"), (([1.0],), "list")])
def test_an_operation_that_returns_its_value_in_a_container_is_told_so(returned, word):
    with pytest.raises(PluginError, match=f"softmax returned a {word} for y, expected an array of the framework"):
        run_of(lambda x, *, axis=-1: returned)


def test_an_operation_that_returns_its_value_is_not():
    run_of(lambda x, *, axis=-1: np.ones_like(x))


@pytest.mark.parametrize(
    ("returned", "expected"),
    [(None, "returned NoneType; it must return a tuple \\(outputs, other outputs\\)"), ((1, 2, 3), "returned 3 parts; it must")],
)
def test_what_forward_makes_must_return_two_tuples(monkeypatch, returned, expected):
    monkeypatch.setattr(NumpyBackend, "forward", lambda self, function, mode: lambda primals, constants: returned)
    with pytest.raises(PluginError, match=expected):
        run_of(lambda x, *, axis=-1: x)
