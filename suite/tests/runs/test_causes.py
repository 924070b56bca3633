"""Causes: what is wrong together is told together, two defects never are, and every bad check is in a cause."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from faults import ALL, EXTENDED
from faulty import Fault, checks_of, reference, right_vjp
from plain_options import OPTIONS
from small_backend import SmallBackend
from small_operations import OPERATIONS

from tensorproof.conformance.checks import run_check
from tensorproof.runs.baseline import compare
from tensorproof.runs.causes.cause import causes_of, causes_text, compared_causes
from tensorproof.runs.causes.composition import FORMULAS, parts_of
from tensorproof.runs.causes.grouping import found_causes
from tensorproof.runs.causes.symptoms import BAD, exception_of
from tensorproof.runs.records import Record, check_key
from tensorproof.runs.run import result_to_record
from tensorproof_reference import trees
from tensorproof_reference.catalogue import all_operations, known_operations

DTYPES = ("none", "float64", "float32")


class Broken(SmallBackend):
    """The small framework with several faults, one an operation and part."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults

    def _replaced(self, operation: str, part: str) -> Any:
        for fault in self.faults:
            if fault.operation == operation and fault.mode in ("", self.mode) and getattr(fault, part):
                return getattr(fault, part)
        return getattr(OPERATIONS[operation], part)


def fault(operation: str, **parts: Any) -> Fault:
    return Fault(name="planted", operation=operation, group="plain", **parts)


def record_of(backend: SmallBackend, *operations: str, modes: tuple[str, ...] = ("none", "eager")) -> Record:
    """A record of the checks of some operations that a run makes by default."""
    checks = []
    for operation in operations:
        session, cases = checks_of(backend, operation)
        checks += [
            result_to_record(run_check(session, case), OPTIONS)
            for case in cases
            if case.by_default and case.mode in modes and case.dtype in DTYPES
        ]
    header = {"backend": "small", "versions": {}, "declarations": [], "seed": 0, "planned": len(checks)}
    return Record(header, checks)


def names(record: Record) -> list[str]:
    return [cause["name"] for cause in causes_of(record)]


def _no_nan(x):
    return np.where(np.isnan(x), 0.0, x).astype(x.dtype)


def halved(operation: str) -> Any:
    def vjp(dy, *arguments, **keywords):
        return {name: 0.5 * value for name, value in right_vjp(operation, dy, *arguments, **keywords).items()}

    return vjp


def scaled(operation: str) -> Any:
    return lambda *arguments, **keywords: 1.01 * reference(operation, *arguments, **keywords)


TEN = {
    "average_pool2d-padding_always_counted": "average_pool2d-wrong",
    "batch_norm-statistics_taken_as_constants": "batch_norm-d_x-wrong",
    "binary_cross_entropy-clipping_ignored": "binary_cross_entropy-nan-made",
    "conv2d-padding_sides_exchanged": "conv2d-wrong",
    "conv2d_transpose-output_padding_axes_exchanged": "conv2d_transpose-ValueError",
    "dropout-seed_ignored": "dropout-distribution",
    "embedding-gradient_of_zeroed_rows_goes_to_a_neighbour": "embedding-d_weight-wrong",
    "flatten-axes_of_size_one_squeezed_away": "flatten-shape",
    "gelu-gradient_of_the_approximation": "gelu-d_x-wrong",
    "adagrad-parameters_modified_in_place": "adagrad-input-changed",
}
"""Faults of ten operations, with the name of the cause of each."""
MORE = {
    "batch_norm-d_scale-wrong",  # of 1e25, the fault hands the variance on in float32, where it is infinite
    "conv2d_transpose-shape",  # where the exchanged padding raises nothing
}


@pytest.fixture(scope="module")
def ten() -> Record:
    faults = [ALL[key] for key in TEN]
    return record_of(Broken(*faults), *(item.operation for item in faults))


def test_ten_faults_are_ten_causes_none_merged(ten):
    causes = causes_of(ten)
    assert {cause["name"] for cause in causes} == set(TEN.values()) | MORE
    assert len(causes) == len(TEN) + len(MORE)
    assert all(len(cause["operations"]) == 1 for cause in causes)


def test_every_bad_check_is_in_a_cause(ten):
    told = set().union(*(cause.checks.union(*cause.consequences.values()) for cause in found_causes(ten.checks)))
    assert told == {index for index, check in enumerate(ten.checks) if check["status"] in BAD}


def test_lines_of_causes_fit_the_schema(ten):
    schema = json.loads((files("tensorproof.runs") / "record.schema.json").read_text())
    validator = jsonschema_rs.Draft202012Validator(schema)
    for cause in causes_of(ten):
        validator.validate(cause)


