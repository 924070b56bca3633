"""Sums of products along named axes: einsum."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def einsum(arrays: Sequence[Array], *, equation: str) -> Array:
    r"""The sum of products that an equation names: ``"ij,jk->ik"`` is :math:`y_{ik} = \sum_j a_{ij} b_{jk}`.

    Letters name the axes of each array, and after the arrow those of the result. Axes of one letter run together; those whose
    letter is not in the result are summed over. A letter twice in one array is its diagonal. Three arrays or more are multiplied
    one after the other, and what is between is rounded.

    Shapes: axes of one letter are equally long; the result has the lengths of its letters.
    Special values: as in products and sums: NaN reaches the results of which it is a factor, and 0 · ∞ is NaN.
    Raises: ``ValueError`` if the equation has no arrow or other signs than letters, commas and the arrow, if a letter of the
    result is in no array or twice, if letters do not fit the axes, or lengths differ.
    Source: the texts of ``numpy.einsum`` and ONNX Einsum (opset 12), without ellipses.
    """
    parts, result, _ = _letters(arrays, equation)
    return _product(parts, arrays, result)


def _product(parts: Sequence[str], arrays: Sequence[Array], result: str) -> Array:
    """The sum of products, from the first two arrays on; what is between has the letters that are still wanted."""
    (named, *later), (product, *others) = parts, arrays
    while len(later) > 1:
        wanted = set("".join((result, *later[1:])))
        between = "".join(letter for letter in dict.fromkeys(named + later[0]) if letter in wanted)
        product = np.einsum(f"{named},{later[0]}->{between}", product, others[0], optimize=True)
        named, later, others = between, later[1:], others[1:]
    return np.einsum(f"{','.join((named, *later))}->{result}", product, *others, optimize=True)


def _letters(arrays: Sequence[Array], equation: str) -> tuple[list[str], str, dict[str, int]]:
    """The letters of each array and those of the result, and the length of the axes of each letter."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    parts = given.split(",")
    plain = all(part.isalpha() or not part for part in (*parts, result))
    require(bool(arrow) and plain, "equation", "letters, commas and an arrow", equation)
    require(len(parts) == len(arrays), "equation", f"letters of {len(arrays)} arrays", equation)
    once = len(set(result)) == len(result) and set(result) <= set(given)
    require(once, "equation", "a result of letters of the arrays, each once", equation)
    sizes: dict[str, int] = {}
    for part, array in zip(parts, arrays, strict=True):
        axes = len(array.shape)
        require(len(part) == axes, "equation", f"{axes} letters for an array of shape {array.shape}", equation)
        for letter, length in zip(part, array.shape, strict=True):
            same = sizes.setdefault(letter, length) == length
            require(same, "arrays", f"axes {letter} of one length", [item.shape for item in arrays])
    return parts, result, sizes


def _vjp(dy: Array, arrays: Sequence[Array], *, equation: str) -> Gradients:
    """Each array's gradient is the sum of products of all the others and the cotangent, on the diagonal where letters repeat."""
    parts, result, sizes = _letters(arrays, equation)
    found = []
    for place, (part, array) in enumerate(zip(parts, arrays, strict=True)):
        others = [other for index, other in enumerate(arrays) if index != place]
        named = [other for index, other in enumerate(parts) if index != place]
        own = "".join(dict.fromkeys(part))
        known = "".join(letter for letter in own if letter in result or any(letter in other for other in named))
        gradient = _product([result, *named], [dy, *others], known)
        found.append(_spread(gradient, known, own, part, array, sizes))
    return {"arrays": found}


def _spread(gradient: Array, known: str, own: str, part: str, array: Array, sizes: Mapping[str, int]) -> Array:
    """The gradient repeated along axes that were summed over alone, and laid on the diagonal of axes of one letter."""
    whole = gradient.reshape([sizes[letter] if letter in known else 1 for letter in own])
    whole = np.broadcast_to(whole, [sizes[letter] for letter in own])
    if own == part:
        return whole.copy()
    places = np.ix_(*(np.arange(sizes[letter]) for letter in own))
    laid = np.zeros_like(array)
    laid[tuple(places[own.index(letter)] for letter in part)] = whole
    return laid


