"""Faults of a framework rather than of one formula: compilers, caches, buffers, dtypes, devices, determinism."""

from dataclasses import replace
from typing import Any

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import Node, SmallBackend, Value

FAULTS = Faults()


def shapes(*groups: Any) -> Any:
    """What a cache that forgets half of its key would use."""
    return tuple(tuple((value.array.shape, value.dtype) for value in group) for group in groups)


class Wrapping(SmallBackend):
    """A backend that does something to every run of value and gradient, in the modes of ``modes_hit``."""

    modes_hit = ("eager", "compiled")

    def around(self, run: Any, primals: Any, constants: Any, cotangents: Any) -> Any:
        raise NotImplementedError

    def value_and_vjp(self, function: Any, mode: str) -> Any:
        run = super().value_and_vjp(function, mode)
        if mode not in self.modes_hit:
            return run
        return lambda primals, constants, cotangents: self.around(run, primals, constants, cotangents)


@FAULTS.framework("batch_norm", "compiled")
class ResultsCachedByShape(Wrapping):
    modes_hit = ("compiled",)

    def around(self, run, primals, constants, cotangents):
        cache = self.__dict__.setdefault("cache", {})
        key = shapes(primals, constants, cotangents)
        if key not in cache:
            cache[key] = run(primals, constants, cotangents)
        return cache[key]


@FAULTS.framework("conv2d", "compiled")
class ProgramsCachedByShape(SmallBackend):
    def prepared(self, function, mode):
        prepared = super().prepared(function, mode)
        cache = self.__dict__.setdefault("cache", {})

        def run(primals, constants):
            if mode == "eager":
                return prepared(primals, constants)
            return cache.setdefault(shapes(primals, constants), prepared)(primals, constants)

        return run


@FAULTS.framework("matmul", "compiled")
class CompiledOutputsAreDoubled(Wrapping):
    modes_hit = ("compiled",)

    def around(self, run, primals, constants, cotangents):
        outputs, others, gradients = run(primals, constants, cotangents)
        return tuple(value * 2.0 for value in outputs), others, gradients


@FAULTS.framework("dense", "purity")
class GradientsAccumulateOverCalls(Wrapping):
    def around(self, run, primals, constants, cotangents):
        buffers = self.__dict__.setdefault("buffers", {})
        outputs, others, gradients = run(primals, constants, cotangents)
        for index, gradient in enumerate(gradients):
            buffer = buffers.setdefault((id(run), index), np.zeros_like(gradient.array))
            buffer += gradient.array
        added = tuple(Value(buffers[id(run), i].copy(), g.dtype, "cpu", self) for i, g in enumerate(gradients))
        return outputs, others, added


@FAULTS.framework("conv2d", "subset")
class WeightGradientAloneIsZero(Wrapping):
    def around(self, run, primals, constants, cotangents):
        outputs, others, gradients = run(primals, constants, cotangents)
        return outputs, others, tuple(g * 0.0 if len(primals) == 1 and constants else g for g in gradients)


@FAULTS.framework("layer_norm", "subset")
class GradientsInTheOrderAskedForAreMixedUp(Wrapping):
    def around(self, run, primals, constants, cotangents):
        outputs, others, gradients = run(primals, constants, cotangents)
        return outputs, others, gradients if len(primals) == 3 else tuple(g * 1.5 for g in gradients)


@FAULTS.framework("scaled_dot_product_attention", "gradient")
class LastGradientIsNone(Wrapping):
    def around(self, run, primals, constants, cotangents):
        outputs, others, gradients = run(primals, constants, cotangents)
        return outputs, others, (*gradients[:-1], None)


@FAULTS.framework("relu", "gradient")
class ValueBesideTheGradientIsTheInput(Wrapping):
    def around(self, run, primals, constants, cotangents):
        _, others, gradients = run(primals, constants, cotangents)
        return tuple(primals), others, gradients


@FAULTS.framework("sigmoid", "purity")
class CotangentOverwritten(Wrapping):
    def around(self, run, primals, constants, cotangents):
        answer = run(primals, constants, cotangents)
        for cotangent in cotangents:
            cotangent.array[...] = 0.0
        return answer


@FAULTS.framework("tanh", "purity")
class ArgumentsDonatedWhenCompiled(Wrapping):
    modes_hit = ("compiled",)

    def around(self, run, primals, constants, cotangents):
        answer = run(primals, constants, cotangents)
        primals[0].array[...] = answer[0][0].array
        return answer


