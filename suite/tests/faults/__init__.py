"""Deliberate faults, by family: ``ALL`` and ``EXTENDED`` are to be noticed, ``BEYOND`` are known not to be; each by key."""

from collections.abc import Mapping

from faulty import Fault, Faults

from faults import (
    activations,
    adaptive_pooling,
    attention,
    attention_dropout,
    attention_layers,
    averages,
    axis,
    bags,
    beyond,
    cached_attention,
    casts,
    channel_dropout,
    contractions,
    convolution,
    convolution_groups,
    crossings,
    data,
    dropout,
    elementwise,
    further_losses,
    further_norms,
    further_optimizers,
    further_windows,
    gemm,
    grouped_attention,
    indexing,
    initializers,
    lookups,
    losses,
    machinery,
    margins_and_alignments,
    masked_sequences,
    metrics,
    models,
    moves,
    networks,
    normalization,
    normalized_weights,
    optimizers,
    own_dtypes,
    pooling,
    pooling_marks,
    primitives,
    products,
    quantization,
    quasi_newton,
    recurrent,
    reductions,
    resizing,
    sampling,
    sequences,
    training,
    transformer_blocks,
)


def _by_key(*lists: Faults) -> Mapping[str, Fault]:
    found: dict[str, Fault] = {}
    for faults in lists:
        for fault in faults.found:
            if fault.key in found:
                raise ValueError(f"two faults are called {fault.key}")
            found[fault.key] = fault
    return dict(sorted(found.items()))


ALL = _by_key(
    attention.FAULTS,
    axis.FAULTS,
    convolution.FAULTS,
    crossings.FAULTS,
    data.FAULTS,
    dropout.FAULTS,
    elementwise.FAULTS,
    initializers.FAULTS,
    losses.FAULTS,
    machinery.FAULTS,
    models.FAULTS,
    normalization.FAULTS,
    optimizers.FAULTS,
    pooling.FAULTS,
    products.FAULTS,
    recurrent.FAULTS,
    training.FAULTS,
)
BEYOND = _by_key(beyond.FAULTS)
EXTENDED = _by_key(
    margins_and_alignments.FAULTS,
    metrics.FAULTS,
    primitives.FAULTS,
    reductions.FAULTS,
    moves.FAULTS,
    indexing.FAULTS,
    activations.FAULTS,
    further_losses.FAULTS,
    further_norms.FAULTS,
    further_optimizers.FAULTS,
    convolution_groups.FAULTS,
    further_windows.FAULTS,
    pooling_marks.FAULTS,
    adaptive_pooling.FAULTS,
    grouped_attention.FAULTS,
    resizing.FAULTS,
    contractions.FAULTS,
    sampling.FAULTS,
    casts.FAULTS,
    quantization.FAULTS,
    own_dtypes.FAULTS,
    attention_layers.FAULTS,
    cached_attention.FAULTS,
    transformer_blocks.FAULTS,
    networks.FAULTS,
    sequences.FAULTS,
    masked_sequences.FAULTS,
    bags.FAULTS,
    lookups.FAULTS,
    gemm.FAULTS,
    normalized_weights.FAULTS,
    channel_dropout.FAULTS,
    averages.FAULTS,
    quasi_newton.FAULTS,
    attention_dropout.FAULTS,
)
"""Those in operations of profile ``extended``."""
OF_PROFILE = {"core": ALL, "extended": EXTENDED}
