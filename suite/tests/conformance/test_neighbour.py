"""Fused operations: a failure says what with, and which part fails alone."""

import pytest
from faults import ALL
from faulty import Fault, checks_of, reference
from plain_options import OPTIONS
from small_backend import SmallBackend

from tensorproof.conformance.checks import run_check
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.records import Record
from tensorproof.runs.run import result_to_record


def planted(operation):
    def wrong(*arguments, **keywords):
        return 1.01 * reference(operation, *arguments, **keywords)

    return Fault(name="planted", operation=operation, group="plain", function=wrong)


def fused_results(backend, operation, modes=("eager",)):
    session, cases = checks_of(backend, operation)
    chosen = [case for case in cases if case.check == "fused" and case.mode in modes and case.dtype == "float64"]
    return [run_check(session, case) for case in chosen]


@pytest.mark.parametrize(
    ("fault", "operation", "ending"),
    [
        (planted("tanh"), "relu", "tanh fails alone too"),
        (planted("relu"), "relu", "relu fails alone too"),
        (ALL["conv2d-bias_moved_behind_a_fused_tanh"], "conv2d", "each is right alone"),
    ],
    ids=["neighbour", "itself", "together"],
)
def test_a_failure_names_the_neighbour_and_the_part_that_fails_alone(fault, operation, ending):
    results = [
        result for result in fused_results(SmallBackend(fault), operation, ("eager", "compiled")) if result.status == "failed"
    ]
    assert results
    for result in results:
        assert result.message.startswith(f"{operation} fused with tanh ")
        assert result.message.endswith(ending)


def test_a_part_that_cannot_be_run_alone_is_not_blamed():
    class OnlyFused(SmallBackend):
        def value_and_vjp(self, function, mode):
            if function.operation:
                raise RuntimeError("operations alone are not compiled here")
            return super().value_and_vjp(function, mode)

    (result,) = fused_results(OnlyFused(planted("tanh")), "relu")
    assert result.status == "failed"
    assert "alone" not in result.message


def test_a_neighbour_that_is_not_checked_itself_is_one_cause():
    backend = SmallBackend(planted("tanh"))
    lines = [
        result_to_record(result, OPTIONS) for name in ("relu", "sigmoid", "softplus") for result in fused_results(backend, name)
    ]
    (cause,) = causes_of(Record({}, lines))
    assert cause["name"] == "tanh-wrong-when-fused"
    assert cause["operations"] == ["relu", "sigmoid", "softplus"]
