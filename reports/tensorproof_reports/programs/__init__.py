"""Campaigns of programs on a page: verdicts, findings, known failures, coverage."""
