"""tensorproof: what is asked of a deep-learning backend, and how its answers are judged."""

import importlib
from typing import Any

__version__ = "0.1.0"


def judge(function: Any, *inputs: Any, backend: Any = "torch", **options: Any) -> Any:
    """Judge what a framework and its compiler make of a function: is a difference rounding, or a bug?

    The plugin traces the function with the inputs into operations of the specification. The reference computes what it must
    give, with error bars, and all gradients. Then the function is run in each mode, eager and compiled, and judged.

    Args:
        function: takes arrays of the framework by position, and returns arrays, or tuples, lists or dicts of them. One that its
            user has compiled (``torch.compile``) is judged *as given* too.
        inputs: arrays of the framework or of NumPy: floating ones, one at least, integers and booleans.
        backend: the name of an installed backend, or a ``tensorproof.backend.Backend``.
        options: ``modes`` (names; all but variants), ``device`` (the backend's first), and ``compilers``: more modes by
            name, each a function that takes a function and gives it compiled.

    Returns:
        A ``FunctionVerdict``: ``right``, ``text``, ``modes`` by name (``status``, ``message``, ``wrong``: the first value that
        is wrong), and ``unknown``, what was not known and so not judged.

    Raises:
        tensorproof.errors.UsageError: no such backend, mode or device; the plugin traces no functions, or not this one.
    """
    # Imported late: every module of the suite imports this one for its version.
    return importlib.import_module("tensorproof.programs.functions.command").judge(function, *inputs, backend=backend, **options)
