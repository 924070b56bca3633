"""Programs by the reference: gradients against finite differences, and where they prove nothing."""

from dataclasses import replace

import numpy as np
import pytest
from made_programs import material
from small_backend import SmallBackend

from tensorproof.programs.building import Builder
from tensorproof.programs.dtypes import PLAIN
from tensorproof.programs.evaluation import (
    cotangents_of,
    expected_of,
    forward_values,
    primals_of,
    written_numbers,
)
from tensorproof.programs.judging import Subject
from tensorproof.programs.program import Input, Node, Program
from tensorproof.programs.sources.patterns import PATTERNS
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.rows import ROWS
from tensorproof.programs.wider_bars import with_common_errors
from tensorproof_reference.catalogue import known_operations

KNOWN = known_operations()
KINKED = {"abs", "sign", "floor", "round", "relu", "leaky_relu", "maximum", "minimum", "reduce_max", "reduce_min"}
SMOOTH = frozenset(ROWS) - KINKED


def total(program: Program) -> float:
    """The sum of the outputs times their cotangents: a function whose gradients are those of the program."""
    values = forward_values(program, KNOWN, {}, None)
    outputs = [np.asarray(values[number]) for number in program.outputs]
    cotangents = cotangents_of([item.shape for item in outputs], [program.dtype] * len(outputs), program.seed)
    return float(sum(np.sum(y * dy) for y, dy in zip(outputs, cotangents, strict=True)))


@pytest.mark.parametrize("number", range(40))
def test_gradients_are_those_of_finite_differences(number):
    program = random_program(material("float64", 5, SMOOTH), number)
    expected = expected_of(program, KNOWN, {}, PLAIN)
    if expected.singular or expected.singular_gradient:
        pytest.skip("a slope is infinite there")
    rng = np.random.default_rng(number)
    for place in primals_of(program):
        item = program.inputs[place]
        direction = rng.standard_normal(item.shape)

        def moved(by: float, place: int = place, direction: np.ndarray = direction) -> float:
            inputs = list(program.inputs)
            inputs[place] = inputs[place].holding(inputs[place].array + by * direction)
            return total(replace(program, inputs=tuple(inputs)))

        slope, rougher = ((moved(step) - moved(-step)) / (2 * step) for step in (2.0**-23, 2.0**-21))
        gradient = np.sum(expected.gradients[f"v{place}"][0] * direction)
        doubt = 2.0 * abs(slope - rougher)
        assert slope == pytest.approx(gradient, rel=1e-4, abs=1e-5 * (1 + abs(total(program))) + doubt)


def test_a_value_with_two_consumers_gets_both_gradients():
    builder = Builder(KNOWN, "float64", 0)
    x = builder.input((3,))
    both = builder.call("add", {"a": builder.call("exp", {"x": x}), "b": builder.call("sin", {"x": x})})
    program = builder.program([both])
    expected = expected_of(program, KNOWN, {}, PLAIN)
    array, (dy,) = program.inputs[0].array, expected.cotangents
    assert expected.gradients["v0"][0] == pytest.approx(dy * (np.exp(array) + np.cos(array)))


def test_three_consumers_may_add_their_gradients_in_any_order():
    builder = Builder(KNOWN, "float32", 0)
    x, large = builder.input((4,)), builder.number(4096.0)
    ends = [builder.call("multiply", {"a": x, "b": large}), builder.call("exp", {"x": x}), builder.call("sin", {"x": x})]
    program = builder.program(ends)
    expected = expected_of(program, KNOWN, {}, PLAIN)
    big, middle, small = (dy * slope for dy, slope in zip(expected.cotangents, (4096.0, *_slopes(program)), strict=True))
    value, bar = expected.gradients["v0"]
    for order in ((big, middle, small), (small, middle, big), (big, small, middle)):
        total = sum(np.asarray(part, np.float32) for part in order)
        assert (np.abs(total - value) <= 10 * bar).all()


def _slopes(program: Program) -> tuple[np.ndarray, np.ndarray]:
    array = program.inputs[0].array
    return np.exp(array), np.cos(array)


def test_an_input_that_no_output_depends_on_smoothly_has_gradient_zero():
    builder = Builder(KNOWN, "float32", 0)
    a, b = builder.input((4,)), builder.input((4,))
    condition = builder.call("less", {"a": a, "b": b})
    program = builder.program([builder.call("where", {"condition": condition, "a": b, "b": b})])
    expected = expected_of(program, KNOWN, {}, PLAIN)
    assert not expected.gradients["v0"][0].any()


def test_a_kink_that_is_met_exactly_is_known():
    builder = Builder(KNOWN, "float32", 0)
    x = builder.input((4,))
    tied = builder.program([builder.call("abs", {"x": builder.call("subtract", {"a": x, "b": x})})])
    assert expected_of(tied, KNOWN, {}, PLAIN).tied
    apart = Builder(KNOWN, "float32", 0)
    plain = apart.program([apart.call("abs", {"x": apart.input((4,))})])
    assert not expected_of(plain, KNOWN, {}, PLAIN).tied


