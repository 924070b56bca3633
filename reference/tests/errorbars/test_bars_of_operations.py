import numpy as np
import pytest

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.errorbars.array import ErrorBars, values_and_bars, with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.networks.evaluation import parameter_count
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import FORMATS, round_to
from tensorproof_reference.sample_classes import class_of
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import leaves, leaves_by_name, replace_leaves

LIGHT = [
    name for name, operation in known_operations().items() if not operation.model or parameter_count(operation.model) <= 1000
]
"""All but the models of many weights, which would take minutes, and some of whose units come near a kink."""
DTYPES_OF = {"training": ("float64", "float32"), "fitting": ("float64", "float32")}
"""Families not checked in 16 bits, where the steps of a run soon have no digits left."""
IN_DTYPES = [(name, dtype) for name in LIGHT for dtype in DTYPES_OF.get(known_operations()[name].family, DTYPES)]


OVERFLOWING = ("magnitude_squares_overflow", "magnitude_square_of_one_overflows", "magnitude_sum_overflows")
"""What the samples' names begin with whose results are within the range of float32, but not the squares or sums on the way."""


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def is_floating(leaf):
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def with_gradients(operation, sample, inputs, outputs, cotangents):
    """Outputs and gradients by name."""
    if operation.vjp is None or not sample.gradient:
        return outputs
    gradients = operation.vjp(cotangents[0] if len(cotangents) == 1 else tuple(cotangents), **inputs, **sample.keywords)
    return outputs | {f"d_{path}": leaf for path, leaf in leaves(gradients)}


def outputs_of(operation, sample, inputs):
    return leaves_by_name(operation.outputs, operation.function(**inputs, **sample.keywords))


def evaluated(operation, sample, cotangents, convert):
    """Outputs and gradients by name, with every floating input passed through ``convert``."""
    inputs = replace_leaves(dict(sample.inputs), lambda path, leaf: convert(leaf) if is_floating(leaf) else leaf)
    outputs = outputs_of(operation, sample, inputs)
    return with_gradients(operation, sample, inputs, outputs, [convert(cotangent) for cotangent in cotangents])


def cases(operation, dtype):
    """Each sample that means something in the dtype, its inputs and cotangents on the dtype's grid, with what they give; the
    largest in one dtype."""
    for sample in operation.samples(Stream(0)(operation.name)):
        if sample.raises or dtype not in sample.dtypes or (class_of(sample) == "expensive" and dtype != sample.dtypes[0]):
            continue
        inputs = replace_leaves(dict(sample.inputs), lambda path, leaf: round_to(leaf, dtype) if is_floating(leaf) else leaf)
        rounded = type(sample)(**{**vars(sample), "inputs": inputs})
        outputs = outputs_of(operation, rounded, inputs)
        stream = Stream(5)(operation.name)(sample.name)
        shapes = [np.shape(outputs[name]) for name in operation.cotangents]
        cotangents = [round_to(stream(str(i)).normal(shape), dtype) for i, shape in enumerate(shapes)]
        yield rounded, cotangents, with_gradients(operation, rounded, inputs, outputs, cotangents)


@pytest.mark.parametrize(("name", "dtype"), IN_DTYPES)
def test_every_operation_has_bars_keeps_away_from_branches_and_in_float32_lies_within_its_bars(name, dtype):
    operation, precision = known_operations()[name], precision_of(dtype)
    distances = [np.zeros(0)]
    for sample, cotangents, plain in cases(operation, dtype):
        with closest_branch() as closest:
            bars = evaluated(operation, sample, cotangents, lambda leaf: with_bars(leaf, precision))
        assert closest.comparison >= 20 or class_of(sample) in ("kink", "ties"), (sample.name, closest)
        assert plain.keys() == bars.keys()
        for result, expected in plain.items():
            value, bar = values_and_bars(bars[result])
            assert np.allclose(value, expected, rtol=1e-9, atol=1e-300, equal_nan=True), (sample.name, result)
            assert bar.shape == value.shape, (sample.name, result)
            assert (bar >= 0).all(), (sample.name, result)
            assert not bar[~np.isfinite(value)].any(), (sample.name, result)
            assert isinstance(bars[result], ErrorBars) or not is_floating(np.asarray(expected)) or not bar.any()
        if dtype == "float32" and not (sample.name.startswith(OVERFLOWING) or class_of(sample) == "expensive"):
            outputs = evaluated(operation, sample, cotangents, lambda leaf: leaf.astype(np.float32))
            distances += distances_in_bars(sample, outputs, bars)
    z = np.concatenate(distances)
    if z.size:  # otherwise every result was exact, and equal
        assert 0.02 <= np.sqrt(np.mean(np.square(z))) <= 2


def distances_in_bars(sample, outputs, bars):
    """How many bars results in float32 are from the right ones, of those that have bars; no more than 10."""
    pooled = []
    for result, y in outputs.items():
        value, bar = values_and_bars(bars[result])
        within = np.isfinite(value) & np.isfinite(bar) & (np.abs(value) + 10 * bar <= FORMATS["float32"].fmax)
        y = np.asarray(y)
        if y.dtype.kind != "f":
            assert np.array_equal(y, value), (sample.name, result)
            continue
        assert np.isfinite(y[within]).all(), (sample.name, result)
        rounded = np.where(bar == 0, round_to(value, "float32"), value)
        z = np.where(y == rounded, 0.0, np.abs(y - value) / bar)[within]
        assert z.max(initial=0.0) <= 10, (sample.name, result, z.max())
        if class_of(sample) != "long":  # NumPy adds many terms by pairs, with errors far below those of any other order
            pooled.append(z[bar[within] > 0])
    return pooled
