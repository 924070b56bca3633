"""Attention as people use it (profile ``extended``): grouped heads, biases, windows, lengths, positions, layers and caches."""
