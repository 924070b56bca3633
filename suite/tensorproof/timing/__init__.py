"""Timing that can be believed: worker processes driven round-robin, paired ratios, and checks of what was timed."""
