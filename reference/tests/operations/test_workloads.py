"""What is timed, and how much work it is: sizes, footprints and counts."""

import inspect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tensorproof_reference import trees
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import SIZES, Operation, Sample, Work
from tensorproof_reference.stream import Stream

OPERATIONS = known_operations()
TIMED = {name: operation for name, operation in OPERATIONS.items() if operation.workload}
PLAIN = {name: operation for name, operation in TIMED.items() if not operation.model}
UNTIMED_FAMILIES = {"schedule", "image", "sequence", "metric", "initializer", "fitting"}
UNTIMED = {"dropout", "channel_dropout", "attention_dropout", "lstm_gates", "gru_gates", "feedforward_dropout_training"}
"""Not timed although others of their family are: random in training and nothing at inference; formulas that no framework has."""

FOOTPRINTS = {"S": 64 * 2**10, "M": 4 * 2**20, "L": 64 * 2**20}
"""The most bytes that inputs and outputs may take in float32."""

ARRAY = 2**24
"""The most bytes that one array may take."""


def workload(operation: Operation, size: str) -> Sample:
    assert operation.workload is not None
    return operation.workload(Stream(0)(operation.name), size)


def work(operation: Operation, sample: Sample) -> Work:
    assert operation.work is not None
    return operation.work(**sample.inputs, **sample.keywords)


def counted(name: str, *arrays: Any, **keywords: Any) -> Work:
    """The work of an operation on these arrays."""
    found = OPERATIONS[name].work
    assert found is not None
    return found(*arrays, **keywords)


def zeros(*shape: int) -> Any:
    return np.zeros(shape)


def total(item: Work) -> int:
    return item.flops + item.transcendentals + item.backward_flops + item.backward_transcendentals


def floats(tree: Any) -> int:
    """Bytes in float32; integers take the eight that they have."""
    return sum(4 * leaf.size if np.issubdtype(leaf.dtype, np.floating) else leaf.nbytes for _, leaf in trees.leaves(tree))


def footprint(operation: Operation, sample: Sample) -> int:
    outputs = trees.by_name(operation.outputs, operation.function(**sample.inputs, **sample.keywords))
    arrays = trees.replace_leaves({**outputs, "inputs": dict(sample.inputs)}, lambda _, leaf: np.asarray(leaf))
    return floats(arrays)


def largest(sample: Sample) -> int:
    return max(floats(leaf) for _, leaf in trees.leaves(dict(sample.inputs)))


def problems(samples: Mapping[str, Sample], works: Mapping[str, Work]) -> Iterator[str]:
    """What is wrong with the sizes of an operation's workloads, and with how its work grows."""
    for size, sample in samples.items():
        if sample.name != size:
            yield f"the name of {size} is {sample.name}"
        if min(getattr(works[size], item.name) for item in fields(Work)) < 0:
            yield f"the work of {size} is negative"
        if largest(sample) > ARRAY:
            yield f"{size} has an array of more than 16 MB"
        if not all(np.isfinite(leaf).all() for _, leaf in trees.leaves(dict(sample.inputs))):
            yield f"{size} is not finite"
    for small, large in itertools.pairwise(SIZES):
        grows = total(works[small]) < total(works[large]) or total(works[small]) == total(works[large]) == 0
        if not grows or floats(dict(samples[small].inputs)) >= floats(dict(samples[large].inputs)):
            yield f"{large} is no more than {small}"


def test_everything_is_timed_but_what_is_known_not_to_be():
    untimed = {name for name, item in OPERATIONS.items() if not item.workload and item.family not in UNTIMED_FAMILIES}
    assert untimed == UNTIMED
    assert not any(item.family in UNTIMED_FAMILIES for item in TIMED.values())
    assert all((item.workload is None) == (item.work is None) for item in OPERATIONS.values())


@pytest.mark.parametrize("name", TIMED, ids=list(TIMED))
def test_work_is_called_as_the_operation_is(name):
    operation = TIMED[name]
    assert operation.work is not None
    of_function, of_work = (inspect.signature(item).parameters for item in (operation.function, operation.work))
    assert [(item.name, item.kind, item.default) for item in of_work.values()] == [
        (item.name, item.kind, item.default) for item in of_function.values()
    ]


