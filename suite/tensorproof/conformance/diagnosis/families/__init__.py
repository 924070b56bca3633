"""Known mistakes by family of operations: formulas and arguments that are often got wrong there."""
