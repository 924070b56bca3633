"""Faults in initialisers, shuffling and random augmentation: fans, scales, truncation, ranges, seeds, dependence."""

import math

import numpy as np
from faulty import Faults, reference
from small_operations import SPECIFICATION

from tensorproof_reference.stream import Stream

FAULTS = Faults()
GROUP = "statistics"


def plant(operation, name, change):
    """An initialiser that gives ``change(like, keywords)``, in the dtype of ``like``; keywords include the defaults."""
    defaults = SPECIFICATION[operation].function.__kwdefaults__

    def function(like, **keywords):
        return np.asarray(change(like, {**defaults, **keywords})).astype(like.dtype)

    function.__name__ = name
    FAULTS.value(operation, GROUP)(function)


def changed(operation, name, **changes):
    """The right draw with other keywords: each is given as a function of all keywords."""

    def change(like, keywords):
        return reference(operation, like, **{**keywords, **{key: value(keywords) for key, value in changes.items()}})

    plant(operation, name, change)


def around_the_mean(operation, name, units):
    """``units(shape, seed)``, which has mean 0 and deviation 1 or thereabouts, moved and scaled as asked for."""

    def change(like, keywords):
        return keywords["mean"] + keywords["deviation"] * units(like.shape, keywords["seed"])

    plant(operation, name, change)


def scaled(operation, name, factor):
    """The right draw times ``factor(like)``."""
    plant(operation, name, lambda like, keywords: reference(operation, like, **keywords) * factor(like))


def kernel(like):
    return math.prod(like.shape[2:])


def outputs_for_inputs(like):
    return math.sqrt(like.shape[1] / like.shape[0])


def mean_for_inputs(like):
    return math.sqrt(2.0 * like.shape[1] / (like.shape[0] + like.shape[1]))


for paper in ("he", "lecun"):
    for shape in ("uniform", "normal"):
        scaled(f"{paper}_{shape}", "fan_out_for_fan_in", outputs_for_inputs)
        scaled(f"{paper}_{shape}", "mean_of_the_fans_for_fan_in", mean_for_inputs)
        scaled(f"{paper}_{shape}", "kernel_left_out_of_the_fan", lambda like: math.sqrt(kernel(like)))
for shape in ("uniform", "normal"):
    scaled(f"glorot_{shape}", "fan_in_for_the_mean_of_the_fans", lambda like: 1.0 / mean_for_inputs(like))
    scaled(f"glorot_{shape}", "kernel_left_out_of_the_fans", lambda like: math.sqrt(kernel(like)))
    scaled(f"glorot_{shape}", "sum_of_the_fans_for_their_mean", lambda like: math.sqrt(0.5))
for paper in ("glorot", "he", "lecun"):
    scaled(f"{paper}_uniform", "deviation_taken_for_the_bound", lambda like: math.sqrt(1.0 / 3.0))
    scaled(f"{paper}_normal", "bound_of_the_uniform_taken_for_the_deviation", lambda like: math.sqrt(3.0))
scaled("lecun_uniform", "gain_of_relu_for_linear_layers", lambda like: math.sqrt(2.0))
scaled("he_uniform", "gain_left_out", lambda like: math.sqrt(0.5))
changed("he_normal", "slope_ignored", negative_slope=lambda keywords: 0.0)
changed("glorot_uniform", "gain_ignored", gain=lambda keywords: 1.0)
changed("glorot_normal", "gain_multiplies_the_variance", gain=lambda keywords: math.sqrt(keywords["gain"]))


def uncorrected(like, keywords):
    """Cut at two deviations of the variance asked for, so that less than it is left."""
    factor = 0.87962566103423978 if keywords["distribution"] == "truncated_normal" else 1.0
    return factor * reference("lecun_normal", like, **keywords)


plant("lecun_normal", "truncation_not_corrected", uncorrected)
changed("he_normal", "truncated_though_normal_was_asked_for", distribution=lambda keywords: "truncated_normal")
changed("glorot_normal", "not_truncated_though_asked_for", distribution=lambda keywords: "normal")


def of_seed(operation, name, seed_of):
    """The right draw of another seed."""
    changed(operation, name, seed=lambda keywords: seed_of(keywords["seed"]))


def reordered(operation, name, order):
    """The right draw, its elements in another order."""
    plant(operation, name, lambda like, keywords: order(reference(operation, like, **keywords)))


