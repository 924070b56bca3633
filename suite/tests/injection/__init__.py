"""Faults injected into small runs: a table of them, and the harness that injects each and looks at what it came to."""
