"""What holds for every operation: samples of every class, gradients that are derivatives, dtypes kept, expectations met."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from tensorproof_reference import trees
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.networks.evaluation import parameter_count
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.sample_classes import CLASSES, REQUIRED, class_of
from tensorproof_reference.stream import Stream

OPERATIONS = known_operations()
LIGHT = [name for name, operation in OPERATIONS.items() if not operation.model or parameter_count(operation.model) <= 1000]
"""All but the models of many weights, which would take minutes: ``test_models`` has a few directions of theirs."""
EXACT_ONLY = ("nan", "infinity", "kink", "ties", "empty", "bounds")
"""Classes whose samples have no derivative to approach by differences: they have expected values of their own."""


AT_AN_EDGE = (
    *("cancellation_close_values", "magnitude_near_ends"),
    *("convention_log_zero_and_one_gradient", "convention_probability_zero_and_one_1e_minus_7"),
)
"""Samples so near a tie, a clip or the end of the domain that a finite step crosses it."""


STRAIGHT = ("cast", "cast_through", "fake_quantize", "padded_embedding", "spectral_norm")
"""Functions of steps whose gradient goes straight through, as if there were none, and two in which vectors or a row count as
constants: ``test_casts``, ``test_quantization``, ``test_further_norms`` and ``test_lookups_and_gemm`` have it."""


def samples_of(name: str) -> list[Sample]:
    return list(OPERATIONS[name].samples(Stream(0)(name)))


def floating(leaf: Any) -> bool:
    return bool(np.issubdtype(leaf.dtype, np.floating))


def primals(operation: Operation, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        path: leaf
        for path, leaf in trees.leaves(dict(inputs))
        if floating(leaf) and path.split(".")[0] in operation.differentiable
    }


def outputs_of(operation: Operation, sample: Sample, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return trees.leaves_by_name(operation.outputs, operation.function(**inputs, **sample.keywords))


def cotangents(operation: Operation, outputs: Mapping[str, Any], stream: Stream) -> list[Any]:
    return [stream(name).normal(np.shape(outputs[name])) for name in operation.cotangents]


def gradients(operation: Operation, sample: Sample, cotangent: list[Any], inputs: Any) -> dict[str, Any]:
    assert operation.vjp is not None
    one = cotangent[0] if len(cotangent) == 1 else tuple(cotangent)
    return dict(trees.leaves(operation.vjp(one, **inputs, **sample.keywords)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_have_every_class_that_the_family_needs_and_begin_with_plain(name):
    samples = samples_of(name)
    classes = [class_of(sample) for sample in samples]
    assert classes[0] == ("statistics" if OPERATIONS[name].family == "initializer" else "plain")
    assert set(REQUIRED[OPERATIONS[name].family]) <= set(classes)
    assert len({sample.name for sample in samples}) == len(samples)
    assert not any("-" in sample.name for sample in samples)
    assert all(isinstance(leaf, np.ndarray) for sample in samples for _, leaf in trees.leaves(dict(sample.inputs)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_specification_is_documented(name):
    operation = OPERATIONS[name]
    text = operation.function.__doc__ or ""
    assert len(text.splitlines()) >= 4
    assert "ource" in text
    assert operation.cotangents == tuple(output for output in operation.outputs if output in operation.cotangents)
    defaults = operation.function.__kwdefaults__ or {}
    assert set(operation.conventions) <= set(defaults)
    for keyword, values in operation.conventions.items():
        assert defaults[keyword] in values


@pytest.mark.parametrize("name", OPERATIONS)
def test_conventions_have_a_sample_of_each_value(name):
    operation = OPERATIONS[name]
    for keyword, values in operation.conventions.items():
        default = (operation.function.__kwdefaults__ or {})[keyword]
        used = {sample.keywords.get(keyword, default) for sample in samples_of(name)}
        assert set(values) <= used, keyword


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LIGHT)
def test_values_and_gradients_keep_the_dtype_and_the_shapes(name, dtype):
    operation = OPERATIONS[name]
    for sample in samples_of(name):
        if dtype not in sample.dtypes:
            continue
        inputs = trees.replace_leaves(dict(sample.inputs), lambda _, leaf: leaf.astype(dtype) if floating(leaf) else leaf)
        before = {path: leaf.copy() for path, leaf in trees.leaves(inputs)}
        with np.errstate(all="ignore"):
            if sample.raises:
                with pytest.raises(ValueError, match="expected"):
                    operation.function(**inputs, **sample.keywords)
                continue
            outputs = outputs_of(operation, sample, inputs)
            if operation.output_dtype == "same" and primals(operation, inputs):
                assert all(output.dtype == dtype for output in outputs.values() if floating(output)), sample.name
            if operation.vjp is not None:
                cotangent = [item.astype(dtype) for item in cotangents(operation, outputs, Stream(0)("cotangent"))]
                found = gradients(operation, sample, cotangent, inputs)
                for path, leaf in primals(operation, inputs).items():
                    assert found[path].dtype == dtype, (sample.name, path)
                    assert found[path].shape == leaf.shape, (sample.name, path)
        for path, leaf in trees.leaves(inputs):
            assert np.array_equal(leaf, before[path], equal_nan=floating(leaf)), f"{sample.name} changed {path}"


@pytest.mark.parametrize("name", LIGHT)
def test_expected_values_are_met_exactly(name):
    operation = OPERATIONS[name]
    for sample in samples_of(name):
        if not sample.expected:
            continue
        with np.errstate(all="ignore"):
            outputs = outputs_of(operation, sample, sample.inputs)
            found: dict[str, Any] = dict(outputs)
            if any(key.startswith("d_") for key in sample.expected):
                ones = [np.ones_like(outputs[key]) for key in operation.cotangents]
                found |= {f"d_{path}": value for path, value in gradients(operation, sample, ones, sample.inputs).items()}
        for key, value in sample.expected.items():
            if not floating(np.asarray(found[key])):
                assert np.array_equal(found[key], value), (sample.name, key)
                continue
            np.testing.assert_array_max_ulp(*np.broadcast_arrays(found[key], np.asarray(value, found[key].dtype)), maxulp=2)


def perturbed(inputs: Any, direction: Mapping[str, Any], step: float) -> Any:
    return trees.replace_leaves(dict(inputs), lambda path, leaf: leaf + step * direction[path] if path in direction else leaf)


def smooth_samples(name: str) -> Iterator[Sample]:
    for sample in samples_of(name):
        finite = all(np.all(np.isfinite(leaf)) for _, leaf in trees.leaves(dict(sample.inputs)) if floating(leaf))
        if (
            finite
            and not sample.raises
            and sample.name not in AT_AN_EDGE
            and sample.gradient
            and class_of(sample) not in EXACT_ONLY
            and not sample.expected
        ):
            yield sample


def directional(evaluate: Callable[[float], Any], step: float) -> float:
    """The derivative at 0 by a central difference of fourth order."""
    near = evaluate(step) - evaluate(-step)
    far = evaluate(2 * step) - evaluate(-2 * step)
    return float((8 * near - far) / (12 * step))


# Those of models are composed of these: ``test_models`` has their derivatives.
@pytest.mark.parametrize(
    "name", [name for name, operation in OPERATIONS.items() if operation.vjp and not operation.model and name not in STRAIGHT]
)
def test_vector_jacobian_product_is_the_derivative(name):
    """<vjp(dy), v> = <dy, J v> for random dy and v, where J v comes from directional finite differences."""
    operation = OPERATIONS[name]
    checked = 0
    for sample in smooth_samples(name):
        stream = Stream(0)(name)(sample.name)
        with np.errstate(all="ignore"):
            leaves = primals(operation, sample.inputs)
            if max((float(np.max(np.abs(leaf), initial=0.0)) for leaf in leaves.values()), default=0.0) > 1e3:
                continue
            outputs = outputs_of(operation, sample, sample.inputs)
            cotangent = cotangents(operation, outputs, stream)
            found = gradients(operation, sample, cotangent, sample.inputs)
            for path, leaf in leaves.items():
                # Relative steps: no element changes its sign, and none that is small leaves its domain.
                relative = np.abs(leaf) if np.any(leaf) else np.ones_like(leaf)
                direction = {path: stream(path).normal(leaf.shape) * relative}

                def weighted(step: float, direction: Any = direction, sample: Any = sample, cotangent: Any = cotangent) -> float:
                    values = outputs_of(operation, sample, perturbed(sample.inputs, direction, step))
                    return sum(
                        float(np.sum(item * (values[name] - outputs[name])))  # noqa: B023
                        for item, name in zip(cotangent, operation.cotangents, strict=True)
                    )

                size = 3e-5
                forward = directional(weighted, size)
                backward = float(np.sum(found[path] * direction[path]))
                norm = float(np.sqrt(np.sum((found[path] * direction[path]) ** 2)))
                rounding = sum(float(np.sum(np.abs(item))) for item in outputs.values()) * 2.0**-52 / size
                assert abs(forward - backward) <= 1e-5 * norm + 50 * rounding, (sample.name, path, forward, backward)
                checked += 1
    assert checked >= 3 or operation.random


def test_importing_the_reference_imports_no_framework():
    program = (
        "import sys, pkgutil, importlib, tensorproof_reference as package\n"
        "for info in pkgutil.walk_packages(package.__path__, 'tensorproof_reference.'): importlib.import_module(info.name)\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'torch', 'tensorflow', 'jax', 'keras', 'tensorproof', 'ml_dtypes'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_class_is_used_by_some_operation():
    used = {class_of(sample) for name in OPERATIONS for sample in samples_of(name)}
    assert used == set(CLASSES)
