"""What the recurrent operations are timed on, and their work, which is the same but for what a step does beside its products."""

from typing import Any

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations._recurrent import Parameters
from tensorproof_reference.operations._workloads import added_bias, count, ordinary, products, weights
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

SIZES = {"S": (2, 8, 16, 16), "M": (32, 20, 64, 64), "L": (32, 32, 256, 256)}
"""Batch, steps, features and units of what is timed: one layer in one direction."""

BIASES = ("bias", "recurrent_bias")


def recurrent_workload(stream: Stream, size: str, gates: tuple[int, ...]) -> Sample:
    """Sequences through one layer in one direction, with one bias vector and initial states of zero."""
    batch, steps, features, units = SIZES[size]
    leaf = {
        "input_weights": weights(stream("input_weights"), (features, *gates, units), fan_in=features),
        "recurrent_weights": weights(stream("recurrent_weights"), (units, *gates, units), fan_in=units),
        "bias": stream("bias").uniform((*gates, units), -0.1, 0.1),
    }
    return Sample(name=size, inputs={"x": ordinary(stream("x"), (batch, steps, features)), "parameters": [[leaf]]})


def recurrent_work(x: Array, parameters: Parameters, of_unit: Work) -> Work:
    """The products of all layers and directions with inputs and hidden states, and the biases; ``of_unit`` is what a step does
    beside these for each unit of each example.

    Back, twice the products; a sum for each bias, for each hidden state that goes out of the layer as well, and for each input
    that two directions see.
    """
    positions = x.shape[0] * x.shape[1]
    total = Work(flops=0)
    for layer in parameters:
        for leaf in layer:
            recurrent = leaf["recurrent_weights"]
            gates, units = count(recurrent) // recurrent.shape[0], recurrent.shape[-1]
            biases = gates if any(leaf.get(key) is not None for key in BIASES) else 0
            total += products(positions * (count(leaf["input_weights"]) + count(recurrent)))
            total += Work(flops=positions * biases, backward_flops=positions * (units + biases))
            total += repeated(of_unit, positions * units)
        total += Work(flops=0, backward_flops=(len(layer) - 1) * positions * layer[0]["input_weights"].shape[0])
    return total


def repeated(work: Work, times: int) -> Work:
    """The same work so many times."""
    return Work(
        flops=times * work.flops,
        transcendentals=times * work.transcendentals,
        backward_flops=times * work.backward_flops,
        backward_transcendentals=times * work.backward_transcendentals,
    )


def output_work(x: Array, output_weights: Any, output_bias: Any, return_sequences: bool) -> Work:
    """That of a projection of the hidden states, of all steps or the last one."""
    if output_weights is None:
        return Work(flops=0)
    rows = x.shape[0] * (x.shape[1] if return_sequences else 1)
    outputs = rows * output_weights.shape[1]
    return products(rows * count(output_weights)) + added_bias(outputs, output_bias)
