"""Positions by sines and cosines: rotary_embedding and sinusoidal_positions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import FINE_DTYPES, WIDE_DTYPES, among
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.operations._workloads import ordinary as timed_numbers
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PAIRS = ("halves", "interleaved")
"""Which features are a pair: i and i + R, or 2i and 2i + 1."""


def rotary_embedding(x: Array, cosines: Array, sines: Array, positions: Array | None = None, *, pairs: str = "halves") -> Array:
    r"""Pairs of features turned by angles that depend on the position, of which tables hold the cosines c and sines s:

    .. math:: y_1 = c\,x_1 - s\,x_2, \quad y_2 = c\,x_2 + s\,x_1.

    R columns of the tables turn the first 2R features; the others stay as they are. Feature i has the partner i + R
    (``pairs="halves"``), or features 2i and 2i + 1 are a pair (``"interleaved"``). A row of the tables belongs to a position:
    that of each number of a sequence is in ``positions``, or they count from 0.

    Tables hold :math:`\cos(p\,b^{-i/R})` and :math:`\sin(p\,b^{-i/R})` for row p and column i, usually with b = 10000. They are
    fixed, and have no gradient.

    Shapes: ``x`` (B, …, L, E), ``cosines`` and ``sines`` (P, R), ``positions`` (B, L) of integers from 0 to P - 1; the result
    has the shape of ``x``.
    Special values: NaN in a feature makes it and its partner NaN. ±∞ makes its partner NaN where its sine is 0 (0 · ∞).
    Raises: ``ValueError`` if 2R exceeds E, shapes do not fit, a position is out of range, or the convention is unknown.
    Source: Su et al. (2021), eq. 34; ONNX RotaryEmbedding (opset 23).
    """
    require_choice(pairs, "pairs", PAIRS)
    c, s = _of_positions(x, cosines, sines, positions)
    first, second, rest = _split(x, c.shape[-1], pairs)
    return _joined(c * first - s * second, c * second + s * first, rest, pairs)


def _of_positions(x: Array, cosines: Array, sines: Array, positions: Array | None) -> tuple[Array, Array]:
    """The cosines and sines for each number: (B or 1, 1, …, L, R)."""
    require(x.ndim >= 3, "x", "an array with at least 3 axes", f"shape {x.shape}")
    require(cosines.ndim == 2, "cosines", "an array with 2 axes", f"shape {cosines.shape}")
    require(2 * cosines.shape[1] <= x.shape[-1], "cosines", f"at most {x.shape[-1] // 2} columns", f"shape {cosines.shape}")
    require_shape(sines, "sines", cosines.shape)
    batch, length, rows = x.shape[0], x.shape[-2], cosines.shape[0]
    if positions is None:
        require(length <= rows, "cosines", f"at least {length} rows", f"shape {cosines.shape}")
        return cosines[:length], sines[:length]
    require(np.issubdtype(positions.dtype, np.integer), "positions", "integers", f"dtype {positions.dtype}")
    require_shape(positions, "positions", (batch, length))
    require(bool(np.all((positions >= 0) & (positions < rows))), "positions", f"numbers from 0 to {rows - 1}", positions.tolist())
    shape = (batch, *(1,) * (x.ndim - 3), length, cosines.shape[1])
    return cosines[positions].reshape(shape), sines[positions].reshape(shape)


def _split(x: Array, columns: int, pairs: str) -> tuple[Array, Array, Array]:
    """The first of each pair, the second, and the features that are not turned."""
    turned, rest = x[..., : 2 * columns], x[..., 2 * columns :]
    if pairs == "halves":
        return turned[..., :columns], turned[..., columns:], rest
    return turned[..., ::2], turned[..., 1::2], rest


def _joined(first: Array, second: Array, rest: Array, pairs: str) -> Array:
    if pairs == "halves":
        return np.concatenate([first, second, rest], axis=-1)
    turned = np.stack([first, second], axis=-1).reshape(*first.shape[:-1], 2 * first.shape[-1])
    return np.concatenate([turned, rest], axis=-1)


def _rotary_vjp(
    dy: Array, x: Array, cosines: Array, sines: Array, positions: Array | None = None, *, pairs: str = "halves"
) -> Gradients:
    """The turn back: by the same angles, the other way."""
    return {"x": rotary_embedding(dy, cosines, -sines, positions, pairs=pairs)}


def sinusoidal_positions(x: Array, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Array:
    r"""x plus sines and cosines of its positions: :math:`\sin(p\,b^{-2i/E})` and :math:`\cos(p\,b^{-2i/E})` for position p.

    Features 2i and 2i + 1 get the sine and cosine of pair i (``pairs="interleaved"``), or features i and i + E/2 (``"halves"``).
    Positions count along the second last axis, from ``start``, and are not rounded to 16 bits before they become angles.

    Shapes: ``x`` (…, L, E); the result has the shape of ``x``.
    Special values: NaN and ±∞ stay what they are.
    Raises: ``ValueError`` if E is odd, ``base`` is not above 0, ``start`` is negative, or the convention is unknown.
    Source: Vaswani et al. (2017), section 3.5.
    """
    require_choice(pairs, "pairs", PAIRS)
    require(x.ndim >= 2 and x.shape[-1] % 2 == 0, "x", "at least 2 axes, the last of even length", f"shape {x.shape}")
    require(base > 0, "base", "a number above 0", base)
    require(isinstance(start, int) and start >= 0, "start", "an integer of at least 0", start)
    length, half = x.shape[-2], x.shape[-1] // 2
    positions = (start + np.arange(length))[:, None].astype(x.dtype)
    exponents = (-np.arange(1, half) / max(half, 1)).astype(x.dtype)
    later = positions * np.power(np.full_like(x, base, shape=exponents.shape), exponents)
    # Angles of the first pair are the positions themselves: any base to the power of 0 is exactly 1.
    angles = np.concatenate([positions[:, :half], later], axis=1)
    return x + _joined(np.sin(angles), np.cos(angles), angles[:, :0], pairs)


def _sinusoidal_vjp(dy: Array, x: Array, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Gradients:
    return {"x": dy}


def _tables(rows: int, columns: int) -> dict[str, Array]:
    angles = np.arange(rows)[:, None] * 10000.0 ** (-np.arange(columns) / max(columns, 1))
    return {"cosines": np.cos(angles), "sines": np.sin(angles)}


PLAIN = (2, 3, 5, 8)
CASES: dict[str, tuple[int, ...]] = {
    "size_large": (2, 4, 48, 64),
    "rank_three": (3, 5, 8),
    "rank_five": (2, 2, 3, 5, 6),
    "unit_position": (2, 3, 1, 8),
    "unit_batch_and_head": (1, 1, 5, 8),
    "unit_pair": (2, 3, 5, 2),
    "empty_batch": (0, 3, 5, 8),
}
"""The shapes of samples."""
SPECIAL = {"nan_each_lane": (np.nan,), "infinity_each_lane": (-np.inf, np.inf), "zero_signed": (-0.0, 0.0)}


def _normal(stream: Stream, shape: tuple[int, ...] = PLAIN) -> Array:
    return stream("x").normal(shape)


def _rotary_samples(stream: Stream) -> Iterator[Sample]:
    """Both pairings of every shape, positions in any order, tables that are longer or narrower."""

    def inputs(name: str, shape: tuple[int, ...] = PLAIN, rows: int = 0, columns: int = 0) -> dict[str, Any]:
        tables = _tables(rows or shape[-2], columns or shape[-1] // 2)
        return {"x": _normal(stream(name), shape), **tables}

    def placed(name: str, shape: tuple[int, ...] = PLAIN, rows: int = 20, columns: int = 0) -> dict[str, Any]:
        positions = stream(name)("positions").integers((shape[0], shape[-2]), 0, rows)
        return {**inputs(name, shape, rows, columns), "positions": positions}

    yield Sample(name="plain_heads", inputs=inputs("plain_heads"))
    for name, shape in CASES.items():
        yield Sample(name=name, inputs=inputs(name, shape))
    yield Sample(name="rank_three_positions", inputs=placed("rank_three_positions", (3, 5, 8)))
    yield Sample(name="optional_positions", inputs=placed("optional_positions"))
    decoding = placed("unit_position_placed", (3, 2, 1, 8))
    yield Sample(name="unit_position_placed", inputs=decoding)
    ends = placed("bounds_first_and_last")
    ends["positions"][:, :2] = [0, 19]
    yield Sample(name="bounds_first_and_last", inputs=ends)
    yield Sample(name="optional_longer_tables", inputs=inputs("optional_longer_tables", rows=9))
    yield Sample(name="optional_part_of_the_features", inputs=inputs("optional_part_of_the_features", columns=3))
    for pairs in PAIRS:
        words = {"pairs": pairs}
        name = f"convention_{pairs}"
        yield Sample(name=name, inputs=inputs(name), keywords=words, required=False)
        yield Sample(name=f"{name}_positions", inputs=placed(f"{name}_positions"), keywords=words, required=False)
        part = placed(f"{name}_part", columns=2)
        yield Sample(name=f"{name}_part", inputs=part, keywords=words, required=False)
        large = inputs(f"{name}_large", (2, 4, 48, 64))
        yield Sample(name=f"{name}_large", inputs=large, keywords=words, required=False, dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=inputs(f"strided_{memory}"), memory=memory)
    for name, values in SPECIAL.items():
        special = inputs(name)
        special["x"] = among(special["x"], values, first=0, every=5)
        yield Sample(name=name, inputs=special)
    for word, size, wide in (("hundreds", 300.0, FINE_DTYPES), ("large", 1e30, WIDE_DTYPES)):
        name = f"magnitude_{word}"
        scaled = inputs(name)
        yield Sample(name=name, inputs={**scaled, "x": size * scaled["x"]}, dtypes=wide)
    far = {"positions": np.array([[8191, 0, 4097], [257, 4096, 8190]]), "x": _normal(stream("bounds_far"), (2, 2, 3, 8))}
    yield Sample(name="bounds_far", inputs={**far, **_tables(8192, 4)}, dtypes=SINGLE)


def _sinusoidal_samples(stream: Stream) -> Iterator[Sample]:
    """Both orders of every shape, other bases and starts; positions so near that angles are exact enough."""

    def inputs(name: str, shape: tuple[int, ...] = PLAIN) -> dict[str, Array]:
        return {"x": _normal(stream(name), shape)}

    yield Sample(name="plain_heads", inputs=inputs("plain_heads"))
    for name, shape in CASES.items():
        yield Sample(name=name, inputs=inputs(name, shape), dtypes=FINE_DTYPES if name == "size_large" else SINGLE)
    yield Sample(name="rank_two", inputs=inputs("rank_two", (5, 8)))
    given: dict[str, dict[str, Any]] = {
        "optional_start": {"start": 3},
        "optional_start_far": {"start": 1000},
        "optional_base": {"base": 500.0},
        "optional_base_one": {"base": 1.0},
    }
    for name, keywords in given.items():
        dtypes = SINGLE if name == "optional_start_far" else DTYPES
        yield Sample(name=name, inputs=inputs(name), keywords=keywords, dtypes=dtypes)
    # Positions that bfloat16 has not, and float16 neither: the angles of the first pair are exact, and so of the only one.
    yield Sample(name="size_600_positions", inputs=inputs("size_600_positions", (1, 2, 600, 2)))
    far = inputs("optional_start_far_of_one_pair", (2, 3, 20, 2))
    yield Sample(name="optional_start_far_of_one_pair", inputs=far, keywords={"start": 2040})
    for pairs in PAIRS:
        name = f"convention_{pairs}"
        yield Sample(name=name, inputs=inputs(name), keywords={"pairs": pairs}, required=False)
        both: dict[str, Any] = {"pairs": pairs, "start": 2, "base": 100.0}
        yield Sample(name=f"{name}_base_start", inputs=inputs(f"{name}_base_start"), keywords=both, required=False)
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=inputs(f"strided_{memory}"), memory=memory)
    for name, values in SPECIAL.items():
        yield Sample(name=name, inputs={"x": among(inputs(name)["x"], values, first=0, every=5)})
    for word, size, wide in (("hundreds", 300.0, FINE_DTYPES), ("large", 1e30, WIDE_DTYPES)):
        name = f"magnitude_{word}"
        yield Sample(name=name, inputs={"x": size * inputs(name)["x"]}, dtypes=wide)


SIZES = {"S": (1, 4, 16, 32), "M": (4, 8, 128, 64), "L": (4, 16, 512, 64)}
"""Batch, heads, positions and features of what is timed."""


def _rotary_workload(stream: Stream, size: str) -> Sample:
    shape = SIZES[size]
    return Sample(name=size, inputs={"x": timed_numbers(stream("x"), shape), **_tables(shape[2], shape[3] // 2)})


def _sinusoidal_workload(stream: Stream, size: str) -> Sample:
    return Sample(name=size, inputs={"x": timed_numbers(stream("x"), SIZES[size])})


def _rotary_work(x: Array, cosines: Array, sines: Array, positions: Array | None = None, *, pairs: str = "halves") -> Work:
    """Four products and two sums for each pair, and as many back."""
    turned = count(x) // max(x.shape[-1], 1) * cosines.shape[1]
    return Work(flops=6 * turned, backward_flops=6 * turned)


def _sinusoidal_work(x: Array, *, start: int = 0, base: float = 10000.0, pairs: str = "interleaved") -> Work:
    """A sum for each number; and a power for each pair, an angle, a sine and a cosine for each of a position."""
    half, length = x.shape[-1] // 2, x.shape[-2]
    return Work(flops=count(x) + half * length, transcendentals=half + 2 * half * length)


OPERATIONS = (
    Operation(
        function=rotary_embedding,
        vjp=_rotary_vjp,
        samples=_rotary_samples,
        family="positional",
        profile=EXTENDED,
        conventions={"pairs": PAIRS},
        workload=_rotary_workload,
        work=_rotary_work,
    ),
    Operation(
        function=sinusoidal_positions,
        vjp=_sinusoidal_vjp,
        samples=_sinusoidal_samples,
        family="positional",
        profile=EXTENDED,
        conventions={"pairs": PAIRS},
        workload=_sinusoidal_workload,
        work=_sinusoidal_work,
    ),
)
