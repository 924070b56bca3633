"""Deliberately wrong backends for timing, each a small plugin of its own, and what must catch each of their faults.

Worker processes find them through entry points in a folder on their path, as they find installed plugins.
"""

BACKENDS = {
    **{name: name for name in ("slipshod", "failing", "patched_time", "slow_clock", "still_clock", "more_threads")},
    "sharing_first": "sharing:first",
    "sharing_second": "sharing:second",
}
"""By name, the module here that is its plugin."""
