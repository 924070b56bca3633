"""Numbers that carry an error bar, and the rules by which bars grow."""
