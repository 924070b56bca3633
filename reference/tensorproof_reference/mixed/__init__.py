"""Calls whose arrays have different dtypes, in tables: products, normalizations, optimizers, quantization."""