of_seed("uniform", "seed_ignored", lambda seed: 0)
of_seed("glorot_uniform", "pairs_of_seeds_draw_the_same", lambda seed: (seed + 1) // 2)
around_the_mean("normal", "seed_not_used_up", lambda shape, seed: np.random.default_rng().normal(size=shape))
reordered("normal", "every_row_the_same", lambda y: np.broadcast_to(y[:1], y.shape))
reordered("uniform", "rows_repeat_with_a_period_of_two", lambda y: np.tile(y[:2], (len(y) // 2, 1)))
reordered("he_uniform", "columns_repeat_in_pairs", lambda y: np.repeat(y[:, : y.shape[1] // 2], 2, axis=1))
reordered("glorot_uniform", "draw_repeats_after_32768_elements", lambda y: np.resize(y.ravel()[: 2**15], y.shape))
reordered(
    "normal",
    "every_row_starts_with_half_of_the_row_before",
    lambda y: np.hstack([np.roll(y[:, y.shape[1] // 2 :], 1, 0), y[:, y.shape[1] // 2 :]]),
)
reordered("lecun_uniform", "second_half_is_minus_the_first", lambda y: np.concatenate([y[: len(y) // 2], -y[: len(y) // 2]]))
reordered("truncated_normal", "sorted", lambda y: np.sort(y, axis=None).reshape(y.shape))


def standard(shape, seed):
    return reference("normal", np.zeros(shape), deviation=1.0, seed=seed)


def truncated_late(shape, seed):
    y = standard(shape, seed)
    return np.where(np.abs(y) > 3.0, 0.0, y)


def neighbours(shape, seed):
    """Correlated to a tenth."""
    return math.sqrt(0.99) * standard(shape, seed) + 0.1 * np.roll(standard(shape, seed), 1)


def rows_without_mean(shape, seed):
    y = standard(shape, seed)
    return (y - np.mean(y, axis=1, keepdims=True)) * math.sqrt(shape[1] / (shape[1] - 1))


def more_positive(shape, seed):
    y = standard(shape, seed)
    return np.where(Stream(5)("sign").uniform(shape) < 0.02, np.abs(y), y)


def one_further(shape, seed):
    first = seed % 1000
    return np.random.default_rng(0).normal(size=math.prod(shape) + first)[first:].reshape(shape)


def sum_of_four(shape, seed):
    return math.sqrt(3.0) * (Stream(seed)("sum").uniform((4, *shape)).sum(axis=0) - 2.0)


around_the_mean("normal", "neighbours_are_correlated", neighbours)
around_the_mean("normal", "next_seed_is_the_same_series_one_further", one_further)
around_the_mean("normal", "rows_sum_to_zero", rows_without_mean)
around_the_mean("normal", "a_hundredth_more_are_positive", more_positive)
around_the_mean("normal", "sum_of_four_uniform_numbers", sum_of_four)
changed("normal", "variance_for_deviation", deviation=lambda keywords: keywords["deviation"] ** 2)
changed("normal", "mean_ignored", mean=lambda keywords: 0.0)
around_the_mean("truncated_normal", "cut_at_three_deviations", truncated_late)
around_the_mean(
    "truncated_normal", "cut_numbers_are_put_on_the_bound", lambda shape, seed: np.clip(standard(shape, seed), -2.0, 2.0)
)
plant("truncated_normal", "cut_at_plus_and_minus_two", lambda like, keywords: reference("normal", like, **keywords).clip(-2, 2))
changed(
    "truncated_normal",
    "deviation_is_that_after_truncation",
    deviation=lambda keywords: keywords["deviation"] / 0.87962566103423978,
)


def on_a_grid(bits):
    """Uniform over the middles of ``2**bits`` cells."""

    def draw(like, keywords):
        cells = np.floor(Stream(keywords["seed"])("grid").uniform(like.shape) * 2.0**bits) + 0.5
        return keywords["low"] + (keywords["high"] - keywords["low"]) * cells * 2.0**-bits

    return draw


plant("uniform", "grid_of_8_bits", on_a_grid(8))
plant("uniform", "grid_of_16_bits", on_a_grid(16))
changed("uniform", "width_is_ten_times_the_default_at_most", high=lambda keywords: min(keywords["high"], keywords["low"] + 0.5))


def one_beyond(operation):
    """The right draw, but for one element outside of the range."""

    def draw(like, keywords):
        y = reference(operation, like, **keywords)
        y.flat[7] = SPECIFICATION[operation].distribution(like, **keywords).high * 1.001
        return y

    return draw


plant("uniform", "one_number_beyond_the_range", one_beyond("uniform"))
plant("truncated_normal", "one_number_beyond_the_range", one_beyond("truncated_normal"))
plant("he_uniform", "one_number_beyond_the_range", one_beyond("he_uniform"))
for operation in ("random_rotation", "random_shift"):
    plant(operation, "one_number_beyond_the_range", one_beyond(operation))
    reordered(operation, "to_one_side_only", np.abs)
    reordered(operation, "the_same_for_every_image", lambda y: np.full_like(y, y[0]))
    reordered(operation, "the_same_for_a_batch_of_32", lambda y: np.repeat(y[: len(y) // 32], 32))
    of_seed(operation, "seed_ignored", lambda seed: 0)
scaled("random_rotation", "radians_for_degrees", lambda like: math.pi / 180.0)
scaled("random_shift", "range_is_the_whole_width", lambda like: 0.5)
plant("random_rotation", "whole_degrees_only", lambda like, keywords: np.round(reference("random_rotation", like, **keywords)))


def matrix_of(like, keywords):
    return standard((like.shape[0], math.prod(like.shape[1:])), keywords["seed"])


def plant_matrix(name, matrix):
    """``matrix(standard)`` of a matrix of standard normal numbers, times the gain."""
    change = lambda like, keywords: keywords["gain"] * matrix(matrix_of(like, keywords)).reshape(like.shape)  # noqa: E731
    plant("orthogonal", name, change)


def plant_factor(name, change, gain=lambda gain: gain):
    """``change(q, r)`` of the factors of a tall random matrix, times ``gain`` of the gain."""

    def orthogonal(like, keywords):
        matrix = matrix_of(like, keywords)
        wide = matrix.shape[0] < matrix.shape[1]
        q = change(*np.linalg.qr(matrix.T if wide else matrix))
        return gain(keywords["gain"]) * (q.T if wide else q).reshape(like.shape)

    plant("orthogonal", name, orthogonal)


def signed(q, r):
    return q * np.sign(np.diagonal(r))


def first_column_last(q, r):
    return np.hstack([signed(q, r)[:, :-1], signed(q, r)[:, :1]])


def normalised(matrix):
    return matrix / np.linalg.norm(matrix, axis=int(matrix.shape[0] <= matrix.shape[1]), keepdims=True)


plant_matrix("only_normal_numbers_of_that_variance", lambda matrix: matrix / math.sqrt(max(matrix.shape)))
plant_matrix("rows_normalised_but_not_orthogonal", normalised)
plant_matrix("the_unit_matrix", lambda matrix: np.eye(*matrix.shape))
plant_factor("signs_left_to_the_algorithm", lambda q, r: q)
plant_factor("last_row_is_the_first_again", first_column_last)
plant_factor("factors_of_float16_precision", lambda q, r: signed(q, r).astype(np.float16).astype(q.dtype))
plant_factor("gain_ignored", signed, gain=lambda gain: 1.0)
plant_factor("gain_squared", signed, gain=lambda gain: gain**2)
of_seed("orthogonal", "seed_ignored", lambda seed: 0)


def plant_shuffle(name, permutation):
    """A shuffle by ``permutation(count, seed)``."""

    def shuffle(x, *, seed=0):
        return x[permutation(len(x), seed)]

    shuffle.__name__ = name
    FAULTS.value("shuffle", GROUP)(shuffle)


def permuted(count, seed):
    return Stream(seed)("another").permutation(count)


def one_cycle(count, seed):
    """A permutation with one cycle, as an exchange with an earlier row, never the row itself, makes them (Sattolo)."""
    order = permuted(count, seed)
    following = np.empty(count, np.int64)
    following[order] = np.roll(order, -1)
    return following


def within_a_buffer(count, seed, size=1000):
    """Rows leave a buffer of some size at random, in the order in which they came in."""
    return np.argsort(np.arange(count) + size * Stream(seed)("buffer").uniform((count,)), kind="stable")


plant_shuffle("order_as_it_was", lambda count, seed: np.arange(count))
plant_shuffle("seed_ignored", lambda count, seed: permuted(count, 0))
plant_shuffle("seed_not_used_up", lambda count, seed: np.random.default_rng().permutation(count))
plant_shuffle("rotation_by_a_random_number", lambda count, seed: np.roll(np.arange(count), 1 + permuted(count - 1, seed)[0]))
plant_shuffle("reversed", lambda count, seed: np.arange(count)[::-1])
plant_shuffle("last_row_never_moves", lambda count, seed: np.append(permuted(count - 1, seed), count - 1))
plant_shuffle("first_row_never_moves", lambda count, seed: np.append(0, 1 + permuted(count - 1, seed)))
plant_shuffle("one_cycle_always", one_cycle)
plant_shuffle("drawn_with_replacement", lambda count, seed: Stream(seed)("rows").integers((count,), 0, count))
plant_shuffle("within_a_buffer_of_a_thousand", within_a_buffer)
plant_shuffle(
    "pairs_stay_together",
    lambda count, seed: np.append(
        (2 * permuted(count // 2, seed)[:, None] + np.arange(2)).ravel(), np.arange(count - count % 2, count)
    ),
)
plant_shuffle(
    "halves_are_shuffled_apart",
    lambda count, seed: np.append(permuted(count // 2, seed), count // 2 + permuted(count - count // 2, seed)),
)
plant_shuffle("next_seed_is_the_same_order_rotated", lambda count, seed: np.roll(permuted(count, 0), seed % count))
plant_shuffle(
    "as_many_rows_as_fit_16_bits",
    lambda count, seed: np.append(permuted(min(count, 2**16), seed), np.arange(min(count, 2**16), count)),
)


@FAULTS.value("shuffle", GROUP)
def every_column_shuffled_apart(x, *, seed=0):
    columns = x.reshape(len(x), -1)
    return np.stack([columns[permuted(len(x), seed + 100 * k), k] for k in range(columns.shape[1])], axis=1).reshape(x.shape)


def plant_flip(name, draw, mirror=lambda x: np.flip(x, 3)):
    """Images mirrored where ``draw(count, probability, seed)``."""

    def random_flip(x, *, probability=0.5, seed=0):
        return np.where(draw(len(x), probability, seed).reshape(-1, 1, 1, 1), mirror(x), x)

    random_flip.__name__ = name
    FAULTS.value("random_flip", GROUP)(random_flip)


def flips(count, probability, seed):
    return Stream(seed)("another").uniform((count,)) < probability


plant_flip("all_or_nothing", lambda count, probability, seed: np.full(count, flips(1, probability, seed)[0]))
plant_flip("never", lambda count, probability, seed: np.zeros(count, bool))
plant_flip("every_other_image", lambda count, probability, seed: np.arange(seed, count + seed) % 2 == 0)
plant_flip("probability_of_not_flipping", lambda count, probability, seed: ~flips(count, probability, seed))
plant_flip("probability_ignored", lambda count, probability, seed: flips(count, 0.5, seed))
plant_flip("nine_in_twenty", lambda count, probability, seed: flips(count, 0.9 * probability, seed))
plant_flip(
    "exactly_half_of_every_hundred",
    lambda count, probability, seed: (
        np.argsort(np.argsort(Stream(seed)("a").uniform((-(-count // 100), 100)), axis=1), axis=1).ravel()[:count]
        < 100 * probability
    ),
)
plant_flip("seed_ignored", lambda count, probability, seed: flips(count, probability, 0))
plant_flip(
    "same_flips_for_every_batch_of_1000", lambda count, probability, seed: np.resize(flips(1000, probability, seed), count)
)
plant_flip("next_seed_flips_the_others", lambda count, probability, seed: flips(count, probability, 0) ^ (seed % 2 == 1))
plant_flip("upside_down", flips, mirror=lambda x: np.flip(x, 2))
plant_flip("turned_around", flips, mirror=lambda x: np.flip(x, (2, 3)))
plant_flip("rolled_by_one_column", flips, mirror=lambda x: np.roll(x, 1, 3))
plant_flip("channels_reversed_too", flips, mirror=lambda x: np.flip(x, (1, 3)))


@FAULTS.value("random_flip", GROUP)
def every_row_of_an_image_on_its_own(x, *, probability=0.5, seed=0):
    return np.where(flips(x.size // x.shape[3], probability, seed).reshape(*x.shape[:3], 1), np.flip(x, 3), x)
