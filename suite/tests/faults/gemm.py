"""Faults in general matrix multiply: factors, transposes, what is not read, and gradients of what was broadcast."""

from typing import Any

import numpy as np
from faulty import Faults, right_vjp

FAULTS = Faults()
GEMM = "gemm"


def _square(given: dict[str, Any]) -> bool:
    """Whether a transpose that is left out still fits."""
    return given["a"].shape == given["b"].shape and given["a"].shape[-1] == given["a"].shape[-2]


def _without(keyword: str) -> Any:
    """The right function, which does not see a keyword."""
    return lambda right, **given: right(**{name: value for name, value in given.items() if name != keyword})


def _alpha_scales_the_sum(right: Any, **given: Any) -> Any:
    """α is a factor of C too, but where it is 0."""
    alpha = given.get("alpha", 1.0)
    return right(**{**given, "beta": given.get("beta", 1.0) * (alpha or 1.0)})


def _c_is_read_where_beta_is_zero(right: Any, **given: Any) -> Any:
    return right(**{**given, "zero_beta": "multiplied"})


def _nan_is_dropped_where_beta_is_zero(right: Any, **given: Any) -> Any:
    return right(**{**given, "zero_beta": "unread"})


def _transposes_left_out_of_squares(right: Any, **given: Any) -> Any:
    return right(**{**given, "transpose_a": False, "transpose_b": False}) if _square(given) else right(**given)


def _product_transposed_instead_of_squares(right: Any, **given: Any) -> Any:
    """The transpose of AB, which is BᵀAᵀ."""
    if not (_square(given) and given.get("transpose_a")):
        return right(**given)
    return right(**{**given, "a": given["b"], "b": given["a"]})


def _turned_in_squares(columns: bool) -> Any:
    """A change of arguments: where the result is square, a column of C is taken for a row; or a row for a column."""

    def turned(given: dict[str, Any]) -> dict[str, Any]:
        c, a, b = given.get("c"), given["a"], given["b"]
        rows = a.shape[-1 if given.get("transpose_a") else -2]
        square = rows == b.shape[-2 if given.get("transpose_b") else -1]
        if c is None or not square or not c.ndim or c.ndim > 2 or c.shape[-1] != (1 if columns else rows):
            return given
        matrix = np.atleast_2d(c)
        return {**given, "c": matrix.T} if 1 in matrix.shape else given

    return turned


def _c_of_squares_turned(columns: bool) -> Any:
    turned = _turned_in_squares(columns)
    return lambda right, **given: right(**turned(given))


def _c_added_to_the_first_matrix(right: Any, **given: Any) -> Any:
    """Of a stack only the first product has βC."""
    y = right(**given)
    if y.ndim == 3 and given.get("c") is not None:
        y[1:] = right(**{**given, "c": None})[1:]
    return y


def _nan_in_c_where_the_inner_axis_is_empty(right: Any, **given: Any) -> Any:
    """Nothing to add up leaves the result as it is found."""
    y = right(**given)
    return np.full_like(y, np.nan) if given["a"].shape[-1 if not given.get("transpose_a") else -2] == 0 else y


FAULTS.planted(GEMM, "plain", "alpha_ignored", _without("alpha"))
FAULTS.planted(GEMM, "plain", "beta_ignored", _without("beta"))
FAULTS.planted(GEMM, "plain", "alpha_scales_the_sum", _alpha_scales_the_sum)
FAULTS.planted(GEMM, "convention", "c_is_read_where_beta_is_zero", _c_is_read_where_beta_is_zero)
FAULTS.planted(GEMM, "convention", "nan_is_dropped_where_beta_is_zero", _nan_is_dropped_where_beta_is_zero)
FAULTS.planted(GEMM, "optional", "transposes_left_out_of_squares", _transposes_left_out_of_squares)
FAULTS.planted(GEMM, "optional", "product_transposed_instead_of_squares", _product_transposed_instead_of_squares)
FAULTS.planted(GEMM, "broadcast", "column_of_a_square_added_as_a_row", _c_of_squares_turned(columns=True))
FAULTS.planted(GEMM, "broadcast", "row_of_a_square_added_as_a_column", _c_of_squares_turned(columns=False))
FAULTS.planted(GEMM, "rank", "c_added_to_the_first_matrix", _c_added_to_the_first_matrix)
FAULTS.planted(GEMM, "empty", "result_left_where_the_inner_axis_is_empty", _nan_in_c_where_the_inner_axis_is_empty)


@FAULTS.gradient(GEMM, "plain")
def gradient_of_a_without_alpha(dy: Any, **given: Any) -> Any:
    return {**right_vjp(GEMM, dy, **given), "a": right_vjp(GEMM, dy, **{**given, "alpha": 1.0})["a"]}


@FAULTS.gradient(GEMM, "plain")
def gradient_of_c_without_beta(dy: Any, **given: Any) -> Any:
    return {**right_vjp(GEMM, dy, **given), "c": right_vjp(GEMM, dy, **{**given, "beta": 1.0})["c"]}


@FAULTS.gradient(GEMM, "broadcast")
def gradient_of_a_broadcast_c_is_a_mean(dy: Any, **given: Any) -> Any:
    right = right_vjp(GEMM, dy, **given)
    return right if given.get("c") is None else {**right, "c": right["c"] * (given["c"].size / max(dy.size, 1))}


@FAULTS.gradient(GEMM, "broadcast")
def gradient_of_a_column_of_a_square_is_that_of_a_row(dy: Any, **given: Any) -> Any:
    right, turned = right_vjp(GEMM, dy, **given), _turned_in_squares(columns=True)(given)
    return right if turned is given else {**right, "c": right_vjp(GEMM, dy, **turned)["c"].reshape(given["c"].shape)}


@FAULTS.gradient(GEMM, "optional")
def gradient_of_transposed_squares_not_transposed(dy: Any, **given: Any) -> Any:
    right = right_vjp(GEMM, dy, **given)
    return {**right, "a": np.swapaxes(right["a"], -1, -2)} if _square(given) and given.get("transpose_a") else right
