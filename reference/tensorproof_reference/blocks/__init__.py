"""Blocks of transformers, each a table of steps that are operations."""
