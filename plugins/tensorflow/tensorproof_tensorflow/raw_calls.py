"""TensorFlow's operations, called by their names in graphs."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof_tensorflow.framework import tf


def called(name: str, given: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    """The results of an operation, with the tensors and attributes that a graph, or a run, had.

    Raises:
        AttributeError: ``tf.raw_ops`` has no such operation.
    """
    from tensorflow.python.framework import op_def_registry  # nothing public says which tensors belong to one list

    function = getattr(tf.raw_ops, name)
    left = list(given)
    arguments = []
    for item in op_def_registry.get(name).input_arg:
        if item.number_attr or item.type_list_attr:
            listed = attributes[item.number_attr or item.type_list_attr]
            count = listed if item.number_attr else len(listed)
            arguments.append(left[:count])
            del left[:count]
        else:
            arguments.append(left.pop(0))
    parameters = [*inspect.signature(function).parameters]
    named = {key: value for key, value in attributes.items() if key in parameters}
    results = function(**dict(zip(parameters, arguments, strict=False)), **named)
    return list(results) if isinstance(results, list | tuple) else [results]
