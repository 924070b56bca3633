"""Models in the suite: added in one place, composed of a backend's operations, missing ones named, and runs that go wrong."""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from plain_options import OPTIONS
from small_backend import SmallBackend
from small_operations import SPECIFICATION

from tensorproof.backend import Backend, Implementation, Unsupported
from tensorproof.conformance.checks import Result, run_check
from tensorproof.conformance.findings import Session
from tensorproof.conformance.selection.cases import Case, Declared, all_cases
from tensorproof.contract.description import describe
from tensorproof.contract.models import composed_fit, composed_model, composed_training_step
from tensorproof.runs.run import result_to_record
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks import evaluation
from tensorproof_reference.networks.fitting import fit_operation
from tensorproof_reference.networks.layers import activation, batch_norm, dense
from tensorproof_reference.networks.operations import STEPS, STEPS_OF_LARGE, model_operation, training_operation
from tensorproof_reference.operation import Operation

MADE = Model(
    name="made_for_tests",
    text="""A dense network with batch normalization, which differs in training and inference.

    Categorical cross-entropy; momentum. Source: these tests.
    """,
    layers={
        "hidden": dense(3, 6),
        "norm": batch_norm(6),
        "tanh": activation("tanh"),
        "scores": dense(6, 3),
        "softmax": activation("softmax"),
    },
    inputs=normal(3),
    targets=one_hot(3),
    loss="categorical_cross_entropy",
    optimizer="momentum",
    optimizer_keywords={"learning_rate": 0.05},
    batch=6,
    fit={"epochs": 2, "batch": 20},
)


def operations_of(model: Model) -> dict[str, Operation]:
    made = (model_operation(model), training_operation(model), fit_operation(model))
    return {operation.name: operation for operation in made}


@pytest.fixture
def specification(monkeypatch) -> Mapping[str, Operation]:
    """The specification with one more model, as each backend of these tests sees it."""
    extended = {**SPECIFICATION, **operations_of(MADE)}
    monkeypatch.setattr(NumpyBackend.operations, "specification", extended)
    return extended


def results_of(backend: Backend, specification: Mapping[str, Operation], *names: str, **only: str) -> Iterator[Result]:
    """The results of the checks of some operations, where the case is as ``only`` says (``dtype``, ``mode``, ``check``)."""
    description = describe(backend, None)
    session = Session(backend, description.device, specification, Declared([], description, specification, 0), 0)
    for case in all_cases(description, {name: specification[name] for name in names}, 0):
        if all(getattr(case, key) in (value, "none") for key, value in only.items()):
            yield run_check(session, case)


def lines_of(results: list[Result]) -> list[str]:
    return [f"{item.case.key}: {item.status}: {item.message}" for item in results]


def small(specification: Mapping[str, Operation], kind: type[SmallBackend] = SmallBackend) -> SmallBackend:
    backend = kind()
    backend.operations.specification = specification
    return backend


def test_a_model_made_in_one_place_is_checked_on_a_backend_of_operations(specification):
    results = list(results_of(NumpyBackend(), specification, *operations_of(MADE)))
    assert {item.case.check for item in results} == {"declared", "forward", "gradient", "purity", "training", "fitting"}
    assert {item.case.sample for item in results} >= {"plain_inference", "statistics_training", "unit_batch", "plain_steps"}
    wrong = [item for item in results if item.status not in ("passed", "not_meaningful")]
    assert not wrong, lines_of(wrong)
    assert all(item.status == "passed" for item in results if item.case.dtype == "float64"), lines_of(results)
    assert {item.source for item in results if item.case.check != "declared"} == {"composed"}


def test_a_model_made_in_one_place_is_differentiated_and_compiled(specification):
    results = list(results_of(small(specification), specification, *operations_of(MADE), dtype="float64"))
    assert {item.case.mode for item in results} == {"none", "eager", "compiled"}
    wrong = [item for item in results if item.status != "passed"]
    assert not wrong, lines_of(wrong)


def test_a_model_made_in_one_place_is_checked_on_pytorch(monkeypatch):
    plugin = pytest.importorskip("tensorproof_torch")
    backend = plugin.tensorproof_backend()
    made = operations_of(MADE_WITHOUT_NORM)
    extended = {**SPECIFICATION, **made}
    monkeypatch.setattr(type(backend).operations, "specification", extended)
    results = list(results_of(backend, extended, *made, dtype="float64", mode="eager"))
    assert len(results) >= 7
    wrong = [item for item in results if item.status != "passed"]
    assert not wrong, lines_of(wrong)