def test_the_headline_says_what_where_and_how_often():
    record = record_of(Broken(fault("relu", function=lambda x: reference("relu", _no_nan(x)))), "relu")
    (cause,) = [item for item in causes_of(record) if item["name"] == "relu-nan-lost"]
    assert cause["headline"].startswith("relu: NaN becomes 0")
    assert "all dtypes, eager" in cause["headline"]
    assert all(sample.startswith("nan") for sample in cause["samples"])
    assert cause["smallest"]["check"].endswith("-float64]")
    assert "--op=relu" in cause["smallest"]["command"]
    assert any(cause["headline"] in line for line in causes_text(causes_of(record)))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("dropout-survivors_not_scaled", "dropout-wrong"),
        ("dropout-gradient_draws_another_mask", "dropout-d_x-wrong"),
        ("dropout-gradient_not_scaled", "dropout-d_x-wrong"),
        ("dropout-rate_in_four_bits", "dropout-distribution"),
        ("attention_dropout-survivors_not_scaled", "attention_dropout-wrong"),
        ("attention_dropout-gradient_of_the_values_without_dropout", "attention_dropout-d_value-wrong"),
        ("attention_dropout-same_mask_for_all_heads", "attention_dropout-distribution"),
    ],
)
def test_values_and_chances_of_draws_are_told_apart(key, name):
    fault = {**ALL, **EXTENDED}[key]
    assert names(record_of(Broken(fault), fault.operation))[0] == name


def test_two_defects_of_one_operation_are_two_causes():
    planted = fault("sigmoid", function=lambda x: reference("sigmoid", _no_nan(x)), vjp=halved("sigmoid"))
    found = names(record_of(Broken(planted), "sigmoid"))
    assert "sigmoid-nan-lost" in found
    assert "sigmoid-d_x-wrong" in found


def nan_lost_and_scaled(x):
    return 1.01 * reference("sigmoid", _no_nan(x))


def test_two_defects_of_one_value_are_two_causes():
    found = names(record_of(Broken(fault("sigmoid", function=nan_lost_and_scaled)), "sigmoid"))
    assert {"sigmoid-wrong", "sigmoid-nan-lost"} <= set(found)


TWO_AT_ONCE = {
    ("max_pool2d-maximum_swallows_nan", "max_pool2d-ties_send_the_gradient_to_all"): ("nan-lost", "d_x-wrong"),
    ("relu-nan_becomes_zero", "relu-gradient_at_zero_is_one"): ("nan-lost", "d_x-wrong"),
    ("softmax-maximum_not_subtracted", "softmax-gradient_along_the_last_axis"): ("nan-made", "d_x-wrong"),
}
"""Faults of a value and of a gradient that are there at once, and how the cause of each is called."""


@pytest.mark.parametrize("pair", TWO_AT_ONCE, ids="+".join)
def test_two_faults_at_once_are_not_merged(pair):
    operation = ALL[pair[0]].operation
    record = record_of(Broken(*(ALL[key] for key in pair)), operation)
    assert {f"{operation}-{ending}" for ending in TWO_AT_ONCE[pair]} <= set(names(record))


MERGED = (
    "batch_norm-batch_statistics_used_at_inference",
    "conv2d-padding_axes_exchanged",
    "dense-bias_gradient_is_none",
    "relu-saturates_at_six",
    "scaled_dot_product_attention-mask_inverted",
)
"""Faults that show in several ways, all of which one mistake explains."""
RAISES = {"batch_norm-batch_statistics_used_at_inference": ["batch_norm-ValueError"]}
"""Causes beside that one: batch statistics of a single value are an error, which has no values that a mistake could explain."""


@pytest.mark.parametrize("key", MERGED)
def test_what_one_mistake_explains_is_one_cause(key):
    causes = causes_of(record_of(Broken(ALL[key]), ALL[key].operation))
    (cause,) = [item for item in causes if item["deviation"] != "exception"]
    assert cause["diagnosis"]
    assert [item["name"] for item in causes if item["deviation"] == "exception"] == RAISES.get(key, [])


def test_a_wrong_part_explains_the_model_and_its_training():
    record = record_of(Broken(fault("sigmoid", function=scaled("sigmoid"))), "sigmoid", "feedforward", "feedforward_training")
    (cause,) = causes_of(record)
    assert cause["name"] == "sigmoid-wrong"
    assert {item["operation"] for item in cause["consequences"]} >= {"feedforward", "feedforward_training"}


def test_what_the_part_cannot_explain_stays_a_cause():
    planted = fault("tanh", function=lambda x: reference("tanh", _no_nan(x)))
    other = fault("simple_rnn", vjp=halved_tree)
    found = names(record_of(Broken(planted, other), "tanh", "simple_rnn"))
    assert "tanh-nan-lost" in found
    assert any(name.startswith("simple_rnn-") for name in found)


