"""Each variant of a mode does what its name says, and says so where it did not."""

from typing import Any

import pytest
import torch
from faulty import checks_of

from tensorproof.conformance.checks import run_check
from tensorproof_torch import TorchBackend
from tensorproof_torch.variants import DYNAMIC, EXPORT, RECOMPUTE, VMAP, batched

# What Inductor imports warns of parts of PyTorch itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


class Given:
    """A function of its primals, as the suite gives it to a backend."""

    operation = "tanh"

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, primals: Any, constants: Any) -> Any:
        return (self.function(*primals),), ()


def chain(x: Any, w: Any) -> Any:
    for _ in range(3):
        x = torch.tanh(x @ w)
    return x


@pytest.fixture(autouse=True)
def reset():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def statuses(backend: TorchBackend, mode: str) -> list[str]:
    session, cases = checks_of(backend, "tanh")
    chosen = [case for case in cases if (case.mode, case.sample, case.dtype) == (mode, "plain_both_signs", "float32")]
    return [run_check(session, case).status for case in chosen]


@pytest.mark.parametrize("mode", TorchBackend.variants)
def test_each_passes_what_is_right(mode):
    found = statuses(TorchBackend(), mode)
    assert len(found) >= 3
    assert set(found) == {"passed"}


def test_sizes_are_compiled_as_unknown():
    backend = TorchBackend()
    run = backend.forward(Given(chain), DYNAMIC)
    run((torch.rand(4, 5), torch.rand(5, 5)), ())
    before = backend.compile_counters()
    run((torch.rand(6, 7), torch.rand(7, 7)), ())
    assert backend.compile_counters() == before


def kept(mode: str) -> int:
    """How many arrays besides its arguments a function keeps for its gradient."""
    leaves = [torch.rand(8, 8, requires_grad=True) for _ in range(2)]
    (y,), _ = TorchBackend()._in_mode(Given(chain), mode)(leaves, ())
    places = {leaf.data_ptr() for leaf in leaves}
    return sum(item.data_ptr() not in places for item in y.grad_fn.saved_tensors)


def test_what_is_computed_again_is_not_kept():
    assert kept("compile") > 0
    assert kept(RECOMPUTE) == 0


def test_a_batch_holds_the_numbers_in_other_places_and_the_argument():
    x = torch.arange(6.0).reshape(2, 3)
    assert batched(x).tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]], x.tolist()]
    assert batched(torch.tensor(True)).tolist() == [True, True]
    assert batched(torch.empty(0, 2)).shape == (2, 0, 2)


def test_the_result_is_that_of_the_argument_and_a_mix_of_the_batch_is_seen():
    class Mixing(torch.autograd.Function):
        generate_vmap_rule = False

        @staticmethod
        def forward(x: Any) -> Any:
            return x - x.mean()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            pass

        @staticmethod
        def vmap(info: Any, dims: Any, x: Any) -> Any:
            return x - x.mean() * torch.tensor([[1.0], [2.0]]), 0

    x = torch.arange(3.0)
    for function, right in ((lambda x: x - x.mean(), True), (Mixing.apply, False)):
        (y,), _ = TorchBackend().forward(Given(function), VMAP)((x,), ())
        assert torch.equal(y, x - 1.0) == right


@pytest.mark.parametrize("mode", [EXPORT, VMAP])
def test_what_is_neither_exported_nor_called_on_a_batch_fell_back(monkeypatch, mode):
    class Off(TorchBackend):
        def _in_mode(self, function: Any, mode: str) -> Any:
            return function

    assert set(statuses(Off(), mode)) == {"fell_back"}


def test_memory_is_no_matter_where_arguments_are_copied():
    backend = TorchBackend()
    assert [mode for mode in (*backend.modes, *backend.variants) if backend.copies_arguments(mode)] == [VMAP]
