"""Activations in tables, each an operation with a page of its own (profile ``extended``)."""