MADE_WITHOUT_NORM = Model(
    **{**vars(MADE), "layers": {name: layer for name, layer in MADE.layers.items() if name != "norm"}},
)
"""``torch.nn`` has other modules for normalization of tables than of images."""


def test_wrong_statistics_in_validation_are_noticed(specification):
    """Only a model whose training and inference differ can tell; the small models of the specification do not."""

    class TrainingModeDuringValidation(SmallBackend):
        def model(self, model: Model) -> Implementation:
            right = composed_model(self, model).function

            def function(*arguments: Any, training: bool = False, **others: Any) -> Any:
                y, loss, after = right(*arguments, training=True, **others)
                return y, loss, after if training else arguments[3]

            return Implementation(function, "composed")

    backend = small(specification, TrainingModeDuringValidation)
    found = list(results_of(backend, specification, "made_for_tests_fitting", dtype="float64", mode="eager"))
    assert [item.status for item in found if item.case.check == "fitting"] == ["failed"]
    assert any("history.validation_loss" in item.message for item in found)


@pytest.mark.parametrize("make", [model_operation, training_operation, fit_operation])
def test_a_layer_of_an_unknown_operation_is_refused_with_the_known_ones(make):
    model = Model(**{**vars(MADE), "layers": {**MADE.layers, "softmax": Layer(operation="sofmax")}})
    with pytest.raises(ValueError, match=r"^operation: expected one of .*'softmax'.*, got 'sofmax'"):
        make(model)


@pytest.mark.parametrize(
    ("missing", "operations"),
    [
        ("tanh", ("made_for_tests", "made_for_tests_training", "made_for_tests_fitting")),
        ("categorical_cross_entropy", ("made_for_tests", "made_for_tests_training", "made_for_tests_fitting")),
        ("momentum", ("made_for_tests_training", "made_for_tests_fitting")),
        ("categorical_accuracy", ("made_for_tests_fitting",)),
    ],
)
@pytest.mark.parametrize("reason", ["the framework has none", ""])
def test_what_a_model_needs_and_a_backend_lacks_is_named(specification, missing, operations, reason):
    backend = small(specification)
    del backend.operations.implementations[missing]
    if reason:
        backend.operations.unsupported(missing, reason)
    results = [item for item in results_of(backend, specification, *operations, mode="eager") if item.case.check != "declared"]
    assert results
    expected = f"the model needs {missing}: {reason or 'not implemented'}"
    assert {(item.status, item.message) for item in results} == {("unsupported", expected)}


def test_a_layer_that_a_framework_refuses_makes_the_model_unsupported(specification):
    class Refusing(SmallBackend):
        def call(self, operation: str, *first: Any, **others: Any) -> Any:
            if operation == "batch_norm":
                raise Unsupported("no statistics of tables")
            return super().call(operation, *first, **others)

    results = list(results_of(small(specification, Refusing), specification, *operations_of(MADE), mode="eager"))
    found = {(item.status, item.message) for item in results if item.case.check != "declared"}
    assert found == {("unsupported", "no statistics of tables")}


class NanFromTheTenthStep(SmallBackend):
    """Overflows in the middle of training."""

    def training_step(self, model: Model) -> Implementation:
        right = composed_training_step(self, model).function

        def function(
            x: Any, target: Any, parameters: Any, state: Any = None, slots: Any = None, taken: Any = 0, **others: Any
        ) -> Any:
            loss, *rest = right(x, target, parameters, state, slots, taken, **others)
            return loss * (np.nan if taken.array >= 10 else 1.0), *rest

        return Implementation(function, "composed")


class OneBiasElsewhere(SmallBackend):
    """Computes one array of each training step on another device."""

    def training_step(self, model: Model) -> Implementation:
        right = composed_training_step(self, model).function

        def function(*arguments: Any, **others: Any) -> Any:
            loss, parameters, *rest = right(*arguments, **others)
            parameters["scores"]["bias"].device = "elsewhere"
            return loss, parameters, *rest

        return Implementation(function, "composed")


def test_a_training_step_of_which_one_array_was_computed_elsewhere_fell_back(specification):
    backend = small(specification, OneBiasElsewhere)
    results = results_of(backend, specification, "made_for_tests_training", dtype="float64", mode="eager")
    assert [item.status for item in results if item.case.check == "training"] == ["fell_back"]


def training_result(backend: Backend, specification: Mapping[str, Operation]) -> Result:
    results = results_of(backend, specification, "made_for_tests_training", dtype="float64", mode="eager")
    return next(item for item in results if item.case.check == "training")


