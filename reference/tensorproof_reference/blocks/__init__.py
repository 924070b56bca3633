"""Blocks of transformers and of images, and small networks, each a table of steps that are operations."""
