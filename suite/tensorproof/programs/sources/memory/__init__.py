"""Programs that depend on how arrays lie in memory: inputs that are not contiguous, and what is written over."""
