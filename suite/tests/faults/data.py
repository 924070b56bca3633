"""Faults in data preparation and metrics: sides, signs, axes, ends, thresholds, ties."""

import numpy as np
from faulty import Faults, reference, right_vjp

from tensorproof_reference.data._resample import bilinear, floor, gather

FAULTS = Faults()


@FAULTS.value("rescale", "plain")
def divided_by_256(x, *, scale=1 / 255, offset=0.0):
    return reference("rescale", x, scale=1 / 256 if scale == 1 / 255 else scale, offset=offset)


@FAULTS.value("rescale", "convention")
def offset_added_before_scaling(x, *, scale=1 / 255, offset=0.0):
    return (x + offset) * scale


@FAULTS.value("rescale", "float64")
def scale_in_32_bits(x, *, scale=1 / 255, offset=0.0):
    return reference("rescale", x, scale=float(np.float32(scale)), offset=offset)


@FAULTS.gradient("rescale", "plain")
def gradient_not_scaled(dy, x, *, scale=1 / 255, offset=0.0):
    return {"x": dy}


@FAULTS.value("horizontal_flip", "plain")
def flipped_upside_down(x):
    return np.flip(x, axis=2)


@FAULTS.value("horizontal_flip", "plain")
def both_axes_flipped(x):
    return np.flip(x, axis=(2, 3))


@FAULTS.gradient("horizontal_flip", "plain")
def gradient_not_flipped(dy, x):
    return {"x": dy}


def plant_shift(name, group, change):
    """A shift of ``change(x, vertical, horizontal)``: other arguments of the right one, also in the gradient."""

    def value(x, vertical, horizontal, **keywords):
        return reference("shift", *change(x, vertical, horizontal), **keywords)

    def gradient(dy, x, vertical, horizontal, **keywords):
        return right_vjp("shift", dy, *change(x, vertical, horizontal), **keywords)

    value.__name__ = name
    FAULTS.value("shift", group, vjp=gradient)(value)


def fewer(amount, size):
    """The amount cut to what the operation takes of an image of this size."""
    return np.clip(amount, -2.0 * size, 2.0 * size)


plant_shift("signs_swapped", "plain", lambda x, vertical, horizontal: (x, -vertical, -horizontal))
plant_shift(
    "axes_swapped", "plain", lambda x, vertical, horizontal: (x, fewer(horizontal, x.shape[2]), fewer(vertical, x.shape[3]))
)
plant_shift("whole_pixels_only", "plain", lambda x, vertical, horizontal: (x, np.trunc(vertical), np.trunc(horizontal)))


def plant_keywords(operation, name, group, change):
    """An operation that takes other keywords than it is given, also in the gradient."""

    def changed(keywords):
        return change({"interpolation": "bilinear", "fill": "constant", "fill_value": 0.0, **keywords})

    def value(**arguments):
        keywords = {key: arguments.pop(key) for key in ("interpolation", "fill", "fill_value") if key in arguments}
        return reference(operation, **arguments, **changed(keywords))

    def gradient(dy, **arguments):
        keywords = {key: arguments.pop(key) for key in ("interpolation", "fill", "fill_value") if key in arguments}
        return right_vjp(operation, dy, **arguments, **changed(keywords))

    value.__name__ = name
    FAULTS.value(operation, group, vjp=gradient)(value)


def swapped(key, pairs):
    """Keywords with one value taken for another."""
    return lambda keywords: {**keywords, key: pairs.get(keywords[key], keywords[key])}


for _operation in ("shift", "rotate"):
    plant_keywords(_operation, "bilinear_for_nearest", "convention", swapped("interpolation", {"nearest": "bilinear"}))
    plant_keywords(_operation, "nearest_for_bilinear", "plain", swapped("interpolation", {"bilinear": "nearest"}))
    plant_keywords(_operation, "reflected_one_pixel_off", "convention", swapped("fill", {"reflect": "mirror"}))
    plant_keywords(_operation, "mirrored_with_the_edge_twice", "convention", swapped("fill", {"mirror": "reflect"}))
    plant_keywords(_operation, "edge_for_wrap", "convention", swapped("fill", {"wrap": "nearest"}))
    plant_keywords(_operation, "fill_value_ignored", "convention", lambda keywords: {**keywords, "fill_value": 0.0})


