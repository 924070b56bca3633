"""Statements of conformance: what a vendor publishes of a run, and how anyone verifies it."""
