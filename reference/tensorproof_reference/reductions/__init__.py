"""Reductions in tables: sums, means, extremes and truths over any set of axes (profile ``extended``)."""
