"""A program as data: JSON, names, and what is no program."""

import json

import numpy as np
import pytest
from made_programs import material

from tensorproof.programs.program import Input, MalformedProgram, Node, Program, from_json, to_json
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.walk import walk_over_pairs

X = Input((2, 3), "float32")
EXP = Node("exp", (("x", 0),))


def test_json_goes_round():
    for number in range(50):
        program = random_program(material(seed=3), number)
        assert from_json(to_json(program)) == program
        assert from_json(to_json(program)).name == program.name


def test_a_list_of_arrays_and_values_go_round():
    node = Node("concatenate", (("arrays", (0, 0)),), (("axis", 1),))
    program = Program((Input((1, 2), "float32", values=(0.5, -2.0)),), (node,), (1,))
    assert from_json(to_json(program)) == program
    assert program.inputs[0].array.tolist() == [[0.5, -2.0]]


def test_the_name_is_of_the_whole_program_and_the_form_of_its_calls():
    program = Program((X,), (EXP,), (1,))
    other = Program((Input((4,), "float32"),), (EXP,), (1,))
    assert program.name != other.name
    assert program.form == other.form
    assert program.form != Program((X,), (Node("tanh", (("x", 0),)),), (1,)).form


def test_the_text_names_values_by_number():
    assert Program((X,), (EXP,), (1,)).text == "v0: float32[2, 3]; v1 = exp(v0) -> v1"


@pytest.mark.parametrize(
    ("inputs", "nodes", "outputs", "why"),
    [
        ((X,), (Node("exp", (("x", 1),)),), (1,), "operands come before it"),
        ((X,), (EXP,), (0,), "expected numbers of nodes"),
        ((X,), (EXP,), (), "expected numbers of nodes"),
        ((X, Input((2,), "float8_e3m4")), (EXP,), (2,), "floating dtypes"),
        ((), (EXP,), (0,), "floating dtypes"),
    ],
)
def test_what_is_no_program_is_refused(inputs, nodes, outputs, why):
    with pytest.raises(MalformedProgram, match=why):
        Program(inputs, nodes, outputs)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"inputs": 3, "nodes": [], "outputs": [], "seed": 0})])
def test_json_that_is_no_program_is_refused(text):
    with pytest.raises(MalformedProgram):
        from_json(text)


def test_the_same_seed_and_number_give_the_same_program():
    first, again = (random_program(material(seed=1), 7) for _ in range(2))
    assert first == again
    assert first != random_program(material(seed=2), 7)
    assert first != random_program(material(seed=1), 8)


def test_numbers_that_are_not_finite_go_round_and_are_written_by_name():
    special = Input((3,), "float32").holding(np.array([np.inf, np.nan, -0.0]))
    program = Program((special,), (EXP,), (1,))
    assert from_json(to_json(program)) == program
    assert program.is_special
    json.loads(to_json(program), parse_constant=lambda word: pytest.fail(word))


def test_a_number_is_a_part_of_the_calls():
    zero, one = (Input((), "float32", "number", values=(value,)) for value in (0.0, 1.0))
    times = Node("multiply", (("a", 0), ("b", 1)))
    program = Program((X, zero), (times,), (2,))
    assert program.text == "v0: float32[2, 3]; v2 = multiply(v0, 0.0) -> v2"
    assert program.form != Program((X, one), (times,), (2,)).form


def test_a_walk_meets_every_pair_once():
    names = ("a", "b", "c")
    walk = walk_over_pairs(names, 3)
    pairs = list(zip(walk, [*walk[1:], walk[0]], strict=True))
    assert sorted(pairs) == sorted((one, other) for one in names for other in names)
