"""Optimizers, learning-rate schedules and clipping: one file each."""
