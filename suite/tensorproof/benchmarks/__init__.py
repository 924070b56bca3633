"""Timings through pytest-benchmark: ``pytest --backend=NAME --benchmark-only``."""
