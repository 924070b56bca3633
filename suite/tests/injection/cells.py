"""What is done to which process of a small run, at which moment, and what the run must come to.

The table of ``docs/reliability.md`` is made of this one.
"""

from dataclasses import dataclass

ACTIONS = ("KILL", "TERM", "HUP", "INT", "STOP, CONT")
MOMENTS = {
    "described": "the backend is described, before any check is collected",
    "reference": "the reference computes what is expected",
    "check": "a worker runs a check",
    "record": "a line of the record is half written",
    "page": "the page is written at the end",
}
TARGETS = {
    "controller": "the command",
    "describing": "the process that describes",
    "worker": "the worker",
    "reference": "the reference process",
    "child": "a child of the worker",
}


@dataclass(frozen=True)
class Outcome:
    """What a run must come to."""

    code: int
    """The exit code of the command; negative for a signal."""
    words: str
    """As the table says it."""
    lost: str = ""
    """The status of the one check that it cost."""
    left: bool = False
    """Whether checks are left, which ``--resume`` makes."""
    recorded: bool = True
    """Whether there is a record."""


OUTCOMES = {
    "whole": Outcome(0, "nothing lost"),
    "crashed": Outcome(1, "one check, *crashed*", lost="crashed"),
    "out_of_memory": Outcome(1, "one check, *out of memory*", lost="out_of_memory"),
    "interrupted": Outcome(2, "the run ends; 2", left=True),
    "no_page": Outcome(2, "the page; 2"),
    "not_begun": Outcome(2, "nothing begun; 2", recorded=False),
    "refused": Outcome(4, "nothing begun; 4", recorded=False),
    "killed": Outcome(-9, "the run is gone", left=True),
    "killed_early": Outcome(-9, "the run is gone", recorded=False),
    "killed_late": Outcome(-9, "the page"),
}
WHOLE = ("whole",) * 5
OF_WORKER = ("out_of_memory", "crashed", "whole", "whole", "whole")
"""A worker is deaf to what a terminal sends to all processes in it: HUP and INT."""
TABLE = {
    ("described", "controller"): ("killed_early", "not_begun", "not_begun", "not_begun", "whole"),
    ("described", "describing"): ("refused", "refused", "refused", "refused", "whole"),
    ("reference", "controller"): ("killed", "interrupted", "interrupted", "interrupted", "whole"),
    ("reference", "worker"): OF_WORKER,
    ("reference", "reference"): WHOLE,
    ("reference", "child"): WHOLE,
    ("check", "controller"): ("killed", "interrupted", "interrupted", "interrupted", "whole"),
    ("check", "worker"): OF_WORKER,
    ("check", "reference"): WHOLE,
    ("check", "child"): WHOLE,
    ("record", "controller"): ("killed", "interrupted", "interrupted", "interrupted", "whole"),
    ("record", "worker"): OF_WORKER,
    ("record", "reference"): WHOLE,
    ("record", "child"): WHOLE,
    ("page", "controller"): ("killed_late", "no_page", "no_page", "no_page", "whole"),
    ("page", "worker"): WHOLE,
}
"""The names of outcomes by moment and target, in the order of ``ACTIONS``."""
OFTEN = (
    ("reference", "reference", "KILL"),
    ("record", "controller", "TERM"),
    ("check", "worker", "TERM"),
    ("page", "controller", "INT"),
    ("page", "worker", "KILL"),
)
"""Those that every run of the tests injects; the others are for the night."""


def cells() -> list[tuple[str, str, str]]:
    """Each moment with each of its targets and each action."""
    return [(*place, action) for place in TABLE for action in ACTIONS]


TEST = '[test](../suite/tests/reliability/test_injection.py "test_a_signal_at_any_moment_loses_no_more_than_the_table_says")'
HEADS = ("when", "to", *ACTIONS, "shown by")


def table_text() -> str:
    """The table as Markdown: what each fault costs, and the exit code where a run ends."""
    rows = [HEADS, ("---",) * len(HEADS)]
    rows += [
        (MOMENTS[moment], TARGETS[target], *(OUTCOMES[name].words for name in names), TEST)
        for (moment, target), names in TABLE.items()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def outcome_of(moment: str, target: str, action: str) -> Outcome:
    """What a cell must come to."""
    return OUTCOMES[TABLE[moment, target][ACTIONS.index(action)]]
