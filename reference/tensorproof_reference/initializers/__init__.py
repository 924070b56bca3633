"""Initialisers of weights, and other random draws: one distribution a file."""
