"""Metrics beyond accuracies (profile ``extended``): of two classes, of several, and of regressions."""
