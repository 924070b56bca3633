"""``tensorproof.judge`` and the command ``tensorproof judge``: is what a compiler makes of a function right?"""

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Native, Unsupported, numpy_dtype
from tensorproof.contract.backends import load
from tensorproof.errors import UsageError, sentence, shown
from tensorproof.operation_table import did_you_mean
from tensorproof.processes import interruption
from tensorproof.programs.functions.judgement import Compiler, FunctionVerdict, judge_function
from tensorproof.programs.judging import subject_of
from tensorproof.programs.program import BOOLEAN, INTEGER
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream

SHAPE = re.compile(r"(?P<shape>[\d, ]*)|(?P<dtype>[a-z]+\d*)\[(?P<sized>[\d, ]*)\](?:<(?P<below>[1-9]\d*))?")


def judge(
    function: Callable[..., Any],
    *inputs: Any,
    backend: str | Backend = "torch",
    modes: Sequence[str] | None = None,
    compilers: Mapping[str, Compiler] | None = None,
    device: str | None = None,
) -> FunctionVerdict:
    """Judge a function of a framework's arrays in each mode, as ``tensorproof.judge`` says.

    Raises:
        UsageError: there is no such backend, mode or device, the plugin traces no functions, or no input is floating.
    """
    loaded = load(backend) if isinstance(backend, str) else backend
    subject, description = subject_of(loaded, device)
    known = description.every_mode
    asked = tuple(description.modes if modes is None else modes)
    for mode in asked:
        if mode not in known:
            raise UsageError(f"modes: {loaded.name} has no {mode!r}{did_you_mean(mode, known)}; it has: {', '.join(known)}")
    if not inputs:
        raise UsageError("inputs: expected the arrays that the function is called with")
    arguments = [_native(loaded, item, subject.device) for item in inputs]
    try:
        return judge_function(subject, function, arguments, asked, compilers or {})
    except Unsupported as error:
        raise UsageError(str(error)) from error


def _native(backend: Backend, value: Any, device: str) -> Native:
    """A fresh array of the framework, of what is one already or of NumPy's.

    Raises:
        UsageError: it holds no numbers that programs have.
    """
    if isinstance(value, np.ndarray | np.generic | bool | int | float | list | tuple):
        array = np.asarray(value)
        floating = array.dtype.kind == "f" or array.dtype.name in DTYPES
        dtype = array.dtype.name if floating else BOOLEAN if array.dtype.kind == "b" else INTEGER
    else:
        array, dtype = np.asarray(backend.to_numpy(value)), backend.dtype_of(value)
        dtype = dtype if dtype in (*DTYPES, BOOLEAN) else INTEGER
    if dtype == INTEGER and array.dtype.kind not in "iu":
        raise UsageError(f"inputs: expected floating, integer or boolean arrays, got {array.dtype.name}")
    given = numpy_dtype(dtype) if dtype in DTYPES else np.dtype(dtype)
    return backend.from_numpy(np.array(array, given), dtype, device)


def drawn(text: str, place: int, seed: int) -> NDArray[Any]:
    """The array that an ``--input`` asks for: normal numbers, or integers below a limit.

    >>> drawn("2,3", 0, 0).shape, drawn("int64[4]<10", 1, 0).dtype.name
    ((2, 3), 'int64')

    Raises:
        UsageError: it names no array.
    """
    found = SHAPE.fullmatch(text.strip())
    dtype = (found["dtype"] or "float32") if found else ""
    if (
        found is None
        or dtype not in ("float64", "float32", "float16", INTEGER, BOOLEAN)
        or (dtype == INTEGER) != bool(found["below"])
    ):
        raise UsageError(f"--input: expected a shape as 3,4 or float64[3,4], or integers below 10 as int64[5]<10, got {text!r}")
    shape = tuple(int(item) for item in (found["shape"] or found["sized"] or "").replace(" ", "").split(",") if item)
    stream = Stream(seed)("judge")(str(place))
    if dtype == INTEGER:
        return stream.integers(shape, 0, int(found["below"]))
    if dtype == BOOLEAN:
        return np.asarray(stream.integers(shape, 0, 2) == 1)
    return round_to(stream.normal(shape), dtype).astype(dtype)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("function", metavar="MODULE:FUNCTION", help="the function, in a module that can be imported from here")
    given = "an array to call it with, once for each: a shape as 3,4 or float64[3,4], or int64[5]<10"
    parser.add_argument("--input", dest="inputs", action="append", default=[], metavar="ARRAY", help=given)
    made = "a function in the same module that returns the arrays to call it with, as a tuple"
    parser.add_argument("--inputs", dest="maker", default=None, metavar="FUNCTION", help=made)
    parser.add_argument("--backend", default="torch", metavar="NAME", help="an installed backend (default: torch)")
    parser.add_argument(
        "--mode", dest="modes", action="append", default=None, metavar="NAME", help="a mode (default: all but variants)"
    )
    parser.add_argument("--device", default=None, metavar="NAME", help="device (default: the backend's first)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the arrays (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Judge a function; the return value is the exit code: 1 if it is wrong in a mode.

    Raises:
        UsageError: there is no such function, backend or mode, or it cannot be traced.
    """
    module, function = _imported(options.function)
    if options.maker is not None and options.inputs:
        raise UsageError("--inputs: expected this or --input, got both")
    if options.maker is not None:
        made = _theirs(f"{options.maker}: it returns no arrays", _named(module, options.maker))
        arrays = tuple(made) if isinstance(made, tuple | list) else (made,)
    else:
        arrays = tuple(drawn(text, place, options.seed) for place, text in enumerate(options.inputs))
    if not arrays:
        raise UsageError("--input: say what to call the function with, as --input=3,4, once for each argument")
    found = judge(function, *arrays, backend=options.backend, modes=options.modes, device=options.device)
    sys.stdout.write(f"{shown(found.text)}\n")
    return int(not found.right)


def _imported(text: str) -> tuple[Any, Any]:
    name, colon, function = text.partition(":")
    if not colon or not name or not function:
        raise UsageError(f"expected a function as module:function, got {text!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = _theirs(f"{name}: cannot be imported", lambda: importlib.import_module(name))
    finally:
        sys.path.remove(str(Path.cwd()))
    return module, _named(module, function)


def _theirs(what: str, call: Callable[[], Any]) -> Any:
    """What the user's own code gives.

    Raises:
        UsageError: it raises anything, or leaves; ``what`` begins the message.
    """
    try:
        return call()
    except BaseException as error:
        if interruption():
            raise
        raise UsageError(f"{what}: {sentence(error)}") from error


def _named(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    if not callable(found):
        known = [item for item in vars(module) if callable(getattr(module, item)) and not item.startswith("_")]
        raise UsageError(f"{module.__name__} has no function {name!r}{did_you_mean(name, known)}")
    return found