@FAULTS.value("shift", "convention")
def cut_where_a_place_is_outside(x, vertical, horizontal, **keywords):
    y = reference("shift", x, vertical, horizontal, **keywords)
    if keywords.get("fill", "constant") != "constant":
        return y
    rows, columns = np.arange(x.shape[2]) - vertical, np.arange(x.shape[3]) - horizontal
    inside = ((rows >= 0) & (rows <= x.shape[2] - 1))[:, None] & ((columns >= 0) & (columns <= x.shape[3] - 1))
    return np.where(inside, y, np.asarray(keywords.get("fill_value", 0.0), x.dtype))


@FAULTS.gradient("shift", "convention")
def gradient_shifts_back(dy, x, vertical, horizontal, **keywords):
    return {"x": reference("shift", dy, -vertical, -horizontal, **{**keywords, "fill_value": 0.0})}


@FAULTS.gradient("rotate", "plain")
def gradient_turns_back(dy, x, degrees, **keywords):
    return {"x": reference("rotate", dy, -degrees, **{**keywords, "fill_value": 0.0})}


def plant_rotation(name, group, change):
    """A rotation by another angle, also in the gradient."""

    def value(x, degrees, **keywords):
        return reference("rotate", x, change(degrees), **keywords)

    def gradient(dy, x, degrees, **keywords):
        return right_vjp("rotate", dy, x, change(degrees), **keywords)

    value.__name__ = name
    FAULTS.value("rotate", group, vjp=gradient)(value)


plant_rotation("the_other_way", "plain", lambda degrees: -degrees)
plant_rotation("degrees_taken_as_radians", "plain", lambda degrees: np.asarray(degrees * (180 / np.pi), degrees.dtype))
plant_rotation("at_most_half_a_turn", "geometry", lambda degrees: np.clip(degrees, -90.0, 90.0))


def plant_centre(name, centre):
    """A rotation about another point than the centre, ``centre(size)`` on each axis."""

    def value(x, degrees, *, interpolation="bilinear", fill="constant", fill_value=0.0):
        if interpolation == "nearest":
            return reference("rotate", x, degrees, interpolation=interpolation, fill=fill, fill_value=fill_value)
        height, width = x.shape[2:]
        angle = degrees * (np.pi / 180)
        down = (np.arange(height).astype(x.dtype) - centre(height))[:, None]
        right = (np.arange(width).astype(x.dtype) - centre(width))[None, :]
        rows = centre(height) + down * np.cos(angle) + right * np.sin(angle)
        columns = centre(width) + right * np.cos(angle) - down * np.sin(angle)
        bound = 4 * (height + width)
        taps = bilinear(rows, columns, floor(rows, bound), floor(columns, bound), (height, width))
        return gather(x, taps, fill, fill_value)

    value.__name__ = name
    FAULTS.value("rotate", "plain")(value)


plant_centre("about_the_corner", lambda size: 0.0)
plant_centre("about_half_the_size", lambda size: size / 2)


def plant_padding(name, group, **sides):
    def value(sequences, *, maxlen, padding="before", truncating="before", value=0):
        given = {"padding": padding, "truncating": truncating, "value": value}
        return reference("pad_sequences", sequences, maxlen=maxlen, **{**given, **sides})

    value.__name__ = name
    FAULTS.value("pad_sequences", group)(value)


plant_padding("padded_after", "plain", padding="after")
plant_padding("padded_before_always", "convention", padding="before")
plant_padding("truncated_after", "plain", truncating="after")
plant_padding("truncated_before_always", "convention", truncating="before")
plant_padding("padded_with_zero_always", "optional", value=0)


@FAULTS.value("pad_sequences", "convention")
def both_on_the_side_of_padding(sequences, *, maxlen, padding="before", truncating="before", value=0):
    return reference("pad_sequences", sequences, maxlen=maxlen, padding=padding, truncating=padding, value=value)


@FAULTS.value("pad_sequences", "bounds")
def padded_to_the_longest_only(sequences, *, maxlen, padding="before", truncating="before", value=0):
    longest = max((len(sequence) for sequence in sequences), default=0)
    sides = {"padding": padding, "truncating": truncating}
    return reference("pad_sequences", sequences, maxlen=min(maxlen, longest), value=value, **sides)


@FAULTS.value("pad_sequences", "magnitude")
def sequences_in_float32(sequences, **keywords):
    rounded = [np.clip(sequence.astype(np.float32).astype(np.int64), -(2**24), 2**24) for sequence in sequences]
    return reference("pad_sequences", rounded, **keywords)


@FAULTS.value("split", "plain")
def validation_data_from_the_front(x, *, validation_fraction=0.2):
    count = len(x) - len(reference("split", x, validation_fraction=validation_fraction)[0])
    return x[count:], x[:count]


