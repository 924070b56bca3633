"""Padded look-ups, one-hot rows of any numbers, and general matrix multiply, by loops and by hand, and what they refuse."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg.blas import dgemm

from tensorproof_reference.arrays.gemm import gemm
from tensorproof_reference.arrays.lookups import one_hot_with_values, padded_embedding
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream

OPERATIONS = extended_operations()


def pulled(name: str, dy: Any, **arguments: Any) -> Any:
    vjp = OPERATIONS[name].vjp
    assert vjp is not None
    return vjp(dy, **arguments)


TABLE = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize("padding", [2, -2])
def test_the_row_of_padding_is_looked_up_and_has_no_gradient(padding: int) -> None:
    indices = np.array([[2, 1], [2, 1], [3, 2]])
    assert_array_equal(padded_embedding(indices, TABLE, padding_index=padding), TABLE[indices])
    dweight = pulled("padded_embedding", np.ones((3, 2, 2)), indices=indices, weight=TABLE, padding_index=padding)["weight"]
    assert_array_equal(dweight, [[0, 0], [2, 2], [0, 0], [1, 1]])


def test_a_row_of_padding_that_is_nan_leaves_no_trace_in_the_gradient() -> None:
    dy = np.full((2, 2), np.nan)
    dweight = pulled("padded_embedding", dy, indices=np.array([0, 0]), weight=TABLE)["weight"]
    assert_array_equal(dweight, np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("padding_index", {"padding_index": 4}),
        ("padding_index", {"padding_index": -5}),
        ("padding_index", {"padding_index": 1.0}),
        ("indices", {"indices": np.array([4])}),
        ("indices", {"indices": np.array([-1])}),
        ("weight", {"weight": np.zeros(3)}),
    ],
)
def test_a_padded_embedding_refuses(argument: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        padded_embedding(**{"indices": np.array([0, 1]), "weight": TABLE, **changes})


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_the_new_axis_has_one_number_at_the_label_and_another_elsewhere(axis: int) -> None:
    labels = np.array([[0, 2, 1], [1, 1, 0]])
    y = np.moveaxis(one_hot_with_values(labels, classes=3, on=5.0, off=-1.0, axis=axis), axis, -1)
    for place in np.ndindex(*labels.shape):
        assert_array_equal(y[place], [5.0 if k == labels[place] else -1.0 for k in range(3)])


def test_labels_out_of_range_are_off_or_counted_from_the_end() -> None:
    labels = np.array([-1, -3, -4, 3])
    off = one_hot_with_values(labels, classes=3, out_of_range="off", negative="off")
    assert_array_equal(off, np.zeros((4, 3)))
    counted = one_hot_with_values(labels, classes=3, on=2.0, off=1.0, out_of_range="off", negative="from_the_end")
    assert_array_equal(counted, [[1, 1, 2], [2, 1, 1], [1, 1, 1], [1, 1, 1]])


@pytest.mark.parametrize(("dtype", "kind"), [("int8", "i"), ("uint8", "i"), ("bool", "b"), ("float16", "f")])
def test_one_hot_rows_are_integers_booleans_or_floats(dtype: str, kind: str) -> None:
    y = one_hot_with_values(np.array([1]), classes=2, dtype=dtype)
    assert y.dtype.kind == kind
    assert_array_equal(y, [[0, 1]])


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("labels", {"labels": np.array([0.5])}),
        ("labels", {"labels": np.array([3])}),
        ("labels", {"labels": np.array([-1]), "out_of_range": "off"}),
        ("labels", {"labels": np.array([3]), "negative": "off"}),
        ("labels", {"labels": np.array([-4]), "negative": "from_the_end"}),
        ("classes", {"classes": 0}),
        ("axis", {"axis": 2}),
        ("axis", {"axis": -3}),
        ("dtype", {"dtype": "complex64"}),
        ("out_of_range", {"out_of_range": "clamp"}),
        ("negative", {"negative": "clamp"}),
    ],
)
def test_one_hot_with_values_refuses(argument: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        one_hot_with_values(**{"labels": np.array([0, 1]), "classes": 3, **changes})


def drawn(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(Stream(5)("gemm")(str(place)).normal(shape) for place, shape in enumerate(shapes))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_general_matrix_multiply_is_that_of_blas(transpose_a: bool, transpose_b: bool) -> None:
    a, b, c = drawn((7, 5) if transpose_a else (5, 7), (3, 7) if transpose_b else (7, 3), (5, 3))
    words = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    expected = dgemm(0.75, a, b, beta=-1.5, c=c, trans_a=transpose_a, trans_b=transpose_b)
    assert_allclose(gemm(a, b, c, alpha=0.75, beta=-1.5, **words), expected, rtol=1e-13)  # type: ignore[arg-type]
    stack = gemm(a[None], b[None], c, alpha=0.75, beta=-1.5, **words)  # type: ignore[arg-type]
    assert_allclose(stack[0], expected, rtol=1e-13)


def test_a_matrix_that_is_not_read_leaves_no_trace_of_nan() -> None:
    a, b = drawn((5, 7), (7, 3))
    c = np.full((5, 3), np.nan)
    assert_allclose(gemm(a, b, c, beta=0.0), a @ b)
    assert_allclose(dgemm(1.0, a, b, beta=0.0, c=c), a @ b)
    assert np.isnan(gemm(a, b, c, beta=0.0, zero_beta="multiplied")).all()
    for choice in ("unread", "multiplied"):
        dy = np.ones((5, 3))
        assert_array_equal(pulled("gemm", dy, a=a, b=b, c=c, beta=0.0, zero_beta=choice)["c"], np.zeros((5, 3)))


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("a", {"a": np.zeros(7)}),
        ("a", {"a": np.zeros((1, 1, 5, 7)), "b": np.zeros((1, 1, 7, 3))}),
        ("b", {"b": np.zeros((1, 7, 3))}),
        ("b", {"b": np.zeros((6, 3))}),
        ("b", {"transpose_b": True}),
        ("b", {"transpose_a": True}),
        ("b", {"a": np.zeros((2, 5, 7)), "b": np.zeros((1, 7, 3))}),
        ("c", {"c": np.zeros((3, 5))}),
        ("c", {"c": np.zeros((1, 5, 3))}),
        ("zero_beta", {"zero_beta": "ignored"}),
    ],
)
def test_general_matrix_multiply_refuses(argument: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        gemm(**{"a": np.zeros((5, 7)), "b": np.zeros((7, 3)), "c": np.zeros((5, 3)), **changes})
