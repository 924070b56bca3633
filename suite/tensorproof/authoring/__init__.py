"""What helps the author of a plugin: the specification in the terminal, a scaffold, and what to do next."""