@FAULTS.value("split", "plain")
def fraction_is_the_training_share(x, *, validation_fraction=0.2):
    return reference("split", x, validation_fraction=1.0 - validation_fraction)


@FAULTS.value("split", "convention")
def rounded_to_the_nearest_row(x, *, validation_fraction=0.2):
    count = round(len(x) * (1.0 - validation_fraction))
    return x[:count], x[count:]


@FAULTS.value("split", "convention")
def validation_rows_rounded_down(x, *, validation_fraction=0.2):
    count = len(x) - int(len(x) * validation_fraction)
    return x[:count], x[count:]


@FAULTS.gradient("split", "plain")
def gradient_in_the_other_order(cotangents, x, *, validation_fraction=0.2):
    training, validation = cotangents
    return {"x": np.concatenate([validation, training])}


@FAULTS.value("mini_batches", "plain")
def remainder_dropped_always(x, *, batch_size, drop_remainder=False):
    return reference("mini_batches", x, batch_size=batch_size, drop_remainder=True)


@FAULTS.value("mini_batches", "convention")
def remainder_kept_always(x, *, batch_size, drop_remainder=False):
    return reference("mini_batches", x, batch_size=batch_size)


@FAULTS.value("mini_batches", "plain")
def remainder_first(x, *, batch_size, drop_remainder=False):
    batches = reference("mini_batches", x[::-1], batch_size=batch_size, drop_remainder=drop_remainder)
    return [batch[::-1] for batch in batches[::-1]]


@FAULTS.value("mini_batches", "plain")
def every_other_row_in_a_batch(x, *, batch_size, drop_remainder=False):
    count = -(-len(x) // batch_size)
    return [x[start::count] for start in range(count)]


@FAULTS.value("mini_batches", "bounds")
def one_batch_too_many(x, *, batch_size, drop_remainder=False):
    batches = reference("mini_batches", x, batch_size=batch_size, drop_remainder=drop_remainder)
    return [*batches, x[:0]] if len(x) % batch_size == 0 else batches


def mean_of(right, like):
    return np.mean(np.ones_like(like) * right)


@FAULTS.value("binary_accuracy", "ties")
def threshold_itself_answers_one(probabilities, target, *, threshold=0.5):
    return mean_of((probabilities >= threshold) == (target == 1.0), probabilities)


@FAULTS.value("binary_accuracy", "optional")
def threshold_is_a_half_always(probabilities, target, *, threshold=0.5):
    return reference("binary_accuracy", probabilities, target)


@FAULTS.value("binary_accuracy", "plain")
def answers_broadcast_against_targets(probabilities, target, *, threshold=0.5):
    yes, true = np.mean(probabilities > threshold), np.mean(target == 1.0)
    # The share of all pairs that agree; a table of the pairs would take gigabytes where rows are long.
    return np.asarray(yes * true + (1.0 - yes) * (1.0 - true), probabilities.dtype)


@FAULTS.value("binary_accuracy", "plain")
def answers_counted(probabilities, target, *, threshold=0.5):
    return reference("binary_accuracy", probabilities, target, threshold=threshold) * probabilities.size


def last_maximum(scores):
    return scores.shape[-1] - 1 - np.argmax(scores[..., ::-1], axis=-1)


@FAULTS.value("categorical_accuracy", "ties")
def last_maximum_counts(scores, target):
    return mean_of(last_maximum(scores) == np.argmax(target, axis=-1), scores[..., 0])


@FAULTS.value("categorical_accuracy", "plain")
def error_rate(scores, target):
    return 1.0 - reference("categorical_accuracy", scores, target)


@FAULTS.value("categorical_accuracy", "ties")
def any_maximum_counts(scores, target):
    highest = scores == np.max(scores, axis=-1, keepdims=True)
    return mean_of(np.any(highest & (target == 1.0), axis=-1), scores[..., 0])


@FAULTS.value("sparse_categorical_accuracy", "ties")
def last_of_equal_scores_counts(scores, labels):
    return mean_of(last_maximum(scores) == labels, scores[..., 0])


@FAULTS.value("sparse_categorical_accuracy", "plain")
def labels_from_one(scores, labels):
    return reference("sparse_categorical_accuracy", scores, labels - 1)


@FAULTS.value("sparse_categorical_accuracy", "rank")
def classes_on_the_second_axis(scores, labels):
    if scores.ndim < 3:
        return reference("sparse_categorical_accuracy", scores, labels)
    return mean_of(np.argmax(scores, axis=1)[:, :1] == labels[:, :1], scores[:, :1, 0])
