"""Losses and penalties, one file each, written like operations."""
