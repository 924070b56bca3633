"""Many machines: work that is given to the nodes of a Ray cluster, and what they must have in common."""
