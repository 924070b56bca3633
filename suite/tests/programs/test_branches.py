"""Where a branch lies near: what either side explains decides nothing, and what neither does is a failure."""

import numpy as np
import pytest
from faulty import Fault
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.judging import Subject
from tensorproof.programs.program import Input, Node, Program

X = np.float32([1.1, 0.7, 3.0])
Y = np.float32([1.3, 0.9, 2.0])
Z = np.float32([np.float32(1.1) * np.float32(1.3), 0.1, 9.0])
"""The first is what the product of the others is, so that its distance from it is a rounding error or nothing."""


def program(branch: str, *then: str) -> Program:
    """A branch at the difference of a product and what it nearly is; then operations of one array."""
    inputs = tuple(Input((3,), "float32", values=tuple(map(float, item))) for item in (X, Y, Z))
    nodes = [Node("multiply", (("a", 0), ("b", 1))), Node("subtract", (("a", 3), ("b", 2)))]
    if branch == "greater":
        nodes += [Node("greater", (("a", 3), ("b", 2))), Node("where", (("condition", 5), ("a", 4), ("b", 0)))]
    else:
        nodes += [Node(branch, (("x", 4),))]
    for name in then:
        nodes.append(Node(name, (("x", 2 + len(nodes)),)))
    return Program(inputs, tuple(nodes), (2 + len(nodes),))


def status(fault, *names):
    found = Subject(SmallBackend(fault), "cpu", KNOWN).verdict(program(*names), "eager")
    return found.status, found.message


@pytest.mark.parametrize("branch", ["relu", "sign", "greater"])
def test_a_value_that_is_wrong_on_both_sides_is_a_failure(branch):
    wrong = Fault(name="wrong", operation="exp", group="eager", function=lambda x: np.exp(x) * 1.1)
    assert status(wrong, branch, "exp")[0] == "failed"
    assert status(None, branch, "exp")[0] in ("passed", "near_a_branch")


def test_the_other_side_of_a_jump_is_no_failure_and_of_what_lies_far_it_is():
    def other_side(distance):
        return Fault(
            name="other",
            operation="sign",
            group="eager",
            function=lambda x: np.where(np.abs(x) <= distance, -np.sign(x + 1e-30), np.sign(x)),
        )

    found, message = status(other_side(1e-6), "sign", "exp")
    assert found == "near_a_branch", message
    assert "a branch of the reference lies" in message
    assert status(other_side(2.0), "sign", "exp")[0] == "failed"


def test_a_gradient_that_passes_or_not_at_a_kink_is_no_failure_and_where_none_lies_near_it_is():
    def passing_from(least):
        return Fault(name="passing", operation="relu", group="eager", vjp=lambda dy, x: {"x": np.where(x > least, dy, 0.0)})

    assert status(passing_from(-1e-6), "relu", "exp")[0] in ("passed", "near_a_branch")
    assert status(passing_from(-9.0), "relu", "exp")[0] == "failed"


@pytest.mark.parametrize(("wrong", "found"), [("value", "failed"), ("gradient", "near_a_branch")])
def test_where_only_a_gradient_cannot_be_followed_to_both_sides_it_decides_nothing(wrong, found):
    value = Fault(name="wrong", operation="exp", group="eager", function=lambda x: np.exp(x) * 1.1)
    gradient = Fault(name="wrong", operation="exp", group="eager", vjp=lambda dy, x: {"x": dy * np.exp(x) * 1.1})
    subject = Subject(SmallBackend({"value": value, "gradient": gradient}[wrong]), "cpu", KNOWN)
    nodes = (
        Node("multiply", (("a", 0), ("b", 1))),
        Node("concatenate", (("arrays", (3, 2)),), (("axis", 0),)),
        Node("sort", (("x", 4),), (("axis", 0),)),  # its gradient goes where each number came from
        Node("exp", (("x", 5),)),
    )
    verdict = subject.verdict(Program(program("relu").inputs, nodes, (6,)), "eager")
    assert verdict.status == found, verdict.message