@FAULTS.framework("softmax_cross_entropy", "purity")
class LastBitsChangeFromCallToCall(Wrapping):
    def around(self, run, primals, constants, cotangents):
        outputs, others, gradients = run(primals, constants, cotangents)
        self.calls = self.__dict__.get("calls", 0) + 1
        nudge = 1.0 + (self.calls % 2) * 2.0**-23 if outputs[0].dtype == "float32" else 1.0
        return tuple(value * nudge for value in outputs), others, gradients


@FAULTS.framework("matmul", "plain")
class OutputsComeFromTheHost(SmallBackend):
    def devices(self):
        return ("accelerator",)

    def from_numpy(self, array, dtype, device):
        return Value(array, dtype, device, self)


@FAULTS.framework("softplus", "magnitude")
class LargeInputsFallBackToTheHost(SmallBackend):
    def devices(self):
        return ("accelerator",)

    def wrap(self, result, dtype):
        value = super().wrap(result, dtype)
        value.device = "cpu" if value.array.size and np.nanmax(np.abs(value.array)) > 1e6 else "accelerator"
        return value


@FAULTS.framework("gelu", "bfloat16")
class CastBackToSixteenBitsForgotten(SmallBackend):
    def wrap(self, result, dtype):
        return (
            Value(np.asarray(result, np.float32), "float32", "cpu", self) if dtype == "bfloat16" else super().wrap(result, dtype)
        )


@FAULTS.framework("lstm", "float16")
class GradientsOfFloat16InFloat32(SmallBackend):
    def gradients(self, node, found):
        right = super().gradients(node, found)
        return {
            path: Value(value.array.astype(np.float32), "float32", "cpu", self) if value.dtype == "float16" else value
            for path, value in right.items()
        }


@FAULTS.framework("conv2d_transpose", "float16")
class Float16SaturatesAtItsLargest(SmallBackend):
    def wrap(self, result, dtype):
        if dtype != "float16" or isinstance(result, Value):
            return super().wrap(result, dtype)
        limited = np.nan_to_num(np.asarray(result), nan=np.nan, posinf=65504.0, neginf=-65504.0)
        return super().wrap(limited, dtype)


