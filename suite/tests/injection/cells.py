"""What is done to which process of a small run, at which moment, and what the run must come to.

The table of ``docs/reliability.md`` is made of this one.
"""

from dataclasses import dataclass

ACTIONS = ("KILL", "TERM", "HUP", "INT", "STOP, CONT")
MOMENTS = {
    ("check", "described"): "the backend is described, before any check is collected",
    ("check", "reference"): "the reference computes what is expected",
    ("check", "work"): "a worker runs a check",
    ("check", "record"): "a line of the record is half written",
    ("check", "page"): "the page is written at the end",
    ("time", "work"): "a worker times a series",
    ("time", "record"): "a line of the record is half written",
    ("time", "page"): "the page is written at the end",
    ("fuzz", "work"): "a worker judges a program",
    ("fuzz", "record"): "a line of the record is half written",
    ("nightly", "work"): "conformance runs",
    ("nightly", "timings"): "timings run",
    ("nightly", "verdict"): "the verdict is published",
}
"""In words, by command and name."""
TARGETS = {
    "controller": "the command",
    "describing": "the process that describes",
    "worker": "the worker",
    "reference": "the reference process",
    "child": "a child of the worker",
    "stage": "the command that the night runs",
}


@dataclass(frozen=True)
class Outcome:
    """What a run must come to."""

    code: int
    """The exit code of the command; negative for a signal."""
    words: str
    """As the table says it."""
    lost: str = ""
    """The status of the one check, series or program that it cost."""
    left: bool = False
    """Whether something is left, which ``--resume``, or a night's next call, makes."""
    unpublished: bool = False
    """Whether a night's next call has only to judge and publish."""
    recorded: bool = True
    """Whether there is a record."""
    paged: bool = False
    """Whether there is a page."""


OUTCOMES = {
    "whole": Outcome(0, "nothing lost", paged=True),
    "crashed": Outcome(1, "one check, *crashed*", lost="crashed", paged=True),
    "out_of_memory": Outcome(1, "one check, *out of memory*", lost="out_of_memory", paged=True),
    "series_crashed": Outcome(1, "one series, *crashed*", lost="crashed", paged=True),
    "series_out_of_memory": Outcome(1, "one series, *out of memory*", lost="out_of_memory", paged=True),
    "program_crashed": Outcome(1, "one program, *crashed*", lost="crashed"),
    "program_out_of_memory": Outcome(1, "one program, *out of memory*", lost="out_of_memory"),
    "interrupted": Outcome(2, "the run ends; 2", left=True, paged=True),
    "no_page": Outcome(2, "the page; 2"),
    "not_begun": Outcome(2, "nothing begun; 2", recorded=False),
    "refused": Outcome(4, "nothing begun; 4", recorded=False),
    "killed": Outcome(-9, "the run is gone", left=True),
    "killed_early": Outcome(-9, "the run is gone", recorded=False),
    "killed_late": Outcome(-9, "the page"),
    "night_ends": Outcome(2, "the night ends; 2", left=True),
    "night_killed": Outcome(-9, "the night is gone", left=True),
    "night_ends_late": Outcome(2, "the night ends; 2", unpublished=True),
    "night_killed_late": Outcome(-9, "the night is gone", unpublished=True),
    "stage_missing": Outcome(1, "the stage, *missing*; 1", left=True, paged=True),
}
WHOLE = ("whole",) * 5
OF_WORKER = ("out_of_memory", "crashed", "whole", "whole", "whole")
"""A worker is deaf to what a terminal sends to all processes in it: HUP and INT."""
ENDED = ("killed", "interrupted", "interrupted", "interrupted", "whole")
ENDED_LATE = ("killed_late", "no_page", "no_page", "no_page", "whole")
NIGHT_ENDED_LATE = ("night_killed_late", "night_ends_late", "night_ends_late", "night_ends_late", "whole")
NIGHT_ENDED = ("night_killed", "night_ends", "night_ends", "night_ends", "whole")
TABLE = {
    ("check", "described", "controller"): ("killed_early", "not_begun", "not_begun", "not_begun", "whole"),
    ("check", "described", "describing"): ("refused", "refused", "refused", "refused", "whole"),
    ("check", "reference", "controller"): ENDED,
    ("check", "reference", "worker"): OF_WORKER,
    ("check", "reference", "reference"): WHOLE,
    ("check", "reference", "child"): WHOLE,
    ("check", "work", "controller"): ENDED,
    ("check", "work", "worker"): OF_WORKER,
    ("check", "work", "reference"): WHOLE,
    ("check", "work", "child"): WHOLE,
    ("check", "record", "controller"): ENDED,
    ("check", "record", "worker"): OF_WORKER,
    ("check", "record", "reference"): WHOLE,
    ("check", "record", "child"): WHOLE,
    ("check", "page", "controller"): ENDED_LATE,
    ("check", "page", "worker"): WHOLE,
    ("time", "work", "controller"): ENDED,
    ("time", "work", "worker"): ("series_out_of_memory", "series_crashed", "whole", "whole", "whole"),
    ("time", "record", "controller"): ENDED,
    ("time", "page", "controller"): ENDED_LATE,
    ("fuzz", "work", "controller"): ENDED,
    ("fuzz", "work", "worker"): ("program_out_of_memory", "program_crashed", "whole", "whole", "whole"),
    ("fuzz", "record", "controller"): ENDED,
    ("nightly", "work", "controller"): NIGHT_ENDED,
    ("nightly", "work", "stage"): ("stage_missing", "stage_missing", "stage_missing", "stage_missing", "whole"),
    ("nightly", "timings", "controller"): NIGHT_ENDED,
    ("nightly", "verdict", "controller"): NIGHT_ENDED_LATE,
}
"""The names of outcomes by command, moment and target, in the order of ``ACTIONS``."""
OFTEN = (
    ("check", "reference", "reference", "KILL"),
    ("check", "record", "controller", "TERM"),
    ("check", "work", "worker", "TERM"),
    ("check", "page", "controller", "INT"),
    ("check", "page", "worker", "KILL"),
    ("time", "work", "worker", "KILL"),
    ("fuzz", "record", "controller", "TERM"),
    ("nightly", "timings", "controller", "KILL"),
)
"""Those that every run of the tests injects; the others are for the night."""


def cells() -> list[tuple[str, str, str, str]]:
    """Each moment of a command with each of its targets and each action."""
    return [(*place, action) for place in TABLE for action in ACTIONS]


TEST = '[test](../suite/tests/reliability/test_injection.py "test_a_signal_at_any_moment_loses_no_more_than_the_table_says")'
HEADS = ("command", "when", "to", *ACTIONS, "shown by")


def table_text() -> str:
    """The table as Markdown: what each fault costs, and the exit code where a run ends."""
    rows = [HEADS, ("---",) * len(HEADS)]
    rows += [
        (f"`{command}`", MOMENTS[command, moment], TARGETS[target], *(OUTCOMES[name].words for name in names), TEST)
        for (command, moment, target), names in TABLE.items()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def outcome_of(command: str, moment: str, target: str, action: str) -> Outcome:
    """What a cell must come to."""
    return OUTCOMES[TABLE[command, moment, target][ACTIONS.index(action)]]