def halved_tree(dy, *arguments, **keywords):
    gradients = right_vjp("simple_rnn", dy, *arguments, **keywords)
    return trees.replace_leaves(gradients, lambda path, leaf: 0.5 * leaf)


def test_fused_blames_the_neighbour_that_is_wrong():
    record = record_of(Broken(fault("tanh", function=scaled("tanh"))), "tanh", "relu", "sigmoid", modes=("eager", "compiled"))
    (cause,) = causes_of(record)
    assert cause["operations"] == ["tanh"]
    assert {item["operation"] for item in cause["consequences"]} >= {"fused relu", "fused sigmoid"}


def error_line(operation: str, message: str, frame: str) -> dict[str, Any]:
    line = {"check": "forward", "mode": "eager", "operation": operation, "sample": "plain", "dtype": "float32", "status": "error"}
    others = {"findings": [], "declaration": "", "placement": "", "command": "", "traceback": f"  {frame}\n{message}"}
    return {**line, **others, "message": message}


def test_one_exception_at_one_frame_is_one_cause_and_another_message_is_another():
    frame = "plugin/arrays.py:3 in to_native"
    lines = [error_line(name, f"TypeError: shape (3, {size})", frame) for name, size in (("relu", 4), ("tanh", 5))]
    lines.append(error_line("gelu", "TypeError: no such dtype", frame))
    causes = causes_of(Record({}, lines))
    assert [cause["operations"] for cause in causes] == [["relu", "tanh"], ["gelu"]]


def test_generated_frames_do_not_divide():
    first = error_line("relu", "SystemError: x", f"ab/{'c' * 40}.py:9 in call")
    first["traceback"] = f"  lib/run.py:1 in run\n{first['traceback']}"
    assert exception_of(first) == ("SystemError", "lib/run.py:1 in run", "x")


def known_line(operation: str, declaration: str) -> dict[str, Any]:
    return {**error_line(operation, "wrong", ""), "status": "known_failure", "declaration": declaration}


def test_known_failures_are_told_apart_by_declaration():
    record = Record({}, [known_line("relu", "a:1"), known_line("tanh", "a:1"), known_line("tanh", "a:2")])
    causes = causes_of(record)
    assert [(cause["known"], cause["count"]) for cause in causes] == [(True, 2), (True, 1)]
    assert causes_text(causes_of(record)) == ["known failures: 3 checks of 2 declarations"]


def failed_line(operation: str, mode: str, status: str = "failed") -> dict[str, Any]:
    outcome = "failed" if status == "failed" else "passed"
    finding = {"output": "y", "outcome": outcome, "reason": "bars", "got": 1.0, "expected": 2.0, "line": "", "size": 3}
    return {**error_line(operation, "", ""), "mode": mode, "status": status, "findings": [finding]}


@pytest.mark.parametrize(("wrong", "expected"), [(10, 1), (4, 4)])
def test_a_mode_in_which_most_operations_are_wrong_is_one_cause(wrong, expected):
    operations = list(all_operations())[:12]
    lines = [failed_line(name, "compile", "failed" if place < wrong else "passed") for place, name in enumerate(operations)]
    lines += [failed_line(name, "eager", "passed") for name in operations]
    causes = causes_of(Record({}, lines))
    assert len(causes) == expected
    assert (causes[0]["name"] == "compile-mode-wrong") == (wrong == 10)


def test_comparison_tells_new_fixed_and_changed_causes(ten):
    before, after = replace(ten, checks=list(ten.checks)), replace(ten, checks=list(ten.checks))
    before.checks = [check for check in ten.checks if check["operation"] != "flatten"]
    after.checks = [check for check in ten.checks if check["operation"] != "gelu" and check["dtype"] != "float32"]
    lines = compared_causes(before, after)
    assert any(line.startswith("new cause: flatten-shape") for line in lines)
    assert any(line.startswith("fixed cause: gelu-d_x-wrong") for line in lines)
    assert any(line.startswith("changed cause: conv2d-wrong") for line in lines)
    assert compare(ten, ten).causes == ()


def test_a_message_cannot_break_the_line_of_a_terminal():
    line = error_line("relu", "ValueError: a\x1b[31m\rb", "plugin/a.py:1 in f")
    assert all(text.isprintable() for text in causes_text(causes_of(Record({}, [line]))))


def test_parts_are_operations():
    known = known_operations()
    assert not [name for whole, parts in FORMULAS.items() for name in (whole, *parts) if name not in known]


def test_a_loss_of_probabilities_is_not_made_of_softmax_and_one_of_logits_is():
    assert "softmax" in parts_of("softmax_cross_entropy")
    assert not {"softmax", "log_softmax"} & parts_of("sparse_categorical_cross_entropy")


def test_keys_of_checks_are_those_of_the_record(ten):
    keys = {check_key(check) for check in ten.checks}
    assert all(key in keys for cause in causes_of(ten) for key in cause["checks"])
