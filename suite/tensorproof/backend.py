"""The contract: all that the author of a plugin has to read.

A plugin is a distribution with an entry point in the group ``tensorproof.backends``, whose name is the backend's name and
whose value is a module. In that module a pluggy hook hands over the backend::

    import numpy as np
    from tensorproof.backend import Backend, OperationTable, hookimpl

    operations = OperationTable()

    @operations.native
    def softmax(x, *, axis=-1):
        return myframework.softmax(x, axis)

    class MyBackend(Backend):
        name = "mine"
        operations = operations

        def versions(self):
            return {"myframework": myframework.__version__}

        def dtypes(self, device):
            return ("float32",)

        def from_numpy(self, array, dtype, device):
            return myframework.array(array)

        def to_numpy(self, value):
            return np.asarray(value)

        def dtype_of(self, value):
            return str(value.dtype)

        def device_of(self, value):
            return "cpu"

    @hookimpl
    def tensorproof_backend():
        return MyBackend()

That is enough for ``pytest --backend=mine`` to say what is right and what is missing. Everything else has a default.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pluggy
from numpy.typing import NDArray

from tensorproof.contract.strides import numpy_strides
from tensorproof.contract.transcript import Entry, Hand, Traced, Transcript, Value, flat_results
from tensorproof.instructions import highest_here, require_x86
from tensorproof.operation_table import Implementation, OperationTable, PluginError, Unsupported
from tensorproof_reference.model import Model
from tensorproof_reference.rounding import STORED

__all__ = [
    "PROJECT",
    "Backend",
    "Entry",
    "Forward",
    "Function",
    "Hand",
    "Implementation",
    "Native",
    "OperationTable",
    "PluginError",
    "ScriptTemplate",
    "Traced",
    "Transcript",
    "Unsupported",
    "Value",
    "ValueAndVjp",
    "flat_results",
    "hookimpl",
    "numpy_dtype",
    "numpy_strides",
    "require_x86",
]

PROJECT = "tensorproof"
hookimpl = pluggy.HookimplMarker(PROJECT)

Native = Any
"""An array of the backend's framework."""