@pytest.mark.parametrize("name", TIMED, ids=list(TIMED))
def test_sizes_are_named_and_grow_and_have_the_footprints_of_the_caches(name):
    samples = {size: workload(TIMED[name], size) for size in SIZES}
    works = {size: work(TIMED[name], sample) for size, sample in samples.items()}
    assert not list(problems(samples, works))
    footprints = {size: footprint(PLAIN[name], sample) for size, sample in samples.items() if name in PLAIN}
    assert all(taken <= FOOTPRINTS[size] for size, taken in footprints.items()), footprints


@pytest.mark.parametrize("name", TIMED, ids=list(TIMED))
def test_only_shapes_and_keywords_count(name):
    sample = workload(TIMED[name], "S")
    shapes = trees.replace_leaves(dict(sample.inputs), lambda _, leaf: SimpleNamespace(shape=leaf.shape))
    assert work(TIMED[name], replace(sample, inputs=shapes)) == work(TIMED[name], sample)


def test_a_workload_is_the_same_every_time():
    first, second = (workload(OPERATIONS["lstm"], "S") for _ in range(2))
    for (_, one), (_, other) in zip(trees.leaves(dict(first.inputs)), trees.leaves(dict(second.inputs)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", SIZES)
def test_inputs_keep_away_from_poles_and_kinks(size):
    probabilities = workload(OPERATIONS["binary_cross_entropy"], size).inputs["probabilities"]
    assert probabilities.min() >= 0.05
    assert probabilities.max() <= 0.95
    assert np.abs(workload(OPERATIONS["relu"], size).inputs["x"]).min() >= 1 / 16
    scores = workload(OPERATIONS["hinge"], size).inputs
    assert np.abs(1.0 - scores["scores"] * scores["labels"]).min() >= 1 / 16
    assert np.abs(workload(OPERATIONS["l1_penalty"], size).inputs["w"]).min() >= 1 / 64
    for name in ("cross_entropy", "categorical_cross_entropy", "sparse_categorical_cross_entropy"):
        rows = workload(OPERATIONS[name], size).inputs["probabilities"]
        assert rows.min() >= 1e-5
        np.testing.assert_allclose(rows.sum(axis=-1), 1.0)


SAMPLES = {size: Sample(name=size, inputs={"x": zeros(length)}) for size, length in (("S", 4), ("M", 8), ("L", 16))}
WORKS = {"S": Work(flops=4), "M": Work(flops=8), "L": Work(flops=16)}
WRONG = {
    "right": ({}, {}, None),
    "name": ({"M": Sample(name="S", inputs={"x": zeros(8)})}, {}, "the name of M is S"),
    "work_does_not_grow": ({}, {"L": Work(flops=8)}, "L is no more than M"),
    "arrays_do_not_grow": ({"L": Sample(name="L", inputs={"x": zeros(8)})}, {}, "L is no more than M"),
    "negative": ({}, {"S": Work(flops=4, backward_flops=-1)}, "the work of S is negative"),
    "large": ({"L": Sample(name="L", inputs={"x": zeros(2**22 + 1)})}, {}, "L has an array of more than 16 MB"),
    "not_finite": ({"M": Sample(name="M", inputs={"x": np.full(8, np.inf)})}, {}, "M is not finite"),
}


@pytest.mark.parametrize("case", WRONG, ids=list(WRONG))
def test_wrong_sizes_show(case):
    samples, works, expected = WRONG[case]
    assert list(problems(SAMPLES | samples, WORKS | works)) == ([] if expected is None else [expected])


def test_a_footprint_counts_inputs_and_outputs():
    sample = Sample(name="S", inputs={"labels": np.zeros(3, np.int64)}, keywords={"classes": 5})
    assert footprint(OPERATIONS["one_hot"], sample) == 3 * 8 + 15 * 4


LEAF = {"input_weights": zeros(4, 4, 5), "recurrent_weights": zeros(5, 4, 5), "bias": zeros(4, 5)}
"""Of an LSTM from 4 features to 5 units."""

THREE = {name: weight[..., :3, :] for name, weight in LEAF.items()}
ONE = {name: weight[..., 0, :] for name, weight in LEAF.items()}
SEQUENCES = zeros(2, 3, 4)
HEADS = (zeros(2, 3, 4), zeros(2, 5, 4), zeros(2, 5, 6))
CHANNEL = zeros(3)
MOVED = ([zeros(4, 5), zeros(5)], [[zeros(4, 5), zeros(5)], [zeros(4, 5), None]])
"""Two parameters, both of which move in the first step, and the first one in the second: 45 numbers."""

LAYER_NORM = {
    "forward": 2 * (2 + 1) + 6 + 6 + 2 * (2 + 1) + 2 + 6 + 6 + 6,
    "backward": 6 + 2 * (2 + 1) + 6 + 2 * (2 + 1) + 6 + 6 + 6 + 6 + (6 + 3 * 1) + 3 * 1,
}
"""Two rows of three. Means; differences; squares; their means; epsilon; quotients; scale; offset. Back: the product with the
scale; its mean; the product with the normalized and its mean; two differences, a product and a quotient; dγ; dβ."""

BATCH_NORM = {
    "forward": 3 * (3 + 1) + 12 + 12 + 3 * (3 + 1) + 3 + 12 + 12 + 12 + 3 * (3 + 3 + 1),
    "backward": 12 + (12 + 3 * 3) + 3 * 3 + 3 * (2 + 2) + 12 + 12 + 12 + 12,
}
"""Three channels of four values, the same but for the running statistics, and with the means from dγ and dβ."""

HAND_COUNTS = {
    "matmul": (counted("matmul", zeros(3, 4), zeros(4, 5)), 2 * 60, 0, 4 * 60),
    "matmul_stack": (counted("matmul", zeros(2, 3, 4), zeros(4, 5)), 2 * 120, 0, 4 * 120 + 20),
    "dense": (counted("dense", zeros(3, 4), zeros(4, 5), zeros(5)), 2 * 60 + 15, 0, 4 * 60 + 10),
    "dense_no_bias": (counted("dense", zeros(2, 3, 4), zeros(4, 5)), 2 * 120, 0, 4 * 120),
    "dense_relu": (counted("dense", zeros(3, 4), zeros(4, 5), zeros(5), activation="relu"), 135 + 15, 0, 250 + 15),
    "dense_sigmoid": (counted("dense", zeros(3, 4), zeros(4, 5), zeros(5), activation="sigmoid"), 135 + 30, 15, 250 + 45),
    "linear_regression": (counted("linear_regression", zeros(3, 4), zeros(), zeros(4)), 24 + 3, 0, 12 + 24 + 2),
    "conv2d": (counted("conv2d", zeros(2, 3, 5, 5), zeros(4, 3, 3, 3), zeros(4)), 3888 + 72, 0, 2 * 3888 + 4 * 17),
    "max_pool2d": (counted("max_pool2d", zeros(2, 3, 4, 4)), 24 * 3, 0, 24),
    "average_pool2d": (counted("average_pool2d", zeros(2, 3, 4, 4)), 24 * 3 + 24, 0, 24),
    "average_overlap": (counted("average_pool2d", zeros(1, 1, 4, 3), window=(2, 2), stride=(1, 1)), 18 + 6, 0, 6 + 24 - 12),
    "embedding": (counted("embedding", zeros(3, 5), zeros(100, 7)), 0, 0, 105),
    "relu": (counted("relu", zeros(2, 3)), 6, 0, 6),
    "sigmoid": (counted("sigmoid", zeros(2, 3)), 12, 6, 18),
    "softmax": (counted("softmax", zeros(2, 3)), 2 * 2 + 6 + 2 * 2 + 6, 6, 6 + 2 * 2 + 6 + 6),
    "softmax_first": (counted("softmax", zeros(2, 3), axis=0), 3 + 6 + 3 + 6, 6, 6 + 3 + 6 + 6),
    "log_softmax": (counted("log_softmax", zeros(2, 3)), 2 * 2 + 6 + 2 * 2 + 6, 6 + 2, 2 * 2 + 6 + 6 + 6),
    "layer_norm": (counted("layer_norm", zeros(2, 3), CHANNEL, CHANNEL), LAYER_NORM["forward"], 2, LAYER_NORM["backward"]),
    "batch_norm": (counted("batch_norm", zeros(2, 3, 2), *[CHANNEL] * 4), BATCH_NORM["forward"], 3, BATCH_NORM["backward"]),
    "batch_norm_inference": (counted("batch_norm", zeros(2, 3, 2), *[CHANNEL] * 4, training=False), 48 + 3, 3, 24 + 21 + 9),
    "lstm": (counted("lstm", SEQUENCES, [[LEAF]]), 6 * (2 * 9 * 20 + 20 + 50), 6 * 25, 6 * (4 * 9 * 20 + 20 + 5 + 110)),
    "gru": (counted("gru", SEQUENCES, [[THREE]]), 6 * (2 * 9 * 15 + 15 + 45), 6 * 15, 6 * (4 * 9 * 15 + 15 + 5 + 80)),
    "gru_after": (
        counted("gru", SEQUENCES, [[THREE]], reset="after"),
        *(6 * (2 * 9 * 15 + 15 + 50), 6 * 15, 6 * (4 * 9 * 15 + 15 + 5 + 75)),
    ),
    "simple_rnn": (counted("simple_rnn", SEQUENCES, [[ONE]]), 6 * (2 * 9 * 5 + 5), 6 * 5, 6 * (4 * 9 * 5 + 5 + 5 + 15)),
    "simple_rnn_both": (
        counted("simple_rnn", SEQUENCES, [[ONE, ONE]], None, zeros(10, 2), zeros(2), return_sequences=False),
        *(2 * 570 + 2 * 40 + 4, 60, 2 * 6 * 205 + 24 + 80 * 2 + 2),
    ),
    "attention": (counted("scaled_dot_product_attention", *HEADS), 2 * 30 * 10 + 5 * 30 - 12, 30, 4 * 30 * 10 + 5 * 30 - 6),
    "attention_causal": (
        counted("scaled_dot_product_attention", *HEADS, causal=True),
        *(2 * 12 * 10 + 5 * 12 - 12, 12, 4 * 12 * 10 + 5 * 12 - 6),
    ),
    "mean_squared_error": (counted("mean_squared_error", zeros(2, 3), zeros(2, 3)), 6 + 6 + 5 + 1, 0, 6 + 2),
    "mean_squared_error_none": (counted("mean_squared_error", zeros(2, 3), zeros(2, 3), reduction="none"), 12, 0, 6 + 1),
    "softmax_cross_entropy": (counted("softmax_cross_entropy", zeros(2, 3), zeros(2)), 14 + 4 + 2, 8, 6 + 2 + 6 + 1),
    "softmax_cross_entropy_soft": (counted("softmax_cross_entropy", zeros(2, 3), zeros(2, 3)), 14 + 2 + 16 + 2, 8, 18 + 1),
    "categorical_cross_entropy": (counted("categorical_cross_entropy", zeros(2, 3), zeros(2, 3)), 6 + 4 + 2, 6, 12 + 1),
    "sparse_categorical_cross_entropy": (counted("sparse_categorical_cross_entropy", zeros(2, 3), zeros(2)), 2, 2, 4 + 1),
    "l2_penalty": (counted("l2_penalty", zeros(2, 3)), 6 + 5 + 1, 0, 6 + 2),
    "gradient_descent": (counted("gradient_descent", *MOVED), 2 * 45, 0, 0),
    "momentum": (counted("momentum", *MOVED), 4 * 45, 0, 0),
    "rmsprop": (counted("rmsprop", *MOVED), 8 * 45, 45, 0),
    "adam": (counted("adam", *MOVED), (3 + 4 + 2 + 1 + 1 + 2) * 45, 45, 0),
    "adamw": (counted("adamw", *MOVED), (3 + 4 + 2 + 1 + 1 + 2 + 2) * 45, 45, 0),
    "clip_by_norm": (counted("clip_by_norm", MOVED[0], limit=1.0), 3 * 25 + 2, 2, 0),
    "clip_by_value": (counted("clip_by_value", MOVED[0], limit=1.0), 2 * 25, 0, 0),
}
"""The work of small arrays; and forward, transcendental and backward operations as they are counted by hand."""


@pytest.mark.parametrize("case", HAND_COUNTS, ids=list(HAND_COUNTS))
def test_work_is_what_a_hand_counts(case):
    found, *expected = HAND_COUNTS[case]
    assert [found.flops, found.transcendentals, found.backward_flops] == expected


def test_rows_that_nobody_looks_up_are_not_read():
    assert counted("embedding", zeros(3, 5), zeros(100, 7)).untouched == 85 * 7
    assert counted("embedding", zeros(3, 50), zeros(100, 7)).untouched == 0
    assert counted("sparse_categorical_cross_entropy", zeros(2, 3), zeros(2)).untouched == 4
    assert counted("sparse_categorical_cross_entropy", zeros(2, 3), zeros(2), normalize=True).untouched == 0


GEOMETRIES: dict[str, dict[str, Any]] = {
    "valid": {},
    "same": {"padding": "same"},
    "stride_and_dilation": {"stride": (2, 1), "dilation": (1, 2)},
    "uneven_padding": {"padding": ((2, 0), (1, 3)), "stride": (1, 2), "dilation": (2, 1)},
    "groups": {"groups": 2, "padding": ((1, 1), (0, 1))},
}


def multiplications(function: Any, x: Any, weight: Any, **keywords: Any) -> int:
    """How many products with something that is not padding there are: every input and weight being one, the sum of results."""
    return round(float(function(np.ones_like(x), np.ones_like(weight), **keywords).sum()))


@pytest.mark.parametrize("name", ["conv2d", "conv2d_transpose"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=list(GEOMETRIES))
def test_convolution_is_two_for_each_product_and_twice_that_back(name, geometry):
    keywords = GEOMETRIES[geometry]
    channels = 4 // keywords.get("groups", 1)
    x, weight = zeros(2, 4, 6, 7), zeros(4, channels, 3, 2)
    products = multiplications(OPERATIONS[name].function, x, weight, **keywords)
    found = counted(name, x, weight, **keywords)
    assert (found.flops, found.backward_flops) == (2 * products, 4 * products)
    results = OPERATIONS[name].function(x, weight, **keywords).size
    bias = counted(name, x, weight, zeros(4), **keywords)
    assert (bias.flops - found.flops, bias.backward_flops - found.backward_flops) == (results, results - 4)


def test_mnist_cnn_is_the_sum_of_its_layers():
    by_layer = {
        "convolution_1": 26 * 26 * 32 * (2 * 9 + 1),
        "relu_1": 26 * 26 * 32,
        "pool_1": 13 * 13 * 32 * 3,
        "convolution_2": 11 * 11 * 64 * (2 * 32 * 9 + 1),
        "relu_2": 11 * 11 * 64,
        "pool_2": 5 * 5 * 64 * 3,
        "hidden": 128 * (2 * 1600 + 1),
        "relu": 128,
        "scores": 10 * (2 * 128 + 1),
        "softmax": 9 + 10 + 9 + 10,
        "loss": 1,
    }
    found = work(OPERATIONS["mnist_cnn"], workload(OPERATIONS["mnist_cnn"], "S"))
    assert found.flops == sum(by_layer.values())
    assert found.transcendentals == 10 + 1
    assert found.untouched == 0
    products = 2 * (26 * 26 * 32 * 9 + 11 * 11 * 64 * 32 * 9 + 128 * 1600 + 10 * 128)
    assert 2 * products < found.backward_flops < 2.03 * products


def test_a_training_step_is_forward_back_and_the_optimizer():
    model, step = OPERATIONS["mnist_cnn"], OPERATIONS["mnist_cnn_training"]
    once, found = work(model, workload(model, "S")), work(step, workload(step, "S"))
    weights = 32 * 10 + 64 * 289 + 128 * 1601 + 10 * 129
    gradient_of_images, cotangent_of_output = 2 * 26 * 26 * 32 * 9, 10
    forward_and_back = once.flops + once.backward_flops - gradient_of_images - cotangent_of_output
    assert found.flops == forward_and_back + 13 * weights
    assert found.transcendentals == once.transcendentals + weights
    assert (found.backward_flops, found.backward_transcendentals, found.untouched) == (0, 0, 0)


def test_a_step_of_both_players_has_the_work_of_their_networks():
    game = OPERATIONS["dcgan_training"]
    samples = {size: workload(game, size) for size in ("S", "M")}
    one, sixteen = (work(game, sample).flops for sample in samples.values())
    players = [
        work(OPERATIONS[name], workload(OPERATIONS[name], "M")).flops for name in ("dcgan_generator", "dcgan_discriminator")
    ]
    # Forward and back is three times forward: for the generator, and in two steps of the discriminator; in the third it is two.
    for_an_example = (3 * players[0] + (3 + 3 + 2) * players[1]) / 16
    assert (sixteen - one) / 15 == pytest.approx(for_an_example, rel=0.02)
    # Whatever the batch, the optimizers step, and the gradients of the discriminator for both kinds of images are added.
    sizes = {name: sum(leaf.size for _, leaf in trees.leaves(tree)) for name, tree in samples["S"].inputs["parameters"].items()}
    assert one - (sixteen - one) / 15 == pytest.approx(13 * sum(sizes.values()) + sizes["discriminator"], rel=0.005)


def test_work_adds_up_field_by_field():
    one = Work(flops=1, transcendentals=2, backward_flops=3, backward_transcendentals=4, untouched=5)
    assert one + one == Work(flops=2, transcendentals=4, backward_flops=6, backward_transcendentals=8, untouched=10)
