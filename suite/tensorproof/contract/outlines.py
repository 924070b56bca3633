"""Operations from outside as the controller knows them: their outlines, made in a process of its own.

An outline has all that lists cases: names, versions, conventions, and of each sample what it gives, but no number. Its functions
cannot be called. So what a distribution does at import (leave, hang, crash) ends that process and nothing else.
"""

import ast
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from tensorproof.contract import outside
from tensorproof.errors import UsageError, printable
from tensorproof.processes import answer_apart, run_apart
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream

SECONDS = 300
PLAIN = ("family", "output_dtype", "required", "profile", "random", "version", "axes", "orders")
"""The fields of an operation that are texts, numbers and tables of texts."""
TUPLES = ("differentiable", "outputs", "cotangents", "documents")
OPTIONAL = ("vjp", "distribution", "workload", "work")
"""The functions that an operation may have."""
OF_SAMPLE = ("name", "required", "gradient", "sign_of_zero", "memory", "raises", "version")


def outlined_specification(seed: int) -> dict[str, Operation]:
    """The specification's operations, and outlines of those from outside.

    One from outside that is made of a model is loaded here all the same, once the other process has shown that this does no harm:
    which of its cases run by default depends on the model.

    Raises:
        UsageError: they cannot be described: importing them raises, ends the process or takes too long.
    """
    names = [point.name for point in outside.points()]
    if not names:
        return dict(known_operations())
    whose = f"operations of {', '.join(map(repr, names))}"
    done = run_apart("tensorproof.contract.outlines", json.dumps({"path": sys.path, "seed": seed}), SECONDS)
    if done.code is None:
        raise UsageError(f"{whose}: importing them took longer than {SECONDS} s")
    answer = done.answer
    if answer is None:
        raise UsageError(f"{whose}: importing them ended the process ({done.ending}): {printable(done.last_line)}")
    if "error" in answer:
        raise UsageError(answer["error"])
    if answer["models"]:
        return {**known_operations(), **outside.operations()}
    found = [_from_plain(item) for item in answer["operations"]]
    return {**known_operations(), **{operation.name: operation for operation in found}}


def _literal(value: object) -> str:
    """A value as a Python literal; what is none as the literal of its text."""
    text = repr(value)
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return repr(text)
    return text


def _shape_of(tree: Any) -> Any:
    """Where a tree has arrays (0) and where nothing."""
    if isinstance(tree, Mapping):
        return {str(name): _shape_of(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_shape_of(value) for value in tree]
    return None if tree is None else 0


def _filled(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {name: _filled(value) for name, value in shape.items()}
    if isinstance(shape, list):
        return [_filled(value) for value in shape]
    return None if shape is None else np.zeros(())


def _to_plain(operation: Operation, seed: int) -> dict[str, Any]:
    parameters = inspect.signature(operation.function).parameters.values()
    return {
        "name": operation.name,
        "parameters": [
            [item.name, int(item.kind), None if item.default is item.empty else _literal(item.default)] for item in parameters
        ],
        **{name: getattr(operation, name) for name in PLAIN},
        **{name: list(getattr(operation, name)) for name in TUPLES},
        **{name: getattr(operation, name) is not None for name in OPTIONAL},
        "conventions": {name: _literal(tuple(values)) for name, values in operation.conventions.items()},
        "samples": [sample_to_plain(sample) for sample in operation.samples(Stream(seed)(operation.name))],
    }


def sample_to_plain(sample: Sample) -> dict[str, Any]:
    """The outline of a sample, for JSON. A keyword's value for which there is no literal becomes its text."""
    return {
        **{name: getattr(sample, name) for name in OF_SAMPLE},
        "dtypes": list(sample.dtypes),
        "own_dtypes": dict(sample.own_dtypes),
        "inputs": _shape_of(sample.inputs),
        "keywords": {name: _literal(value) for name, value in sample.keywords.items()},
    }


def sample_from_plain(plain: Mapping[str, Any]) -> Sample:
    """The sample of an outline, with a zero for each array."""
    return Sample(
        **{name: plain[name] for name in OF_SAMPLE},
        dtypes=tuple(plain["dtypes"]),
        own_dtypes=plain["own_dtypes"],
        inputs=_filled(plain["inputs"]),
        keywords={name: ast.literal_eval(text) for name, text in plain["keywords"].items()},
    )


def _none(*_: Any, **__: Any) -> NoReturn:
    """What an outline has in place of a function."""
    raise UsageError("this is the outline of an operation; it is computed in the processes that check it")


def _function(name: str, parameters: list[tuple[str, int, str | None]]) -> Callable[..., Any]:
    """A function that cannot be called, with a name and a signature."""

    def function(*_: Any, **__: Any) -> NoReturn:
        _none()

    function.__name__ = function.__qualname__ = name
    kinds = {int(kind): kind for kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, *inspect._ParameterKind)}
    made = [
        inspect.Parameter(word, kinds[kind], default=inspect.Parameter.empty if text is None else ast.literal_eval(text))
        for word, kind, text in parameters
    ]
    function.__kwdefaults__ = {
        item.name: item.default for item in made if item.kind is item.KEYWORD_ONLY and item.default is not item.empty
    }
    function.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    return function


def _from_plain(plain: Mapping[str, Any]) -> Operation:
    made = [sample_from_plain(item) for item in plain["samples"]]

    def samples(stream: Stream) -> Iterator[Sample]:
        return iter(made)

    fields: dict[str, Any] = {name: plain[name] for name in PLAIN}
    fields |= {name: tuple(plain[name]) for name in TUPLES}
    fields |= {name: _none if plain[name] else None for name in OPTIONAL}
    return Operation(
        function=_function(plain["name"], plain["parameters"]),
        samples=samples,
        conventions={name: ast.literal_eval(text) for name, text in plain["conventions"].items()},
        **fields,
    )


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    sys.path[:] = request["path"]
    try:
        found = outside.operations()
        models = any(operation.model is not None for operation in found.values())
        described = [] if models else [_to_plain(operation, request["seed"]) for operation in found.values()]
    except UsageError as error:
        return {"error": str(error)}
    return {"models": models, "operations": described}


if __name__ == "__main__":
    answer_apart(_answer)
