"""Each fault of the table in ``docs/reliability.md``, injected into a small run.

Every run of the tests injects a few; ``TENSORPROOF_FAULTS=all`` injects all, as the nightly workflow does.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from injection.cells import OFTEN, cells, outcome_of
from injection.harness import SOURCE, go_on, inject, look

from tensorproof.runs.records import check_key, read_record

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
CHOSEN = cells() if os.environ.get("TENSORPROOF_FAULTS") == "all" else OFTEN


@pytest.mark.parametrize(("moment", "target", "action"), CHOSEN)
def test_a_signal_at_any_moment_loses_no_more_than_the_table_says(plugin, tmp_path, moment, target, action):
    folder = plugin("fake", SOURCE)
    outcome = outcome_of(moment, target, action)
    code, had = inject(tmp_path, folder, moment, target, action)
    look(tmp_path, outcome, code, had)
    if outcome.left or not outcome.recorded:
        made = Counter(map(check_key, go_on(tmp_path, folder)))
        assert set(made.values()) == {1}
        assert set(had) <= made.keys()
        assert read_record(tmp_path / "run.ndjson").complete