def curves_of(result: Result) -> dict[str, dict[str, Any]]:
    return {item["output"]: item for item in result.findings if "got" in item and isinstance(item["got"], list)}


def test_nan_in_the_middle_of_training_fails_the_check_and_the_run_goes_on(specification):
    result = training_result(small(specification, NanFromTheTenthStep), specification)
    assert result.status == "failed"
    assert "step_10" in result.message
    assert "loss" in result.message
    assert "nan" in result.message
    curve = curves_of(result)["loss"]
    assert len(curve["got"]) == len(curve["expected"]) == STEPS
    assert [str(value) == "nan" for value in curve["got"]] == [step >= 10 for step in range(STEPS)]
    assert np.all(np.isfinite(curve["expected"]))


def test_of_a_large_model_some_steps_are_judged_and_they_are_those_of_a_whole_run(specification, monkeypatch):
    whole = curves_of(training_result(small(specification), specification))["loss"]
    monkeypatch.setattr(evaluation, "LARGE", 10)
    some = curves_of(training_result(small(specification), specification))["loss"]
    assert whole["steps"] == list(range(STEPS))
    assert some["steps"] == list(STEPS_OF_LARGE)
    assert some["expected"] == [whole["expected"][step] for step in STEPS_OF_LARGE]


def test_a_large_model_that_goes_wrong_late_in_training_is_noticed(specification, monkeypatch):
    monkeypatch.setattr(evaluation, "LARGE", 10)
    result = training_result(small(specification, NanFromTheTenthStep), specification)
    assert result.status == "failed"
    assert "step_19" in result.message


def validated(result: Result) -> Any:
    """The line of a record as it is read again, which fits the schema."""
    line = json.loads(json.dumps(result_to_record(result, OPTIONS), allow_nan=False))
    schema = json.loads((files("tensorproof.runs") / "record.schema.json").read_text())
    jsonschema_rs.Draft202012Validator(schema).validate(line)
    return line


def test_a_curve_with_nan_is_in_the_record(specification):
    line = validated(training_result(small(specification, NanFromTheTenthStep), specification))
    assert "nan" in next(item["got"] for item in line["findings"] if item["output"] == "loss" and isinstance(item["got"], list))


def test_curves_are_in_the_findings_and_fit_the_schema(specification):
    results = list(results_of(small(specification), specification, *operations_of(MADE), dtype="float64", mode="eager"))
    by_check = {item.case.check: item for item in results}
    curve = curves_of(by_check["training"])["loss"]
    assert len(curve["got"]) == len(curve["expected"]) == STEPS
    np.testing.assert_allclose(curve["got"], curve["expected"])
    history = curves_of(by_check["fitting"])
    assert set(history) == {f"history.{part}{name}" for part in ("", "validation_") for name in ("loss", "accuracy")}
    for curve in history.values():
        assert len(curve["got"]) == len(curve["expected"]) == MADE.fit["epochs"]
        np.testing.assert_allclose(curve["got"], curve["expected"])
    for result in results:
        validated(result)


def test_a_history_of_another_length_fails_and_is_in_the_record(specification):
    class OneEpochTooMany(SmallBackend):
        def fit(self, model: Model) -> Implementation:
            right = composed_fit(self, model).function

            def function(*arguments: Any, epochs: int = 2, **others: Any) -> Any:
                return right(*arguments, epochs=epochs + 1, **others)

            return Implementation(function, "composed")

    backend = small(specification, OneEpochTooMany)
    results = results_of(backend, specification, "made_for_tests_fitting", dtype="float64", mode="eager")
    result = next(item for item in results if item.case.check == "fitting")
    assert result.status == "failed"
    assert "history.loss: shape (3,), expected (2,)" in result.message
    curve = curves_of(result)["history.loss"]
    assert (len(curve["got"]), len(curve["expected"])) == (3, 2)
    validated(result)


def test_cases_of_models_run_in_the_precisions_that_tell(specification):
    cases: list[Case] = list(all_cases(describe(small(specification), None), operations_of(MADE), 0))
    by_default = {(item.check, item.dtype) for item in cases if item.by_default and item.mode == "eager"}
    assert {dtype for check, dtype in by_default if check == "training"} == {"float64", "float32"}
    assert {dtype for check, dtype in by_default if check == "fitting"} == {"float64"}
    assert {dtype for check, dtype in by_default if check == "forward"} == {"float64", "float32", "bfloat16", "float16"}
    assert {dtype for check, dtype in by_default if check == "gradient"} == {"float64", "float32"}
