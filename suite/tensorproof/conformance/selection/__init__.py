"""Which checks there are, and which of them run: by default, by options, and for a first look."""