@FAULTS.framework("flatten", "strided")
class StridesLostOnTheWayIn(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(array.ravel(order="K").reshape(array.shape), dtype, device)


@FAULTS.framework("embedding", "gradient")
class IndicesClampedInPlace(SmallBackend):
    def compute(self, node):
        outputs = super().compute(node)
        if node.operation == "embedding":
            array = node.inputs["indices"].array
            np.minimum(array, 3, out=array)
        return outputs


@FAULTS.framework("hinge", "unit")
class ScalarsComeBackAsVectors(SmallBackend):
    def wrap(self, result, dtype):
        value = super().wrap(result, dtype)
        return Value(value.array.reshape(1), value.dtype, "cpu", self) if value.array.ndim == 0 else value


@FAULTS.framework("max_pool2d", "size")
class MemoryRunsOut(SmallBackend):
    def compute(self, node):
        if any(value.array.size > 5000 for value in node.inputs.values()):
            raise MemoryError("cannot allocate")
        return super().compute(node)


@FAULTS.value("tanh", "plain")
def result_in_double_precision(x):
    return reference("tanh", x.astype(np.float64))


@FAULTS.gradient("matmul", "plain")
def gradients_in_double_precision(dy, a, b):
    return {name: value.astype(np.float64) for name, value in right_vjp("matmul", dy, a, b).items()}


@FAULTS.value("relu", "purity")
def computed_in_place(x):
    np.maximum(x, 0.0, out=x)
    return x


@FAULTS.gradient("softmax", "purity")
def cotangent_used_as_a_buffer(dy, x, *, axis=-1):
    right = right_vjp("softmax", dy, x, axis=axis)["x"]
    dy[...] = right
    return {"x": dy}


@FAULTS.value("silu", "purity")
def noise_in_the_last_bit(x):
    y = reference("silu", x)
    return y * (1.0 + 2.0**-23 * np.random.default_rng().integers(0, 2, y.shape)).astype(y.dtype)


@FAULTS.compiler("log_softmax", "fused")
def product_before_an_operation_dropped(nodes):
    kept = [node for node in nodes if node.operation != "scale"]
    return kept if kept[1:] else nodes


@FAULTS.compiler("dense", "fused")
def neighbouring_tanh_merged_away(nodes):
    *first, before, last = [Node("", {}, {}), *nodes]
    return [*first[1:], replace(before, outputs=last.outputs)] if last.operation == "tanh" and before.operation else nodes


@FAULTS.compiler("conv2d", "fused")
def bias_moved_behind_a_fused_tanh(nodes):
    for node in nodes:
        if node.operation == "conv2d" and len(nodes) > 1:
            node.inputs = {**node.inputs, "bias": None}
    return nodes


@FAULTS.compiler("leaky_relu", "compiled")
def keywords_dropped(nodes):
    return [Node(node.operation, node.inputs, {}, node.outputs) if node.operation == "leaky_relu" else node for node in nodes]


@FAULTS.compiler("average_pool2d", "compiled")
def keywords_of_the_first_program_for_all(nodes):
    for node in nodes:
        if node.operation == "average_pool2d":
            node.keywords = vars(node.inputs["x"].backend).setdefault("first_keywords", node.keywords)
    return nodes


@FAULTS.compiler("matmul", "compiled")
def square_operands_exchanged(nodes):
    for node in nodes:
        if node.operation == "matmul" and node.inputs["a"].array.shape == node.inputs["b"].array.shape[::-1]:
            node.inputs = {"a": node.inputs["b"], "b": node.inputs["a"]}
    return nodes


@FAULTS.value("batch_norm", "compiled", mode="compiled")
def update_of_the_statistics_removed_as_dead_code(x, scale, offset, running_mean, running_variance, **keywords):
    y, *_ = reference("batch_norm", x, scale, offset, running_mean, running_variance, **keywords)
    return y, running_mean, running_variance


@FAULTS.compiler("embedding", "compiled")
def table_folded_into_the_program_gets_no_gradient(nodes):
    for node in nodes:
        if node.operation == "embedding":
            weight = node.inputs["weight"]
            node.inputs = {**node.inputs, "weight": Value(weight.array.copy(), weight.dtype, weight.device, weight.backend)}
    return nodes


@FAULTS.value("softmax_cross_entropy", "compiled", mode="compiled")
def ignored_label_lost_when_compiled(logits, target, *, ignored_label=None, **keywords):
    if ignored_label is not None:
        target = np.clip(target, 0, logits.shape[-1] - 1)
    return reference("softmax_cross_entropy", logits, target, **keywords)


@FAULTS.value("scaled_dot_product_attention", "compiled", mode="compiled")
def mask_lost_by_the_fused_kernel(query, key, value, mask=None, **keywords):
    return reference("scaled_dot_product_attention", query, key, value, None, **keywords)


@FAULTS.value("mean_squared_error", "compiled", mode="compiled")
def result_of_another_dtype_when_compiled(prediction, target, *, reduction="mean"):
    return reference("mean_squared_error", prediction, target, reduction=reduction).astype(np.float32)


@FAULTS.gradient("layer_norm", "compiled", mode="compiled")
def gradient_in_float16_when_compiled(dy, x, scale=None, offset=None, **keywords):
    right = right_vjp("layer_norm", dy, x, scale, offset, **keywords)
    return {**right, "x": right["x"].astype(np.float16).astype(x.dtype)}


@FAULTS.framework("tanh", "compiled")
class ResultsOfTheFirstCallKept(SmallBackend):
    def value_and_vjp(self, function, mode):
        run, kept = super().value_and_vjp(function, mode), {}

        def again(primals, constants, cotangents):
            if mode == "eager":
                return run(primals, constants, cotangents)
            if not kept:
                kept["results"] = run(primals, constants, cotangents)
            return kept["results"]

        return again


@FAULTS.framework("softmax", "compiled")
class ValueWithoutGradientWrongWhenCompiled(SmallBackend):
    def forward(self, function, mode):
        run = super().forward(function, mode)

        def wrong(primals, constants):
            outputs, others = run(primals, constants)
            return (outputs if mode == "eager" else tuple(output * 2.0 for output in outputs)), others

        return wrong


@FAULTS.framework("matmul", "strided")
class OffsetOfAViewIgnored(SmallBackend):
    def from_numpy(self, array, dtype, device):
        if array.base is not None and array.base.flags.c_contiguous:
            array = np.lib.stride_tricks.as_strided(array.base.reshape(-1), array.shape, array.strides).copy()
        return super().from_numpy(array, dtype, device)


@FAULTS.framework("matmul", "strided")
class StridesOfTheCotangentIgnored(SmallBackend):
    def value_and_vjp(self, function, mode):
        run = super().value_and_vjp(function, mode)

        def as_they_lie(primals, constants, cotangents):
            read = [Value(c.array.ravel(order="K").reshape(c.array.shape), c.dtype, "cpu", self) for c in cotangents]
            return run(primals, constants, read)

        return as_they_lie
