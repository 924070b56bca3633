"""Declared programs are made again from their texts: what findings write can be read back, and nothing else can."""

from itertools import islice

import pytest
from made_programs import material
from small_operations import KNOWN

from tensorproof.programs.campaigns.declared import DRAWN, programs_of, tried
from tensorproof.programs.judging import Verdict
from tensorproof.programs.program import MalformedProgram, Program
from tensorproof.programs.sources.everything import SOURCES


@pytest.mark.parametrize("source", SOURCES)
def test_the_text_of_any_program_gives_it_back(source):
    made = [program for _, program in islice(SOURCES[source](material()), 0, 400, 10)]
    for program in made:
        for again in programs_of(program.text, KNOWN):
            assert (again.nodes, again.outputs) == (program.nodes, program.outputs)
            assert [(item.shape, item.dtype) for item in again.inputs] == [(item.shape, item.dtype) for item in program.inputs]


def test_inputs_are_drawn_in_several_ways():
    kinds = [[item.kind for item in program.inputs] for program in programs_of("v0: float32[3], v1: bool[3]; " + WHERE, KNOWN)]
    assert kinds == [[kind, "truth"] for kind in DRAWN]


WHERE = "v2 = where(v1, v0, v0) -> v2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1 = exp(v0) -> v1",
        "v0: float32[3]; v1 = exp(v0)",
        "v0: float32[3]; v1 = nothing(v0) -> v1",
        "v0: float32[3]; v1 = exp(v0) -> v0",
        "v0: float32[3]; v1 = exp(v2) -> v1",
        "v0: float32[3]; v1 = exp(v0, v0) -> v1",
        "v0: float32[3], v1: float32[3]; v2 = exp(v0 + v1) -> v2",
        "v0: float32[3]; v2 = exp(v0) -> v2",
        "v0: float3[3]; v1 = exp(v0) -> v1",
        "v0: float32[3];  v1 = exp(v0) -> v1",
        "v0: float32[3]; import os -> v1",
    ],
)
def test_what_is_no_program_as_findings_write_it_is_refused(text):
    with pytest.raises(MalformedProgram, match="is no program"):
        programs_of(text, KNOWN)


class Answers:
    """Gives one verdict after the other."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = iter(statuses)

    def verdict(self, program: Program, mode: str) -> Verdict:
        """The next one."""
        status = next(self.statuses)
        if status == "malformed":
            raise MalformedProgram("no")
        return Verdict(status)


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["passed", "passed", "failed"], "failed"),
        (["known_failure"], "known_failure"),
        (["near_a_branch", "passed", "malformed", "error", "passed", "error"], "passed"),
        (["unsupported"] * 6, "unsupported"),
        (["malformed"] * 6, "error"),
    ],
)
def test_a_program_fails_if_it_fails_with_any_inputs_and_passes_only_if_it_never_does(statuses, status):
    programs = programs_of("v0: float32[3]; v1 = exp(v0) -> v1", KNOWN)
    assert tried(Answers(*statuses), programs, "eager").status == status
