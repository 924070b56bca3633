"""Which operation of the specification an ATen operator is: a table for ``tensorproof judge``."""

from collections.abc import Mapping
from typing import Any

import torch

from tensorproof_torch import aten_indexing, aten_norms
from tensorproof_torch import aten_rules as rules

aten = torch.ops.aten

_COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_SAME_NAME = (
    *("abs", "sign", "exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf"),
    *("floor", "round", "relu", "tanh", "sigmoid", "silu", "square"),
)
_OF_SHAPE = (
    *(aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.unsqueeze.default),
    *(aten.squeeze.default, aten.squeeze.dim, aten.squeeze.dims),
)
_COPIES = (aten.clone.default, aten.lift_fresh_copy.default, aten._to_copy.default, aten.contiguous.default)

RULES: Mapping[Any, rules.Rule] = {
    **{getattr(aten, name).default: rules.unary(name) for name in _SAME_NAME},
    aten.neg.default: rules.unary("negative"),
    aten.gelu.default: rules.gelu,
    aten.elu.default: rules.elu,
    aten.softplus.default: rules.softplus,
    aten.leaky_relu.default: rules.leaky_relu,
    aten.hardtanh.default: rules.hardtanh,
    aten.clamp.default: rules.clamp,
    aten.clamp.Tensor: rules.clamp,
    aten.add.Tensor: rules.scaled("add"),
    aten.add.Scalar: rules.scaled("add"),
    aten.sub.Tensor: rules.scaled("subtract"),
    aten.sub.Scalar: rules.scaled("subtract"),
    aten.rsub.Scalar: rules.reversed_difference,
    aten.rsub.Tensor: rules.reversed_difference,
    aten.mul.Tensor: rules.binary("multiply"),
    aten.mul.Scalar: rules.binary("multiply"),
    aten.div.Tensor: rules.binary("divide"),
    aten.div.Scalar: rules.binary("divide"),
    aten.pow.Tensor_Tensor: rules.binary("power"),
    aten.pow.Tensor_Scalar: rules.power,
    aten.maximum.default: rules.binary("maximum"),
    aten.minimum.default: rules.binary("minimum"),
    **{
        getattr(getattr(aten, name), kind): rules.binary(word)
        for name, word in _COMPARISONS.items()
        for kind in ("Tensor", "Scalar")
    },
    aten.where.self: rules.chosen,
    aten.logical_not.default: rules.negated,
    aten.any.dim: rules.of_masks("any"),
    aten.all.dim: rules.of_masks("all"),
    **{item: rules.reduction("reduce_sum") for item in (aten.sum.default, aten.sum.dim_IntList)},
    **{item: rules.reduction("reduce_mean") for item in (aten.mean.default, aten.mean.dim)},
    aten.amax.default: rules.reduction("reduce_max"),
    aten.amin.default: rules.reduction("reduce_min"),
    aten.max.default: rules.reduction("reduce_max"),
    aten.min.default: rules.reduction("reduce_min"),
    aten.max.dim: rules.extreme("reduce_max"),
    aten.min.dim: rules.extreme("reduce_min"),
    aten.prod.default: rules.reduction("reduce_prod"),
    aten.logsumexp.default: rules.reduction("logsumexp"),
    aten.var.correction: rules.spread("variance"),
    aten.std.correction: rules.spread("standard_deviation"),
    aten.linalg_vector_norm.default: rules.vector_norm,
    aten.cumsum.default: rules.cumulative,
    aten._softmax.default: rules.softmax("softmax"),
    aten._log_softmax.default: rules.softmax("log_softmax"),
    **dict.fromkeys(_OF_SHAPE, rules.reshaped),
    aten.expand.default: rules.expanded,
    aten.permute.default: rules.permuted,
    aten.transpose.int: rules.transposed,
    aten.t.default: rules.transposed,
    aten.slice.Tensor: rules.sliced,
    aten.select.int: rules.selected,
    aten.split.Tensor: rules.split,
    aten.split_with_sizes.default: rules.split_by_sizes,
    aten.cat.default: rules.joined("concatenate"),
    aten.stack.default: rules.joined("stack"),
    aten.constant_pad_nd.default: rules.padded,
    aten.repeat.default: rules.repeated,
    aten.flip.default: rules.flipped,
    aten.roll.default: rules.rolled,
    aten.tril.default: rules.triangle("tril"),
    aten.triu.default: rules.triangle("triu"),
    **dict.fromkeys(_COPIES, rules.copied),
    aten.copy.default: aten_indexing.written_over,
    aten.slice_scatter.default: aten_indexing.part_written,
    aten.select_scatter.default: aten_indexing.place_written,
    aten.full_like.default: aten_indexing.filled_like,
    aten.index.Tensor: aten_indexing.indexed,
    aten.sort.default: aten_indexing.in_order,
    aten.topk.default: aten_indexing.largest,
    aten.scatter.src: aten_indexing.scattered("scatter_set"),
    aten.scatter_add.default: aten_indexing.scattered("scatter_add"),
    aten.index_put.default: aten_indexing.put,
    # Traced below autograd, ``detach`` is an alias; no other alias is left that something takes.
    **dict.fromkeys((aten.detach.default, aten.alias.default), rules.detached),
    **{item: rules.binary("matmul") for item in (aten.mm.default, aten.bmm.default, aten.matmul.default)},
    aten.addmm.default: rules.product_plus,
    aten.baddbmm.default: rules.product_plus,
    aten.convolution.default: rules.convolution,
    aten.native_layer_norm.default: aten_norms.layer_norm,
    aten.native_group_norm.default: aten_norms.group_norm,
    aten.native_batch_norm.default: aten_norms.batch_norm,
    aten._native_batch_norm_legit_no_training.default: aten_norms.batch_norm_at_inference,
    aten.embedding.default: rules.embedded,
    aten.gather.default: rules.gathered,
    aten.index_select.default: rules.selected_by_index,
    aten.max_pool2d_with_indices.default: rules.max_pooled,
    aten.max_pool3d_with_indices.default: rules.max_pooled,
    aten.avg_pool1d.default: rules.average_pooled,
    aten.avg_pool2d.default: rules.average_pooled,
    aten.avg_pool3d.default: rules.average_pooled,
}
"""By operator. What has no row is unknown."""
