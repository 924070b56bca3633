"""Programs of several dtypes: casts between them, and numbers that are stored in 8 bits."""
