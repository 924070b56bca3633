"""Dated versions of the specification: which operations and samples each has, with digests of their inputs."""