class Function(Protocol):
    """What the suite asks a backend to run: an operation with all but its arrays filled in.

    ``primals`` are the arrays to differentiate with respect to, ``constants`` the other arrays (integers, booleans, and
    floating arrays held fixed). The result is a pair: the outputs through which gradients flow, and the other outputs.
    """

    operation: str
    """The operation's name, or ``""`` for a composition of several."""
    primal_paths: tuple[str, ...]
    """Where each primal belongs: ``x``, ``parameters.0.1.bias``."""
    constant_paths: tuple[str, ...]
    """Where each constant belongs."""

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Inputs by name (nested as the operation takes them) and keywords, for a backend without automatic differentiation."""
        ...

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """Run the operation."""
        ...


@dataclass(frozen=True)
class ScriptTemplate:
    """How one call looks as a program in the framework's own calls, for ``--dump``: pieces of Python text.

    Around them the suite writes ``function(primals, constants)``, which returns (outputs, other outputs), from the source of
    the plugin's function; and the tuples of arrays ``primals``, ``constants`` and, for a gradient, ``cotangents``.
    """

    setup: str
    """Imports and settings, and two functions: ``array(values, dtype)``, which is ``Backend.from_numpy`` on the device, and
    ``numbers(value)``, which is ``Backend.to_numpy``. ``numpy`` is imported before as ``np``."""
    forward: str
    """Statements that run ``function`` in the mode and set ``outputs`` and ``others``."""
    gradient: str = ""
    """Statements that set ``outputs``, ``others`` and ``gradients``; empty if the framework has no gradients."""
    vjp: Callable[..., Any] | None = None
    """Without automatic differentiation, the function that gives the gradients, called as ``Operation.vjp``. In the script it
    is ``pull(primals, constants, cotangents)``."""


Forward = Callable[[Sequence[Native], Sequence[Native]], tuple[tuple[Native, ...], tuple[Native, ...]]]
ValueAndVjp = Callable[
    [Sequence[Native], Sequence[Native], Sequence[Native]],
    tuple[tuple[Native, ...], tuple[Native, ...], tuple[Native | None, ...]],
]


class Backend:
    """A framework on the devices of this machine. Override what differs; the methods that raise must be overridden."""

    name: str = ""
    operations: OperationTable
    modes: Mapping[str, str] = {"eager": "all"}
    """How functions are run (``eager`` and each compiler), each with what is run by default: ``all`` samples in every dtype,
    ``float32`` (all samples in that dtype), or ``spread`` (a few samples of each operation in float32). ``--thorough`` runs
    all of every mode."""
    variants: Mapping[str, str] = {}
    """Further modes, also with what is run of them: settings of a compiler (``compile:dynamic``), ways to call a function
    (``vmap``). Only ``--mode`` and ``--thorough`` run them, and no verdict requires them. Declarations name each by its name."""
    layouts: Mapping[str, Mapping[str, str]] = {}
    """By operation, the axes of inputs and outputs where they differ from the reference's, in einops notation with the
    reference's axis names, merged axes in parentheses: ``{"conv2d": {"x": "n h w c", "weight": "h w i o"}}``. For an axis that
    enumerates things, its order: ``{"lstm": {"input_weights": "(g h) f", "g": "ifgo"}}``. The suite permutes before and after;
    a plugin holds no transpose."""
    declarations: Path | None = None
    """The TOML file of declarations (``tensorproof.contract.declarations`` says what may be in it)."""

    def versions(self) -> Mapping[str, str]:
        """Versions of the framework and its libraries, and build flags, for the record."""
        raise NotImplementedError("a backend must say its versions: def versions(self)")

    def devices(self) -> Sequence[str]:
        """The devices present, the default one first. Other names are accepted if ``open_device`` accepts them."""
        return ("cpu",)

    def open_device(self, device: str) -> None:
        """Get ready to use a device, and set exact arithmetic (no TF32, float64 where there is one, highest precision).

        Raises:
            ValueError: there is no such device.
        """
        if device not in self.devices():
            raise ValueError(f"no device {device!r}; present: {', '.join(self.devices())}")

    def arithmetic(self, device: str) -> Mapping[str, str]:
        """The settings of arithmetic in force on a device (TF32, precision, threads), for the header and the record."""
        return {}

    def instructions(self, device: str) -> Mapping[str, str]:
        """The highest instruction set that each kernel library may use on a device: ``{"onednn": "avx512_bf16"}``.

        The words are those of ``tensorproof.instructions`` (``avx2``, ``avx512``, ``avx512_bf16``, ``amx``, ``neon``, …),
        ``off`` for a library that is not used, and a device's own words elsewhere (``sm_90``). Ask the framework where it tells;
        else take the processor's and what switches leave of it. The default is the processor's on ``cpu``.
        """
        return {"kernels": highest_here()} if device.partition(":")[0] == "cpu" else {}

    def instruction_switches(self, level: str) -> Mapping[str, str]:
        """The environment variables that keep kernels to an instruction set, to be set before the framework is imported.

        ``instructions`` is asked afterwards whether they took.

        Raises:
            Unsupported: the framework has no such switch; the message says so.
        """
        raise Unsupported("it has no switch for instruction sets")

    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """What the framework's layers and optimizers do unless told otherwise, where frameworks differ: by operation, numbers
        and words by name (``{"adam": {"epsilon": 1e-7}, "lstm": {"biases": 2, "gates": "ifgo"}}``). For the record; not judged.
        """
        return {}

    def dtypes(self, device: str) -> Sequence[str]:
        """Which of float64, float32, bfloat16 and float16 the device has. What is not declared is never tried."""
        raise NotImplementedError("a backend must say its dtypes: def dtypes(self, device)")

    def held_dtypes(self, device: str) -> Sequence[str]:
        """Other dtypes that single arrays of a call may have, where a sample says so: floats that the device computes nothing in
        (float8_e4m3fn, float8_e5m2, or of the four those that ``dtypes`` leaves out) and integers (int8, uint8, int16, int32).

        int64 and bool are taken for granted. A sample that names another is unsupported.
        """
        return ()

    def from_numpy(self, array: NDArray[Any], dtype: str, device: str) -> Native:
        """A framework array of ``dtype`` on ``device``.

        ``array`` holds values that ``dtype`` represents exactly: float64, float32 or float16 for these dtypes, float32 for
        bfloat16 and float8, and the dtype itself for integers and bool. It belongs to the backend, and may be a strided view:
        keep the strides if the framework has them.
        """
        raise NotImplementedError("a backend must take arrays: def from_numpy(self, array, dtype, device)")

    def to_numpy(self, value: Native) -> NDArray[Any]:
        """The values as a NumPy array of any dtype that holds them exactly (float32 for bfloat16 and float8), waiting until
        ready."""
        raise NotImplementedError("a backend must give arrays back: def to_numpy(self, value)")

    def dtype_of(self, value: Native) -> str:
        """The dtype's name: float64, float32, bfloat16, float16, int64, int32, bool…"""
        raise NotImplementedError("a backend must name dtypes: def dtype_of(self, value)")

    def device_of(self, value: Native) -> str | None:
        """Where the array is, named as ``devices`` does; ``None`` if the framework cannot tell (placement unverified)."""
        return None

    def wait(self, results: Any, device: str) -> None:
        """Return when ``results`` are computed, and all work before them on the device.

        ``results`` is what ``forward`` or ``value_and_vjp`` returned: a tuple of two or three tuples of arrays, with ``None``
        among the gradients. From ``cache_flusher`` it is a tuple of one array. A backend may walk any depth of tuples.

        Needed wherever a call may return before its work is done: without it, what is timed is the asking.
        """

    def forward(self, function: Function, mode: str) -> Forward:
        """The function in a mode. Compile here or at the first call; all arrays are arguments, none is a constant.

        ``eager`` is what a user gets who asks for no compiler. A framework that only records calls (a lazy one) computes the
        outputs before the call returns, all at once, with what it fuses by default: ``myframework.realize(*outputs, *others)``.
        Otherwise an error shows in ``to_numpy`` only, and the time of a call is that of recording it. Training steps come here
        as ``eager``, whatever the modes: they ask for what they compile by themselves.
        """
        if mode == "eager":
            return function
        raise Unsupported(f"mode {mode} has no implementation")

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        """The function and its vector-Jacobian product in a mode, compiled together.

        The result is called with (primals, constants, cotangents), one cotangent for each differentiable output, and
        returns (outputs, other outputs, gradients): one gradient for each primal, ``None`` where it is not connected.
        """
        raise Unsupported("no automatic differentiation")

    def script(self, operation: str, mode: str, device: str) -> ScriptTemplate | None:
        """What makes a failing call of an operation a stand-alone script. ``None`` (the default): the script calls the plugin."""
        return None

    def model(self, model: Model) -> Implementation | None:
        """A model built from the framework's own layers, with the given weights loaded into them.

        The implementation's function is called as ``function(x, target, parameters, state=None, *, training=False,
        conventions={})`` and returns the output, the loss and the state afterwards (``None`` if the model has none).
        ``parameters`` and ``state`` are by layer and then by argument of the layer's operation, in its ``layouts``.
        ``None`` (the default) makes the model of the backend's operations.
        """
        return None

    def training_step(self, model: Model) -> Implementation | None:
        """One training step with the framework's own layers and optimizer.

        The implementation's function is called as ``function(x, target, parameters, state=None, slots=None, taken=0, *,
        conventions={}, mode="eager")``; it compiles by itself what a user compiles in that mode (the network, or the whole
        step). There ``slots`` is what the optimizer remembers, by name and then like the parameters, and ``taken``
        an integer array, the number of steps before. It returns the loss before the step, and parameters, state and slots
        after it. ``None`` (the default) makes the step of the model, its vector-Jacobian product and the optimizer.
        """
        return None

    def fit(self, model: Model) -> Implementation | None:
        """Fitting with the framework's own loop, where it has one (``keras.Model.fit``).

        The implementation's function is called as ``function(x, target, validation_x, validation_target, parameters,
        state=None, *, epochs, batch, patience=None, conventions={}, mode="eager")`` and returns the history (a dict of arrays
        by epoch: ``loss``, ``accuracy``, ``validation_loss``, ``validation_accuracy``; ``None`` for accuracies of a model that
        gives no answers) and the output for the validation data. Mini-batches come in the order of the data. ``None`` (the
        default) is the loop that users write around training steps.
        """
        return None

    def shares_memory(self, one: Native, other: Native) -> bool | None:
        """Whether writing to one array changes the other. ``None`` (the default) where no program can write to an array."""
        return None

    def strides(self, value: Native) -> tuple[tuple[int, ...], int] | None:
        """How an array lies in memory, counted in elements: the step from one to the next along each axis, and the place of the
        first. ``None`` (the default) where the framework's arrays have no strides. ``numpy_strides`` gives them of NumPy's.

        Programs whose inputs do not lie contiguous are run where ``from_numpy`` keeps how they lie, by this method.
        """
        return None

    def write(self, target: Native, value: Native) -> None:
        """Write an array's numbers over another's, broadcast to its shape, as a user's function may: ``target[...] = value``.

        Only programs call it, within functions that are run in any mode. Gradients of those are judged where the backend's
        first mode gives them: it may raise for what it cannot differentiate.

        Raises:
            Unsupported: no program can write to an array of the framework (the default).
        """
        raise Unsupported("no program can write to an array of this framework")

    def copies_arguments(self, mode: str) -> bool:
        """Whether a mode hands copies of the arguments to a function, as a batch. No result then shares memory with any."""
        return False

    def compile_counters(self) -> Mapping[str, int]:
        """What compiling did so far in this process, as far as the framework tells: functions that were ``compiled`` and that
        were ``left_eager`` (a compiler gave them up), ``graph_breaks``, and ``recompiles``.

        A check in a compiled mode during which nothing was compiled, or something left eager, is *fell back*. Without
        ``compiled`` it is taken on trust.
        """
        return {}

    def breaks_graph(self, operation: str, mode: str) -> bool:
        """Whether a compiler is known to leave a part of an operation eager. Its checks are held to be compiled in part only, and
        the record says how much was."""
        return False

    def trace(self, function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
        """What a user's function calls, in operations of the specification: for ``tensorproof judge``.

        Trace it with these arguments, walk through the graph, and write each value into a ``Transcript``: arguments first,
        then ``captured`` arrays, numbers and calls as they come. Which of the framework's calls is which operation, with which
        arguments and keywords, belongs here, as a table. Several calls of operations may stand for one of the framework's; a
        call that none stands for is ``unknown``. Give up a name, never an exception: what cannot be known is listed to the user.

        Raises:
            Unsupported: the plugin traces no functions (the default), or not this one; the message says why.
        """
        raise Unsupported(f"the plugin {self.name} traces no functions: its backend has no method trace")

    # What follows is for timing only.

    def set_threads(self, count: int) -> None:
        """Use so many threads at most. Called once, before anything is computed; the usual environment variables are set before
        the framework is imported, and whether it keeps to them is measured."""

    def timed_loop(self, device: str) -> AbstractContextManager[Any]:
        """What a user's loop would stand in (no recording of gradients; the device). It is entered once around many calls of what
        ``forward`` and ``value_and_vjp`` return, which then need not enter it at each call."""
        return nullcontext()

    def use_compile_cache(self, folder: Path) -> bool:
        """Keep compiled programs in a folder that another process can take them from; ``False`` if the framework cannot."""
        return False

    def compile_stages(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Mapping[str, int]:
        """Compile what ``forward`` or ``value_and_vjp`` returned, for these arguments: ns by stage (``trace``, ``lower``,
        ``compile``), as far as the framework tells them apart. What is left happens in the first call."""
        return {}

    def reset_peak_memory(self, device: str) -> bool:
        """Forget the largest use of the device's memory so far; ``False`` if the framework does not count it."""
        return False

    def peak_memory(self, device: str) -> int:
        """The largest use of the device's memory since it was reset, in bytes."""
        raise NotImplementedError("reset_peak_memory says that there is a count: def peak_memory(self, device)")

    def cache_flusher(self, device: str) -> Callable[[], Any] | None:
        """What writes more of a device's memory than its caches hold, and returns what ``wait`` waits for. ``None`` where there
        is no telling; the caches of a CPU are emptied by the suite itself."""
        return None

    def device_spans(self, calls: Sequence[Callable[[], Any]], device: str) -> Sequence[float] | None:
        """Run the calls one after the other without waiting between; how long the device took for each, in ns, by its own
        events. ``None`` where the device has no events of its own (a CPU)."""
        return None

    def device_busy(self, call: Callable[[], Any], device: str) -> float | None:
        """The sum of the durations of a call's kernels in ns, by the framework's profiler; ``None`` where there is none."""
        return None

    def declared_layout(self, operation: str) -> Mapping[str, str]:
        """The layout of one operation."""
        return self.layouts.get(operation, {})


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The NumPy dtype in which arrays of ``dtype`` are handed over."""
    return np.dtype("float32" if dtype == "bfloat16" or dtype in STORED else dtype)
