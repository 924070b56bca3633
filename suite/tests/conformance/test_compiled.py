"""A compiled mode proves that it compiled: what ran eagerly fell back, and is no pass."""

from typing import Any

import pytest
from faulty import checks_of
from small_backend import Program, SmallBackend

from tensorproof.conformance.checks import Result, run_check


def results_of(backend: SmallBackend, operation: str, mode: str = "compiled", sample: str = "plain") -> list[Result]:
    """The results of an operation's checks in a mode, of the samples whose names begin so."""
    session, cases = checks_of(backend, operation)
    return [
        run_check(session, case)
        for case in cases
        if case.mode == mode and case.dtype in ("float32", "float64") and case.sample.startswith(sample)
    ]


class Limited(SmallBackend):
    """A compiler that compiles eight functions, and runs all others as they are, in silence."""

    def prepared(self, function: Any, mode: str) -> Any:
        if mode == "eager" or self.counted["compiled"] >= 8:
            return function
        return Program(self, function)


class Breaking(SmallBackend):
    """A compiler that gives up a part of each function."""

    known: frozenset[str] = frozenset()

    def prepared(self, function: Any, mode: str) -> Any:
        program = super().prepared(function, mode)
        if mode != "eager":
            self.counted["left_eager"] += 1
            self.counted["graph_breaks"] = self.counted.get("graph_breaks", 0) + 2
        return program

    def breaks_graph(self, operation: str, mode: str) -> bool:
        return operation in self.known


class KnownToBreak(Breaking):
    """One that is known to give up parts of matrix products."""

    known = frozenset({"matmul"})


class SaysNothing(SmallBackend):
    """A compiler that keeps no counts."""

    def compile_counters(self):
        return {}


class Disabled(SmallBackend):
    """A compiler that is switched off."""

    def prepared(self, function: Any, mode: str) -> Any:
        return function


class DisabledAndWrong(Disabled):
    def forward(self, function: Any, mode: str) -> Any:
        run = super().forward(function, mode)

        def wrong(primals: Any, constants: Any) -> Any:
            outputs, others = run(primals, constants)
            return tuple(output * 1.01 for output in outputs), others

        return wrong


def test_all_that_a_compiler_compiles_passes():
    results = results_of(SmallBackend(), "matmul")
    assert {result.status for result in results} == {"passed"}
    assert all(result.compiled["compiled"] >= 1 for result in results)


def test_checks_that_find_what_an_earlier_check_compiled_pass():
    forward, gradient, *_ = results_of(SmallBackend(), "tanh", sample="plain_both")
    assert (forward.status, gradient.status) == ("passed", "passed")
    assert gradient.compiled == forward.compiled


def test_what_is_past_the_limit_of_a_compiler_fell_back_and_is_no_pass():
    results = results_of(Limited(), "sigmoid", sample="")
    statuses = [result.status for result in results]
    assert statuses[0] == "passed"
    assert statuses[-1] == "fell_back"
    assert "passed" not in statuses[statuses.index("fell_back") :]
    assert results[-1].message.endswith("ran eagerly in mode compiled: nothing was compiled")


def test_eager_checks_of_such_a_compiler_pass():
    assert {result.status for result in results_of(Limited(), "sigmoid", "eager")} == {"passed"}


def test_a_part_that_was_left_eager_fell_back():
    results = results_of(Breaking(), "matmul")
    assert {result.status for result in results} == {"fell_back"}
    assert "the compiler gave up 2 of 4 functions, and broke graphs 4 times" in results[0].message


def test_where_breaks_are_known_the_record_says_how_much_was_compiled():
    results = results_of(KnownToBreak(), "matmul")
    assert {result.status for result in results} == {"passed"}
    assert results[0].compiled == {"compiled": 2, "left_eager": 2, "graph_breaks": 4}


class KnownToBreakAndDisabled(KnownToBreak):
    def prepared(self, function: Any, mode: str) -> Any:
        return function


def test_where_breaks_are_known_something_must_be_compiled_all_the_same():
    assert {result.status for result in results_of(KnownToBreakAndDisabled(), "matmul")} == {"fell_back"}


def test_a_framework_that_does_not_tell_is_taken_on_trust():
    results = results_of(SaysNothing(), "tanh")
    assert {result.status for result in results} == {"passed"}
    assert results[0].compiled == {}


def test_a_wrong_value_is_worse_than_a_fallback():
    results = results_of(DisabledAndWrong(), "mean_squared_error")
    assert results[0].status == "failed"


@pytest.mark.parametrize(("backend", "status"), [(SmallBackend(), "passed"), (Disabled(), "fell_back")])
def test_training_steps_find_what_an_earlier_check_of_the_model_compiled(backend, status):
    results = results_of(backend, "xor_mlp_training", sample="")
    assert len(results) > 1
    assert {result.status for result in results} == {status}, [result.message for result in results]
