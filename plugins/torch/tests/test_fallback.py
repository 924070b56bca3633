"""What PyTorch runs eagerly in silence is told: past the limit of compilations, at a graph break, and with the compiler off."""

from typing import Any

import pytest
import torch
from faulty import checks_of

from tensorproof.backend import Implementation
from tensorproof.conformance.checks import Result, run_check
from tensorproof_torch import TorchBackend

# What Inductor imports warns of parts of PyTorch itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


class Traced(TorchBackend):
    """Functions are traced by Dynamo and run as traced: nothing is generated, which takes seconds."""

    def _in_mode(self, function: Any, mode: str) -> Any:
        return function if mode == "eager" else self.compiled(function)

    def compiled(self, function: Any) -> Any:
        return torch.compile(lambda primals, constants: function(primals, constants), backend="eager", dynamic=False)


@pytest.fixture(autouse=True)
def reset():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def forward(backend: TorchBackend, operation: str, count: int = 1) -> list[Result]:
    session, cases = checks_of(backend, operation)
    chosen = [case for case in cases if (case.mode, case.check, case.dtype) == ("compile", "forward", "float32")]
    return [run_check(session, case) for case in chosen[:count]]


def test_what_is_past_the_limit_of_one_code_object_fell_back():
    statuses = [result.status for result in forward(Traced(), "tanh", 14)]
    limit = torch._dynamo.config.recompile_limit
    assert statuses[0] == "passed"
    # Value and gradient are compiled apart, so a check takes two compilations at most.
    assert "fell_back" in statuses[: limit + 1]
    assert "passed" not in statuses[statuses.index("fell_back") :]


def test_a_graph_break_is_told_and_known_ones_are_recorded():
    def sigmoid(x):
        torch._dynamo.graph_break()
        return torch.sigmoid(x)

    broken = Traced()
    broken.operations = type(broken.operations)()
    broken.operations.implementations = {**Traced.operations.implementations, "sigmoid": Implementation(sigmoid, "native")}
    (result,) = forward(broken, "sigmoid")
    assert result.status == "fell_back"
    assert result.compiled["graph_breaks"] >= 1
    broken.breaks_graph = lambda operation, mode: operation == "sigmoid"
    torch._dynamo.reset()
    (known,) = forward(broken, "sigmoid")
    assert known.status == "passed"
    assert known.compiled["graph_breaks"] >= 1


def test_a_compiler_that_is_off_is_told(monkeypatch):
    class Off(Traced):
        def compiled(self, function: Any) -> Any:
            return torch.compile(function, disable=True)

    (result,) = forward(Off(), "tanh")
    assert result.status == "fell_back"
    assert "nothing was compiled" in result.message


def test_recurrent_layers_are_known_to_break_and_matrix_products_are_not():
    backend = TorchBackend()
    assert backend.breaks_graph("lstm", "compile")
    assert backend.breaks_graph("rnn_classifier_training", "compile")
    assert not backend.breaks_graph("matmul", "compile")
    assert not backend.breaks_graph("dcgan_training", "compile")
    assert not backend.breaks_graph("lstm", "eager")


def test_views_share_memory_and_copies_do_not():
    backend, x = TorchBackend(), torch.ones(2, 3)
    assert backend.shares_memory(x, x.flatten())
    assert not backend.shares_memory(x, x + 0.0)
    assert not backend.shares_memory(torch.ones(0), torch.ones(0))
