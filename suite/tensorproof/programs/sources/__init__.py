"""Where programs come from: drawn at random, pairs of neighbours, and patterns that compilers know."""
