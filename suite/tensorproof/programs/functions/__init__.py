"""A user's own function, traced into a program and judged in each mode: ``tensorproof judge``."""
