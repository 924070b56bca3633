"""One run of a user's function, which can be repeated call by call, also where the function does something else when traced."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorproof.backend import Native, flat_results
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.raw_calls import called

Call = tuple[str, Mapping[str, Any], Sequence[Any], Sequence[Any]]
"""The name of an operation, its attributes, and the tensors that it took and gave."""


def repeats(function: Callable[..., Any], arguments: Sequence[Native]) -> Callable[..., list[Any]]:
    """Run a function once, eagerly; the result repeats the operations of that run on other tensors.

    What was computed from no argument stays as it was.
    """
    from tensorflow.python.framework import op_callbacks  # nothing public sees what runs and is not traced

    calls: list[Call] = []

    def note(name: str, taken: Any, attributes: Any, gave: Any, op_name: Any = None, graph: Any = None) -> None:
        del op_name
        if graph is None:
            calls.append((name, dict(zip(attributes[::2], attributes[1::2], strict=True)), tuple(taken), tuple(gave)))

    op_callbacks.add_op_callback(note)
    try:
        results = flat_results(function(*arguments))
    finally:
        op_callbacks.remove_op_callback(note)

    def repeated(*given: Any) -> list[Any]:
        values = dict(zip(map(id, arguments), given, strict=True))
        for name, attributes, taken, gave in calls:
            if any(id(item) in values for item in taken):
                made = called(name, [values.get(id(item), item) for item in taken], attributes)
                values.update(zip(map(id, gave), made, strict=True))
        return [tf.identity(values.get(id(item), item)) for item in results]

    return repeated
