"""Causes: what the bad checks of a run have in common, from a record's lines alone."""
