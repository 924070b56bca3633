"""Crews start workers when they are needed, and tell a wrong command line from a worker that will not start again."""

import pytest

from tensorproof.backends import UsageError
from tensorproof.timing.crews import Crew, Origin, anchor_crew, own_python
from tensorproof.timing.processes import WorkerFailure


def test_an_unknown_backend_is_a_usage_error(tmp_path):
    crew = Crew(Origin("nump", "", own_python(), None), 1, None, tmp_path)
    with pytest.raises(UsageError, match="did you mean numpy"):
        crew.worker(0)
    assert not crew.workers


def test_one_that_will_not_start_again_costs_a_case_and_not_the_run(tmp_path):
    crew = Crew(Origin("nump", "", own_python(), None), 1, None, tmp_path, hello={"protocol": 1})
    with pytest.raises(WorkerFailure, match="a new worker does not start") as failure:
        crew.worker(0)
    assert failure.value.status == "crashed"


def test_a_worker_that_has_ended_is_started_anew(tmp_path):
    crew = anchor_crew(1, None, tmp_path)
    try:
        first = crew.worker(0)
        assert crew.worker(0) is first
        first.close()
        assert crew.ask(0, "kernel", 60.0, name="anchor", calls=1)["ns"] > 0
        assert crew.worker(0) is not first
    finally:
        crew.close()
