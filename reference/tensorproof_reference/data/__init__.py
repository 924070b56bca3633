"""Data preparation and metrics: one operation a file."""
