"""Campaigns: programs one after the other, in workers that may die, with a record."""
