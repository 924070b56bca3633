"""Diagnosis: which known mistake would give what a backend gave."""
