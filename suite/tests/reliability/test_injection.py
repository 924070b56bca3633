"""Each fault of the table in ``docs/reliability.md``, injected into a small run.

Every run of the tests injects a few; ``TENSORPROOF_FAULTS=all`` injects all, as the nightly workflow does.
"""

import os
from pathlib import Path

import pytest
from injection.cells import OFTEN, cells, outcome_of
from injection.commands import SOURCE
from injection.harness import go_on, inject, look

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
CHOSEN = cells() if os.environ.get("TENSORPROOF_FAULTS") == "all" else OFTEN


@pytest.mark.parametrize(("command", "moment", "target", "action"), CHOSEN)
def test_a_signal_at_any_moment_loses_no_more_than_the_table_says(plugin, tmp_path, command, moment, target, action):
    folder = plugin("fake", SOURCE)
    outcome = outcome_of(command, moment, target, action)
    code, had = inject(tmp_path, folder, command, moment, target, action)
    look(tmp_path, command, outcome, code, had)
    if outcome.left or outcome.unpublished or not outcome.recorded:
        go_on(tmp_path, folder, command, had)
