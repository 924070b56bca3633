"""Normalizations of profile ``extended``, one file each: ``registry`` finds them here."""
