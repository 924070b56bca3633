"""Python imports this first in each process of a run: those that import no plugin, and those of a night, are reached so."""

import sys

if "tensorproof.conformance.reference_process" in sys.orig_argv:
    import injected

    injected.plant_in_reference()
if sys.orig_argv[3:5] == ["tensorproof", "time"]:
    import injected

    injected.plant_in_timings()
