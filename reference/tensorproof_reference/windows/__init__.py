"""Convolution and pooling of sequences and volumes, and over whole axes, in tables (profile ``extended``)."""
