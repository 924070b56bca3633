"""The work that the reference says an operation is, against what XLA counts in its program."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tensorproof.contract.models import implementation_of
from tensorproof_jax import JaxBackend
from tensorproof_jax.framework import jax
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.stream import Stream

OPERATIONS = all_operations()
FAMILIES = ("elementwise", "axis", "product", "window", "normalization", "attention", "loss", "penalty")
"""Where XLA counts. Of a recurrent network it counts one step, the body of its loop; look-ups are only arithmetic on indices."""

COUNTED = {name: item for name, item in OPERATIONS.items() if item.family in FAMILIES and item.workload}

RATIOS = {
    "leaky_relu": (3 / 2, "XLA counts the choice between two numbers"),
    "sigmoid": (3 / 2, "XLA counts the sign of -x"),
    "silu": (4 / 3, "XLA counts the sign of -x"),
    "gelu": (16.0, "XLA computes erf by polynomials"),
    "softplus": (3.0, "logaddexp has a branch for NaN; XLA counts signs, absolute values and choices"),
    "batch_norm": (6 / 7, "Flax takes the variance as mean square less squared mean, one operation less for each number"),
    "log_softmax": (5 / 4, "XLA takes the difference from the maximum twice, once in each of two kernels"),
    "binary_cross_entropy_with_logits": (19 / 6, "Optax takes the logarithm of the sigmoid at x and at -x, through logaddexp"),
    "sparse_categorical_cross_entropy": (8.25, "XLA counts the arithmetic on labels"),
    "l1_penalty": (2.0, "XLA counts absolute values"),
}
"""How often what the reference counts XLA does, and why, where it is not once: of version 0.10 of JAX."""

TRANSCENDENTALS = {
    "binary_cross_entropy_with_logits": (2.0, "Optax takes the logarithm of the sigmoid at x and at -x"),
}
"""The same for transcendental functions."""

TOLERANCE = 0.03
"""Sums over rows, which XLA splits or merges otherwise, are less of the work than this."""

CHANNELS_LAST = ("max_pool2d", "average_pool2d", "batch_norm")
"""The operations whose images the plugin has with channels last."""

BIASED = {"batch_norm": {"running_variance_estimate": "biased"}}
"""The convention of Flax."""


def counts_of_xla(name: str, sample: Sample, keywords: Mapping[str, Any]) -> Mapping[str, float]:
    """What XLA counts in the compiled program, in float32."""
    implementation = implementation_of(JaxBackend(), name)
    assert implementation is not None
    inputs = {
        path: np.asarray(leaf, np.float32 if np.issubdtype(leaf.dtype, np.floating) else np.int32)
        for path, leaf in sample.inputs.items()
    }
    if name in CHANNELS_LAST:
        inputs["x"] = np.moveaxis(inputs["x"], 1, -1)
    compiled = jax.jit(lambda arrays: implementation.function(**arrays, **keywords)).lower(inputs).compile()
    return dict(compiled.cost_analysis())


def differences(work: Work, counted: Mapping[str, float], flops: float, transcendentals: float) -> list[str]:
    """What is counted otherwise than so often, beyond the tolerance."""
    pairs = {
        "flops": (work.flops * flops, counted.get("flops", 0.0)),
        "transcendentals": (work.transcendentals * transcendentals, counted.get("transcendentals", 0.0)),
    }
    return [
        f"{name}: expected about {expected:.0f}, XLA counts {found:.0f}"
        for name, (expected, found) in pairs.items()
        if abs(found - expected) > TOLERANCE * expected
    ]


@pytest.fixture(scope="module")
def workloads() -> dict[str, Sample]:
    made = {}
    for name, operation in COUNTED.items():
        assert operation.workload is not None
        made[name] = operation.workload(Stream(0)(name), "S")
    return made


@pytest.mark.parametrize("name", COUNTED, ids=list(COUNTED))
def test_xla_counts_the_same_work(name, workloads):
    sample = workloads[name]
    keywords = {**sample.keywords, **BIASED.get(name, {})}
    work = COUNTED[name].work(**sample.inputs, **keywords)
    flops, transcendentals = (table.get(name, (1.0, ""))[0] for table in (RATIOS, TRANSCENDENTALS))
    assert not differences(work, counts_of_xla(name, sample, keywords), flops, transcendentals)


def test_every_ratio_is_of_an_operation_that_is_counted():
    assert set(RATIOS) | set(TRANSCENDENTALS) <= set(COUNTED)


@pytest.mark.parametrize("wrong", [Work(flops=32768), Work(flops=65536, transcendentals=1)], ids=["flops", "transcendentals"])
def test_a_wrong_count_shows(wrong, workloads):
    counted = counts_of_xla("matmul", workloads["matmul"], {})
    assert differences(wrong, counted, 1.0, 1.0)
    assert not differences(Work(flops=65536), counted, 1.0, 1.0)
