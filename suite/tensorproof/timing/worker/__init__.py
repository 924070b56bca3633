"""The process that times: its loops, arrays and audits."""

PROTOCOL = 2
"""The version of what controller and worker say to each other; both must have the same."""
