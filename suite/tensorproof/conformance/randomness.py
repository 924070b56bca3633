"""Random operations judged as distributions: never by value, always from fixed seeds."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.execution import Answers
from tensorproof.conformance.expectation import Expectation
from tensorproof_reference.attention.dropout import attended, attended_vjp
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.distributions import Distribution
from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.rules import Precision

Floats: TypeAlias = NDArray[np.float64]
Draw: TypeAlias = Callable[[int], Answers]
Findings: TypeAlias = Iterator[tuple[bool, str]]
"""Pairs: whether it is so, and the statement."""

LIMIT = 5.0
"""The largest z-score of a count or correlation: a right backend exceeds it once in 1.7 million."""

LIMIT_OF_MANY = 7.0
"""The largest z-score among 50,000 correlations: a right backend exceeds it once in 8 million draws."""

LIMIT_OF_DISTANCE = 2.9
"""The largest √n times the Kolmogorov-Smirnov distance: a right backend exceeds it once in 10 million."""

LEVELS = 2.0**20
"""A continuous draw has at least as many different values as one on a grid of so many: generators use 23 bits or more."""

FIXED = 12
"""The most rows that two permutations together leave in place: on average 2, and more than 12 once in 5 million."""


def _z_of_count(count: int, total: int, probability: float) -> float:
    return (count - total * probability) / math.sqrt(total * probability * (1 - probability))


def _within(name: str, z: float, limit: float = LIMIT) -> tuple[bool, str]:
    return abs(z) <= limit, f"{name}: z = {z:.1f} (limit {limit:.0f})"


def _correlation_z(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """z-scores of the correlations of two standardised series, to half their length.

    Of the first with the second 0, 1, 2, … elements on, and of the second with the first so many on.
    """
    count = first.size
    spectra = [np.fft.rfft(series.ravel(), 2 * count) for series in (first, second)]
    products = np.fft.irfft(np.conj(spectra[0]) * spectra[1], 2 * count)
    lags = np.arange(count // 2 + 1)
    spread = np.sqrt(count - lags)
    return np.asarray(products[lags] / spread), np.asarray(products[-lags] / spread)


def _correlations(units: Floats) -> Findings:
    """Neighbours, rows, and elements any distance apart are not correlated, in whichever order of the axes they were drawn."""
    orders = {"": units} if units.ndim < 2 else {"": units, " of the transpose": units.T}
    for order, series in orders.items():
        z, _ = _correlation_z(series, series)
        yield _within(f"lag-1 correlation{order}", float(z[1]))
        if series.ndim > 1 and series[0].size < z.size:
            yield _within(f"row correlation{order}", float(z[series[0].size]))
        lag = int(np.argmax(np.abs(z[1:]))) + 1
        yield _within(f"largest correlation{order}, {lag} elements on", float(z[lag]), LIMIT_OF_MANY)


def _independence(first: Floats, second: Floats) -> Findings:
    """Draws of consecutive seeds are not correlated, also when one is moved against the other."""
    both = _correlation_z(first, second)
    yield _within("correlation with the next seed", float(both[0][0]))
    for z in both:
        lag = int(np.argmax(np.abs(z)))
        yield _within(f"largest correlation with the next seed, {lag} elements on", float(z[lag]), LIMIT_OF_MANY)


def _sums(units: Floats, kurtosis: float) -> Findings:
    """Sums of rows, and of columns, vary as those of independent elements do; a series is cut into as many rows as columns."""
    side = math.isqrt(units.size)
    matrix = units.reshape(len(units), -1) if units.ndim > 1 else units[: side * side].reshape(side, side)
    for name, axis in (("rows", 1), ("columns", 0)):
        length = matrix.shape[axis]
        squares = np.sum(matrix, axis=axis) ** 2 / length
        if squares.size > 1 and length > 1:
            spread = math.sqrt(squares.size * (2 + (kurtosis - 3) / length))
            yield _within(f"sums of {name} vary as chance would", float(np.sum(squares) - squares.size) / spread)


def _largest_distance(values: Floats, cdf: Callable[[Floats], Floats]) -> tuple[bool, str]:
    """√n times the Kolmogorov-Smirnov distance between values and their distribution function."""
    count = values.size
    expected = cdf(np.sort(values, axis=None))
    steps = np.arange(count + 1) / count
    distance = max(float(np.max(steps[1:] - expected)), float(np.max(expected - steps[:-1]))) * math.sqrt(count)
    name = "Kolmogorov-Smirnov distance from the distribution function"
    return distance <= LIMIT_OF_DISTANCE, f"{name}: √n·D = {distance:.2f} (limit {LIMIT_OF_DISTANCE})"


def _value(answers: Answers) -> NDArray[Any]:
    return answers.outputs["y"].value


def _repeatable(expectation: Expectation, draw: Draw) -> tuple[tuple[NDArray[Any], NDArray[Any]], list[tuple[bool, str]]]:
    """Draws of the sample's seed and of the next, and what there is to say of shape, dtype and repetition.

    The draws are for use only if nothing of that is wrong.
    """
    seed = int(expectation.sample.keywords.get("seed", 0))
    first, again, other = draw(seed), draw(seed), draw(seed + 1)
    (shape,) = {np.shape(value) for value, _ in expectation.outputs.values()}
    y, dtype = _value(first), first.outputs["y"].dtype
    found = [
        (y.shape == shape, f"shape {y.shape}; expected {shape}"),
        (dtype == expectation.dtype, f"dtype {dtype}; expected {expectation.dtype}"),
        (bool(np.all(np.isfinite(y))), "all values are finite"),
        (np.array_equal(y, _value(again)), "the same seed repeats"),
        (not np.array_equal(y, _value(other)), "another seed draws something else"),
    ]
    return (y, _value(other)), found


def mask_findings(expectation: Expectation, draw: Draw, own_axes: int | None = None) -> Findings:
    """Judge dropout in training: ``draw(seed)`` gives output and gradient.

    Each output is 0 or x/(1-p) within ten roundings; the gradient has the same mask; the number of zeros, the lag-1 and the row
    correlation are within five deviations of chance; another seed gives an independent mask, the same seed the same.
    Places along the first ``own_axes`` axes are drawn on their own, and share it along the others; without it, all are.
    """
    keywords, (path,) = expectation.sample.keywords, expectation.arguments.primal_paths
    rate = float(keywords.get("rate", 0.5))
    seed = int(keywords.get("seed", 0))
    x = expectation.arguments.leaves[path]
    answers, again, other = draw(seed), draw(seed), draw(seed + 1)
    y = _value(answers)
    if y.shape != x.shape:
        yield False, f"shape {y.shape}, not {x.shape}"
        return
    kept = y != 0
    scaled = x / (1 - rate)
    close = np.abs(y - scaled) <= 10 * 2.0**-23 * np.abs(scaled)
    yield bool(np.all(close | ~kept)), "each output is 0 or x/(1-p)"
    gradient = answers.gradients[path]
    cotangent = expectation.cotangents["y"]
    expected = np.where(kept, cotangent / (1 - rate), 0.0)
    given = np.zeros_like(expected) if gradient is None else gradient.value
    alike = bool(np.all(np.abs(given - expected) <= 10 * 2.0**-23 * np.abs(expected)))
    yield alike, "the gradient is the cotangent with the output's mask and scale"
    own = x.shape[:own_axes]
    dropped, differently = ((_value(drawn) == 0).reshape(*own, -1) for drawn in (answers, other))
    for mask in (dropped, differently) if own_axes is not None else ():
        yield bool(np.all(mask == mask[..., :1])), "what shares a draw is dropped or kept as a whole"
    yield from _mask_chances(dropped[..., 0], differently[..., 0], rate)
    yield bool(np.array_equal(y, _value(again))), "the same seed repeats"


def attention_findings(expectation: Expectation, draw: Draw) -> Findings:
    """Judge dropout of attention's weights in training, which the result shows, since the values are the identity matrix.

    Each weight is 0, or that of attention without dropout over 1-p; gradients are those of the weights that were kept, within
    ten bars. Of the weights that the masks allow, those dropped are independent, as in ``mask_findings``.
    """
    keywords, inputs = expectation.sample.keywords, expectation.arguments.inputs
    rate, seed = float(keywords["rate"]), int(keywords["seed"])
    answers, again, other = draw(seed), draw(seed), draw(seed + 1)
    y = _value(answers)
    (shape,) = {value.shape for value, _ in expectation.outputs.values()}
    if y.shape != shape:
        yield False, f"shape {y.shape}, not {shape}"
        return
    kept = y != 0
    how: dict[str, Any] = {"causal": keywords.get("causal", False), "scale": keywords.get("scale")}
    barred: dict[str, Any] = {
        name: with_bars(array, expectation.precision) if name != "mask" else array for name, array in inputs.items()
    }

    def drop(weights: Any) -> Any:
        return np.where(kept, weights / (1.0 - rate), 0.0)

    expected, bar = values_and_bars(attended(drop, **barred, **how))
    yield bool(np.all(np.abs(y - expected) <= 10 * bar)), "each weight is 0 or softmax's over 1-p"
    cotangent = with_bars(expectation.cotangents["y"], expectation.precision)
    for path, gradient in attended_vjp(cotangent, drop, **barred, **how).items():
        expected, bar = values_and_bars(gradient)
        found = answers.gradients[path]
        close = found is not None and found.value.shape == expected.shape and np.all(np.abs(found.value - expected) <= 10 * bar)
        yield bool(close), f"the gradient of {path} is that of the weights which were kept"
    # A weight that a mask forbids is zero without dropout too.
    allowed = attended(lambda weights: weights, **inputs, **how) != 0
    masks = (drawn == 0 for drawn in (y, _value(other)))
    first, second = (mask.reshape(-1, shape[3]) if np.all(allowed) else mask[allowed] for mask in masks)
    yield from _mask_chances(first, second, rate)
    yield bool(np.array_equal(y, _value(again))), "the same seed repeats"


def _mask_chances(first: NDArray[Any], second: NDArray[Any], rate: float) -> Findings:
    """What two seeds dropped is as much as the rate says, independent, and not the same."""
    yield from _chances(first, rate, "zeros")
    yield not np.array_equal(first, second), "another seed gives another mask"
    yield from _independence(_standard(first, rate), _standard(second, rate))


def _standard(happened: NDArray[Any], probability: float) -> Floats:
    """Events of a probability, with mean 0 and variance 1."""
    return np.asarray((happened - probability) / math.sqrt(probability * (1 - probability)))


def _chances(happened: NDArray[Any], probability: float, name: str) -> Findings:
    """Events are as many as their probability says, and independent."""
    count = int(np.sum(happened))
    z = _z_of_count(count, happened.size, probability)
    yield _within(f"{count} {name} among {happened.size} at p = {probability}", z)
    units = _standard(happened, probability)
    yield from _correlations(units)
    yield from _sums(units, (1 - 3 * probability * (1 - probability)) / (probability * (1 - probability)))


def distribution_findings(draws: tuple[Floats, Floats], distribution: Distribution, precision: Precision) -> Findings:
    """Judge draws of two seeds: range, moments, distribution function, resolution, correlations within and between them."""
    y, other = draws
    rounding = 4 * precision.u * max(abs(v) for v in (distribution.low, distribution.high, 0.0) if math.isfinite(v))
    least, most = float(np.min(y)), float(np.max(y))
    inside = distribution.low - rounding <= least and most <= distribution.high + rounding
    yield inside, f"values from {least:.8g} to {most:.8g}, allowed from {distribution.low:.8g} to {distribution.high:.8g}"
    units = (y - distribution.mean) / math.sqrt(distribution.variance)
    count = y.size
    yield _within("mean", float(np.mean(units)) * math.sqrt(count))
    variance = float(np.mean(units * units))
    yield _within(
        f"variance, {variance:.4f} times what it should be", (variance - 1) * math.sqrt(count / (distribution.kurtosis - 1))
    )
    yield _largest_distance(y, distribution.cdf)
    different = np.unique(y).size
    enough = LEVELS * -math.expm1(-count / LEVELS)
    yield different >= enough, f"{different} different values among {count} (at least {enough:.0f})"
    yield from _correlations(units)
    yield from _sums(units, distribution.kurtosis)
    yield from _independence(units, (other - distribution.mean) / math.sqrt(distribution.variance))


def orthogonality_findings(w: Floats, gain: float, precision: Precision) -> Findings:
    """Rows, or columns if those are fewer, are orthonormal times ``gain``; no sign is preferred on the diagonal.

    The bars are those of a product of which each element was rounded once by each of the reflections that make the factor.
    """
    matrix = w.reshape(len(w), -1)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    count, length = matrix.shape
    rounded = with_bars(matrix, precision, precision.u * math.sqrt(count) * gain / math.sqrt(length))
    product, bar = values_and_bars(rounded @ rounded.T)
    distance = np.abs(product - gain * gain * np.eye(count)) / bar
    worst = float(np.max(distance))
    yield worst <= 10, f"rows are orthogonal, of length {gain:.6g}: largest deviation {worst:.1f} bars (limit 10)"
    if w.ndim == 2:
        yield _within("signs of the diagonal", float(np.sum(np.diagonal(matrix))) / gain * math.sqrt(length / count))


def _cycles(permutation: NDArray[np.int64]) -> int:
    """The number of cycles of a permutation."""
    following, seen, cycles = permutation.tolist(), bytearray(permutation.size), 0
    for start in range(permutation.size):
        if not seen[start]:
            cycles += 1
            while not seen[start]:
                seen[start] = 1
                start = following[start]
    return cycles


def permutation_findings(first: NDArray[np.int64], second: NDArray[np.int64]) -> Findings:
    """Judge permutations of two seeds: that every row may go everywhere, whatever the others do, and whatever the other did."""
    count = first.size
    positions = np.arange(count)
    deviation = math.sqrt((count * count - 1) / 12)
    middle = (count - 1) / 2
    units, others, places = ((p - middle) / deviation for p in (first, second, positions))
    yield _within("correlation of a row's place before and after", float(np.sum(units * places)) / math.sqrt(count))
    yield from _correlations(np.asarray(units))
    ascents = int(np.sum(first[1:] > first[:-1]))
    yield _within(f"{ascents} rows follow one that was before them", (ascents - (count - 1) / 2) / math.sqrt((count + 1) / 12))
    good, text = _largest_distance(((first - positions) % count + 0.5) / count, lambda x: x)
    yield good, f"rows are moved any distance, as likely as any other; {text}"
    fixed = int(np.sum(first == positions)) + int(np.sum(second == positions))
    yield fixed <= FIXED, f"{fixed} rows stay in place, in two draws (limit {FIXED})"
    for name, place in (("first", 0), ("last", count - 1)):
        yield not first[place] == place == second[place], f"the {name} row moves in one of two draws"
    cycles = _cycles(first) + _cycles(second)
    # A permutation of n elements is one cycle with probability 1/n.
    yield cycles > 2, f"{cycles} cycles in two permutations (more than 2)"
    yield from _independence(np.asarray(units), np.asarray(others))


def _shuffle_findings(expectation: Expectation, draw: Draw) -> Findings:
    x = expectation.arguments.leaves["x"]
    draws, found = _repeatable(expectation, draw)
    yield from found
    if not all(good for good, _ in found):
        return
    # The first element of each row is that of no other, so it says which row it is.
    labels = x.reshape(len(x), -1)[:, 0]
    order = np.argsort(labels)
    permutations = []
    for y in draws:
        rows = order[np.clip(np.searchsorted(labels[order], y.reshape(len(y), -1)[:, 0]), 0, len(x) - 1)]
        whole = np.array_equal(y, x[rows])
        every = np.array_equal(np.sort(rows), np.arange(len(x)))
        yield whole and every, "each row is there once, and whole"
        if not (whole and every):
            return
        permutations.append(rows)
    yield from permutation_findings(*permutations)


def _flip_findings(expectation: Expectation, draw: Draw) -> Findings:
    probability = float(expectation.sample.keywords.get("probability", 0.5))
    x = expectation.arguments.leaves["x"]
    draws, found = _repeatable(expectation, draw)
    yield from found
    if not all(good for good, _ in found):
        return
    mirrored = np.flip(x, axis=-1)
    axes = tuple(range(1, x.ndim))
    masks = []
    for y in draws:
        flipped = np.all(y == mirrored, axis=axes)
        whole = bool(np.all(flipped | np.all(y == x, axis=axes)))
        yield whole, "each image is as it was, or mirrored left to right"
        if not whole:
            return
        masks.append(flipped)
    yield from _chances(masks[0], probability, "mirrored images")
    yield from _independence(*(_standard(mask, probability) for mask in masks))


def _distribution_findings(expectation: Expectation, draw: Draw) -> Findings:
    operation, sample = expectation.operation, expectation.sample
    assert operation.distribution is not None
    draws, found = _repeatable(expectation, draw)
    yield from found
    if not all(good for good, _ in found):
        return
    distribution = operation.distribution(**expectation.arguments.inputs, **sample.keywords)
    yield from distribution_findings(draws, distribution, expectation.precision)
    if operation.name == "orthogonal":
        yield from orthogonality_findings(draws[0], float(sample.keywords.get("gain", 1.0)), expectation.precision)


def layer_findings(first: Floats, second: Floats, initializer: str, precision: Precision, **sizes: float) -> Findings:
    """Judge a layer's weights, from two seeds and in the layout of the specification.

    ``initializer`` is an operation with its keywords, as in ``uniform(low=-1/sqrt(hidden), high=1/sqrt(hidden))``; ``sizes``
    are the names that it uses.
    """
    operations = all_operations()

    def called(name: str) -> Callable[..., Findings]:
        def findings(**keywords: Any) -> Findings:
            distribution = operations[name].distribution
            assert distribution is not None
            yield from distribution_findings((first, second), distribution(first, **keywords), precision)
            if name == "orthogonal":
                yield from orthogonality_findings(first, float(keywords.get("gain", 1.0)), precision)

        return findings

    names = {name: called(name) for name, operation in operations.items() if operation.distribution}
    found: Findings = eval(initializer, {"__builtins__": {}, "sqrt": math.sqrt, **sizes, **names})
    return found


OF_THEIR_OWN: Mapping[str, Callable[[Expectation, Draw], Findings]] = {
    "dropout": mask_findings,
    "channel_dropout": functools.partial(mask_findings, own_axes=2),
    "attention_dropout": attention_findings,
    "shuffle": _shuffle_findings,
    "random_flip": _flip_findings,
}
"""How operations are judged whose elements have no continuous distribution."""


def random_findings(expectation: Expectation, draw: Draw) -> Findings:
    """Judge a random operation: ``draw(seed)`` runs it with another seed."""
    if expectation.operation.distribution is not None:
        return _distribution_findings(expectation, draw)
    return OF_THEIR_OWN[expectation.operation.name](expectation, draw)
