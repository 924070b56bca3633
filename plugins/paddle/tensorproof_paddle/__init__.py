"""PaddlePaddle as a backend: eager, and compiled by ``paddle.jit.to_static`` to one program."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from tensorproof.backend import Backend, Forward, Function, Native, Unsupported, ValueAndVjp, hookimpl
from tensorproof_paddle import (  # noqa: F401 - they register operations
    data,
    functions,
    initializers,
    losses,
    optimizers,
    primitives,
    recurrent,
    windows,
)
from tensorproof_paddle.table import operations
from tensorproof_reference.operation import DTYPES


def _tried(call: Callable[[], Any]) -> Any:
    """What a call returns, or ``Unsupported`` where Paddle says that it has no kernel for the dtype."""
    try:
        return call()
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines()]
        missing = [line for line in lines if "is not registered" in line]
        if missing:
            raise Unsupported(missing[0]) from error
        if isinstance(error, Unsupported):  # While it traces, Paddle writes its own frames before a message.
            raise Unsupported(lines[-1].rpartition("Unsupported: ")[2]) from error
        raise


class PaddleBackend(Backend):
    """PaddlePaddle on the CPU."""

    name = "paddle"
    operations = operations
    modes = {"eager": "all", "to_static": "spread"}
    layouts = recurrent.LAYOUTS
    declarations = Path(__file__).with_name("declarations.toml")

    def __init__(self) -> None:
        self._traces: Counter[str] = Counter()

    def versions(self) -> Mapping[str, str]:
        """Of Paddle, and the commit that it was built from."""
        return {"paddle": paddle.__version__, "commit": str(paddle.version.commit)}

    def open_device(self, device: str) -> None:
        """Make it the place of new tensors."""
        super().open_device(device)
        paddle.set_device(device)

    def dtypes(self, device: str) -> Sequence[str]:
        """All four; many operations lack kernels of 16 bits on a CPU."""
        return DTYPES

    def from_numpy(self, array: Any, dtype: str, device: str) -> Native:
        """A tensor with the array's strides."""
        tensor = paddle.to_tensor(np.array(array, order="C")).astype(dtype)
        steps = [stride // array.itemsize for stride in array.strides]
        if array.size == 0 or array.flags.c_contiguous or min(steps) <= 0:
            return tensor
        length = 1 + sum(step * (count - 1) for step, count in zip(steps, array.shape, strict=True))
        strided = paddle.as_strided(paddle.zeros([length], dtype), array.shape, steps)
        return paddle.assign(tensor, strided)

    def to_numpy(self, value: Native) -> Any:
        """The values; bfloat16 as float32."""
        return (value.astype("float32") if value.dtype == paddle.bfloat16 else value).numpy()

    def dtype_of(self, value: Native) -> str:
        """Paddle's name of the dtype."""
        return str(value.dtype).removeprefix("paddle.")

    def device_of(self, value: Native) -> str | None:
        """``cpu``, or Paddle's own name of the place."""
        return "cpu" if value.place.is_cpu_place() else str(value.place)

    def shares_memory(self, one: Native, other: Native) -> bool:
        """Whether both are views of one allocation."""
        return bool(one._is_shared_buffer_with(other))

    def _in_mode(self, function: Function, mode: str) -> Forward:
        if mode == "eager":
            return function

        def traced(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            self._traces["left_eager" if paddle.in_dynamic_mode() else "compiled"] += 1
            return function(primals, constants)

        compiled: Forward = paddle.jit.to_static(paddle.jit.not_to_static(traced), full_graph=True)
        return compiled

    def forward(self, function: Function, mode: str) -> Forward:
        """The function without gradients, as it is or compiled."""
        run = self._in_mode(function, mode)

        def forward(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            with paddle.no_grad():
                return _tried(lambda: run(primals, constants))

        return forward

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function, as it is or compiled, differentiated by ``paddle.grad``."""
        run = self._in_mode(function, mode)

        def differentiated(primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native]) -> Any:
            leaves = [primal.detach() for primal in primals]
            for leaf in leaves:
                leaf.stop_gradient = False
            with paddle.enable_grad():
                outputs, others = run(leaves, constants)
            connected = [(y, dy) for y, dy in zip(outputs, cotangents, strict=True) if not y.stop_gradient]
            gradients: Sequence[Native | None] = (None,) * len(leaves)
            if connected and leaves:
                ys, dys = zip(*connected, strict=True)
                gradients = paddle.grad(list(ys), leaves, list(dys), allow_unused=True)
            return tuple(y.detach() for y in outputs), tuple(others), tuple(gradients)

        return lambda primals, constants, cotangents: _tried(lambda: differentiated(primals, constants, cotangents))

    def compile_counters(self) -> Mapping[str, int]:
        """Traces to a program, and calls of a compiled function's body outside of one: there Paddle runs it eagerly."""
        return {"compiled": self._traces["compiled"], "left_eager": self._traces["left_eager"]}

    def timed_loop(self, device: str) -> AbstractContextManager[Any]:
        """No gradients but where they are asked for."""
        guard: AbstractContextManager[Any] = paddle.no_grad()
        return guard


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    return PaddleBackend()
