"""Statuses of checks on a page: symbol, meaning, and which is graver."""

SYMBOLS = {
    "passed": "✓",
    "failed": "✗",
    "unsupported": "–",
    "known_failure": "△",
    "not_meaningful": "≈",
    "error": "!",
    "crashed": "†",
    "timed_out": "…",
    "out_of_memory": "▪",
    "fell_back": "↩",
    "not_run": "·",
}
"""A symbol beside every colour."""

MEANINGS = {
    "passed": "within the error bars",
    "failed": "a wrong value",
    "unsupported": "the backend says that it lacks this, and why",
    "known_failure": "a wrong value that is declared and explained",
    "not_meaningful": "rounding swamps the result in this dtype; proves nothing",
    "error": "an exception",
    "crashed": "the process ended",
    "timed_out": "did not end in time",
    "out_of_memory": "memory ran out",
    "fell_back": "computed on another device than asked, or eagerly in a compiled mode",
    "not_run": "planned, but not run",
}

SEVERITY = (
    *("crashed", "timed_out", "out_of_memory", "failed", "error", "fell_back", "known_failure", "not_run", "not_meaningful"),
    *("unsupported", "passed"),
)
"""From the status that a cell shows first to the one that it shows only if there is no other."""

DECLARED = "none"
"""The mode, sample and dtype of checks of what a backend declares of itself: nothing is run for them."""

VALUES, GRADIENTS = "values", "gradients"
PARTS = {"gradient": GRADIENTS, "subset": GRADIENTS, "fused": GRADIENTS}
"""Which of a cell's two parts a check belongs to; those not named here judge values."""


def part_of(check: str) -> str:
    """``values`` or ``gradients``.

    >>> part_of("forward"), part_of("fused")
    ('values', 'gradients')
    """
    return PARTS.get(check, VALUES)


def mode_words(mode: str) -> str:
    """A mode as people read it.

    >>> mode_words("eager"), mode_words("none")
    ('eager', 'declared')
    """
    return "declared" if mode == DECLARED else mode


def words(status: str) -> str:
    """A status as people write it.

    >>> words("known_failure")
    'known failure'
    """
    return status.replace("_", " ")