WIDE = ("float64", "float32", "bfloat16")
Table = Mapping[str, tuple[str, tuple[tuple[int, ...], ...]]]
EQUATIONS: Table = {
    "plain_product": ("ij,jk->ik", ((5, 7), (7, 4))),
    "size_large_product": ("ij,jk->ik", ((64, 129), (129, 65))),
    "size_large_batched": ("bij,bjk->bik", ((8, 32, 33), (8, 33, 31))),
    "width_dot": ("i,i->", ((17,), (17,))),
    "width_dot_of_127": ("i,i->", ((127,), (127,))),
    "rank_zero": (",->", ((), ())),
    "rank_zero_scaled": (",ij->ij", ((), (3, 4))),
    "rank_one_sum": ("i->", ((9,),)),
    "rank_five": ("abcde,cf->abfde", ((2, 3, 4, 2, 3), (4, 5))),
    "axis_trace": ("ii->", ((6, 6),)),
    "axis_diagonal": ("ii->i", ((6, 6),)),
    "axis_diagonal_of_batch": ("bii->bi", ((3, 4, 4),)),
    "axis_trace_of_product": ("ij,ji->", ((5, 7), (7, 5))),
    "axis_diagonal_times_matrix": ("ii,ij->ij", ((4, 4), (4, 5))),
    "axis_transposed": ("ij->ji", ((5, 7),)),
    "axis_permuted": ("abcd->dbca", ((2, 3, 4, 5),)),
    "axis_sum_of_rows": ("ij->i", ((5, 7),)),
    "axis_sum_of_all": ("ijk->", ((3, 4, 5),)),
    "axis_outer": ("i,j->ij", ((5,), (7,))),
    "axis_outer_transposed": ("i,j->ji", ((5,), (7,))),
    "axis_elementwise": ("ij,ij->ij", ((5, 7), (5, 7))),
    "axis_elementwise_summed": ("ij,ij->", ((5, 7), (5, 7))),
    "axis_matrix_and_vector": ("ij,j->i", ((5, 7), (7,))),
    "axis_both_transposed": ("ji,kj->ik", ((7, 5), (4, 7))),
    "axis_batched": ("bij,bjk->bik", ((3, 4, 5), (3, 5, 2))),
    "axis_batch_last": ("ijb,jkb->ikb", ((4, 5, 3), (5, 2, 3))),
    "axis_several_contracted": ("ijkl,klm->ijm", ((2, 3, 4, 5), (4, 5, 6))),
    "axis_several_in_another_order": ("ijkl,lkm->mji", ((2, 3, 4, 5), (5, 4, 6))),
    "axis_attention": ("bqhd,bkhd->bhqk", ((2, 5, 3, 4), (2, 6, 3, 4))),
    "axis_summed_alone": ("ij,k->i", ((3, 4), (5,))),
    "axis_bilinear": ("bn,anm,bm->ba", ((3, 4), (5, 4, 2), (3, 2))),
    "axis_chain_of_three": ("ij,jk,kl->il", ((3, 4), (4, 5), (5, 2))),
    "axis_three_elementwise": ("i,i,i->i", ((9,), (9,), (9,))),
    "axis_three_summed": ("i,i,i->", ((9,), (9,), (9,))),
    "unit_contracted": ("ij,jk->ik", ((5, 1), (1, 4))),
    "unit_everything": ("ij,jk->ik", ((1, 1), (1, 1))),
    "unit_batch": ("bij,bjk->bik", ((1, 4, 5), (1, 5, 2))),
    "empty_rows": ("ij,jk->ik", ((0, 7), (7, 4))),
    "empty_contracted": ("ij,jk->ik", ((5, 0), (0, 4))),
    "long_contracted": ("ij,jk->ik", ((2, 16_385), (16_385, 2))),
    "long_dot": ("i,i->", ((4097,), (4097,))),
}
"""Samples by name: the equation, and the shapes of the arrays. The first is the plain one."""


def _drawn(stream: Stream, shapes: tuple[tuple[int, ...], ...], deviation: float = 1.0) -> list[Array]:
    return [stream(str(place)).normal(shape, deviation=deviation) for place, shape in enumerate(shapes)]


def _samples(stream: Stream) -> Iterator[Sample]:
    """A table of equations, and the plain one with special numbers and other strides."""
    plain, shapes = EQUATIONS["plain_product"]
    for name, (equation, of) in EQUATIONS.items():
        group = name.split("_")[0]
        dtypes = DTYPES if group in ("plain", "size", "long") else WIDE if group == "axis" else SINGLE
        yield Sample(name=name, inputs={"arrays": _drawn(stream(name), of)}, keywords={"equation": equation}, dtypes=dtypes)
    keywords = {"equation": plain}
    for memory in ("transposed", "sliced"):
        name = f"strided_{memory}"
        yield Sample(name=name, inputs={"arrays": _drawn(stream(name), shapes)}, keywords=keywords, memory=memory)
    for name, values in (
        ("nan_in_both", {(0, 1, 2): np.nan, (1, 4, 3): np.nan}),
        ("infinity_in_both", {(0, 1, 2): np.inf, (1, 4, 3): -np.inf}),
        ("infinity_times_zero", {(0, 1, 2): np.inf, (1, 2, 3): 0.0}),
    ):
        arrays = _drawn(stream(name), shapes)
        for (place, *index), value in values.items():
            arrays[place][tuple(index)] = value
        yield Sample(name=name, inputs={"arrays": arrays}, keywords=keywords)
    for word, deviation, dtypes in (("64", 64.0, DTYPES), ("1e10", 1e10, WIDE), ("1e_minus_10", 1e-10, WIDE)):
        name = f"magnitude_{word}"
        yield Sample(name=name, inputs={"arrays": _drawn(stream(name), shapes, deviation)}, keywords=keywords, dtypes=dtypes)


SIZES = {"S": (8, 16), "M": (16, 32), "L": (32, 64)}
"""The length of the axes that are few, and of the others, that are timed."""


def _workload(stream: Stream, size: str) -> Sample:
    """A contraction of two axes."""
    few, many = SIZES[size]
    shapes = ((few, few, few, many), (few, many, many))
    return Sample(name=size, inputs={"arrays": _drawn(stream, shapes)}, keywords={"equation": "ijkl,klm->ijm"})


def _work(arrays: Sequence[Array], *, equation: str) -> Work:
    """A product with each array but one, and a sum, for each combination of letters.

    Back the same for each array; a sum of one array alone is only repeated.
    """
    _, result, sizes = _letters(arrays, equation)
    terms, results = math.prod(sizes.values()), math.prod(sizes[letter] for letter in result)
    flops = terms * (len(arrays) - 1) + max(terms - results, 0)
    return Work(flops=flops, backward_flops=len(arrays) * flops if len(arrays) > 1 else 0)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=einsum,
        vjp=_vjp,
        samples=_samples,
        family="product",
        profile=EXTENDED,
        differentiable=("arrays",),
        workload=_workload,
        work=_work,
    ),
)
