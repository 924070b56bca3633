"""Looking up rows of which one stands for padding, and one-hot rows of any two numbers: padded_embedding, one_hot_with_values."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import embedding
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.rounding import INTEGERS
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def padded_embedding(indices: Array, weight: Array, *, padding_index: int = 0) -> Array:
    r"""The rows of a table, of which one stands for padding: :math:`y_{\ldots k} = W_{i_{\ldots} k}`.

    The row ``padding_index``, counted from the end if it is below 0, is looked up as it is stored, like others. It has no
    gradient: in training it stays what it is.

    Shapes: ``indices`` any shape, of integers from 0 to V - 1; ``weight`` (V, E); the result has E appended to the shape of
    ``indices``.
    Special values: rows of ``weight`` are copied bit by bit, and rows that are not asked for do not matter.
    Raises: ``ValueError`` if ``weight`` has not two axes, ``indices`` are not integers, or an index or ``padding_index`` is no
    row.
    Source: Bengio et al. (2003), section 2, the mapping C; the text of ``torch.nn.Embedding`` on ``padding_idx``.
    """
    rows = embedding.embedding(indices, weight)
    _padding_row(weight, padding_index)
    return rows


def _padding_row(weight: Array, padding_index: int) -> int:
    """The row that stands for padding, counted from the beginning."""
    rows: int = weight.shape[0]
    valid = isinstance(padding_index, int) and -rows <= padding_index < rows
    require(valid, "padding_index", f"a row from {-rows} to {rows - 1}", padding_index)
    return padding_index % rows


def _embedding_vjp(dy: Array, indices: Array, weight: Array, *, padding_index: int = 0) -> Gradients:
    r""":math:`dW_v = \sum_{i = v} dy_i`, but 0 for the row that stands for padding."""
    dweight = embedding.vjp(dy, indices, weight)["weight"]
    padding = np.arange(weight.shape[0])[:, None] == _padding_row(weight, padding_index)
    return {"weight": np.where(padding, 0.0, dweight)}


def _embedding_samples(stream: Stream) -> Iterator[Sample]:
    """Indices of rank 0 to 3, padding at every third place, rows that stand for padding at both ends, counted from either."""

    def drawn(name: str, *shape: int, rows: int = 10, width: int = 4, padding: int = 0) -> dict[str, Array]:
        numbers = stream(name)
        indices = numbers("indices").integers(shape, 0, rows)
        indices.reshape(-1)[::3] = padding % rows
        return {"indices": indices, "weight": numbers("weight").normal((rows, width))}

    def table(name: str, indices: Any) -> dict[str, Array]:
        return {"indices": np.asarray(indices, np.int64), "weight": stream(name)("weight").normal((10, 4))}

    yield Sample(name="plain_sequences", inputs=drawn("plain_sequences", 3, 5))
    yield Sample(name="size_large", inputs=drawn("size_large", 16, 20, rows=100, width=32))
    for width in (1, 3, 17, 127):
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", 3, 5, width=width), dtypes=SINGLE)
    yield Sample(name="rank_zero", inputs=table("rank_zero", 3), dtypes=SINGLE)
    zero = ("d_weight",)
    yield Sample(name="rank_zero_padding", inputs=table("rank_zero_padding", 0), exact_zero=zero, dtypes=SINGLE)
    yield Sample(name="rank_one", inputs=drawn("rank_one", 6), dtypes=SINGLE)
    yield Sample(name="rank_three", inputs=drawn("rank_three", 2, 3, 4), dtypes=SINGLE)
    yield Sample(name="unit_axes", inputs=table("unit_axes", [[4]]), dtypes=SINGLE)
    yield Sample(name="unit_row", inputs=drawn("unit_row", 3, 5, rows=1), exact_zero=zero, dtypes=SINGLE)
    for name, shape in (("empty_batch", (0, 5)), ("empty_sequences", (3, 0)), ("empty_indices", (0,))):
        yield Sample(name=name, inputs=drawn(name, *shape), exact_zero=zero, dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=drawn(f"strided_{memory}", 3, 5), memory=memory, dtypes=SINGLE)
    for padding in (0, 3, 9, -1, -3, -10):
        name = f"bounds_padding_{padding}".replace("-", "minus_")
        yield Sample(name=name, inputs=drawn(name, 3, 5, padding=padding), keywords={"padding_index": padding})
    yield Sample(name="bounds_first_and_last", inputs=table("bounds_first_and_last", [[0, 9, 0, 9, 5]] * 3))
    yield Sample(name="repeated_pairs", inputs=table("repeated_pairs", [[1, 3, 1, 0, 3], [3, 3, 9, 1, 0], [5, 5, 5, 5, 5]]))
    all_padding = table("repeated_padding_only", np.zeros((3, 5)))
    yield Sample(name="repeated_padding_only", inputs=all_padding, exact_zero=zero)
    yield Sample(name="repeated_no_padding", inputs=table("repeated_no_padding", np.arange(9).reshape(3, 3) + 1))
    # More indices than a kernel may add up in one go, which is where kernels that leave out padding change.
    over = drawn("repeated_over_2048_indices", 2100, rows=700, padding=-2)
    yield Sample(name="repeated_over_2048_indices", inputs=over, keywords={"padding_index": -2}, dtypes=SINGLE)
    yield from long_samples(lambda name, length: drawn(name, length, rows=1000, width=2), "indices")
    stored = drawn("nan_row_of_padding", 3, 5)
    stored["weight"][0] = [np.nan, np.inf, -np.inf, -0.0]
    yield Sample(name="nan_row_of_padding", inputs=stored)
    used = table("nan_rows_used", [[0, 3, 1, 4, 3], [2, 2, 1, 0, 5], [9, 3, 3, 8, 7]])
    np.fill_diagonal(used["weight"], np.nan)
    used["weight"][5] = [np.inf, -np.inf, 0.0, 1.0]
    yield Sample(name="nan_rows_used", inputs=used)


def _embedding_work(indices: Array, weight: Array, *, padding_index: int = 0) -> Work:
    """As that of ``embedding``, as if no index were that of padding."""
    return embedding.work(indices, weight)


OUT_OF_RANGE = ("error", "off")
NEGATIVE = ("error", "off", "from_the_end")
DTYPES = ("float32", "float64", "bfloat16", "float16", *INTEGERS, "bool")


def one_hot_with_values(
    labels: Array,
    *,
    classes: int,
    on: float = 1.0,
    off: float = 0.0,
    axis: int = -1,
    dtype: str = "float32",
    out_of_range: str = "error",
    negative: str = "error",
) -> Array:
    r"""One number at the label and another elsewhere along a new axis: for the last axis :math:`y_{\ldots k}` is ``on`` if
    :math:`k = t_{\ldots}`, else ``off``.

    The new axis is the one at place ``axis`` of the result, counted from either end. Labels run from 0 to ``classes`` - 1.
    Those beyond raise (``out_of_range="error"``), or are ``off`` everywhere (``"off"``). So do those below 0, by ``negative``; or
    they are counted from the end (``"from_the_end"``), and below -``classes`` beyond the range.

    Shapes: ``labels`` any shape, of integers; the result has one more axis, of ``classes``.
    Dtypes: y of ``dtype``: a float, an integer or ``bool``, which holds both numbers.
    Raises: ``ValueError`` if ``labels`` are not integers, ``classes`` is less than 1, ``axis`` is none, ``dtype`` or a convention
    is unknown, or a label is out of range where that is an error.
    Source: Bishop (2006), §4.1.3 (1-of-K coding); the texts of ``tf.one_hot`` and ``jax.nn.one_hot``; ONNX OneHot (opset 11).
    """
    require(np.issubdtype(labels.dtype, np.integer), "labels", "integers", f"dtype {labels.dtype}")
    require(isinstance(classes, int) and classes > 0, "classes", "a positive integer", classes)
    places = labels.ndim + 1
    require(isinstance(axis, int) and -places <= axis < places, "axis", f"an axis of {places}", axis)
    require_choice(dtype, "dtype", DTYPES)
    require_choice(out_of_range, "out_of_range", OUT_OF_RANGE)
    require_choice(negative, "negative", NEGATIVE)
    chosen = np.where(labels < 0, labels + classes, labels) if negative == "from_the_end" else labels
    beyond = (labels >= classes) | ((labels < 0) & (chosen < 0) if negative == "from_the_end" else False)
    wrong = (beyond if out_of_range == "error" else False) | ((labels < 0) if negative == "error" else False)
    require(not np.any(wrong), "labels", f"labels from 0 to {classes - 1}", f"{labels.reshape(-1)[:5].tolist()}, …")
    hit = np.moveaxis(chosen[..., None] == np.arange(classes), -1, axis)
    if dtype == "bool":
        return np.where(hit, on != 0, off != 0)
    return np.where(hit, np.int64(on), np.int64(off)) if dtype in INTEGERS else np.where(hit, float(on), float(off))


def _one_hot_samples(stream: Stream) -> Iterator[Sample]:
    """Labels of rank 0 to 3, every axis, two numbers, every dtype, and labels beyond the range."""

    def sample(name: str, labels: Array, classes: int = 4, *, memory: str = "contiguous", **keywords: Any) -> Sample:
        own = {"y": keywords.get("dtype", "float32")}
        given = {"classes": classes, **keywords}
        inputs = {"labels": labels}
        return Sample(name=name, inputs=inputs, keywords=given, own_dtypes=own, gradient=False, memory=memory, dtypes=SINGLE)

    def drawn(name: str, *shape: int, classes: int = 4, memory: str = "contiguous", **keywords: Any) -> Sample:
        return sample(name, stream(name).integers(shape, 0, classes), classes, memory=memory, **keywords)

    both: dict[str, Any] = {"on": 2.5, "off": -0.25}
    yield drawn("plain_labels", 6)
    yield drawn("plain_labels_of_integers", 6, dtype="int64")
    yield drawn("plain_values", 6, **both)
    yield drawn("size_large", 64, classes=128, **both)
    yield drawn("size_large_of_integers", 64, classes=128, dtype="int64")
    for width in (2, 3, 17, 127):
        yield drawn(f"width_{width}", 6, classes=width)
    yield drawn("rank_zero")
    yield drawn("rank_zero_axis_first", axis=0)
    yield drawn("rank_two", 3, 5)
    yield drawn("rank_three", 2, 3, 4)
    for axis in (0, 1, 2, 3, -1, -2, -4):
        word = str(axis).replace("-", "minus_")
        yield drawn(f"axis_{word}", 2, 3, 5, axis=axis, **both)
        yield drawn(f"axis_{word}_of_ones", 2, 3, 5, axis=axis)
    yield drawn("unit_label", 1, axis=0)
    yield drawn("unit_class", 6, classes=1)
    yield drawn("empty_labels", 0)
    yield drawn("empty_rank_two", 3, 0, axis=1)
    yield drawn("strided_transposed", 3, 5, axis=1, memory="transposed")
    yield drawn("strided_sliced", 6, axis=0, memory="sliced")
    yield sample("repeated_label", np.full(6, 2))
    yield sample("bounds_first_and_last", np.asarray([0, 3, 0, 3, 0, 3]), axis=0)
    yield sample("bounds_many_classes", np.asarray([257, 299, 256, 0, 255, 1]), 300)
    for dtype in ("float64", "bfloat16", "float16"):
        yield drawn(f"optional_{dtype}", 6, dtype=dtype, **both)
        yield drawn(f"optional_{dtype}_of_ones", 6, dtype=dtype)
    for dtype in ("int64", "int32", "int8", "uint8"):
        yield drawn(f"optional_{dtype}", 6, dtype=dtype, on=5, off=2)
        yield drawn(f"optional_{dtype}_of_ones", 6, dtype=dtype)
    yield drawn("optional_bool", 6, dtype="bool")
    yield drawn("optional_bool_off", 6, dtype="bool", on=0, off=1)
    yield drawn("optional_on", 6, on=0.5)
    yield drawn("optional_off", 6, off=0.125)
    yield drawn("optional_on_equal_to_off", 6, on=0.5, off=0.5)
    beyond, below = np.asarray([1, 4, 2, 0, 9, 3]), np.asarray([1, -1, 2, 0, -4, 3])
    kinds: dict[str, dict[str, Any]] = {"": {}, "_with_values": both}
    for word, labels, keyword, choices in (
        ("beyond", beyond, "out_of_range", OUT_OF_RANGE),
        ("negative", below, "negative", NEGATIVE),
    ):
        for choice in choices:
            for kind, values in kinds.items():
                name = f"bounds_{word}_{choice}{kind}"
                raises = choice == "error"
                made = sample(name, labels, **{**values, keyword: choice})
                yield replace(made, required=False, raises=raises)
    far = np.asarray([-5, 1, 4, -4, 2**33, -(2**33)])
    for choice in ("off", "from_the_end"):
        made = sample(f"bounds_both_{choice}", far, out_of_range="off", negative=choice, **both)
        yield replace(made, required=False)


def _one_hot_workload(stream: Stream, size: str) -> Sample:
    """Labels of a thousand classes, as probabilities that are smoothed."""
    inputs = {"labels": stream("labels").integers(({"S": 4, "M": 256, "L": 4096}[size],), 0, 1000)}
    keywords = {"classes": 1000, "on": 0.9375, "off": 0.0625}
    return Sample(name=size, inputs=inputs, keywords=keywords, own_dtypes={"y": "float32"}, gradient=False)


def _one_hot_work(
    labels: Array,
    *,
    classes: int,
    on: float = 1.0,
    off: float = 0.0,
    axis: int = -1,
    dtype: str = "float32",
    out_of_range: str = "error",
    negative: str = "error",
) -> Work:
    """None: two numbers are written."""
    return Work(flops=0)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=padded_embedding,
        vjp=_embedding_vjp,
        samples=_embedding_samples,
        family="lookup",
        profile=EXTENDED,
        differentiable=("weight",),
        axes={"indices": "...", "weight": "v e", "y": "... e"},
        workload=embedding.workload,
        work=_embedding_work,
    ),
    Operation(
        function=one_hot_with_values,
        vjp=None,
        samples=_one_hot_samples,
        family="lookup",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        conventions={"out_of_range": OUT_OF_RANGE, "negative": NEGATIVE},
        workload=_one_hot_workload,
        work=_one_hot_work,
    ),
)
