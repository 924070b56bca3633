"""A worker's answers to what goes wrong: only what is said at the beginning may end the whole run."""

import pytest

from tensorproof.backend import Unsupported
from tensorproof.errors import UsageError
from tensorproof.serving import _answer, _as_line


class Raising:
    """A worker whose every method raises what it was made with."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def hello(self) -> dict:
        raise self.error

    def judge(self) -> dict:
        raise self.error


@pytest.mark.parametrize(
    ("error", "do", "status"),
    [
        (UsageError("no such device"), "hello", "usage"),
        (UsageError("a plugin's own"), "judge", "error"),
        (Unsupported("no such mode"), "judge", "unsupported"),
        (MemoryError(), "judge", "out_of_memory"),
        (SystemExit(0), "judge", "error"),
    ],
)
def test_what_an_action_raises_is_told_by_its_kind(error, do, status):
    assert _answer(Raising(error), {"do": do})["failed"] == status


@pytest.mark.parametrize("odd", [float("nan"), {1, 2}])
def test_an_answer_that_is_no_plain_data_is_an_error(odd):
    assert b"cannot be written down" in _as_line({"judged": odd})
