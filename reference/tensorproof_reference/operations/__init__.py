"""Operations, one file each: a function, its vector-Jacobian product, its samples."""
