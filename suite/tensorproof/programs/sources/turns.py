"""Sources that take turns."""

from collections.abc import Iterator

from tensorproof.programs.program import Program


def next_of(programs: Iterator[tuple[str, Program]]) -> Iterator[tuple[str, Program]]:
    """The next program, if there is one."""
    for labelled in programs:
        yield labelled
        return
