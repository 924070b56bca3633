"""A program as data: JSON, names, and what is no program."""

import json

import pytest

from tensorproof.programs.program import Input, MalformedProgram, Node, Program, from_json, to_json
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.rows import ROWS
from tensorproof_reference.catalogue import known_operations

X = Input((2, 3), "float32")
EXP = Node("exp", (("x", 0),))


def test_json_goes_round():
    for number in range(50):
        program = random_program(known_operations(), ROWS, "float32", 3, number)
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
        ((X, Input((2,), "float64")), (EXP,), (2,), "one floating dtype"),
        ((), (EXP,), (0,), "one floating dtype"),
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
    first, again = (random_program(known_operations(), ROWS, "float32", 1, 7) for _ in range(2))
    assert first == again
    assert first != random_program(known_operations(), ROWS, "float32", 2, 7)
    assert first != random_program(known_operations(), ROWS, "float32", 1, 8)