def test_partial_products_beyond_the_range_are_known_though_the_product_is_small():
    def product_of(values: tuple[float, ...], axis: int | None) -> Program:
        x = Input((2, len(values) // 2), "float32", values=values)
        return Program((x,), (Node("reduce_prod", (("x", 0),), (("axis", axis),)),), (1,))

    assert expected_of(product_of((1e30, 1e30, 1e-30, 1e-30), None), KNOWN, {}, PLAIN).singular
    assert not expected_of(product_of((1e30, 1e-30, 1e30, 1e-30), 1), KNOWN, {}, PLAIN).singular


def test_no_gradient_is_asked_of_a_number_that_is_written_in_a_program():
    """The slope of the third power of -2 by its exponent is not a number; nobody takes it."""
    cube = Node("power", (("a", 0), ("b", 1)))
    for kind, is_asked in (("number", False), ("normal", True)):
        inputs = Input((2,), "float32", values=(-2.0, 1.0)), Input((), "float32", kind, values=(3.0,))
        assert expected_of(Program(inputs, (cube,), (2,)), KNOWN, {}, PLAIN).singular_gradient == is_asked


def test_a_bar_knows_that_one_error_reaches_a_gradient_on_several_ways():
    independent, common = [], []
    for seed in range(20):
        program = _variance_of_sums_of_rows(seed)
        expected = expected_of(program, KNOWN, {}, PLAIN)
        wider = with_common_errors(program, KNOWN, {}, PLAIN, expected)
        error = _offset_gradient_in_float32(program, expected.cotangents[0]) - expected.gradients["v1"][0]
        independent.append(np.mean(np.square(error / expected.gradients["v1"][1])))
        common.append(np.mean(np.square(error / wider.gradients["v1"][1])))
    assert np.sqrt(np.mean(independent)) > 1.5
    assert np.sqrt(np.mean(common)) < 1.0


def test_an_error_of_a_cast_that_is_added_to_itself_counts_twice():
    builder = Builder(KNOWN, "float32", 0)
    rounded = builder.call("cast", {"x": builder.input((400,))}, {"dtype": "bfloat16"})
    program = builder.program([builder.call("add", {"a": rounded, "b": rounded})])
    arithmetic = replace(PLAIN, wide=frozenset({("float32", "bfloat16")}))
    expected = expected_of(program, KNOWN, {}, arithmetic)
    wider = with_common_errors(program, KNOWN, {}, arithmetic, expected)
    (name,) = expected.outputs
    ratio = wider.outputs[name][1] / expected.outputs[name][1]
    assert np.mean(ratio) > 1.15


def _variance_of_sums_of_rows(seed: int) -> Program:
    scale, offset = Input((9,), "float32", seed=seed), Input((9,), "float32", seed=seed + 100)
    x = Input((9, 9), "float32", "offset", seed + 200)
    nodes = (
        Node("layer_norm", (("x", 2), ("scale", 0), ("offset", 1))),
        Node("cumulative_sum", (("x", 3),), (("axis", 0),)),
        Node("variance", (("x", 4),)),
    )
    return Program((scale, offset, x), nodes, (5,), seed=seed)


def _offset_gradient_in_float32(program: Program, cotangent: np.ndarray) -> np.ndarray:
    scale, offset, x = (item.array.astype(np.float32) for item in program.inputs)
    centred = x - x.mean(1, keepdims=True)
    normal = centred / np.sqrt(np.mean(np.square(centred), 1, keepdims=True) + np.float32(1e-5))
    sums = np.cumsum(normal * scale + offset, 0)
    slopes = np.float32(2 / sums.size) * (sums - sums.mean()) * np.float32(cotangent)
    return np.cumsum(slopes[::-1], 0).sum(0)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_equals_its_operation(name):
    pattern = PATTERNS[name]
    builder = Builder(KNOWN, "float64", 1)
    *arrays, result = pattern.build(builder)
    given = [builder.values[number] for number in arrays]
    expected = KNOWN[pattern.operation].function(*given, **pattern.keywords)
    assert builder.values[result] == pytest.approx(np.asarray(expected), rel=1e-12)


def test_a_number_that_is_not_finite_is_written_as_python_reads_it():
    number = Input((), "float32", "number", values=("-inf",))
    x = Input((2,), "float32", values=(1.0, 2.0))
    program = Program((x, number), (Node("maximum", (("a", 0), ("b", 1))),), (2,))
    assert written_numbers(program) == ["v1 = float('-inf')"]
    assert Subject(SmallBackend(), "cpu", KNOWN).verdict(program, "compiled").status == "passed"
