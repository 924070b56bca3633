"""Purity notices reused memory, changed arguments and memory that is shared in one mode only, each by its own words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faulty import checks_of
from small_backend import SmallBackend, Value

from tensorproof.conformance.checks import Result, run_check


def purity_of(backend: SmallBackend, operation: str, mode: str = "eager", classes: tuple[str, ...] = ("plain",)) -> list[Result]:
    """The purity checks of an operation's samples of some classes in a mode."""
    session, cases = checks_of(backend, operation)
    chosen = [case for case in cases if case.check == "purity" and case.mode == mode and case.sample.split("_")[0] in classes]
    assert chosen
    return [run_check(session, case) for case in chosen]


class Around(SmallBackend):
    """A backend that does something to the results of every call in the modes of ``modes_hit``."""

    modes_hit: tuple[str, ...] = ("eager", "compiled")

    def around(self, results: tuple[Value, ...], primals: Any) -> tuple[Value, ...]:
        raise NotImplementedError

    def forward(self, function: Any, mode: str) -> Any:
        run = super().forward(function, mode)

        def hit(primals: Any, constants: Any) -> Any:
            outputs, others = run(primals, constants)
            return self.around(outputs, primals), self.around(others, primals)

        return hit if mode in self.modes_hit else run

    def value_and_vjp(self, function: Any, mode: str) -> Any:
        run = super().value_and_vjp(function, mode)

        def hit(primals: Any, constants: Any, cotangents: Any) -> Any:
            outputs, others, gradients = run(primals, constants, cotangents)
            return self.around(outputs, primals), others, gradients

        return hit if mode in self.modes_hit else run


class OneBuffer(Around):
    """Results of one shape lie in one buffer, which the next call uses again."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: dict[Any, Any] = {}

    def around(self, results, primals):
        def moved(value: Value) -> Value:
            buffer = self.buffers.setdefault((value.array.shape, value.array.dtype), np.empty_like(value.array))
            buffer[...] = value.array
            return Value(buffer, value.dtype, value.device, self)

        return tuple(moved(value) for value in results)


class ReplayedBuffer(OneBuffer):
    """As a replayed graph: its results lie in one place when compiled."""

    modes_hit = ("compiled",)


class OneGradientBuffer(SmallBackend):
    """Gradients of one shape lie in one buffer."""

    def value_and_vjp(self, function: Any, mode: str) -> Any:
        run, buffers = super().value_and_vjp(function, mode), {}

        def hit(primals: Any, constants: Any, cotangents: Any) -> Any:
            outputs, others, gradients = run(primals, constants, cotangents)
            for number, gradient in enumerate(gradients):
                buffer = buffers.setdefault((number, gradient.array.shape), np.empty_like(gradient.array))
                buffer[...] = gradient.array
                gradient.array = buffer
            return outputs, others, gradients

        return hit


class CopyWhenCompiled(Around):
    """When compiled, results are copies, also those that are views of an argument when run eagerly."""

    modes_hit = ("compiled",)

    def around(self, results, primals):
        return tuple(Value(value.array.copy(), value.dtype, value.device, self) for value in results)


class ViewWhenCompiled(Around):
    """When compiled, a result lies in its argument's memory, which holds the same numbers."""

    modes_hit = ("compiled",)

    def around(self, results, primals):
        flat = primals[0].array.reshape(results[0].array.shape)
        return (Value(flat, results[0].dtype, results[0].device, self),)


class CopyWhenEager(ViewWhenCompiled):
    """Eagerly, results are copies."""

    modes_hit = ("eager", "compiled")

    def around(self, results, primals):
        if self.mode == "compiled":
            return super().around(results, primals)
        return tuple(Value(value.array.copy(), value.dtype, value.device, self) for value in results)


class ArgumentHalved(Around):
    """Each call halves its argument, so that the next one gives another result."""

    def around(self, results, primals):
        primals[0].array[...] *= 0.5
        return results


@pytest.mark.parametrize(
    ("make", "mode", "operation"),
    [
        (OneBuffer, "eager", "tanh"),
        (OneBuffer, "compiled", "tanh"),
        (OneBuffer, "eager", "one_hot"),
        (ReplayedBuffer, "compiled", "softmax"),
        (OneGradientBuffer, "eager", "matmul"),
    ],
)
def test_a_result_that_a_later_call_overwrites_is_wrong(make: Callable[[], SmallBackend], mode: str, operation: str):
    results = purity_of(make(), operation, mode)
    assert {result.status for result in results} == {"failed"}
    assert all("a later call with other values changed the result of an earlier one" in result.message for result in results)


def test_reused_memory_is_noticed_outside_plain_samples_too():
    results = purity_of(OneBuffer(), "sigmoid", classes=("width", "magnitude"))
    assert {result.status for result in results} == {"failed"}


def test_a_buffer_that_only_the_compiler_reuses_is_no_fault_of_the_eager_mode():
    assert {result.status for result in purity_of(ReplayedBuffer(), "softmax")} == {"passed"}


def test_a_changed_input_is_told_as_that_and_not_as_two_results():
    (first, *_) = purity_of(ArgumentHalved(), "tanh")
    assert first.status == "failed"
    assert first.message == "tanh plain_both_signs the call changed its input x"
    assert "two results" not in first.message


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        (CopyWhenCompiled(), "y: shares memory with x in mode eager, and not in mode compiled"),
        (CopyWhenEager(), "y: shares memory with x in mode compiled, and not in mode eager"),
    ],
)
def test_memory_shared_with_an_argument_in_one_mode_only_is_wrong(backend, text):
    (result, *_) = purity_of(backend, "flatten", "compiled")
    assert result.status == "failed"
    assert text in result.message
    assert {result.status for result in purity_of(backend, "flatten")} == {"passed"}


class Immutable(CopyWhenCompiled):
    """No program can write to its arrays."""

    def shares_memory(self, one, other):
        return None


def test_shared_memory_is_no_matter_where_no_program_can_write():
    assert {result.status for result in purity_of(Immutable(), "flatten", "compiled")} == {"passed"}


@pytest.mark.parametrize("operation", ["tanh", "flatten", "matmul", "embedding", "one_hot", "batch_norm", "lstm", "adam"])
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_right_backend_is_pure(operation: str, mode: str):
    results = purity_of(SmallBackend(), operation, mode, ("plain", "size", "strided"))
    assert {result.status for result in results} == {"passed"}, [result.message for result in results]
