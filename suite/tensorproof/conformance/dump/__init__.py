"""A failing check as files: its arrays, and a script in the framework's own calls that shows the same number."""
