"""Normalizations of 16 bits with parameters of float32: mixed_layer_norm, mixed_rms_norm."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.mixed._widening import widened
from tensorproof_reference.normalizations import rms_norm as root_mean_square
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import layer_norm as layer
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sample_classes import class_of
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

RESULTS = ("bfloat16", "float16", "float32")


def mixed_layer_norm(
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
    dtype: str = "bfloat16",
) -> Array:
    r"""``layer_norm`` of numbers of 16 bits with scale and offset of float32, computed in float32 and rounded once to ``dtype``.

    Gradients are computed in float32 too, and rounded once to the dtypes of x, scale and offset.

    Shapes: as ``layer_norm``.
    Dtypes: x of 16 bits, scale and offset float32, y of ``dtype``.
    Special values: as ``layer_norm``.
    Raises: ``ValueError`` as ``layer_norm``, or if ``dtype`` is another.
    Source: Ba, Kiros & Hinton (2016), eq. 3; Micikevicius et al. (2018), section 3.
    """
    require_choice(dtype, "dtype", RESULTS)
    return layer.layer_norm(widened(x), scale, offset, axes=axes, epsilon=epsilon)


def mixed_rms_norm(
    x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6, dtype: str = "bfloat16"
) -> Array:
    r"""``rms_norm`` of numbers of 16 bits with a scale of float32, computed in float32 and rounded once to ``dtype``.

    Gradients are computed in float32 too, and rounded once to the dtypes of x and scale.

    Shapes: as ``rms_norm``.
    Dtypes: x of 16 bits, scale float32, y of ``dtype``.
    Special values: as ``rms_norm``.
    Raises: ``ValueError`` as ``rms_norm``, or if ``dtype`` is another.
    Source: Zhang & Sennrich (2019), eq. 4; Touvron et al. (2023), section 2.2; Micikevicius et al. (2018), section 3.
    """
    require_choice(dtype, "dtype", RESULTS)
    return root_mean_square.rms_norm(widened(x), scale, axes=axes, epsilon=epsilon)


def _vjp(whole: Operation, dy: Array, x: Array, *parameters: Array | None, dtype: str = "bfloat16", **keywords: Any) -> Gradients:
    """That of the operation in float32."""
    assert whole.vjp is not None
    return whole.vjp(widened(dy), widened(x), *parameters, **keywords)


def _layer_vjp(dy: Array, x: Array, scale: Array | None = None, offset: Array | None = None, **keywords: Any) -> Gradients:
    return _vjp(layer.OPERATION, dy, x, scale, offset, **keywords)


def _root_vjp(dy: Array, x: Array, scale: Array | None = None, **keywords: Any) -> Gradients:
    return _vjp(root_mean_square.OPERATION, dy, x, scale, **keywords)


def _own(narrow: str, result: str) -> dict[str, str]:
    return {"x": narrow, "y": result}


def _samples(whole: Operation, stream: Stream) -> Iterator[Sample]:
    """Those of the operation in float32 that bfloat16 holds, with x of 16 bits; the plain one in each pair of dtypes."""
    given = [
        replace(sample, dtypes=SINGLE, own_dtypes=_own("bfloat16", "bfloat16"))
        for sample in whole.samples(stream)
        if sample.required and "float32" in sample.dtypes and class_of(sample) != "expensive"
    ]
    yield from given
    for narrow in ("bfloat16", "float16"):
        for result in (narrow, "float32"):
            yield replace(
                given[0],
                name=f"optional_{narrow}_to_{result}",
                keywords={**given[0].keywords, "dtype": result},
                own_dtypes=_own(narrow, result),
            )


def _workload(whole: Operation, stream: Stream, size: str) -> Sample:
    assert whole.workload is not None
    return replace(whole.workload(stream, size), own_dtypes=_own("bfloat16", "bfloat16"))


def _layer_work(
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
    dtype: str = "bfloat16",
) -> Work:
    """That of ``layer_norm``."""
    return layer.work(x, scale, offset, axes=axes, epsilon=epsilon)


def _root_work(
    x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6, dtype: str = "bfloat16"
) -> Work:
    """That of ``rms_norm``."""
    return root_mean_square.work(x, scale, axes=axes, epsilon=epsilon)


def _mixed(function: Any, vjp: Any, work: Any, whole: Operation) -> Operation:
    return replace(
        whole,
        function=function,
        vjp=vjp,
        samples=partial(_samples, whole),
        profile=EXTENDED,
        workload=partial(_workload, whole),
        work=work,
        version=1,
    )


OPERATIONS: tuple[Operation, ...] = (
    _mixed(mixed_layer_norm, _layer_vjp, _layer_work, layer.OPERATION),
    _mixed(mixed_rms_norm, _root_vjp, _root_work, root_mean_square.OPERATION),
)
