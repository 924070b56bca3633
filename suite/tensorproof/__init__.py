"""tensorproof: what is asked of a deep-learning backend, and how its answers are judged."""

__version__ = "0.1.0"
