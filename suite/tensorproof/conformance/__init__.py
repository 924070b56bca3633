"""The checks as tests, for ``pytest --backend=NAME`` and ``tensorproof check NAME``."""
